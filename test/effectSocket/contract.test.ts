import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { Socket as Effects } from "effect/socket"
import * as EffectSocket from "effect-ws/EffectSocket"
import { Handshake, Server, Socket } from "effect-ws"
import * as net from "node:net"

/** The same socket, seen through its interface alone. */
const plain = (socket: Socket.Socket): Socket.Socket => ({
  frames: socket.frames,
  receive: socket.receive,
  receiveStream: socket.receiveStream,
  messages: socket.messages,
  send: socket.send,
  sendAll: socket.sendAll,
  sendStream: socket.sendStream,
  ping: socket.ping,
  close: socket.close,
  closed: socket.closed,
  id: socket.id,
  protocol: socket.protocol,
  draft: socket.draft,
  extensions: socket.extensions,
  request: socket.request,
  context: socket.context,
  [Socket.TypeId]: Socket.TypeId
})

const reasonOf = <A, R>(effect: Effect.Effect<A, Effects.SocketError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

const codeOf = <A, R>(effect: Effect.Effect<A, Effects.SocketError, R>) =>
  Effect.map(reasonOf(effect), (reason) => (reason._tag === "SocketCloseError" ? reason.code : reason._tag))

/** Runs an effect in a fiber, up to where it waits. */
const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

const echoServer = (options: Server.ServeOptions = {}) =>
  Effect.gen(function* () {
    const server = yield* Server.make({ host: "127.0.0.1", port: 0, ...options })
    yield* Effect.forkScoped(
      server.run((socket) => Stream.runForEach(socket.messages, socket.send)),
      { startImmediately: true }
    )
    return `ws://127.0.0.1:${server.address.port}/`
  })

const faces: ReadonlyArray<[string, (socket: Socket.Socket) => Socket.Socket]> = [
  ["a socket of this library", (socket) => socket],
  ["any socket with its interface", plain]
]

describe("EffectSocket.toSocket", () => {
  for (const [name, face] of faces) {
    describe(`of ${name}`, () => {
      it.effect("gives what one read brings as one batch, text and bytes", () =>
        Effect.gen(function* () {
          const [client, server] = yield* Socket.makePair()
          const { pull } = yield* EffectSocket.toSocket(face(server)).reader
          yield* client.sendAll(["a", Buffer.from([1]), "b"])
          const first = [...(yield* pull)]
          // The first pull of a Stream of messages brings one.
          const rest = first.length === 1 ? [...(yield* pull)] : []
          assert.deepStrictEqual([...first, ...rest], ["a", Buffer.from([1]), "b"])
          const pulling = yield* start(pull)
          yield* client.send("c")
          assert.deepStrictEqual([...(yield* Fiber.join(pulling))], ["c"])
        })
      )

      it.effect("fails at every end with its code", () =>
        Effect.gen(function* () {
          const cases = [
            [1000, 1000],
            [1001, 1001],
            [4001, 4001],
            [undefined, 1005]
          ] as const
          for (const [code, expected] of cases) {
            const [client, server] = yield* Socket.makePair()
            const { pull } = yield* EffectSocket.toSocket(face(server)).reader
            const pulling = yield* start(codeOf(pull))
            yield* start(client.send(code === undefined ? { ...closeFrame(), code } : closeFrame(code)))
            yield* start(client.closed)
            assert.strictEqual(yield* Fiber.join(pulling), expected)
            assert.strictEqual(yield* codeOf(pull), expected, "and again")
          }
        })
      )

      it.effect("reads what came before the end first", () =>
        Effect.gen(function* () {
          const [client, server] = yield* Socket.makePair()
          yield* client.send("last")
          yield* client.close(1000)
          const { pull } = yield* EffectSocket.toSocket(face(server)).reader
          assert.deepStrictEqual([...(yield* pull)], ["last"])
          assert.strictEqual(yield* codeOf(pull), 1000)
        })
      )

      it.effect("fails a pull that waits when the scope closes, and closes the connection", () =>
        Effect.gen(function* () {
          const exits = [
            [Exit.void, 1000],
            [Exit.interrupt(), 1001],
            [Exit.fail("oh"), 1011]
          ] as const
          for (const [exit, code] of exits) {
            const [client, server] = yield* Socket.makePair()
            const scope = yield* Scope.make()
            const { pull } = yield* Scope.provide(EffectSocket.toSocket(face(server)).reader, scope)
            const pulling = yield* start(codeOf(pull))
            yield* Scope.close(scope, exit)
            assert.strictEqual(yield* Fiber.join(pulling), 1006)
            assert.strictEqual(yield* codeOf(pull), 1006, "and every later one")
            const { received } = yield* client.closed
            assert.strictEqual(received?.code, code)
          }
        })
      )

      it.effect("can't upgrade to TLS", () =>
        Effect.gen(function* () {
          const [, server] = yield* Socket.makePair()
          const { upgrade } = yield* EffectSocket.toSocket(face(server)).reader
          assert.strictEqual((yield* reasonOf(upgrade()))._tag, "SocketUpgradeError")
        })
      )

      it.effect("writes text, bytes, batches and close events", () =>
        Effect.gen(function* () {
          const [client, server] = yield* Socket.makePair()
          const { write, writeAll } = yield* EffectSocket.toSocket(face(server)).writer
          yield* write("a")
          yield* write(Buffer.from([1]))
          yield* writeAll(["b", "c"])
          yield* write(new Effects.CloseEvent(4000, "é".repeat(100)))
          const messages: Array<Socket.Message> = []
          yield* Effect.ignore(
            Stream.runForEach(client.messages, (message) => Effect.sync(() => messages.push(message)))
          )
          assert.deepStrictEqual(messages, ["a", Buffer.from([1]), "b", "c"])
          const { received } = yield* client.closed
          assert.deepStrictEqual(
            received,
            { code: 4000, reason: "é".repeat(61) },
            "the reason is cut between characters"
          )
        })
      )

      it.effect("fails writes with what can't be sent, and after the end", () =>
        Effect.gen(function* () {
          const [client, server] = yield* Socket.makePair()
          const { write, writeAll } = yield* EffectSocket.toSocket(face(server)).writer
          assert.strictEqual((yield* reasonOf(write(new Effects.CloseEvent(1005))))._tag, "SocketWriteError")
          yield* start(Stream.runDrain(server.messages))
          yield* client.close()
          const reason = yield* reasonOf(write("late"))
          assert.strictEqual(reason._tag, "SocketWriteError")
          assert.strictEqual("cause" in reason && reason.cause instanceof Socket.SocketError, true)
          assert.strictEqual((yield* reasonOf(writeAll(["late"])))._tag, "SocketWriteError")
        })
      )
    })
  }

  it.effect("closes without a code where the draft has none", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair({ draft: Handshake.hixie76 })
      const { write } = yield* EffectSocket.toSocket(server).writer
      yield* write(new Effects.CloseEvent(4000, "no words for it"))
      yield* start(Stream.runDrain(server.messages))
      const { received } = yield* client.closed
      assert.deepStrictEqual(received, { code: undefined, reason: "" })
    })
  )

  it.effect("has one reader at a time", () =>
    Effect.gen(function* () {
      const [, server] = yield* Socket.makePair()
      const effects = EffectSocket.toSocket(server)
      const one = yield* effects.reader
      const other = yield* effects.reader
      yield* start(one.pull)
      assert.strictEqual((yield* reasonOf(other.pull))._tag, "SocketReadError")
      const [, frames] = yield* Socket.makePair()
      yield* start(Stream.runDrain(frames.frames))
      assert.strictEqual((yield* reasonOf(EffectSocket.toSocket(frames).reader))._tag, "SocketReadError")
    })
  )

  it.effect("says what the peer broke", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair({ server: { maxMessageSize: 1 } })
      const { pull } = yield* EffectSocket.toSocket(server).reader
      yield* client.send("ab")
      const reason = yield* reasonOf(pull)
      assert.strictEqual(reason._tag, "SocketReadError")
      const cause = "cause" in reason ? reason.cause : undefined
      assert.strictEqual(cause instanceof Socket.SocketError ? cause.reason._tag : undefined, "ProtocolViolation")
    })
  )

  it.effect("is read as a Channel by Effect's own combinators", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      yield* start(
        Stream.make("one", "two").pipe(
          Stream.pipeThroughChannel(Effects.toChannelString(EffectSocket.toSocket(server))),
          Stream.runDrain
        )
      )
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(client.messages, 2)), ["one", "two"])
    })
  )

  it.live("waits for a peer that reads nothing, with bounded memory", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({ host: "127.0.0.1", port: 0, keepAlive: false, shutdownTimeout: 100 })
      const peer = yield* silentPeer(server.address.port)
      const [socket] = yield* Stream.runCollect(Stream.take(server.connections, 1))
      assert.isDefined(socket)
      if (socket === undefined) return
      const { write } = yield* EffectSocket.toSocket(socket).writer
      const before = process.memoryUsage().rss
      const megabyte = Buffer.alloc(1024 * 1024, 1)
      let written = 0
      const writing = yield* start(
        Effect.forEach(
          Array.from({ length: 200 }, () => megabyte),
          (chunk) => Effect.tap(write(chunk), () => Effect.sync(() => written++)),
          { discard: true }
        )
      )
      // What the system's buffers take is taken when nothing was written for a while.
      yield* Effect.repeat(
        Effect.suspend(() => {
          const seen = written
          return Effect.map(Effect.sleep("200 millis"), () => written === seen)
        }),
        { until: (quiet) => quiet }
      )
      assert.isUndefined(writing.pollUnsafe(), "the writer waits")
      assert.isBelow(written, 50)
      assert.isBelow(process.memoryUsage().rss - before, 64 * 1024 * 1024)
      peer.resume()
      yield* Fiber.join(writing)
      assert.strictEqual(written, 200)
    })
  )
})

const closeFrame = (code = 1000) =>
  ({ _tag: "Close", fin: true, rsv: 0, code, reason: "", payload: Buffer.alloc(0) }) as const

/** A client that has done its handshake and reads nothing, until it is resumed. */
const silentPeer = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<net.Socket>((resume) => {
      const socket = net.connect(port, "127.0.0.1", () => {
        socket.write(
          [
            "GET / HTTP/1.1",
            "Host: localhost",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            "",
            ""
          ].join("\r\n")
        )
        socket.once("data", () => {
          socket.pause()
          socket.on("data", () => {})
          socket.pause()
          resume(Effect.succeed(socket))
        })
      })
      socket.on("error", () => {})
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

describe("EffectSocket.makeSocket", () => {
  it.live("connects when its reader is acquired; writes before that wait for it", () =>
    Effect.gen(function* () {
      const url = yield* echoServer()
      const socket = EffectSocket.makeSocket(url, { protocols: [] })
      const { write, writeAll } = yield* socket.writer
      const early = yield* start(Effect.andThen(write("one"), writeAll(["two", "three"])))
      assert.isUndefined(early.pollUnsafe())
      for (const round of [1, 2]) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { pull } = yield* socket.reader
            if (round === 2) yield* write("one")
            assert.strictEqual((yield* pull)[0], "one")
          })
        )
        yield* Fiber.join(early)
      }
      const late = yield* start(write("between connections"))
      assert.isUndefined(late.pollUnsafe())
      const { pull } = yield* socket.reader
      assert.deepStrictEqual([...(yield* pull)], ["between connections"])
    })
  )

  it.live("keeps what is written while the connection closes for the next one", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({ host: "127.0.0.1", port: 0 })
      const connections = yield* Effect.forkScoped(
        Stream.runForEach(Stream.take(server.connections, 1), (socket) => socket.close(1012)),
        { startImmediately: true }
      )
      const socket = EffectSocket.makeSocket(`ws://127.0.0.1:${server.address.port}/`)
      const { write } = yield* socket.writer
      const code = yield* Effect.scoped(Effect.flatMap(socket.reader, ({ pull }) => codeOf(pull)))
      assert.strictEqual(code, 1012)
      yield* Fiber.join(connections)
      const late = yield* start(write("after"))
      assert.isUndefined(late.pollUnsafe())
      yield* socket.reader
      yield* Fiber.join(late)
      const [next] = yield* Stream.runCollect(Stream.take(server.connections, 1))
      assert.deepStrictEqual(next === undefined ? [] : yield* Stream.runCollect(Stream.take(next.messages, 1)), [
        "after"
      ])
    })
  )

  it.live("fails with a SocketOpenError when it can't connect, or not in time", () =>
    Effect.gen(function* () {
      const closed = yield* Effect.scoped(Server.make({ host: "127.0.0.1", port: 0 }))
      const refused = EffectSocket.makeSocket(`ws://127.0.0.1:${closed.address.port}/`)
      const reason = yield* reasonOf(refused.reader)
      assert.strictEqual(reason._tag === "SocketOpenError" ? reason.kind : reason._tag, "Unknown")
      const silent = yield* Effect.acquireRelease(
        Effect.callback<net.Server>((resume) => {
          const server = net.createServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const address = silent.address()
      const port = typeof address === "object" ? address?.port : undefined
      const slow = EffectSocket.makeSocket(`ws://127.0.0.1:${port}/`, { openTimeout: 50 })
      const timeout = yield* reasonOf(slow.reader)
      assert.strictEqual(timeout._tag === "SocketOpenError" ? timeout.kind : timeout._tag, "Timeout")
    })
  )
})

describe("EffectSocket.layerWebSocketConstructor", () => {
  it.live("makes the WebSockets that Effect drives, with subprotocols and headers", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const url = yield* echoServer({
        protocols: ["chat"],
        authorize: ({ headers }) =>
          Effect.sync(() => void seen.push(headers["x-token"], headers["sec-websocket-protocol"]))
      })
      const options = { protocols: "chat", headers: { "x-token": "secret" } }
      for (const given of [options, { protocols: ["chat"] }, undefined]) {
        const socket = yield* Effects.makeWebSocket(url, given)
        const { write } = yield* socket.writer
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { pull } = yield* socket.reader
            yield* write("text")
            assert.deepStrictEqual([...(yield* pull)], ["text"])
            yield* write(new Uint8Array([1, 2]))
            assert.deepStrictEqual([...(yield* pull)], [new Uint8Array([1, 2])])
          })
        )
      }
      assert.deepStrictEqual(seen, ["secret", "chat", undefined, "chat", undefined, undefined])
    }).pipe(Effect.provide(EffectSocket.layerWebSocketConstructor))
  )
})
