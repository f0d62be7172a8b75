import { assert, describe, it } from "@effect/vitest"
import { type Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Queue, Result, Scope, Stream } from "effect"
import { Handshake, Server, Socket } from "effect-ws"
import * as http from "node:http"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

const echo = (socket: Socket.Socket) => Stream.runForEach(socket.messages, socket.send)

const urlOf = (server: { readonly address: Server.Address }) => `ws://127.0.0.1:${server.address.port}/`

/** A server that echoes, in the test's scope. */
const echoServer = <A = undefined>(options: Server.ServeOptions<A> = {}) =>
  Effect.gen(function* () {
    const server = yield* Server.make({ host: "127.0.0.1", port: 0, ...options })
    yield* Effect.forkScoped(server.run(echo), { startImmediately: true })
    return server
  })

const handshakeReason = (exit: Exit.Exit<unknown, Socket.SocketError>) =>
  Exit.isFailure(exit) &&
  exit.cause.reasons[0]?._tag === "Fail" &&
  exit.cause.reasons[0].error.reason._tag === "HandshakeFailed"
    ? exit.cause.reasons[0].error.reason.error.reason
    : undefined

const statusOf = (url: string, options?: Socket.ConnectOptions) =>
  Effect.map(Effect.exit(Effect.scoped(Socket.connect(url, options))), (exit) => {
    const reason = handshakeReason(exit)
    return reason?._tag === "UnexpectedStatus"
      ? { status: reason.status, headers: reason.headers }
      : { status: 101, headers: {} }
  })

/** Sends bytes over a bare connection and gives what comes back until the other side ends. */
const raw = (port: number, ...pieces: ReadonlyArray<string>) =>
  Effect.callback<string>((resume) => {
    let text = ""
    const socket = net.connect(port, "127.0.0.1", () => {
      for (const piece of pieces) socket.write(piece, "latin1")
    })
    socket.on("data", (chunk) => (text += chunk.toString("latin1")))
    socket.on("error", () => resume(Effect.succeed(text)))
    socket.on("close", () => resume(Effect.succeed(text)))
    return Effect.sync(() => socket.destroy())
  })

describe("Server", () => {
  it.live("echoes to a client of every draft that is enabled", () =>
    Effect.gen(function* () {
      const server = yield* echoServer({ drafts: Handshake.all })
      for (const draft of Handshake.all) {
        const socket = yield* Socket.connect(urlOf(server), { draft })
        yield* socket.send(draft.id)
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(socket.messages, 1)), [draft.id])
        assert.strictEqual(socket.draft.id, draft.id)
      }
    })
  )

  it.live("refuses a draft that is not enabled, and says which are", () =>
    Effect.gen(function* () {
      const server = yield* echoServer({ drafts: [Handshake.rfc6455] })
      for (const draft of [Handshake.hybi08, Handshake.hybi07, Handshake.hixie76]) {
        const { headers, status } = yield* statusOf(urlOf(server), { draft })
        assert.strictEqual(status, 426)
        assert.strictEqual(headers["sec-websocket-version"], "13")
      }
    })
  )

  it.live("answers what asks for no upgrade with 426, or leaves it to onRequest", () =>
    Effect.gen(function* () {
      const server = yield* echoServer()
      const plain = yield* Effect.promise(() => fetch(`http://127.0.0.1:${server.address.port}/`))
      assert.strictEqual(plain.status, 426)
      assert.strictEqual(plain.headers.get("sec-websocket-version"), "13, 8, 7")
      const own = yield* echoServer({ onRequest: (_, response) => response.end("own page") })
      const page = yield* Effect.promise(() => fetch(`http://127.0.0.1:${own.address.port}/`))
      assert.strictEqual(yield* Effect.promise(() => page.text()), "own page")
    })
  )

  it.live("keeps to the origin policy", () =>
    Effect.gen(function* () {
      const same = yield* echoServer()
      assert.strictEqual((yield* statusOf(urlOf(same), { origin: "http://evil.example" })).status, 403)
      assert.strictEqual(
        (yield* statusOf(urlOf(same), { origin: `http://127.0.0.1:${same.address.port}` })).status,
        101
      )
      assert.strictEqual((yield* statusOf(urlOf(same))).status, 101)
      // As clients of 2012 write it, and no browser.
      assert.strictEqual((yield* statusOf(urlOf(same), { origin: `127.0.0.1:${same.address.port}` })).status, 101)
      assert.strictEqual((yield* statusOf(urlOf(same), { origin: "null", host: "null" })).status, 403)
      const any = yield* echoServer({ origins: "any" })
      assert.strictEqual((yield* statusOf(urlOf(any), { origin: "http://evil.example" })).status, 101)
      const list = yield* echoServer({ origins: ["https://good.example", /\.friends\.example$/] })
      assert.strictEqual((yield* statusOf(urlOf(list), { origin: "https://good.example" })).status, 101)
      assert.strictEqual((yield* statusOf(urlOf(list), { origin: "https://a.friends.example" })).status, 101)
      assert.strictEqual((yield* statusOf(urlOf(list), { origin: "https://other.example" })).status, 403)
    })
  )

  it.live("chooses a subprotocol, and adds headers to the answer", () =>
    Effect.gen(function* () {
      const server = yield* echoServer({ protocols: ["chat.v2", "chat.v1"], headers: { "x-served-by": "test" } })
      const socket = yield* Socket.connect(urlOf(server), { protocols: ["chat.v1", "chat.v2"] })
      assert.strictEqual(socket.protocol, "chat.v2")
      const head = yield* Effect.promise(
        () =>
          new Promise<http.IncomingHttpHeaders>((resolve, reject) => {
            const request = http.get(`http://127.0.0.1:${server.address.port}/`, {
              headers: {
                connection: "Upgrade",
                upgrade: "websocket",
                "sec-websocket-version": "13",
                "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="
              }
            })
            request.on("upgrade", (response, socket) => {
              socket.destroy()
              resolve(response.headers)
            })
            request.on("error", reject)
          })
      )
      assert.strictEqual(head["x-served-by"], "test")
      assert.strictEqual(head["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    })
  )

  it.live("gives the result of authorize to the handler, and refuses as it says", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({
        host: "127.0.0.1",
        authorize: (request) =>
          Effect.gen(function* () {
            yield* Effect.yieldNow
            const user = request.headers["x-user"]
            if (typeof user !== "string") return yield* Server.reject(401, { headers: { "www-authenticate": "Basic" } })
            if (user === "crash") return yield* Effect.die("bug")
            return { user }
          })
      })
      yield* Effect.forkScoped(
        server.run((socket) => socket.send(`hello ${socket.context.user}`)),
        { startImmediately: true }
      )
      const socket = yield* Socket.connect(urlOf(server), { headers: { "x-user": "ada" } })
      assert.deepStrictEqual(yield* Stream.runCollect(socket.messages), ["hello ada"])
      const refused = yield* statusOf(urlOf(server))
      assert.strictEqual(refused.status, 401)
      assert.strictEqual(refused.headers["www-authenticate"], "Basic")
      assert.strictEqual((yield* statusOf(urlOf(server), { headers: { "x-user": "crash" } })).status, 500)
    })
  )

  it.live("bounds authorize by the handshake timeout", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({ host: "127.0.0.1", handshakeTimeout: 20, authorize: () => Effect.never })
      yield* Effect.forkScoped(server.run(echo), { startImmediately: true })
      assert.strictEqual((yield* statusOf(urlOf(server))).status, 408)
    })
  )

  it.live("drops a client whose head never ends", () =>
    Effect.gen(function* () {
      const server = yield* echoServer({ handshakeTimeout: 50, drafts: Handshake.all })
      const answer = yield* raw(server.address.port, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n")
      assert.include(answer, "408")
      // The same for the eight bytes that follow a Hixie-76 head.
      const hixie = yield* raw(
        server.address.port,
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nOrigin: http://x\r\n" +
          "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nSec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n\r\nabc"
      )
      assert.include(hixie, "HTTP/1.1 408")
    })
  )

  it.live("a handler that fails closes its own connection with 1011, and no other", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({ host: "127.0.0.1" })
      yield* Effect.forkScoped(
        server.run((socket) =>
          Socket.run(socket, (message) => {
            if (message === "throw") throw new Error("on purpose")
            return message === "fail" ? Effect.die("on purpose") : socket.send(message)
          })
        ),
        { startImmediately: true }
      )
      const other = yield* Socket.connect(urlOf(server))
      for (const message of ["fail", "throw"]) {
        const socket = yield* Socket.connect(urlOf(server))
        yield* socket.send(message)
        assert.strictEqual((yield* socket.closed).received?.code, 1011)
      }
      yield* other.send("unharmed")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(other.messages, 1)), ["unharmed"])
    })
  )

  it.live("the scope of a handler closes before its connection does, and what its finalizers fail with counts", () =>
    Effect.gen(function* () {
      const exits: Array<string> = []
      const server = yield* Server.make({ host: "127.0.0.1" })
      const handler = (socket: Server.Connection) =>
        Effect.gen(function* () {
          yield* Effect.addFinalizer((exit) =>
            Effect.andThen(Effect.yieldNow, Effect.orDie(socket.send(`first ${exit._tag}`)))
          )
          yield* Effect.addFinalizer((exit) => Effect.sync(() => exits.push(exit._tag)))
          const [message] = yield* Stream.runCollect(Stream.take(socket.messages, 1))
          if (message === "die in the finalizer") yield* Effect.addFinalizer(() => Effect.die("on purpose"))
          if (message === "fail") return yield* Effect.die("on purpose")
        })
      yield* Effect.forkScoped(server.run(handler), { startImmediately: true })
      const outcomes: Array<unknown> = []
      for (const message of ["end", "fail", "die in the finalizer"]) {
        const socket = yield* Socket.connect(urlOf(server))
        yield* socket.send(message)
        const [told] = yield* Stream.runCollect(Stream.take(socket.messages, 1))
        outcomes.push([told, (yield* socket.closed).received?.code])
      }
      assert.deepStrictEqual(outcomes, [
        ["first Success", 1000],
        ["first Failure", 1011],
        ["first Success", 1011]
      ])
      assert.deepStrictEqual(exits, ["Success", "Failure", "Success"])
    })
  )

  it.live("what a handler forked lives until its scope is closed, and can finish there", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({ host: "127.0.0.1" })
      const running = server.run((socket) =>
        Effect.gen(function* () {
          const news = yield* Queue.unbounded<string, Cause.Done>()
          const writer = yield* Effect.forkChild(
            Stream.runForEach(Stream.fromQueue(news), (text) => Effect.andThen(Effect.yieldNow, socket.send(text)))
          )
          yield* Effect.addFinalizer(() => Effect.andThen(Queue.end(news), Fiber.await(writer)))
          yield* Queue.offerAll(news, ["a", "b"])
        })
      )
      yield* Effect.forkScoped(running, { startImmediately: true })
      const socket = yield* Socket.connect(urlOf(server))
      assert.deepStrictEqual(yield* Stream.runCollect(socket.messages), ["a", "b"])
    })
  )

  it.live("a shutdown waits for the scopes that handlers leave, and so it does past the deadline", () =>
    Effect.gen(function* () {
      const released: Array<string> = []
      for (const [name, shutdownTimeout] of [
        ["in time", "10 seconds"],
        ["late", 20]
      ] as const) {
        const server = yield* Server.make({ host: "127.0.0.1", shutdownTimeout })
        const closing = yield* Deferred.make<void>()
        const release = yield* Deferred.make<void>()
        const handler = (socket: Server.Connection) =>
          Effect.andThen(
            Effect.addFinalizer(() =>
              Deferred.succeed(closing, undefined).pipe(
                Effect.andThen(Deferred.await(release)),
                Effect.andThen(Effect.sync(() => released.push(name)))
              )
            ),
            name === "late" ? Effect.never : Stream.runDrain(socket.messages)
          )
        const running = yield* Effect.forkChild(server.run(handler), { startImmediately: true })
        yield* Socket.connect(urlOf(server))
        const stopping = yield* Effect.forkChild(Fiber.interrupt(running), { startImmediately: true })
        yield* Deferred.await(closing)
        assert.isUndefined(stopping.pollUnsafe())
        yield* Deferred.succeed(release, undefined)
        yield* Fiber.join(stopping)
        assert.include(released, name)
      }
    })
  )

  it.live("limits the connections", () =>
    Effect.gen(function* () {
      const server = yield* echoServer({ maxConnections: 2 })
      const first = yield* Socket.connect(urlOf(server))
      yield* Socket.connect(urlOf(server))
      assert.strictEqual((yield* statusOf(urlOf(server))).status, 503)
      yield* first.close()
      assert.strictEqual((yield* statusOf(urlOf(server))).status, 101)
    })
  )

  it.live("limits the handshakes under way", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const server = yield* Server.make({
        host: "127.0.0.1",
        maxHandshakes: 1,
        authorize: () => Effect.andThen(Deferred.succeed(started, undefined), Deferred.await(go))
      })
      yield* Effect.forkScoped(server.run(echo), { startImmediately: true })
      const first = yield* Effect.forkChild(Socket.connect(urlOf(server)), { startImmediately: true })
      yield* Deferred.await(started)
      assert.strictEqual((yield* statusOf(urlOf(server))).status, 503)
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(first)
    })
  )

  it.live("shuts down gracefully: 503 to new ones, 1001 to those that are there", () =>
    Effect.gen(function* () {
      const httpServer = http.createServer()
      yield* Effect.promise(() => new Promise<void>((resolve) => httpServer.listen(0, "127.0.0.1", resolve)))
      yield* Effect.addFinalizer(() => Effect.sync(() => httpServer.close()))
      const { port } = httpServer.address() as net.AddressInfo
      const scope = yield* Scope.make()
      const finish = yield* Deferred.make<void>()
      const acceptor = yield* Scope.provide(Server.attach(httpServer, {}), scope)
      const running = yield* Effect.forkDetach(
        acceptor.run((socket) => Effect.andThen(Stream.runDrain(socket.messages), Deferred.await(finish))),
        { startImmediately: true }
      )
      const socket = yield* Socket.connect(`ws://127.0.0.1:${port}/`)
      const stopping = yield* Effect.forkChild(Fiber.interrupt(running), { startImmediately: true })
      assert.strictEqual((yield* socket.closed).received?.code, 1001)
      assert.strictEqual((yield* statusOf(`ws://127.0.0.1:${port}/`)).status, 503)
      // The handler's own work is waited for.
      assert.isUndefined(stopping.pollUnsafe())
      yield* Deferred.succeed(finish, undefined)
      yield* Fiber.join(stopping)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(httpServer.listenerCount("upgrade"), 0)
    })
  )

  it.live("drops at the deadline what doesn't end", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({
        host: "127.0.0.1",
        shutdownTimeout: 50,
        closeTimeout: "1 hour",
        keepAlive: false
      })
      const running = yield* Effect.forkChild(
        server.run(() => Effect.never),
        { startImmediately: true }
      )
      // A peer that opens and then never answers a close frame.
      const gone = yield* Effect.forkChild(
        raw(
          server.address.port,
          "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ),
        { startImmediately: true }
      )
      const other = yield* Socket.connect(urlOf(server))
      yield* Fiber.interrupt(running)
      assert.include(yield* Fiber.join(gone), "101 Switching Protocols")
      assert.strictEqual((yield* other.closed).received?.code, 1001)
    })
  )

  it.live("gives connections as a stream, and loses none that comes before it is asked", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({ host: "127.0.0.1" })
      const socket = yield* Socket.connect(urlOf(server))
      yield* socket.send("early")
      const [accepted] = yield* Stream.runCollect(Stream.take(server.connections, 1))
      assert.isDefined(accepted)
      if (accepted === undefined) return
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(accepted.messages, 1)), ["early"])
      assert.strictEqual(accepted.request.remoteAddress, "127.0.0.1")
    })
  )

  it.live("attaches to an HTTP server by path, and leaves the rest to it", () =>
    Effect.gen(function* () {
      const httpServer = http.createServer((_, response) => response.end("page"))
      yield* Effect.promise(() => new Promise<void>((resolve) => httpServer.listen(0, "127.0.0.1", resolve)))
      yield* Effect.addFinalizer(() => Effect.sync(() => httpServer.close()))
      const { port } = httpServer.address() as net.AddressInfo
      const one = yield* Server.attach(httpServer, { path: "/one" })
      const two = yield* Server.attach(httpServer, { path: "/two" })
      yield* Effect.forkScoped(
        one.run((socket) => socket.send("one")),
        { startImmediately: true }
      )
      yield* Effect.forkScoped(
        two.run((socket) => socket.send("two")),
        { startImmediately: true }
      )
      for (const name of ["one", "two"]) {
        const socket = yield* Socket.connect(`ws://127.0.0.1:${port}/${name}?query`)
        assert.deepStrictEqual(yield* Stream.runCollect(socket.messages), [name])
      }
      const page = yield* Effect.promise(() => fetch(`http://127.0.0.1:${port}/`))
      assert.strictEqual(yield* Effect.promise(() => page.text()), "page")
      const nowhere = yield* Effect.timeoutOption(statusOf(`ws://127.0.0.1:${port}/three`), 2000)
      assert.deepStrictEqual(nowhere._tag === "Some" ? nowhere.value.status : undefined, 404)
    })
  )

  it.live("upgrades by hand, and fails with the reason it has answered", () =>
    Effect.gen(function* () {
      const results: Array<Result.Result<string, string>> = []
      const services = yield* Effect.context<Scope.Scope>()
      const httpServer = http.createServer()
      httpServer.on("upgrade", (request, socket, head) => {
        Effect.runForkWith(services)(
          Effect.scoped(
            Effect.gen(function* () {
              const live = yield* Server.upgrade(request, socket, head, { protocols: ["x"] })
              results.push(Result.succeed(live.protocol ?? ""))
              yield* echo(live)
            })
          ).pipe(
            Effect.catchTag("HandshakeError", ({ reason }) =>
              Effect.sync(() => results.push(Result.fail(reason._tag)))
            ),
            Effect.ignore
          )
        )
      })
      yield* Effect.promise(() => new Promise<void>((resolve) => httpServer.listen(0, "127.0.0.1", resolve)))
      yield* Effect.addFinalizer(() => Effect.sync(() => httpServer.close()))
      const { port } = httpServer.address() as net.AddressInfo
      const socket = yield* Socket.connect(`ws://127.0.0.1:${port}/`, { protocols: ["x"] })
      yield* socket.send("hi")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(socket.messages, 1)), ["hi"])
      assert.strictEqual((yield* statusOf(`ws://127.0.0.1:${port}/`, { origin: "http://evil.example" })).status, 403)
      assert.deepStrictEqual(results, [Result.succeed("x"), Result.fail("OriginRefused")])
    })
  )

  it.live("says that a port is in use", () =>
    Effect.gen(function* () {
      const server = yield* echoServer()
      const error = yield* Effect.flip(Server.make({ host: "127.0.0.1", port: server.address.port }))
      assert.strictEqual(error._tag, "ServerError")
      assert.strictEqual(error.reason._tag === "ListenFailed" && error.reason.code, "EADDRINUSE")
    })
  )

  it.live("listens on a Unix socket", () =>
    Effect.gen(function* () {
      const path = join(tmpdir(), `effect-ws-${process.pid}.sock`)
      yield* echoServer({ socketPath: path, host: undefined })
      const socket = yield* Socket.connect(`ws+unix:${path}:/chat`)
      yield* socket.send("hi")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(socket.messages, 1)), ["hi"])
    })
  )

  it.live("is a layer", () =>
    Effect.gen(function* () {
      const services = yield* Layer.build(Server.layer({ host: "127.0.0.1" }))
      const server = Context.get(services, Server.WebSocketServer)
      yield* Effect.forkScoped(server.run(echo), { startImmediately: true })
      const socket = yield* Socket.connect(urlOf(server))
      yield* socket.send("hi")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(socket.messages, 1)), ["hi"])
    })
  )

  it.live("serve runs until it is interrupted", () =>
    Effect.gen(function* () {
      const port = yield* Effect.scoped(Effect.map(echoServer(), ({ address }) => address.port))
      const serving = yield* Effect.forkChild(Effect.scoped(Server.serve({ host: "127.0.0.1", port }, echo)), {
        startImmediately: true
      })
      const socket = yield* Effect.retry(Socket.connect(`ws://127.0.0.1:${port}/`), { times: 50 })
      yield* socket.send("hi")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(socket.messages, 1)), ["hi"])
      yield* Fiber.interrupt(serving)
      assert.strictEqual((yield* socket.closed).received?.code, 1001)
    })
  )
})

describe("TLS that can't be used", () => {
  for (const http2 of [false, true]) {
    it.live(`is a ServerError, with http2: ${http2}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(
          Effect.scoped(Server.make({ port: 0, http2, tls: { key: "no key", cert: "" } }))
        )
        assert.include(error.message, "cannot set TLS up")
        assert.isString(error.reason._tag === "TlsInvalid" && error.reason.code)
      })
    )
  }
})
