/** What runs in a page, and in every other run time that has a `WebSocket`: functions that a test calls. */
import { Effect, Fiber, Schedule, type Scope, Stream } from "effect"
import { Socket } from "effect-ws/browser"
import { conversation, Count } from "../common.ts"

const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> => Effect.runPromise(Effect.scoped(effect))

const reasonOf = <A, R>(effect: Effect.Effect<A, Socket.SocketError, R>) =>
  Effect.map(Effect.flip(effect), ({ message, reason }) => ({ tag: reason._tag, message }))

/** Each takes the URL of a server that does what the test beside it says, and answers with what can be JSON. */
export const programs = {
  /** Echo, subprotocol, the peer's close. */
  conversation: (url: string) => run(Effect.flatMap(Socket.connect(url, { protocols: ["chat"] }), conversation)),

  /** Values of a schema, and one that is none. */
  typed: (url: string) =>
    run(
      Effect.gen(function* () {
        const socket = yield* Socket.connect(url)
        const typed = Socket.withSchema(socket, Count)
        yield* typed.sendAll([{ count: 1 }, { count: 2 }])
        const values = yield* Stream.runCollect(Stream.take(typed.messages, 2))
        yield* socket.send("no value")
        const error = yield* Effect.flip(Stream.runDrain(typed.messages))
        const { cause, sent } = yield* socket.closed
        return { values, error: error.message, cause: cause._tag, sent }
      })
    ),

  /** The closing handshake from this side, and codes that can't be sent. */
  close: (url: string) =>
    run(
      Effect.gen(function* () {
        const socket = yield* Socket.connect(url)
        const refused = yield* Effect.forEach([1001, 1011, 1005, 2000], (code) => reasonOf(socket.close(code)))
        return { refused: refused.map(({ tag }) => tag), closed: yield* socket.close(4321, "därum") }
      })
    ),

  /** The end of the scope, after a failure. */
  fail: (url: string) => run(Effect.ignore(Effect.scoped(Effect.andThen(Socket.connect(url), Effect.fail("oh"))))),

  /** Where nothing, or no WebSocket, is served. */
  refused: (url: string) => run(reasonOf(Socket.connect(url))),

  /** Sends `count` MiB to a server that reads them when `/read` is asked for; how much was sent when it got stuck. */
  backpressure: (url: string, count: number) =>
    run(
      Effect.gen(function* () {
        const socket = yield* Socket.connect(url)
        const message = "x".repeat(1024 * 1024)
        let sent = 0
        const sending = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: count }), () => Effect.map(socket.send(message), () => sent++))
        )
        let before = -1
        while (before < sent) {
          before = sent
          yield* Effect.sleep(500)
        }
        const stuck = sent
        yield* Effect.promise(() => fetch(url.replace(/^ws(.*)\/[^/]*$/, "http$1/read")))
        yield* Fiber.join(sending)
        return { stuck, sent, close: yield* socket.close() }
      })
    ),

  /** A reader that doesn't come in time. */
  overflow: (url: string) =>
    run(
      Effect.gen(function* () {
        const socket = yield* Socket.connect(url, { maxReadBufferSize: 100_000 })
        const { cause, sent } = yield* socket.closed
        const read: Array<Socket.Message> = []
        const failure = yield* reasonOf(
          Stream.runForEach(socket.messages, (message) => Effect.sync(() => read.push(message)))
        )
        return { cause, sent, read: read.length, failure: failure.tag }
      })
    ),

  /** Many connections as one stream. */
  reconnecting: (url: string) =>
    run(
      Effect.gen(function* () {
        const link = yield* Socket.reconnecting(url, {
          schedule: Schedule.spaced(20),
          onConnect: (socket) => socket.send("subscribe")
        })
        return yield* Stream.runCollect(link.messages)
      })
    )
}

Object.assign(globalThis, { programs })
