/**
 * This library beneath Effect's own programs: its sockets as those of `effect/socket`, so that RPC, the developer tools
 * and whatever else takes a `Socket`, a `SocketServer` or an `HttpServer` runs on it.
 *
 * The one module that stands on Effect's unstable modules, `Cli` aside; that is why `effect-ws` doesn't export it along
 * with the others: import `effect-ws/EffectSocket`.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import type * as NodeServices from "@effect/platform-node/NodeServices"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { LazyArg } from "effect/Function"
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type * as Etag from "effect/http/Etag"
import type * as HttpPlatform from "effect/http/HttpPlatform"
import * as HttpServer from "effect/http/HttpServer"
import type { ServeError } from "effect/http/HttpServerError"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as EffectSocket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import { type Configured, configured } from "./internal/config.ts"
import { ofConnect, ofOpen } from "./internal/effectSocket/adapter.ts"
import { type HttpServerOptions, makeHttpServer, type NodeServer } from "./internal/effectSocket/httpServer.ts"
import { makeSocketServer } from "./internal/effectSocket/socketServer.ts"
import * as Upgrade from "./internal/effectSocket/upgrade.ts"
import type { UpgradeOptions } from "./internal/effectSocket/upgrade.ts"
import type * as Handshake from "./Handshake.ts"
import type * as Server from "./Server.ts"
import * as Socket from "./Socket.ts"
import { WebSocket } from "./ws/WebSocket.ts"

export {
  type HttpServerOptions,
  makeHttpServer,
  type NodeServer,
  type WebSocketOptions
} from "./internal/effectSocket/httpServer.ts"
export type { Configured, ConfiguredParts, ConfiguredValue } from "./internal/config.ts"
export type { UpgradeOptions } from "./internal/effectSocket/upgrade.ts"
export { Connection, makeSocketServer } from "./internal/effectSocket/socketServer.ts"

/**
 * A connection as one of Effect's sockets.
 *
 * Its reader gives the messages, a batch for each read, and fails with a `SocketCloseError` at every end, normal ones
 * included. The end of the reader's scope closes the connection: with 1000, 1001 when interrupted, 1011 after a failure.
 * Writes wait for a peer that doesn't read, as `send` does, and fail with a `SocketWriteError` once the connection is
 * closing. A `CloseEvent` sends a close frame; its reason is cut to 123 bytes.
 */
export const toSocket: (socket: Socket.Socket) => EffectSocket.Socket = ofOpen

/**
 * One of Effect's sockets that connects whenever its reader is acquired: what `Socket.makeWebSocket` is there, with
 * writes that wait for a peer that doesn't read. Writes made while there is no connection wait for the next one; a write
 * whose connection is lost while it waits for room fails with a `SocketWriteError`.
 */
export const makeSocket = (url: string | URL, options?: Socket.ConnectOptions): EffectSocket.Socket =>
  ofConnect(Socket.connect(url, options), "often")

/** `makeSocket` as a layer. */
export const layerSocket = (url: string | URL, options?: Socket.ConnectOptions): Layer.Layer<EffectSocket.Socket> =>
  Layer.sync(EffectSocket.Socket, () => makeSocket(url, options))

/**
 * The service with which `Socket.makeWebSocket` and `layerWebSocket` make their WebSockets, as those of `effect-ws/ws`.
 * What Effect writes to such a socket doesn't wait for a peer that doesn't read: that takes `makeSocket`.
 */
export const layerWebSocketConstructor: Layer.Layer<EffectSocket.WebSocketConstructor> = Layer.succeed(
  EffectSocket.WebSocketConstructor,
  (url, options) =>
    options === undefined || typeof options === "string" || Array.isArray(options)
      ? new WebSocket(url, options)
      : new WebSocket(url, options.protocols, { headers: { ...options.headers } })
)

/**
 * A server of this library as Effect's `SocketServer`, for RPC and the developer tools. Each handler's socket is one of
 * `toSocket`, and beneath it is the `Connection`. The end of a connection ends its handler quietly; a handler that fails
 * otherwise is logged, and closes its connection with 1011. Interrupting `run` closes every connection with 1001.
 */
export const layerSocketServer = <A = undefined, R = never>(
  options: Server.ServeOptions<A, R>
): Layer.Layer<SocketServer.SocketServer, SocketServer.SocketServerError, Exclude<R, Scope.Scope>> =>
  Layer.effect(SocketServer.SocketServer, makeSocketServer(options))

/**
 * Upgrades the request of a route to a connection of this library: with messages, topics, pings, broadcast, subprotocol and
 * context. `upgradeWith` with the default options.
 *
 * @category upgrades
 * @since 0.2.0
 */
export const upgrade: Effect.Effect<
  Server.Connection<undefined>,
  Handshake.HandshakeError,
  HttpServerRequest | Scope.Scope
> = Upgrade.upgradeWith({ context: undefined })

/**
 * Upgrades the request of a route to a connection of this library, with options such as `protocols`, `compression`,
 * `maxMessageSize`, header fields of the answer and the connection's `context`.
 *
 * **Details**
 *
 * The connection is closed when the route's scope ends, which is when the route has responded: with 1000, 1001 when the route
 * was interrupted, 1011 after a failure. The response of a route that has upgraded isn't sent.
 *
 * A refusal is a `HandshakeError`, and nothing is written for it: a route can map it to a response of its own. A route that
 * doesn't handle it responds with the status, the header fields and the body that `Server.make` would. An option with a value
 * that isn't allowed, and a second upgrade of one request, are defects.
 *
 * With `layerHttpServer` the options are over those of its `websocket`, whose limits count the connections of all routes, and
 * requests of HTTP/2 (RFC 8441) come to the routes for GET. With `NodeHttpServer.layer` each call is a server of its own, a
 * route is interrupted when its connection is lost, and Hixie-76 and HTTP/2 are refused: Effect's server keeps the bytes after
 * the head of a request, and answers CONNECT itself.
 *
 * **Example** (A route for authenticated users)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { HttpRouter, HttpServerResponse } from "effect/http"
 * import * as EffectSocket from "effect-ws/EffectSocket"
 *
 * export const Chat = HttpRouter.add("GET", "/chat", (request) =>
 *   Effect.gen(function* () {
 *     const user = request.headers["x-user"]
 *     if (user === undefined) return HttpServerResponse.empty({ status: 401 })
 *     const socket = yield* EffectSocket.upgradeWith({ protocols: ["chat"], context: { user } })
 *     yield* Stream.runForEach(socket.messages, (message) => socket.send(`${socket.context.user}: ${String(message)}`))
 *     return HttpServerResponse.empty()
 *   })
 * )
 * ```
 *
 * @category upgrades
 * @since 0.2.0
 */
export const upgradeWith: {
  <A>(
    options: UpgradeOptions & {
      /** The connection's `context`: what the route knows of the client. */
      readonly context: A
    }
  ): Effect.Effect<Server.Connection<A>, Handshake.HandshakeError, HttpServerRequest | Scope.Scope>
  (
    options?: UpgradeOptions
  ): Effect.Effect<Server.Connection<undefined>, Handshake.HandshakeError, HttpServerRequest | Scope.Scope>
} = <A>(options: UpgradeOptions & { readonly context?: A } = {}) =>
  Upgrade.upgradeWith({ ...options, context: options.context })

/**
 * Effect's HTTP server for Node with this library's WebSockets, in place of `NodeHttpServer.layer`. `request.upgrade`
 * gives a socket whose handshake is answered when its reader is acquired; `request.upgradeWith` adds header fields to the
 * 101. Until then a route may answer as usual. An origin other than the server's own is refused with 403, unless
 * `websocket.origins` says otherwise. Shutting down closes every connection with 1001.
 */
export const layerHttpServer = (
  evaluate: LazyArg<NodeServer>,
  options: HttpServerOptions
): Layer.Layer<
  HttpServer.HttpServer | NodeServices.NodeServices | HttpPlatform.HttpPlatform | Etag.Generator,
  ServeError
> =>
  Layer.mergeAll(
    Layer.effect(HttpServer.HttpServer, makeHttpServer(evaluate, options)),
    NodeHttpServer.layerHttpServices
  )

/**
 * `layerHttpServer` with options of which any part may be a `Config`, as `Server.layerConfig` has them.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerHttpServerConfig = (
  evaluate: LazyArg<NodeServer>,
  options: Configured<HttpServerOptions>
): Layer.Layer<
  HttpServer.HttpServer | NodeServices.NodeServices | HttpPlatform.HttpPlatform | Etag.Generator,
  ServeError | Config.ConfigError
> =>
  Layer.mergeAll(
    Layer.effect(
      HttpServer.HttpServer,
      Effect.flatMap(configured(options), (options) => makeHttpServer(evaluate, options))
    ),
    NodeHttpServer.layerHttpServices
  )
