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
import type * as Config from "effect/Config"
import type { RunnerHealth } from "effect/cluster/RunnerHealth"
import type { RpcClientProtocol, Runners } from "effect/cluster/Runners"
import type { Sharding } from "effect/cluster/Sharding"
import type * as Etag from "effect/http/Etag"
import type * as HttpPlatform from "effect/http/HttpPlatform"
import * as HttpServer from "effect/http/HttpServer"
import type { ServeError } from "effect/http/HttpServerError"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as EffectSocket from "effect/socket/Socket"
import type { RpcSerialization } from "effect/rpc/RpcSerialization"
import * as SocketServer from "effect/socket/SocketServer"
import { type Configured, configured } from "./internal/config.ts"
import { ofConnect, ofOpen } from "./internal/effectSocket/adapter.ts"
import type { RunnerClientOptions, RunnerOptions, RunnerServices } from "./internal/effectSocket/cluster.ts"
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
export type { RunnerClientOptions, RunnerOptions, RunnerServices } from "./internal/effectSocket/cluster.ts"
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
