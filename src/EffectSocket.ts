/**
 * This library's sockets and servers as those of Effect's own modules: RPC, the developer tools, Cluster, GraphQL, HTTP routes,
 * and whatever else takes a `Socket`, a `SocketServer` or an `HttpServer`.
 *
 * With `Cli` it is the only module that uses Effect's unstable modules. That is why `effect-ws` doesn't export it: import
 * `effect-ws/EffectSocket`.
 *
 * @since 0.1.0
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
 * Converts a connection to one of Effect's sockets.
 *
 * **Details**
 *
 * Its reader delivers the messages, a batch for each read, and fails with a `SocketCloseError` at every end,
 * normal ones included. The end of the reader's scope closes the connection: with close code 1000, 1001 when the
 * scope was interrupted, 1011 after a failure. A write waits for a peer that doesn't read, as `send` does, and
 * fails with a `SocketWriteError` once the connection is closing. A `CloseEvent` sends a close frame, whose reason
 * is cut to 123 bytes.
 *
 * **Example** (Writing through Effect's interface)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Socket } from "effect-ws"
 * import * as EffectSocket from "effect-ws/EffectSocket"
 * import assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const [client, server] = yield* Socket.makePair()
 *   const writer = yield* EffectSocket.toSocket(client).writer
 *   yield* writer.write("Hello")
 *   assert.strictEqual(yield* server.receive, "Hello")
 * })
 *
 * await Effect.runPromise(Effect.scoped(program))
 * ```
 *
 * @category converting
 * @since 0.1.0
 */
export const toSocket: (socket: Socket.Socket) => EffectSocket.Socket = ofOpen

/**
 * Creates one of Effect's sockets, which connects whenever its reader is acquired.
 *
 * **When to use**
 *
 * Use it in place of `Socket.makeWebSocket` of `effect/socket` where a write has to wait for a peer that doesn't
 * read.
 *
 * **Details**
 *
 * A write without a connection waits for the next one. A write whose connection is lost while it waits for room
 * fails with a `SocketWriteError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeSocket = (url: string | URL, options?: Socket.ConnectOptions): EffectSocket.Socket =>
  ofConnect(Socket.connect(url, options), "often")

/**
 * Provides the socket of `makeSocket` as a layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSocket = (url: string | URL, options?: Socket.ConnectOptions): Layer.Layer<EffectSocket.Socket> =>
  Layer.sync(EffectSocket.Socket, () => makeSocket(url, options))

/**
 * Provides the constructor with which `Socket.makeWebSocket` and `Socket.layerWebSocket` of `effect/socket` make
 * their WebSockets: that of `effect-ws/ws`.
 *
 * **Gotchas**
 *
 * Effect doesn't wait when it writes to such a socket, whatever the constructor does. `makeSocket` and
 * `layerSocket` wait for a peer that doesn't read.
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
 * Provides a server of this library as the `SocketServer` of Effect, for RPC and the developer tools.
 *
 * **Details**
 *
 * Each handler gets a socket of `toSocket`, and the `Connection` as a service. The end of a connection ends its
 * handler without a failure. A handler that fails otherwise is logged, and its connection is closed with 1011.
 * Interrupting `run` closes every connection with 1001.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSocketServer = <A = undefined, R = never>(
  options: Server.ServeOptions<A, R>
): Layer.Layer<SocketServer.SocketServer, SocketServer.SocketServerError, Exclude<R, Scope.Scope>> =>
  Layer.effect(SocketServer.SocketServer, makeSocketServer(options))

/**
 * Provides the HTTP server of Effect for Node with this library's WebSockets, in place of `NodeHttpServer.layer`.
 *
 * **Details**
 *
 * `request.upgrade` returns a socket whose handshake is completed when its reader is acquired;
 * `request.upgradeWith` adds header fields to the response. Until then a route may respond as usual. An origin
 * other than the server's own is refused with 403, unless `websocket.origins` allows it. Shutting down closes
 * every connection with 1001.
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
 * Provides a runner of Effect's cluster, which other runners reach over this library's WebSockets.
 *
 * **When to use**
 *
 * Use it in place of `HttpRunner.layerWebsocket`. There a write completes at once; here it waits for a runner that
 * doesn't read.
 *
 * **Details**
 *
 * It listens at `runnerListenAddress` of the `ShardingConfig`, or at `runnerAddress`, and fails with a
 * `ServeError` when there is neither or when the address is taken.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerRunner = (
  options: RunnerOptions = {}
): Layer.Layer<Sharding | Runners, ServeError, RunnerServices | RunnerHealth> =>
  Layer.unwrap(Effect.map(cluster, ({ layerRunner }) => layerRunner(options)))

/**
 * Provides access to the runners of a cluster for a process that isn't one.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerRunnerClientOnly = (
  options: RunnerClientOptions = {}
): Layer.Layer<Sharding | Runners, never, RunnerServices> =>
  Layer.unwrap(Effect.map(cluster, ({ layerRunnerClientOnly }) => layerRunnerClientOnly(options)))

/**
 * Provides the protocol with which a process calls the runners of a cluster, for `Runners.layerRpc`.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerRunnerClientProtocol = (
  options: RunnerClientOptions = {}
): Layer.Layer<RpcClientProtocol, never, RpcSerialization> =>
  Layer.unwrap(Effect.map(cluster, ({ layerRunnerClientProtocol }) => layerRunnerClientProtocol(options)))
