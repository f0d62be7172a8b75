import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Latch, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Handshake, Server, type Socket } from "effect-ws"

/** The reason of a refusal, as a client gets it. */
const refusalOf = (connecting: Effect.Effect<Socket.Socket, Socket.SocketError, Scope.Scope>) =>
  Effect.gen(function* () {
    const { reason } = yield* Effect.flip(Effect.scoped(connecting))
    if (reason._tag !== "HandshakeFailed" || reason.error.reason._tag !== "UnexpectedStatus") {
      throw new Error(`no refusal: ${reason._tag}`)
    }
    return reason.error.reason
  })

const echo = (socket: Socket.Socket) => Stream.runForEach(socket.messages, socket.send)

describe("a server in memory", () => {
  it.effect("runs authorize and the handler, and gives the client what it sends", () =>
    Effect.gen(function* () {
      const server = yield* Server.makeMemory({
        protocols: ["chat"],
        authorize: ({ headers, remoteAddress, secure, url }) =>
          Effect.succeed({ name: headers["x-name"], remoteAddress, secure, url })
      })
      yield* Effect.forkScoped(server.run((socket) => socket.send(JSON.stringify(socket.context))))
      const socket = yield* server.connect("/room?key=1", { headers: { "X-Name": "ada" }, protocols: ["chat"] })
      assert.strictEqual(socket.protocol, "chat")
      const expected = { name: "ada", remoteAddress: "127.0.0.1", secure: false, url: "/room?key=1" }
      assert.deepStrictEqual(JSON.parse(String(yield* socket.receive)), expected)
      assert.strictEqual((yield* socket.closed).received?.code, 1000)
      const other = yield* server.connect("wss://example.com/", { net: { localAddress: "203.0.113.7" } })
      const { remoteAddress, secure } = JSON.parse(String(yield* other.receive))
      assert.deepStrictEqual([remoteAddress, secure], ["203.0.113.7", true])
    })
  )

  it.effect("refuses with the status, the header fields and the body of the response", () =>
    Effect.gen(function* () {
      const released: Array<string> = []
      const server = yield* Server.makeMemory({
        authorize: () =>
          Effect.andThen(
            Effect.acquireRelease(Effect.void, () => Effect.sync(() => released.push("released"))),
            Effect.fail(Server.reject(401, { headers: { "WWW-Authenticate": "Bearer" }, body: "who are you?\n" }))
          )
      })
      const reason = yield* refusalOf(server.connect("/"))
      assert.strictEqual(reason.status, 401)
      assert.strictEqual(reason.headers["www-authenticate"], "Bearer")
      assert.strictEqual(reason.body, "who are you?\n")
      assert.deepStrictEqual(released, ["released"])
    })
  )

  it.effect("has the limits of a server that listens", () =>
    Effect.gen(function* () {
      const server = yield* Server.makeMemory({
        path: "/chat",
        maxConnections: 2,
        maxConnectionsPerAddress: 1,
        retryAfter: "30 seconds"
      })
      const status = (path: string, options?: Socket.ConnectOptions) =>
        Effect.map(refusalOf(server.connect(path, options)), ({ status }) => status)
      assert.strictEqual(yield* status("/"), 404)
      assert.strictEqual(yield* status("/chat", { origin: "https://elsewhere.example" }), 403)
      const first = yield* server.connect("/chat", { origin: "http://localhost" })
      const [accepted] = yield* Stream.runCollect(Stream.take(server.connections, 1))
      yield* Effect.forkScoped(server.run(echo))
      assert.strictEqual(yield* status("/chat"), 429)
      yield* server.connect("/chat", { net: { localAddress: "203.0.113.7" } })
      const full = yield* refusalOf(server.connect("/chat", { net: { localAddress: "203.0.113.8" } }))
      assert.deepStrictEqual([full.status, full.headers["retry-after"]], [503, "30"])
      yield* first.close()
      // The server counts a connection until its own side is closed.
      yield* accepted?.closed ?? Effect.void
      const again = yield* server.connect("/chat")
      yield* again.send("tea")
      assert.strictEqual(yield* again.receive, "tea")
    })
  )

  it.effect("measures its times by the test's clock", () =>
    Effect.gen(function* () {
      const entered = Latch.makeUnsafe()
      const server = yield* Server.makeMemory({
        handshakeTimeout: "3 seconds",
        idleTimeout: "1 hour",
        maxRate: { connections: 1, per: "1 minute" },
        authorize: ({ url }) => (url === "/slow" ? Effect.andThen(entered.open, Effect.never) : Effect.void)
      })
      yield* Effect.forkScoped(server.run(echo))
      const slow = yield* Effect.forkScoped(refusalOf(server.connect("/slow")))
      yield* entered.await
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual((yield* Fiber.join(slow)).status, 408)
      assert.strictEqual((yield* refusalOf(server.connect("/"))).headers["retry-after"], "57")
      yield* TestClock.adjust("57 seconds")
      const socket = yield* server.connect("/")
      yield* TestClock.adjust("59 minutes")
      yield* socket.send("still here")
      assert.strictEqual(yield* socket.receive, "still here")
      yield* TestClock.adjust("2 hours")
      assert.strictEqual((yield* socket.closed).received?.code, 1001)
    })
  )

  it.effect("pings by the test's clock", () =>
    Effect.gen(function* () {
      const frames: Array<string> = []
      const server = yield* Server.makeMemory({
        keepAlive: { interval: "20 seconds" },
        onFrame: ({ direction, opcode }) => frames.push(`${direction} ${opcode}`)
      })
      const socket = yield* server.connect("/", { keepAlive: false })
      yield* TestClock.adjust("19 seconds")
      assert.deepStrictEqual(frames, [])
      yield* TestClock.adjust("1 second")
      yield* socket.ping()
      assert.deepStrictEqual(frames.slice(0, 2), ["sent 9", "received 10"])
    })
  )

  it.effect("notices a client that leaves while authorize runs", () =>
    Effect.gen(function* () {
      const entered = Latch.makeUnsafe()
      const left = yield* Deferred.make<void>()
      const server = yield* Server.makeMemory({
        maxHandshakes: 1,
        authorize: () =>
          Effect.andThen(entered.open, Effect.never).pipe(Effect.onInterrupt(() => Deferred.succeed(left, undefined)))
      })
      const connecting = yield* Effect.forkScoped(server.connect("/"))
      yield* entered.await
      assert.strictEqual((yield* refusalOf(server.connect("/"))).status, 503)
      yield* Fiber.interrupt(connecting)
      yield* Deferred.await(left)
    })
  )

  it.effect("drains: refuses with 503, notifies handlers, and closes with 1001", () =>
    Effect.gen(function* () {
      const server = yield* Server.makeMemory()
      yield* Effect.forkScoped(server.run((socket) => Effect.andThen(socket.draining, socket.send("bye"))))
      const socket = yield* server.connect("/")
      const draining = yield* Effect.forkScoped(server.drain({ grace: "1 minute" }))
      assert.strictEqual(yield* socket.receive, "bye")
      assert.strictEqual((yield* socket.closed).received?.code, 1001)
      yield* Fiber.join(draining)
      assert.strictEqual((yield* refusalOf(server.connect("/"))).status, 503)
    })
  )

  it.effect("closes its connections with the end of its scope, and can't be reached afterwards", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const server = yield* Scope.provide(Server.makeMemory({}), scope)
      yield* Scope.provide(Effect.forkScoped(server.run(echo)), scope)
      const socket = yield* server.connect("/")
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* socket.closed).received?.code, 1001)
      const { reason } = yield* Effect.flip(server.connect("/"))
      assert.strictEqual(reason._tag, "OpenFailed")
      assert.strictEqual(reason.message, "cannot connect to localhost:80: the server has stopped")
    })
  )

  it.effect("gives the connections as a stream, too", () =>
    Effect.gen(function* () {
      const server = yield* Server.makeMemory({ compression: true })
      const socket = yield* server.connect("/", { compression: true })
      const [connection] = yield* Stream.runCollect(Stream.take(server.connections, 1))
      assert.strictEqual(connection?.extensions[0]?.name, "permessage-deflate")
      yield* socket.send("tea")
      assert.strictEqual(yield* connection.receive, "tea")
    })
  )

  it.effect("speaks every draft, and over HTTP/2", () =>
    Effect.gen(function* () {
      const drafts = [Handshake.rfc6455, Handshake.hybi08, Handshake.hybi07, Handshake.hixie76]
      const server = yield* Server.makeMemory({ drafts, origins: "any" })
      yield* Effect.forkScoped(server.run(echo))
      for (const options of [...drafts.map((draft) => ({ draft })), { http2: true }]) {
        const socket = yield* server.connect("/", options)
        yield* socket.send("tea")
        assert.strictEqual(yield* socket.receive, "tea")
      }
    })
  )

  it.effect("follows redirects to itself, and to no other server", () =>
    Effect.gen(function* () {
      const server = yield* Server.makeMemory({
        authorize: ({ url }) =>
          url === "/new"
            ? Effect.void
            : Effect.fail(
                Server.reject(302, { headers: { Location: url === "/old" ? "/new" : "ws://elsewhere.example/" } })
              )
      })
      const socket = yield* server.connect("/old", { maxRedirects: 1 })
      assert.strictEqual(socket.protocol, undefined)
      const { reason } = yield* Effect.flip(server.connect("/away", { maxRedirects: 1 }))
      assert.strictEqual(reason._tag, "OpenFailed")
    })
  )

  it.effect("answers 500 when authorize dies, and checks its options", () =>
    Effect.gen(function* () {
      const server = yield* Server.makeMemory({ authorize: () => Effect.die(new Error("broken")) })
      assert.strictEqual((yield* refusalOf(server.connect("/"))).status, 500)
      const { reason } = yield* Effect.flip(Server.makeMemory({ maxMessageSize: Number.NaN }))
      assert.strictEqual(reason._tag, "InvalidOptions")
      const invalid = yield* Effect.flip(server.connect("no path"))
      assert.strictEqual(invalid.reason._tag, "HandshakeFailed")
    })
  )
})
