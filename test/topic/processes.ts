// Several processes of a server, and clients that write down what they hear.
import { Effect, type Scope, Stream } from "effect"
import { Socket } from "effect-ws"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

/** Makes `effect-ws` mean the sources, in a process of its own. */
export const hook = fileURLToPath(new URL("../support/resolve-src.mjs", import.meta.url))

/** A program that runs, and where it listens. */
export interface Program {
  readonly port: number
  /** Tells it something on its standard input. */
  readonly order: (line: string) => void
  readonly signal: (name: NodeJS.Signals) => void
}

/** Starts a program of this folder that announces its port. */
export const startProgram = (file: string, options: object): Effect.Effect<Program, never, Scope.Scope> =>
  Effect.gen(function* () {
    const program = fileURLToPath(new URL(file, import.meta.url))
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, ["--import", hook, program, JSON.stringify(options)], {
          stdio: ["pipe", "pipe", "ignore"]
        })
      ),
      (child) =>
        Effect.promise(async () => {
          if (child.exitCode !== null || child.signalCode !== null) return
          child.kill("SIGCONT")
          child.stdin.end()
          await once(child, "exit")
        })
    )
    return yield* Effect.promise(async () => {
      for await (const line of createInterface(child.stdout)) {
        if (!line.startsWith("{")) continue
        const { port } = JSON.parse(line) as { readonly port: number }
        return {
          port,
          order: (order: string) => void child.stdin.write(`${order}\n`),
          signal: (name: NodeJS.Signals) => void child.kill(name)
        }
      }
      throw new Error(`${file} ended without a port`)
    })
  })

/** A client with everything that it heard so far, in order. */
export interface Client {
  readonly socket: Socket.Socket
  readonly heard: Array<string>
}

export const connectClient = (
  port: number,
  filters: ReadonlyArray<string>
): Effect.Effect<Client, Socket.SocketError, Scope.Scope> =>
  Effect.gen(function* () {
    const query = filters.map((filter) => `filter=${encodeURIComponent(filter)}`).join("&")
    const socket = yield* Socket.connect(`ws://127.0.0.1:${port}/?${query}`, {
      openTimeout: "1 hour",
      keepAlive: false
    })
    const heard: Array<string> = []
    const ready = yield* Effect.forkScoped(
      Stream.runForEach(socket.messages, (message) => Effect.sync(() => heard.push(String(message)))),
      { startImmediately: true }
    )
    yield* until(() => heard.length > 0 || ready.pollUnsafe() !== undefined)
    return { socket, heard }
  })

/** Waits for something that comes about by itself. */
export const until = (done: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (done() ? Effect.void : Effect.andThen(Effect.sleep(5), until(done))))

const answersIn = ({ heard }: Client) => heard.filter((line) => /^!(?:ok|not sent|unknown)$/.test(line))

/** Publishes numbers, one at a time, as long as it is wanted; answers those that the broker took, and all. */
export const publishNumbers = (client: Client, name: string, wanted: () => boolean, taken: Array<number> = []) =>
  Effect.gen(function* () {
    let number = 0
    while (wanted()) {
      number++
      yield* client.socket.send(`${name} ${number}`)
      yield* until(() => answersIn(client).length === number)
      if (answersIn(client)[number - 1] === "!ok") taken.push(number)
      else yield* Effect.sleep(5)
      if (number % 20 === 0) yield* Effect.sleep(1)
    }
    return { taken, last: number }
  })

/** What is wrong with what a client heard: nothing may come twice or out of order, and what is missing needs a gap before or after. */
export const findFaults = (heard: ReadonlyArray<string>, taken: ReadonlyArray<number>): ReadonlyArray<string> => {
  const faults: Array<string> = []
  let last = 0
  let gap = false
  for (const line of heard) {
    if (line.startsWith("!gap")) gap = true
    if (!/^\d+$/.test(line)) continue
    const number = Number(line)
    if (number <= last) faults.push(`${number} after ${last}`)
    const missing = taken.filter((one) => one > last && one < number)
    if (missing.length > 0 && !gap) faults.push(`${missing.join(", ")} missing before ${number}, and no gap`)
    last = number
    gap = false
  }
  const rest = taken.filter((one) => one > last)
  if (rest.length > 0) faults.push(`${rest.join(", ")} missing at the end`)
  return faults
}
