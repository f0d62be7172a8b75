/** Runs a command line: finds the command, reads its options, reports errors, and ends the process. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { exitCode } from "./errors/exitCode.ts"
import { misuse, type WscatError } from "./errors/failure.ts"
import { answer, errorLine } from "./help/answer.ts"
import { read } from "./options/argv.ts"
import { type GivenOption, InvalidArguments } from "./options/given.ts"
import { benchValues, doctorValues, proxyValues, replayValues, wscatValues } from "./options/values.ts"
import { harmless } from "./terminal/safeText.ts"
import { isReaderGone, unwritable } from "./terminal/screen.ts"
import { Streams } from "./terminal/streams.ts"

/** A command: reads its options and does its work. */
export type Execute = (
  given: ReadonlyArray<GivenOption>,
  operands: ReadonlyArray<string>
) => Effect.Effect<void, WscatError>

/** Each command's module is loaded when the command runs. */
const load = <A>(module: () => Promise<A>): Effect.Effect<A> => Effect.promise(module)

const valuesOf = <A>(
  values: (given: ReadonlyArray<GivenOption>) => A,
  given: ReadonlyArray<GivenOption>
): Effect.Effect<A, WscatError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(values(given))
    } catch (error) {
      if (error instanceof InvalidArguments) return Effect.fail(misuse(error.message, error.hint))
      throw error
    }
  })

const wscat: Execute = (given) =>
  Effect.gen(function* () {
    const values = yield* valuesOf(wscatValues, given)
    const { connect: target, listen: place } = values
    if (target !== undefined && place === undefined) {
      const { connect } = yield* load(() => import("./commands/connect.ts"))
      return yield* connect(target, values)
    }
    if (place !== undefined && target === undefined) {
      const { listen } = yield* load(() => import("./commands/listen.ts"))
      return yield* listen(place, values)
    }
    return yield* misuse("use either --listen or --connect")
  })

const bench: Execute = (given, [url = ""]) =>
  Effect.gen(function* () {
    const values = yield* valuesOf(benchValues, given)
    const { bench } = yield* load(() => import("./commands/bench.ts"))
    yield* bench(url, values)
  })

const doctor: Execute = (given, [url = ""]) =>
  Effect.gen(function* () {
    const values = yield* valuesOf(doctorValues, given)
    const { doctor } = yield* load(() => import("./commands/doctor.ts"))
    yield* doctor(url, values)
  })

const proxy: Execute = (given) =>
  Effect.gen(function* () {
    const values = yield* valuesOf(proxyValues, given)
    const { proxy } = yield* load(() => import("./commands/proxy.ts"))
    yield* proxy(values)
  })

const replay: Execute = (given, [file = "", url]) =>
  Effect.gen(function* () {
    const values = yield* valuesOf(replayValues, given)
    const { replay } = yield* load(() => import("./commands/replay.ts"))
    yield* replay(file, url, values)
  })

/** What runs for each command, by its name; `undefined` for `wscat` itself. */
export const commands = new Map<string | undefined, Execute>([
  [undefined, wscat],
  ["bench", bench],
  ["doctor", doctor],
  ["proxy", proxy],
  ["replay", replay]
])

/**
 * Runs a command line, and succeeds with the exit code. `argv` is what follows the name of the program. An error is one
 * line on the errors of `Streams`.
 */
export const run = (argv: ReadonlyArray<string>): Effect.Effect<number> =>
  Effect.gen(function* () {
    const streams = yield* Streams
    const answered = answer(argv)
    if (answered !== undefined) {
      streams[answered.to].write(answered.text)
      return answered.exitCode
    }
    const invocation = read(argv)
    const execute = invocation._tag === "Run" ? commands.get(invocation.command) : undefined
    if (invocation._tag !== "Run" || execute === undefined) return exitCode.unexpected
    const { given, operands } = invocation
    const compatible = given.some(({ name }) => name === "compat")
    const complain = (line: string, body: string | undefined): Effect.Effect<void> =>
      Effect.sync(() => {
        const plain = streams.errors.isTTY !== true || streams.env["NO_COLOR"] || given.some(isNoColor)
        streams.errors.write(plain ? `${harmless(line)}\n` : `\u001B[33m${harmless(line)}\u001B[39m\n`)
        if (body !== undefined && body !== "") streams.errors.write(bodyLines(body))
      })
    return yield* execute(given, operands).pipe(
      Effect.as<number>(exitCode.clean),
      Effect.catch(({ hint, kind, message, refusal, reported }) =>
        compatible && kind === "closed"
          ? Effect.succeed(exitCode.clean)
          : Effect.as(
              reported === true ? Effect.void : complain(errorLine(message, hint), refusal?.body),
              compatible ? compatibleFailure : exitCode[kind]
            )
      )
    )
  })

/** Characters of the body of a refusal that are shown. */
const shownBody = 2000

/** The body of a refusal, with a mark before each line. */
const bodyLines = (body: string): string =>
  harmless(body.slice(0, shownBody).trimEnd())
    .split("\n")
    .map((line) => `| ${line}\n`)
    .join("")

/** The exit code of wscat 6.1 for every error; a connection that was closed is none, whatever the close code. */
const compatibleFailure = 255

const isNoColor = ({ name }: GivenOption): boolean => name === "no-color"

/** Exit codes of a process that a signal ended, as shells have them. */
const signals = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

/**
 * Runs a command line as this process: a signal starts the closing handshake, a second one ends the process at once.
 * The process exits when everything is written.
 */
export const main = (argv: ReadonlyArray<string>): void => {
  let signal: keyof typeof signals | undefined
  const fiber = Effect.runFork(run(argv))
  for (const name of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (signal !== undefined) process.exit(signals[name])
      signal = name
      fiber.interruptUnsafe()
    })
  }
  let failure: Error | undefined
  process.stdout.on("error", (error) => (failure ??= error))
  process.stderr.on("error", () => {})
  fiber.addObserver((exit) => {
    const code = signal === undefined ? codeOf(exit) : signals[signal]
    process.stdout.write("", () => {
      // A command that doesn't watch its output, such as `doctor`, ended well all the same.
      if (code !== exitCode.clean || failure === undefined || isReaderGone(failure)) process.exit(code)
      process.stderr.write(`${errorLine(unwritable(failure).message, undefined)}\n`, () =>
        process.exit(exitCode.output)
      )
    })
  })
}

const codeOf = (exit: Exit.Exit<number>): number => {
  if (exit._tag === "Success") return exit.value
  process.stderr.write(`error: this should not happen\n${Cause.pretty(exit.cause)}\n`)
  return exitCode.unexpected
}
