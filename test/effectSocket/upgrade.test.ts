import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Layer, Schema, Stream } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { Handshake, type Server, Socket, Topic } from "effect-ws"
import * as EffectSocket from "effect-ws/EffectSocket"
import * as http from "node:http"
import * as http2 from "node:http2"
import { certificate, trust } from "../support/http2.ts"

const listen = { host: "127.0.0.1", port: 0 }

/** The servers of Effect that a route can upgrade on. */
const servers = {
  "NodeHttpServer.layer": NodeHttpServer.layer(() => http.createServer(), listen),
  layerHttpServer: EffectSocket.layerHttpServer(() => http.createServer(), listen),
  "layerHttpServer over TLS with HTTP/2": EffectSocket.layerHttpServer(
    () => http2.createSecureServer({ ...certificate, allowHTTP1: true }),
    listen
  )
}

type Services<L> = L extends Layer.Layer<infer A, infer _E, infer _R> ? A : never

type Routes = Layer.Layer<
  never,
  unknown,
  | HttpRouter.HttpRouter
  | HttpRouter.Request<
      "Error",
      Handshake.HandshakeError | Socket.SocketError | Schema.SchemaError | Socket.MessageError
    >
>

/** Serves routes; answers the port. */
const serve = (routes: Routes, server: Layer.Layer<Services<(typeof servers)["layerHttpServer"]>, unknown>) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(
      HttpRouter.serve(routes, { disableListenLog: true, disableLogger: true }).pipe(Layer.provideMerge(server))
    )
    const { address } = yield* Effect.provideContext(HttpServer.HttpServer, context)
    return address._tag === "UnixPathAddress" ? 0 : address.port
  })

const Echo = HttpRouter.add(
  "GET",
  "/echo",
  Effect.gen(function* () {
    const socket = yield* EffectSocket.upgrade
    yield* Stream.runForEach(socket.messages, socket.send)
    return HttpServerResponse.empty()
  })
)

const Said = Schema.Struct({ by: Schema.String, text: Schema.String })

const Typed = HttpRouter.add("GET", "/typed", (request) =>
  Effect.gen(function* () {
    const context = { user: request.headers["x-user"] ?? "nobody" }
    const socket = yield* EffectSocket.upgradeWith({
      context,
      protocols: ["said"],
      headers: { "X-Seen": "1" },
      compression: true,
      maxMessageSize: 100
    })
    const typed = Socket.withSchema(socket, Said)
    yield* Stream.runForEach(typed.messages, ({ text }) => typed.send({ by: socket.context.user, text }))
    return HttpServerResponse.empty()
  }).pipe(Effect.catchTag("WebSocketError", () => Effect.succeed(HttpServerResponse.empty())))
)

/** The refusal that a client gets. */
const refusalOf = (connecting: ReturnType<typeof Socket.connect>) =>
  Effect.gen(function* () {
    const { reason } = yield* Effect.flip(Effect.scoped(connecting))
    if (reason._tag !== "HandshakeFailed" || reason.error.reason._tag !== "UnexpectedStatus") {
      throw new Error(`no refusal: ${reason._tag}`)
    }
    return reason.error.reason
  })

for (const [name, server] of Object.entries(servers)) {
  const secure = name.includes("TLS")
  const url = (port: number, path: string) => `${secure ? "wss" : "ws"}://127.0.0.1:${port}${path}`
  const ways: ReadonlyArray<Socket.ConnectOptions> = secure ? [{ tls: trust }, { tls: trust, http2: true }] : [{}]

  describe(`upgrade on ${name}`, () => {
    it.live("gives a route the connection, with its options", () =>
      Effect.gen(function* () {
        const port = yield* serve(Layer.mergeAll(Echo, Typed), server)
        for (const way of ways) {
          const socket = yield* Socket.connect(url(port, "/echo"), way)
          yield* socket.sendAll(["tea", Uint8Array.of(1)])
          assert.strictEqual(yield* socket.receive, "tea")
          assert.deepStrictEqual(new Uint8Array(Buffer.from(yield* socket.receive)), Uint8Array.of(1))
          yield* socket.ping()
          yield* socket.close()

          const seen = yield* Deferred.make<unknown>()
          const other = yield* Socket.connect(url(port, "/typed"), {
            ...way,
            protocols: ["other", "said"],
            compression: true,
            headers: { "X-User": "ada" },
            onHandshake: (_, { headers }) => Deferred.doneUnsafe(seen, Effect.succeed(headers["x-seen"]))
          })
          assert.strictEqual(other.protocol, "said")
          assert.strictEqual(other.extensions[0]?.name, "permessage-deflate")
          assert.strictEqual(yield* Deferred.await(seen), "1")
          const typed = Socket.withSchema(other, Said)
          yield* typed.send({ by: "", text: "hello" })
          assert.deepStrictEqual(yield* Stream.runHead(typed.messages).pipe(Effect.flatMap(Effect.fromOption)), {
            by: "ada",
            text: "hello"
          })
          yield* other.send("x".repeat(101))
          assert.strictEqual((yield* other.closed).received?.code, 1009)
        }
      })
    )

    it.live("closes the connection with the end of the route", () =>
      Effect.gen(function* () {
        const routes = HttpRouter.addAll([
          HttpRouter.route(
            "GET",
            "/ends",
            Effect.flatMap(EffectSocket.upgrade, (socket) => Effect.as(socket.send("bye"), HttpServerResponse.empty()))
          ),
          HttpRouter.route("GET", "/fails", Effect.andThen(EffectSocket.upgrade, Effect.die("broken")))
        ])
        const port = yield* serve(routes, server)
        for (const way of ways) {
          const socket = yield* Socket.connect(url(port, "/ends"), way)
          assert.strictEqual(yield* socket.receive, "bye")
          assert.strictEqual((yield* socket.closed).received?.code, 1000)
          const failed = yield* Socket.connect(url(port, "/fails"), way)
          assert.strictEqual((yield* failed.closed).received?.code, 1011)
        }
      })
    )

    it.live("leaves a refusal to the route, which can map it, and responds with it otherwise", () =>
      Effect.gen(function* () {
        const mapped = HttpRouter.add(
          "GET",
          "/mapped",
          EffectSocket.upgrade.pipe(
            Effect.as(HttpServerResponse.empty()),
            Effect.catchTag("HandshakeError", ({ reason }) =>
              Effect.succeed(HttpServerResponse.text(`no: ${reason._tag}`, { status: 418 }))
            )
          )
        )
        const port = yield* serve(Layer.mergeAll(Echo, mapped), server)
        for (const way of ways) {
          const foreign = { ...way, origin: "https://elsewhere.example" }
          const refused = yield* refusalOf(Socket.connect(url(port, "/echo"), foreign))
          assert.strictEqual(refused.status, 403)
          assert.include(refused.body, "elsewhere.example")
          const own = yield* refusalOf(Socket.connect(url(port, "/mapped"), foreign))
          assert.deepStrictEqual([own.status, own.body], [418, "no: OriginRefused"])
          const missing = yield* refusalOf(Socket.connect(url(port, "/missing"), way))
          assert.strictEqual(missing.status, 404)
          // The server goes on.
          const socket = yield* Socket.connect(url(port, "/echo"), way)
          yield* socket.send("tea")
          assert.strictEqual(yield* socket.receive, "tea")
        }
      })
    )

    it.live("refuses a request that asks for no upgrade with 426", () =>
      Effect.gen(function* () {
        if (secure) return
        const port = yield* serve(Echo, server)
        const response = yield* Effect.promise(() => fetch(`http://127.0.0.1:${port}/echo`))
        assert.strictEqual(response.status, 426)
        assert.strictEqual(response.headers.get("upgrade"), "websocket")
      })
    )

    it.live("keeps nothing for refused requests of a connection that stays open", () =>
      Effect.gen(function* () {
        if (secure) return
        const listeners: Array<number> = []
        const route = HttpRouter.add("GET", "/", (request) =>
          Effect.gen(function* () {
            const { socket } = NodeHttpServerRequest.toIncomingMessage(request)
            listeners.push(socket.listenerCount("close") + socket.listenerCount("error"))
            return yield* Effect.as(Effect.exit(EffectSocket.upgrade), HttpServerResponse.empty())
          })
        )
        const port = yield* serve(route, server)
        const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
        const get = Effect.callback<void>((resume) => {
          http.get({ port, host: "127.0.0.1", agent }, (response) => {
            response.resume()
            response.once("end", () => resume(Effect.void))
          })
        })
        yield* Effect.repeat(get, { times: 9 })
        agent.destroy()
        assert.strictEqual(listeners.length, 10)
        assert.strictEqual(new Set(listeners).size, 1, listeners.join())
      })
    )

    it.live("dies of an option whose value is not allowed", () =>
      Effect.gen(function* () {
        const cause = yield* Deferred.make<string>()
        const route = HttpRouter.add(
          "GET",
          "/",
          EffectSocket.upgradeWith({ maxMessageSize: -1 }).pipe(
            Effect.exit,
            Effect.tap((exit) => Deferred.succeed(cause, String(exit))),
            Effect.as(HttpServerResponse.empty({ status: 500 }))
          )
        )
        const port = yield* serve(route, server)
        for (const way of ways.slice(0, 1)) yield* refusalOf(Socket.connect(url(port, "/"), way))
        assert.include(yield* Deferred.await(cause), "invalid option maxMessageSize: -1")
      })
    )

    it.live("joins topics and broadcasts", () =>
      Effect.gen(function* () {
        const route = Layer.unwrap(
          Effect.map(Topic.Topics, (topics) =>
            HttpRouter.add(
              "GET",
              "/topic",
              Effect.gen(function* () {
                const socket = yield* EffectSocket.upgrade
                yield* Effect.orDie(topics.join(socket, "news"))
                yield* Stream.runForEach(socket.messages, (message) => Effect.orDie(topics.publish("news", message)))
                return HttpServerResponse.empty()
              })
            )
          )
        )
        const port = yield* serve(route.pipe(Layer.provide(Topic.layer())), server)
        for (const way of ways) {
          const ann = yield* Socket.connect(url(port, "/topic"), way)
          const bob = yield* Socket.connect(url(port, "/topic"), way)
          // Each hears itself once it has joined.
          yield* ann.send("one")
          assert.strictEqual(yield* ann.receive, "one")
          yield* bob.send("two")
          assert.strictEqual(yield* ann.receive, "two")
        }
      })
    )
  })
}

describe("layerHttpServer", () => {
  it.live("counts the connections of all routes", () =>
    Effect.gen(function* () {
      const limited = EffectSocket.layerHttpServer(() => http.createServer(), {
        ...listen,
        websocket: { maxConnections: 2 }
      })
      const port = yield* serve(Layer.mergeAll(Echo, Typed), limited)
      yield* Socket.connect(`ws://127.0.0.1:${port}/echo`)
      yield* Socket.connect(`ws://127.0.0.1:${port}/typed`)
      const full = yield* refusalOf(Socket.connect(`ws://127.0.0.1:${port}/echo`))
      assert.strictEqual(full.status, 503)
    })
  )

  it.live("takes Hixie-76, which has bytes after the head", () =>
    Effect.gen(function* () {
      const server = EffectSocket.layerHttpServer(() => http.createServer(), {
        ...listen,
        websocket: { drafts: Handshake.all }
      })
      const port = yield* serve(Echo, server)
      const socket = yield* Socket.connect(`ws://127.0.0.1:${port}/echo`, { draft: Handshake.hixie76 })
      yield* socket.send("tea")
      assert.strictEqual(yield* socket.receive, "tea")
    })
  )

  it.live("upgrades a request once", () =>
    Effect.gen(function* () {
      const second = yield* Deferred.make<string>()
      const route = HttpRouter.add(
        "GET",
        "/",
        Effect.gen(function* () {
          yield* EffectSocket.upgrade
          const exit = yield* Effect.exit(EffectSocket.upgrade)
          yield* Deferred.succeed(second, Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "opened")
          return HttpServerResponse.empty()
        })
      )
      const port = yield* serve(route, servers.layerHttpServer)
      yield* Socket.connect(`ws://127.0.0.1:${port}/`)
      assert.include(yield* Deferred.await(second), "the request was upgraded before")
    })
  )
})

// What inference gives, without an annotation.
Effect.map(EffectSocket.upgrade, (socket) => socket.context satisfies undefined)
Effect.map(EffectSocket.upgradeWith(), (socket) => socket satisfies Server.Connection<undefined>)
Effect.map(EffectSocket.upgradeWith({ context: { name: "ada" } }), (socket) => socket.context.name satisfies string)
