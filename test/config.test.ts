import { assert, describe, it } from "@effect/vitest"
import { Cause, Config, ConfigProvider, Context, Effect, Exit, Layer, Stream } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { Server, Socket } from "effect-ws"
import * as EffectSocket from "effect-ws/EffectSocket"
import * as http from "node:http"
import { certificate, trust } from "./support/http2.ts"

const local = { host: "127.0.0.1", port: 0 }

const provide = (values: Record<string, string>) =>
  Layer.succeed(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(values))

interface User {
  readonly name: string
}

class Chat extends Server.Service<Chat, User>()("test/Chat") {}

const authorize = ({ headers }: Server.UpgradeRequest) =>
  typeof headers["x-user"] === "string" ? Effect.succeed({ name: headers["x-user"] }) : Effect.fail(Server.reject(401))

const chat = (socket: Server.Connection<User>) =>
  Stream.runForEach(socket.messages, (text) => socket.send(`${socket.context.name}: ${String(text)}`))

const ChatLive = Chat.layerServeConfig(
  {
    host: Config.String("HOST"),
    port: Config.Port("PORT").pipe(Config.withDefault(0)),
    maxMessageSize: Config.ByteSize("MAX_MESSAGE_SIZE"),
    maxConnections: Config.Int("MAX_CONNECTIONS"),
    drainGrace: Config.Duration("GRACE"),
    keepAlive: { interval: Config.Duration("PING") },
    trustedProxies: { addresses: [Config.String("PROXY"), "10.0.0.0/8"] },
    tls: { ...certificate, key: Config.Redacted("TLS_KEY") },
    authorize
  },
  chat
)

const environment = {
  HOST: "127.0.0.1",
  MAX_MESSAGE_SIZE: "1 KiB",
  MAX_CONNECTIONS: "1",
  GRACE: "1 second",
  PING: "1 minute",
  PROXY: "192.0.2.1",
  TLS_KEY: certificate.key
}

/** What the chat fails with in an environment. */
const failure = (values: Record<string, string>) =>
  Effect.map(Effect.exit(Effect.scoped(Layer.build(ChatLive.pipe(Layer.provide(provide(values)))))), (exit) =>
    Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  )

describe("Server.Service", () => {
  it.live("is configured by the environment", () =>
    Effect.gen(function* () {
      const server = yield* Chat
      const url = `wss://127.0.0.1:${server.address.port}/`
      const refused = yield* Effect.flip(Socket.connect(url, { tls: trust }))
      assert.match(refused.message, /401/)
      const ada = yield* Socket.connect(url, { tls: trust, headers: { "X-User": "ada" } })
      yield* ada.send("hello")
      assert.strictEqual(yield* ada.receive, "ada: hello")
      const full = yield* Effect.flip(Socket.connect(url, { tls: trust, headers: { "X-User": "bob" } }))
      assert.match(full.message, /503/)
      yield* ada.send("x".repeat(1025))
      assert.strictEqual((yield* ada.closed).received?.code, 1009)
    }).pipe(Effect.provide(ChatLive.pipe(Layer.provide(provide(environment)))))
  )

  it.live("fails with a ConfigError that names what is missing or wrong, and with what the server finds wrong", () =>
    Effect.gen(function* () {
      const { HOST: _, ...withoutHost } = environment
      assert.include(String(yield* failure(withoutHost)), "HOST")
      assert.include(String(yield* failure({ ...environment, MAX_MESSAGE_SIZE: "much" })), "MAX_MESSAGE_SIZE")
      const invalid = yield* failure({ ...environment, MAX_CONNECTIONS: "-1" })
      assert.instanceOf(invalid, Server.ServerError)
      assert.include(String(invalid), "invalid option maxConnections: -1")
    })
  )

  it.live("has layers with and without a handler", () =>
    Effect.gen(function* () {
      const served = yield* Effect.provide(Chat, Chat.layerServe({ ...local, authorize }, chat))
      assert.isAbove(served.address.port, 0)
      const context = yield* Layer.build(Chat.layer({ ...local, authorize }))
      const server = Context.get(context, Chat)
      yield* Effect.forkScoped(server.run(chat))
      const options = { headers: { "X-User": "ada" } }
      const socket = yield* Socket.connect(`ws://127.0.0.1:${server.address.port}/`, options)
      yield* socket.send("hello")
      assert.strictEqual(yield* socket.receive, "ada: hello")
      const { address } = yield* Effect.provide(Chat, Chat.layerConfig(Config.succeed({ ...local, authorize })))
      assert.isAbove(address.port, 0)
    })
  )
})

describe("the layers of servers", () => {
  it.live("fail when the port is taken", () =>
    Effect.gen(function* () {
      const blocker = yield* Server.make(local)
      const taken = { ...local, port: blocker.address.port }
      const layers: ReadonlyArray<Layer.Layer<never, Server.ServerError | Config.ConfigError>> = [
        Server.layer(taken),
        Server.layerConfig({ ...taken, port: Config.succeed(taken.port) }),
        Server.layerServe(taken, () => Effect.void),
        Server.layerServeConfig({ host: Config.succeed("127.0.0.1"), port: taken.port }, () => Effect.void),
        Chat.layer({ ...taken, authorize }),
        Chat.layerServe({ ...taken, authorize }, chat)
      ]
      for (const layer of layers) {
        const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
        if (error._tag !== "ServerError" || error.reason._tag !== "ListenFailed") throw error
        assert.strictEqual(error.reason.code, "EADDRINUSE")
      }
    })
  )

  it.live("give the service of a server", () =>
    Effect.gen(function* () {
      const server = yield* Server.WebSocketServer
      assert.isAbove(server.address.port, 0)
    }).pipe(
      Effect.provide(
        Server.layerConfig({ host: Config.String("HOST"), port: 0 }).pipe(Layer.provide(provide({ HOST: "127.0.0.1" })))
      )
    )
  )

  it.live("read options of a service of their own", () =>
    Effect.gen(function* () {
      const options = yield* Server.config({ path: Config.String("WS_PATH"), protocols: Config.succeed(["chat"]) })
      const server = yield* Server.makeMemory(options)
      assert.match((yield* Effect.flip(server.connect("/"))).message, /404/)
      assert.strictEqual((yield* server.connect("/ws", { protocols: ["chat"] })).protocol, "chat")
    }).pipe(Effect.provide(provide({ WS_PATH: "/ws" })))
  )
})

describe("layerHttpServerConfig", () => {
  it.live("serves routes with options of the environment", () =>
    Effect.gen(function* () {
      const route = HttpRouter.add(
        "GET",
        "/",
        Effect.gen(function* () {
          const socket = yield* EffectSocket.upgrade
          yield* Stream.runForEach(socket.messages, socket.send)
          return HttpServerResponse.empty()
        })
      )
      const live = HttpRouter.serve(route, { disableListenLog: true, disableLogger: true }).pipe(
        Layer.provideMerge(
          EffectSocket.layerHttpServerConfig(() => http.createServer(), {
            host: Config.String("HOST"),
            port: 0,
            websocket: { maxMessageSize: Config.ByteSize("MAX"), protocols: ["echo"] }
          })
        ),
        Layer.provide(provide({ HOST: "127.0.0.1", MAX: "4 B" }))
      )
      const context = yield* Layer.build(live)
      const { address } = Context.get(context, HttpServer.HttpServer)
      if (address._tag === "UnixPathAddress") throw new Error("no port")
      const socket = yield* Socket.connect(`ws://127.0.0.1:${address.port}/`, { protocols: ["echo"] })
      assert.strictEqual(socket.protocol, "echo")
      yield* socket.send("1234")
      assert.strictEqual(yield* socket.receive, "1234")
      yield* socket.send("12345")
      assert.strictEqual((yield* socket.closed).received?.code, 1009)
      const missing = yield* Effect.flip(
        Effect.scoped(Layer.build(EffectSocket.layerHttpServerConfig(http.createServer, { port: Config.Port("NONE") })))
      )
      assert.include(String(missing), "NONE")
    })
  )
})
