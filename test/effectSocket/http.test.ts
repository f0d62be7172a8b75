import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { HttpRouter, HttpServer, type HttpServerError, type HttpServerRequest, HttpServerResponse } from "effect/http"
import * as EffectSocket from "effect-ws/EffectSocket"
import { Handshake, Socket } from "effect-ws"
import * as http from "node:http"
import * as net from "node:net"

/** Echoes what a socket of Effect's reads, to its end. */
const echo = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest,
  headers?: Record<string, string>
) {
  const socket = yield* headers === undefined ? request.upgrade : request.upgradeWith({ headers })
  const { write } = yield* socket.writer
  const { pull } = yield* socket.reader
  while (true) for (const message of yield* pull) yield* write(message)
})

const echoed = (request: HttpServerRequest.HttpServerRequest, headers?: Record<string, string>) =>
  Effect.catchTag(Effect.scoped(echo(request, headers)), "SocketError", () =>
    Effect.succeed(HttpServerResponse.empty())
  )

type Routes = Layer.Layer<
  never,
  never,
  HttpRouter.HttpRouter | HttpRouter.Request<"Error", HttpServerError.HttpServerError>
>

type App<E, R> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>

/** Serves routes on a free port; answers the port. */
const serve = Effect.fnUntraced(function* (
  routes: Routes,
  options: Partial<EffectSocket.HttpServerOptions> = {},
  middleware: <E, R>(app: App<E, R>) => App<E, R> = (app) => app
) {
  const listening = yield* Layer.build(
    EffectSocket.layerHttpServer(() => http.createServer(), { host: "127.0.0.1", port: 0, ...options })
  )
  yield* Layer.build(
    HttpRouter.serve(routes, { disableListenLog: true, disableLogger: true, middleware }).pipe(
      Layer.provide(Layer.succeedContext(listening))
    )
  )
  const { address } = yield* Effect.provideContext(HttpServer.HttpServer, listening)
  return address._tag === "UnixPathAddress" ? 0 : address.port
})

const echoRoute = HttpRouter.add("GET", "/echo", (request) => echoed(request))

const take = (socket: Socket.Socket, count: number) => Stream.runCollect(Stream.take(socket.messages, count))

/** The answer to a request over a bare connection, up to its end or to `enough`. */
const raw = (port: number, head: ReadonlyArray<string>, enough?: string) =>
  Effect.callback<string>((resume) => {
    let text = ""
    const socket = net.connect(port, "127.0.0.1", () => socket.write(`${head.join("\r\n")}\r\n\r\n`))
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1")
      if (enough !== undefined && text.includes(enough)) socket.destroy()
    })
    socket.on("error", () => resume(Effect.succeed(text)))
    socket.on("close", () => resume(Effect.succeed(text)))
    return Effect.sync(() => socket.destroy())
  })

const upgradeHead = (path: string, ...more: ReadonlyArray<string>) => [
  `GET ${path} HTTP/1.1`,
  "Host: localhost",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
  ...more
]

const statusOf = (effect: Effect.Effect<unknown, Socket.SocketError, Scope.Scope>) =>
  Effect.map(Effect.flip(Effect.scoped(effect)), ({ reason }) =>
    reason._tag === "HandshakeFailed" && reason.error.reason._tag === "UnexpectedStatus"
      ? reason.error.reason.status
      : reason._tag
  )

describe("EffectSocket.layerHttpServer", () => {
  it.live("upgrades a route, and serves the others as before", () =>
    Effect.gen(function* () {
      const hello = HttpRouter.add("GET", "/hello", HttpServerResponse.text("hello"))
      const port = yield* serve(Layer.mergeAll(echoRoute, hello))
      const socket = yield* Socket.connect(`ws://127.0.0.1:${port}/echo`)
      yield* socket.send("text")
      yield* socket.send(Buffer.from([1, 2, 3]))
      assert.deepStrictEqual(yield* take(socket, 2), ["text", Buffer.from([1, 2, 3])])
      const answer = yield* Effect.promise(() => fetch(`http://127.0.0.1:${port}/hello`))
      assert.strictEqual(yield* Effect.promise(() => answer.text()), "hello")
      const { received } = yield* socket.close(1000)
      assert.strictEqual(received?.code, 1000)
    })
  )

  it.live("has the limits of a server for all routes together", () =>
    Effect.gen(function* () {
      const other = HttpRouter.add("GET", "/other", (request) => echoed(request))
      const limited = (websocket: EffectSocket.WebSocketOptions, first = "/echo", second = "/other") =>
        Effect.scoped(
          Effect.gen(function* () {
            const port = yield* serve(Layer.mergeAll(echoRoute, other), { websocket })
            yield* Socket.connect(`ws://127.0.0.1:${port}${first}`)
            return yield* statusOf(Socket.connect(`ws://127.0.0.1:${port}${second}`))
          })
        )
      assert.strictEqual(yield* limited({ maxConnectionsPerAddress: 1 }), 429)
      assert.strictEqual(yield* limited({ maxRatePerAddress: { connections: 1, per: "1 hour" } }), 429)
      assert.strictEqual(yield* limited({ maxRate: { connections: 1, per: "1 hour" } }), 503)
      assert.strictEqual(yield* limited({ maxConnections: 1 }), 503)
    })
  )

  it.live("counts a connection until it has closed", () =>
    Effect.gen(function* () {
      const port = yield* serve(echoRoute, { websocket: { maxConnectionsPerAddress: 1 } })
      for (let round = 0; round < 3; round++) {
        const socket = yield* Effect.retry(Socket.connect(`ws://127.0.0.1:${port}/echo`), { times: 100 })
        yield* socket.close()
      }
    })
  )

  it.live("closes the connections that hold most when maxMemory is exceeded", () =>
    Effect.gen(function* () {
      const idle = HttpRouter.add("GET", "/idle", (request) =>
        Effect.scoped(
          Effect.gen(function* () {
            const socket = yield* request.upgrade
            yield* socket.reader
            return yield* Effect.never
          })
        ).pipe(Effect.catchTag("SocketError", () => Effect.succeed(HttpServerResponse.empty())))
      )
      const websocket = { maxMemory: 100_000, readBufferSize: 1_000_000 }
      const port = yield* serve(idle, { websocket })
      const socket = yield* Socket.connect(`ws://127.0.0.1:${port}/idle`)
      yield* socket.send(new Uint8Array(200_000))
      assert.strictEqual((yield* socket.closed).received?.code, 1013)
    })
  )

  it.live("answers an upgrade request with what the route says instead", () =>
    Effect.gen(function* () {
      const closed = HttpRouter.add("GET", "/closed", HttpServerResponse.text("no", { status: 401 }))
      const port = yield* serve(Layer.mergeAll(echoRoute, closed))
      assert.strictEqual(yield* statusOf(Socket.connect(`ws://127.0.0.1:${port}/closed`)), 401)
      assert.strictEqual(yield* statusOf(Socket.connect(`ws://127.0.0.1:${port}/nothing`)), 404)
      const text = yield* raw(port, upgradeHead("/closed"))
      assert.match(text, /^HTTP\/1\.1 401 /)
      assert.match(text, /\r\nConnection: close\r\n/i)
      assert.match(text, /\r\n\r\nno$/)
    })
  )

  it.live("upgrades only what asks for it", () =>
    Effect.gen(function* () {
      const failures: Array<string> = []
      const route = HttpRouter.add("GET", "/", (request) =>
        Effect.catch(Effect.as(request.upgrade, HttpServerResponse.empty()), ({ reason }) => {
          failures.push(reason._tag)
          return Effect.succeed(HttpServerResponse.empty({ status: 426 }))
        })
      )
      const port = yield* serve(route)
      const answer = yield* Effect.promise(() => fetch(`http://127.0.0.1:${port}/`))
      assert.strictEqual(answer.status, 426)
      assert.deepStrictEqual(failures, ["RequestParseError"])
    })
  )

  it.live("adds header fields to the 101, and refuses those that would change it", () =>
    Effect.gen(function* () {
      const failures: Array<string> = []
      const route = HttpRouter.add("GET", "/", (request) => {
        const { name = "", value = "" } = Object.fromEntries(new URL(request.url, "http://localhost").searchParams)
        return Effect.catch(echoed(request, { [name]: value }), ({ reason }) => {
          failures.push(reason._tag)
          return Effect.succeed(HttpServerResponse.empty({ status: 500 }))
        })
      })
      const port = yield* serve(route)
      const good = yield* raw(port, upgradeHead("/?name=x-session&value=abc"), "\r\n\r\n")
      assert.match(good, /^HTTP\/1\.1 101 /)
      assert.match(good, /\r\nx-session: abc\r\n/)
      for (const query of [
        "name=connection&value=close",
        "name=sec-websocket-accept&value=x",
        "name=a&value=%0d%0ab:c"
      ]) {
        assert.match(yield* raw(port, upgradeHead(`/?${query}`)), /^HTTP\/1\.1 500 /)
      }
      assert.deepStrictEqual(failures, ["InternalError", "InternalError", "InternalError"])
    })
  )

  it.live("refuses a handshake as the server does, and tells the route", () =>
    Effect.gen(function* () {
      const refused = yield* Deferred.make<string>()
      const route = HttpRouter.add("GET", "/", (request) =>
        echo(request).pipe(
          Effect.scoped,
          Effect.catchTag("SocketError", ({ reason }) =>
            Effect.as(Deferred.succeed(refused, reason._tag), HttpServerResponse.text("ignored"))
          )
        )
      )
      const port = yield* serve(route)
      const text = yield* raw(port, upgradeHead("/", "Origin: http://elsewhere.example"))
      assert.match(text, /^HTTP\/1\.1 403 /)
      assert.notInclude(text, "ignored")
      assert.strictEqual(yield* Deferred.await(refused), "SocketOpenError")
    })
  )

  it.live("speaks what its options say: drafts, subprotocols, compression, sizes", () =>
    Effect.gen(function* () {
      const port = yield* serve(echoRoute, {
        websocket: { drafts: Handshake.all, protocols: ["chat"], compression: true, maxMessageSize: 10 }
      })
      for (const draft of Handshake.all) {
        const socket = yield* Socket.connect(`ws://127.0.0.1:${port}/echo`, { draft })
        yield* socket.send(draft.id)
        assert.deepStrictEqual(yield* take(socket, 1), [draft.id])
      }
      const socket = yield* Socket.connect(`ws://127.0.0.1:${port}/echo`, { protocols: ["chat"], compression: true })
      assert.strictEqual(socket.protocol, "chat")
      assert.deepStrictEqual(
        socket.extensions.map(({ name }) => name),
        ["permessage-deflate"]
      )
      yield* socket.send("x".repeat(11))
      assert.strictEqual((yield* Effect.flip(take(socket, 1))).closeCode, 1009)
    })
  )

  it.live("leaves upgrades to other protocols to Effect", () =>
    Effect.gen(function* () {
      const port = yield* serve(echoRoute)
      const text = yield* raw(
        port,
        ["GET /echo HTTP/1.1", "Host: localhost", "Connection: Upgrade", "Upgrade: tcp"],
        "\r\n\r\n"
      )
      assert.match(text, /^HTTP\/1\.1 101 /)
      assert.match(text, /\r\nUpgrade: tcp\r\n/)
    })
  )

  it.live("upgrades a modified request, and shows middleware the 101", () =>
    Effect.gen(function* () {
      const status = yield* Deferred.make<number>()
      const route = HttpRouter.add("GET", "/echo", (request) => echoed(request.modify({ url: "/other" })))
      const port = yield* serve(route, {}, (app) =>
        Effect.tap(app, (response) => Deferred.succeed(status, response.status))
      )
      const socket = yield* Socket.connect(`ws://127.0.0.1:${port}/echo`)
      yield* socket.send("text")
      assert.deepStrictEqual(yield* take(socket, 1), ["text"])
      yield* socket.close()
      assert.strictEqual(yield* Deferred.await(status), 101)
    })
  )

  it.live("upgrades once", () =>
    Effect.gen(function* () {
      const reasons = yield* Deferred.make<ReadonlyArray<string>>()
      const route = HttpRouter.add("GET", "/", (request) =>
        Effect.gen(function* () {
          const socket = yield* request.upgrade
          const { write } = yield* socket.writer
          const first = yield* Effect.flip(Effect.scoped(Effect.flatMap(socket.reader, ({ pull }) => pull)))
          const second = yield* Effect.flip(Effect.scoped(socket.reader))
          const third = yield* Effect.flip(write("late"))
          yield* Deferred.succeed(
            reasons,
            [first, second, third].map(({ reason }) => reason._tag)
          )
          return HttpServerResponse.empty()
        }).pipe(Effect.orDie)
      )
      const port = yield* serve(route)
      const socket = yield* Socket.connect(`ws://127.0.0.1:${port}/`)
      yield* socket.close()
      assert.deepStrictEqual(yield* Deferred.await(reasons), [
        "SocketCloseError",
        "SocketOpenError",
        "SocketWriteError"
      ])
    })
  )

  it.live("closes every connection with 1001 when it shuts down", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const port = yield* Scope.provide(serve(echoRoute), scope)
      const socket = yield* Socket.connect(`ws://127.0.0.1:${port}/echo`)
      yield* socket.send("up")
      yield* take(socket, 1)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      const { received } = yield* socket.closed
      assert.strictEqual(received?.code, 1001)
      yield* Fiber.join(closing)
    })
  )
})
