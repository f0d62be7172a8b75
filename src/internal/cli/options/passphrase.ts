import * as Effect from "effect/Effect"
import * as readline from "node:readline"
import { Writable } from "node:stream"
import { misuse, type WscatError } from "../errors/failure.ts"
import { Streams } from "../terminal/streams.ts"

/** Asks for the passphrase of a private key, on a terminal, without showing what is typed. */
export const askPassphrase: Effect.Effect<string, WscatError> = Effect.gen(function* () {
  const { errors, input } = yield* Streams
  if (input.isTTY !== true) {
    return yield* misuse("--passphrase has no value, and there is no terminal to ask for it", "use --passphrase-file")
  }
  return yield* Effect.callback<string, WscatError>((resume) => {
    const nowhere = new Writable({ write: (_, __, done) => done() })
    const editor = readline.createInterface({ input, output: nowhere, terminal: true, historySize: 0 })
    const stop = (): void => {
      editor.off("close", none)
      editor.close()
    }
    const finish = (result: Effect.Effect<string, WscatError>): void => {
      stop()
      errors.write("\n")
      resume(result)
    }
    const none = (): void => finish(Effect.fail(misuse("no passphrase was given")))
    editor.once("close", none)
    editor.question("", (passphrase) => finish(Effect.succeed(passphrase)))
    errors.write("Passphrase: ")
    return Effect.sync(stop)
  })
})
