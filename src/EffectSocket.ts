/**
 * This library beneath Effect's own programs: its sockets as those of `effect/socket`, so that RPC, the developer tools
 * and whatever else takes a `Socket`, a `SocketServer` or an `HttpServer` runs on it.
 *
 * The one module that stands on Effect's unstable modules, `Cli` aside; that is why `effect-ws` doesn't export it along
 * with the others: import `effect-ws/EffectSocket`.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import type * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { LazyArg } from "effect/Function"
import type { RunnerHealth } from "effect/cluster/RunnerHealth"
import type { RpcClientProtocol, Runners } from "effect/cluster/Runners"
import type { Sharding } from "effect/cluster/Sharding"
import type * as Etag from "effect/http/Etag"
import type * as HttpPlatform from "effect/http/HttpPlatform"
import * as HttpServer from "effect/http/HttpServer"
import type { ServeError } from "effect/http/HttpServerError"
import * as EffectSocket from "effect/socket/Socket"
import type { RpcSerialization } from "effect/rpc/RpcSerialization"
import * as SocketServer from "effect/socket/SocketServer"
import type * as http from "node:http"
import type * as https from "node:https"
import { ofConnect, ofOpen } from "./internal/effectSocket/adapter.ts"
import type { RunnerClientOptions, RunnerOptions, RunnerServices } from "./internal/effectSocket/cluster.ts"
import { type HttpServerOptions, makeHttpServer } from "./internal/effectSocket/httpServer.ts"
import { makeSocketServer } from "./internal/effectSocket/socketServer.ts"
import type * as Server from "./Server.ts"
import * as Socket from "./Socket.ts"
import { WebSocket } from "./ws/WebSocket.ts"

export type { RunnerClientOptions, RunnerOptions, RunnerServices } from "./internal/effectSocket/cluster.ts"
export { type HttpServerOptions, makeHttpServer, type WebSocketOptions } from "./internal/effectSocket/httpServer.ts"
export { Connection, makeSocketServer } from "./internal/effectSocket/socketServer.ts"

/**
 * A connection as one of Effect's sockets.
 *
 * Its reader gives the messages, a batch for each read, and fails with a `SocketCloseError` at every end, normal ones
 * included. The end of the reader's scope closes the connection: with 1000, 1001 when interrupted, 1011 after a failure.
 * Writes wait for a peer that doesn't read, as `send` does, and fail with a `SocketWriteError` once the connection is
 * closing. A `CloseEvent` sends a close frame; its reason is cut to 123 bytes.
 *
 * @category converting
 * @since 0.1.0
 */
export const toSocket: (socket: Socket.Socket) => EffectSocket.Socket = ofOpen

/**
 * One of Effect's sockets that connects whenever its reader is acquired: what `Socket.makeWebSocket` is there, with
 * writes that wait for a peer that doesn't read. Writes made while there is no connection wait for the next one; a write
 * whose connection is lost while it waits for room fails with a `SocketWriteError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeSocket = (url: string | URL, options?: Socket.ConnectOptions): EffectSocket.Socket =>
  ofConnect(Socket.connect(url, options), "often")

/**
 * `makeSocket` as a layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSocket = (url: string | URL, options?: Socket.ConnectOptions): Layer.Layer<EffectSocket.Socket> =>
  Layer.sync(EffectSocket.Socket, () => makeSocket(url, options))

/**
 * The service with which `Socket.makeWebSocket` and `layerWebSocket` make their WebSockets, as those of `effect-ws/ws`.
 * What Effect writes to such a socket doesn't wait for a peer that doesn't read: that takes `makeSocket`.
 *
 * @category layers
 * @since 0.1.0
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
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSocketServer = <A = undefined, R = never>(
  options: Server.ServeOptions<A, R>
): Layer.Layer<SocketServer.SocketServer, SocketServer.SocketServerError, Exclude<R, Scope.Scope>> =>
  Layer.effect(SocketServer.SocketServer, makeSocketServer(options))

/**
 * Effect's HTTP server for Node with this library's WebSockets, in place of `NodeHttpServer.layer`. `request.upgrade`
 * gives a socket whose handshake is answered when its reader is acquired; `request.upgradeWith` adds header fields to the
 * 101. Until then a route may answer as usual. An origin other than the server's own is refused with 403, unless
 * `websocket.origins` says otherwise. Shutting down closes every connection with 1001.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttpServer = (
  evaluate: LazyArg<http.Server | https.Server>,
  options: HttpServerOptions
): Layer.Layer<
  HttpServer.HttpServer | NodeServices.NodeServices | HttpPlatform.HttpPlatform | Etag.Generator,
  ServeError
> =>
  Layer.mergeAll(
    Layer.effect(HttpServer.HttpServer, makeHttpServer(evaluate, options)),
    NodeHttpServer.layerHttpServices
  )

/** The modules of Effect's cluster, loaded by the programs that have one. */
const cluster = Effect.promise(() => import("./internal/effectSocket/cluster.ts"))

/**
 * A runner of a cluster that other runners reach over this library's WebSockets, in place of `HttpRunner.layerWebsocket`.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerRunner = (
  options: RunnerOptions = {}
): Layer.Layer<Sharding | Runners, ServeError, RunnerServices | RunnerHealth> =>
  Layer.unwrap(Effect.map(cluster, ({ layerRunner }) => layerRunner(options)))

/**
 * A process that calls the runners of a cluster, and isn't one.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerRunnerClientOnly = (
  options: RunnerClientOptions = {}
): Layer.Layer<Sharding | Runners, never, RunnerServices> =>
  Layer.unwrap(Effect.map(cluster, ({ layerRunnerClientOnly }) => layerRunnerClientOnly(options)))

/**
 * The protocol in which a process calls the runners of a cluster.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerRunnerClientProtocol = (
  options: RunnerClientOptions = {}
): Layer.Layer<RpcClientProtocol, never, RpcSerialization> =>
  Layer.unwrap(Effect.map(cluster, ({ layerRunnerClientProtocol }) => layerRunnerClientProtocol(options)))
