/** What runs in a page, and in every other run time that has a `WebSocket`: functions that a test calls. */
import { Effect, Fiber, Schedule, type Scope, Stream } from "effect"
import { Socket } from "effect-ws/browser"
import { conversation, Count } from "../common.ts"

const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> => Effect.runPromise(Effect.scoped(effect))

/** Whether this page connects over a plain `WebSocket`, where it has a `WebSocketStream`, too. */
const plain = Reflect.get(globalThis, "plain") === true

const connect = (url: string, options?: Socket.ConnectOptions) =>
  Socket.connect(url, plain ? { ...options, WebSocket: globalThis.WebSocket } : options)

/** The URL of the server's page at a path. */
const httpOf = (url: string, path: string): string => url.replace(/^ws(.*)\/[^/]*$/, `http$1${path}`)

/** Asks `read` every half second until it returns the same twice. */
const settled = (read: Effect.Effect<number>, before = -1): Effect.Effect<number> =>
  Effect.flatMap(Effect.delay(read, 500), (now) => (now === before ? Effect.succeed(now) : settled(read, now)))

const reasonOf = <A, R>(effect: Effect.Effect<A, Socket.SocketError, R>) =>
  Effect.map(Effect.flip(effect), ({ message, reason }) => ({ tag: reason._tag, message }))

/** Each takes the URL of a server that does what the test beside it says, and answers with what can be JSON. */
export const programs = {
  /** Echo, subprotocol, the peer's close. */
  conversation: (url: string) => run(Effect.flatMap(connect(url, { protocols: ["chat"] }), conversation)),

  /** Values of a schema, and one that is none. */
  typed: (url: string) =>
    run(
      Effect.gen(function* () {
        const socket = yield* connect(url)
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
        const socket = yield* connect(url)
        const refused = yield* Effect.forEach([1001, 1011, 1005, 2000], (code) => reasonOf(socket.close(code)))
        return { refused: refused.map(({ tag }) => tag), closed: yield* socket.close(4321, "därum") }
      })
    ),

  /** The end of the scope, after a failure. */
  fail: (url: string) => run(Effect.ignore(Effect.scoped(Effect.andThen(connect(url), Effect.fail("oh"))))),

  /** Where nothing, or no WebSocket, is served. */
  refused: (url: string) => run(reasonOf(connect(url))),

  /** Sends `count` MiB to a server that reads them when `/read` is asked for; how much was sent when it got stuck. */
  backpressure: (url: string, count: number) =>
    run(
      Effect.gen(function* () {
        const socket = yield* connect(url)
        const message = "x".repeat(1024 * 1024)
        let sent = 0
        const sending = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: count }), () => Effect.map(socket.send(message), () => sent++))
        )
        const stuck = yield* settled(Effect.sync(() => sent))
        yield* Effect.promise(() => fetch(httpOf(url, "/read")))
        yield* Fiber.join(sending)
        return { stuck, sent, close: yield* socket.close() }
      })
    ),

  /** A token that isn't in the URL, and none. */
  token: (url: string) =>
    run(
      Effect.gen(function* () {
        const { tag: without } = yield* reasonOf(connect(url, { protocols: ["chat"] }))
        const socket = yield* connect(url, { protocols: ["chat", "token.right"] })
        return { protocol: socket.protocol, message: yield* socket.receive, without }
      })
    ),

  /** Reads `count` messages of 1 MiB, once the server can send no more; how many it had sent until then. */
  slowReader: (url: string, count: number) =>
    run(
      Effect.gen(function* () {
        const socket = yield* connect(url)
        const sent = Effect.promise(() =>
          fetch(httpOf(url, "/sent")).then(async (response) => Number(await response.text()))
        )
        const stuck = yield* settled(sent)
        const lengths = yield* Stream.runCollect(
          Stream.map(Stream.take(socket.messages, count), (message) => message.length)
        )
        return { stuck, read: lengths.length, whole: lengths.every((length) => length === 1024 * 1024) }
      })
    ),

  /** Sends `count` MiB and closes at once. */
  sendAndClose: (url: string, count: number) =>
    run(
      Effect.gen(function* () {
        const socket = yield* connect(url, { writeBufferSize: Infinity })
        yield* socket.sendAll(Array.from({ length: count }, () => new Uint8Array(1024 * 1024)))
        return yield* socket.close(3000, "all")
      })
    ),

  /** Closes without having read what the server sends without end. */
  closeUnread: (url: string) => run(Effect.flatMap(connect(url), (socket) => socket.close())),

  /** Waits for the end without reading, and reads then. */
  readAfterEnd: (url: string) =>
    run(
      Effect.gen(function* () {
        const socket = yield* connect(url)
        const { received } = yield* socket.closed
        const failure = yield* reasonOf(socket.send("late"))
        return { received, failure: failure.tag, read: (yield* Stream.runCollect(socket.messages)).length }
      })
    ),

  /** The transport is lost once the server has received a message. */
  lost: (url: string) =>
    run(
      Effect.gen(function* () {
        const socket = yield* connect(url)
        const first = yield* socket.receive
        yield* socket.send("break")
        const failure = yield* reasonOf(Stream.runDrain(socket.messages))
        const { cause, received } = yield* socket.closed
        return { first, failure: failure.tag, cause: cause._tag, received: received === undefined }
      })
    ),

  /** Closes while the server doesn't read what was sent before. */
  closeStuck: (url: string, count: number) =>
    run(
      Effect.gen(function* () {
        const socket = yield* connect(url, { writeBufferSize: Infinity, closeTimeout: 500 })
        yield* socket.sendAll(Array.from({ length: count }, () => new Uint8Array(1024 * 1024)))
        const { cause } = yield* socket.close()
        return cause._tag
      })
    ),

  /** A reader that doesn't come in time. */
  overflow: (url: string) =>
    run(
      Effect.gen(function* () {
        const socket = yield* connect(url, { maxReadBufferSize: 100_000 })
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
