/**
 * One TLS port for everything: a page, an `HttpApi`, RPC, and typed sockets, as routes of Effect's HTTP server. It speaks HTTP/2 and
 * HTTP/1.1, and sockets open over both.
 *
 * `node examples/gateway/server.ts`; PORT and MAX_CONNECTIONS come from the environment. The certificate is made by openssl when
 * the server starts, for `localhost` alone and signed by itself, so that a browser asks before it goes on.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Config, Context, Effect, Layer, PubSub, Stream } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { NetAddress } from "effect/net"
import { RpcSerialization, RpcServer } from "effect/rpc"
import { Socket } from "effect-ws"
import * as EffectSocket from "effect-ws/EffectSocket"
import { readFileSync } from "node:fs"
import { createSecureServer } from "node:http2"
import { makeCertificate } from "../certificate.ts"
import { Api, Calls, Notice, Written } from "./api.ts"

/** The notices, for whichever way they are written and read. */
class Notices extends Context.Service<Notices>()("Notices", {
  make: Effect.gen(function* () {
    const all: Array<Notice> = []
    // A reader that is a hundred notices behind misses the oldest.
    const added = yield* PubSub.sliding<Notice>(100)
    return {
      list: Effect.sync((): ReadonlyArray<Notice> => [...all]),
      added: Stream.fromPubSub(added),
      add: (by: string, text: string) =>
        Effect.suspend(() => {
          const notice = new Notice({ id: all.length + 1, by, text })
          all.push(notice)
          return Effect.as(PubSub.publish(added, notice), notice)
        })
    }
  })
}) {
  static readonly layer = Layer.effect(this, this.make)
}

const Page = HttpRouter.add(
  "GET",
  "/",
  HttpServerResponse.html(readFileSync(new URL("page.html", import.meta.url), "utf8"))
)

const ApiRoutes = HttpApiBuilder.layer(Api).pipe(
  Layer.provide(
    HttpApiBuilder.group(
      Api,
      "notices",
      Effect.fn(function* (handlers) {
        const notices = yield* Notices
        return handlers.handleAll({
          list: () => notices.list,
          add: ({ payload }) => notices.add("HTTP", payload.text)
        })
      })
    )
  )
)

const RpcRoute = RpcServer.layer(Calls).pipe(
  Layer.provide(
    Calls.toLayer(
      Effect.map(Notices, ({ add, list }) => ({
        Add: ({ text }) => add("RPC", text),
        Count: () => Effect.map(list, ({ length }) => length)
      }))
    )
  ),
  Layer.provide(RpcServer.layerProtocolWebsocket({ path: "/rpc" })),
  Layer.provide(RpcSerialization.layerJson)
)

/** Notices as they come, and those that the client writes. */
const LiveRoute = Layer.unwrap(
  Effect.map(Notices, ({ add, added }) =>
    HttpRouter.add(
      "GET",
      "/live",
      Effect.gen(function* () {
        const socket = yield* EffectSocket.upgradeWith({ maxMessageSize: "4 KiB", compression: true })
        const { messages } = Socket.withSchema(socket, Written)
        const { send } = Socket.withSchema(socket, Notice)
        yield* Effect.forkScoped(Stream.runForEach(added, send), { startImmediately: true })
        yield* Stream.runForEach(messages, ({ text }) => add("a socket", text))
        return HttpServerResponse.empty()
      }).pipe(Effect.catchTag("WebSocketError", () => Effect.succeed(HttpServerResponse.empty())))
    )
  )
)

const Announce = Layer.effectDiscard(
  Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    if (NetAddress.isInetAddress(address)) yield* Effect.log(`https://localhost:${address.port}/ is the gateway`)
  })
)

const Main = Layer.mergeAll(
  HttpRouter.serve(Layer.mergeAll(Page, ApiRoutes, RpcRoute, LiveRoute), { disableListenLog: true }).pipe(
    Layer.provide(Notices.layer)
  ),
  Announce
).pipe(
  Layer.provide(
    EffectSocket.layerHttpServerConfig(() => createSecureServer({ ...makeCertificate(), allowHTTP1: true }), {
      host: "localhost",
      port: Config.Int("PORT").pipe(Config.withDefault(8443)),
      websocket: { maxConnections: Config.Int("MAX_CONNECTIONS").pipe(Config.withDefault(1000)) }
    })
  )
)

NodeRuntime.runMain(Layer.launch(Main))
