import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { Handshake, Server, Socket } from "effect-ws"
import * as net from "node:net"

const failureOf = <A, R>(effect: Effect.Effect<A, Socket.SocketError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

const collect = (socket: Socket.Socket, count: number) => Stream.runCollect(Stream.take(socket.messages, count))

const drafts: ReadonlyArray<Handshake.Draft> = Handshake.all

const texts = ["", "hello", "käse € 😀", "x".repeat(200), "é".repeat(50_000)]

/** What a client of the draft writes, up to the end of its handshake. */
const opening = (draft: Handshake.Draft, port: number) =>
  Effect.map(Handshake.request(`ws://127.0.0.1:${port}/`, { draft }), Handshake.encodeRequest)

/** The wire form of a text of at most 125 bytes, from a client, without help from the library. */
const wireText = (draft: Handshake.Draft, text: string): Buffer =>
  draft.capabilities.masking
    ? Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)])
    : Buffer.concat([Buffer.from([0]), Buffer.from(text), Buffer.from([0xff])])

/** A bare connection; `next` gives what has come since the last call, as soon as there is something. */
const bare = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly socket: net.Socket; readonly next: Effect.Effect<Buffer> }>((resume) => {
      let waiting: ((bytes: Buffer) => void) | undefined
      let kept = Buffer.alloc(0)
      const socket = net.connect(port, "127.0.0.1", () => resume(Effect.succeed({ socket, next })))
      const give = (): void => {
        if (waiting === undefined) return
        const deliver = waiting
        const bytes = kept
        waiting = undefined
        kept = Buffer.alloc(0)
        deliver(bytes)
      }
      const next = Effect.callback<Buffer>((done) => {
        waiting = (bytes) => done(Effect.succeed(bytes))
        if (kept.length > 0 || socket.closed) give()
      })
      socket.on("data", (chunk) => {
        kept = Buffer.concat([kept, chunk])
        give()
      })
      socket.on("error", () => {})
      socket.on("close", give)
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

const echoServer = (options: Server.ServeOptions = {}) =>
  Effect.gen(function* () {
    const server = yield* Server.make({ host: "127.0.0.1", origins: "any", drafts, ...options })
    yield* Effect.forkScoped(
      server.run((socket) => Stream.runForEach(socket.messages, socket.send)),
      { startImmediately: true }
    )
    return server.address.port
  })

for (const draft of drafts) {
  describe(`the draft ${draft.id}`, () => {
    it.effect("opens, and carries text both ways", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair({ draft })
        const echo = yield* Effect.forkChild(Stream.runForEach(server.messages, server.send))
        yield* Effect.forkChild(Effect.forEach(texts, client.send, { discard: true }))
        assert.deepStrictEqual(yield* collect(client, texts.length), texts)
        assert.strictEqual((yield* client.close()).cause._tag, "Handshake")
        yield* Fiber.join(echo)
      })
    )

    it.effect("agrees on a subprotocol", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair({ draft, protocols: ["chat"] })
        assert.strictEqual(client.protocol, "chat")
        assert.strictEqual(server.protocol, "chat")
      })
    )

    it.effect("holds the limit of a message: at it, and one past it", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair({ draft, server: { maxMessageSize: 100 } })
        yield* client.send("x".repeat(100))
        assert.deepStrictEqual(yield* collect(server, 1), ["x".repeat(100)])
        yield* client.send("x".repeat(101))
        const reason = yield* failureOf(Stream.runDrain(server.messages))
        assert.strictEqual(reason._tag === "ProtocolViolation" ? reason.violation._tag : reason._tag, "MessageTooLarge")
        const closed = yield* client.closed
        assert.strictEqual(closed.received?.code, draft.capabilities.closeCode ? 1009 : undefined)
      })
    )

    it.effect("ends its messages when the peer closes, from either side", () =>
      Effect.gen(function* () {
        for (const closer of [0, 1]) {
          const pair = yield* Socket.makePair({ draft })
          const other = pair[1 - closer]
          const closing = yield* Effect.forkChild(pair[closer]?.close() ?? Effect.never)
          assert.deepStrictEqual(yield* Stream.runCollect(other?.messages ?? Stream.never), [])
          assert.strictEqual((yield* Fiber.join(closing)).cause._tag, "Handshake")
        }
      })
    )

    it.live("is refused where it isn't enabled", () =>
      Effect.gen(function* () {
        const port = yield* echoServer({ drafts: drafts.filter((other) => other !== draft) })
        const reason = yield* failureOf(Socket.connect(`ws://127.0.0.1:${port}/`, { draft }))
        assert.strictEqual(
          reason._tag === "HandshakeFailed" && reason.error.reason._tag === "UnexpectedStatus"
            ? reason.error.reason.status
            : reason._tag,
          426
        )
      })
    )

    it.live("tells the server the origin, which keeps to its policy", () =>
      Effect.gen(function* () {
        const port = yield* echoServer({ origins: ["http://good.example"] })
        const good = yield* Socket.connect(`ws://127.0.0.1:${port}/`, { draft, origin: "http://good.example" })
        yield* good.send("in")
        assert.deepStrictEqual(yield* collect(good, 1), ["in"])
        const reason = yield* failureOf(
          Socket.connect(`ws://127.0.0.1:${port}/`, { draft, origin: "http://evil.example" })
        )
        assert.strictEqual(reason._tag, "HandshakeFailed")
      })
    )

    it.live("reads the same from any cut of the bytes, handshake included", () =>
      Effect.gen(function* () {
        const port = yield* echoServer()
        for (const size of [1, 7, 1000]) {
          const { next, socket } = yield* bare(port)
          const bytes = Buffer.concat([yield* opening(draft, port), wireText(draft, "one"), wireText(draft, "two")])
          socket.setNoDelay(true)
          for (let at = 0; at < bytes.length; at += size) {
            yield* Effect.callback<void>((resume) => {
              socket.write(bytes.subarray(at, at + size), () => resume(Effect.void))
            })
          }
          let answer = ""
          while (!answer.includes("two")) {
            const more = yield* next
            assert.isAbove(more.length, 0, answer)
            answer += more.toString("latin1")
          }
          assert.match(answer, /^HTTP\/1\.1 101 .*one.*two/s)
        }
      })
    )

    it.live("ends for text that isn't UTF-8, and serves the others on", () =>
      Effect.gen(function* () {
        const port = yield* echoServer()
        const other = yield* Socket.connect(`ws://127.0.0.1:${port}/`, { draft })
        const { next, socket } = yield* bare(port)
        socket.write(yield* opening(draft, port))
        const bad = wireText(draft, "ab")
        bad[bad.indexOf("b", bad.length - 3)] = 0x80
        socket.write(bad)
        let answer = Buffer.alloc(0)
        for (let more = yield* next; more.length > 0; more = yield* next) answer = Buffer.concat([answer, more])
        const close = draft.capabilities.closeCode
          ? Buffer.from([0x88, 2, 1007 >> 8, 1007 & 255])
          : Buffer.from([0xff, 0])
        assert.deepStrictEqual(answer.subarray(-close.length), close)
        yield* other.send("unharmed")
        assert.deepStrictEqual(yield* collect(other, 1), ["unharmed"])
      })
    )
  })
}
