/**
 * Servers of WebSockets: on a port of their own, or on an HTTP server that exists, over HTTP/1.1 and HTTP/2. `serve` is the
 * shortest way, `make` and `attach` return the connections as a Stream, `upgrade` opens a single one.
 *
 * @since 0.1.0
 */
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as http from "node:http"
import type * as http2 from "node:http2"
import type * as https from "node:https"
import type { Duplex } from "node:stream"
import * as Handshake from "./Handshake.ts"
import { Acceptance, type AcceptanceOptions } from "./internal/server/authorization.ts"
import type { ServerError } from "./internal/server/errorSchema.ts"
import { Http1Exchange } from "./internal/server/exchange.ts"
import { Http2Exchange } from "./internal/server/http2Exchange.ts"
import type { Acceptor, Connection, Options, ServeOptions, Server } from "./internal/server/model.ts"
import * as Memory from "./internal/server/memory.ts"
import * as Services from "./internal/server/service.ts"
import type { ConfigOptions, ServiceClass } from "./internal/server/service.ts"
import * as Start from "./internal/server/start.ts"

export type { Acceptance, AcceptanceOptions } from "./internal/server/authorization.ts"
export * from "./internal/server/error.ts"
export { ServerError } from "./internal/server/errorSchema.ts"
export type { MemoryServer } from "./internal/server/memory.ts"
export type { Configured, ConfiguredParts, ConfiguredValue } from "./internal/config.ts"
export type { ConfigOptions, ServiceClass } from "./internal/server/service.ts"
export { evictions, rejections, rejections as refusals } from "./internal/server/metrics.ts"
export type {
  Acceptor,
  Address,
  AdmissionOptions,
  Connection,
  ConnectionRate,
  DrainOptions,
  ListenOptions,
  Options,
  ServeOptions,
  Server,
  TlsServerOptions,
  TrustedProxies,
  UpgradeRequest
} from "./internal/server/model.ts"

/**
 * Listens, and runs the handler for each connection in a fiber and a scope of its own, until it is interrupted.
 *
 * **Details**
 *
 * A connection closes when its handler ends: with 1000, or with 1011 when the handler failed.
 *
 * **Gotchas**
 *
 * Nothing sees the error of a fiber that was forked and not joined. In a `Layer`, use `layerServe`, which fails when the
 * port is taken.
 *
 * @category running
 * @since 0.1.0
 */
export const serve = <X, E, RH, A = undefined, R = never>(
  options: ServeOptions<A, R>,
  handler: (socket: Connection<A>) => Effect.Effect<X, E, RH>
): Effect.Effect<never, ServerError, Exclude<R, Scope.Scope> | Exclude<RH, Scope.Scope> | Scope.Scope> =>
  Effect.flatMap(make(options), (server) => server.run(handler))

/**
 * Listens, and returns the server. The end of the scope closes every connection with 1001 and stops listening.
 *
 * **Details**
 *
 * Fails with a `ServerError`: reason `InvalidOptions` when an option has a value that is not allowed,
 * `ListenFailed` when the port is taken, `TlsInvalid` for a key or certificate that can't be used.
 *
 * **Example** (A server that greets each client)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Server, Socket } from "effect-ws"
 * import assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const server = yield* Server.make({
 *     port: 0,
 *     authorize: ({ url }) => Effect.succeed({ name: url.slice(1) })
 *   })
 *   yield* Effect.forkScoped(server.run((socket) => socket.send(`Hello, ${socket.context.name}`)))
 *
 *   const socket = yield* Socket.connect(`ws://localhost:${server.address.port}/Ada`)
 *   assert.strictEqual(yield* socket.receive, "Hello, Ada")
 * })
 *
 * await Effect.runPromise(Effect.scoped(program))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: <A = undefined, R = never>(
  options: ServeOptions<A, R>
) => Effect.Effect<Server<A>, ServerError, Exclude<R, Scope.Scope> | Scope.Scope> = Start.make

/**
 * Creates a server without a port, for tests: its clients reach it in memory, by `connect`.
 *
 * **Details**
 *
 * Nothing but the transport differs from a server that listens: `authorize`, limits, origins, handlers, keepalive and draining
 * are the same, and all of their times are those of Effect's clock, so that a test runs them under `TestClock`. Options on
 * where and how a server listens are checked and have no effect.
 *
 * Fails with `InvalidOptions` when an option has a value that isn't allowed. After the end of its scope, `connect` fails with
 * `OpenFailed`.
 *
 * **Example** (Testing who may connect)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Server } from "effect-ws"
 * import assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const server = yield* Server.makeMemory({
 *     authorize: ({ headers }) =>
 *       headers["x-api-key"] === "secret" ? Effect.void : Effect.fail(Server.reject(401))
 *   })
 *   const error = yield* Effect.flip(server.connect("/"))
 *   assert.match(error.message, /401/)
 *   yield* server.connect("/", { headers: { "x-api-key": "secret" } })
 * })
 *
 * await Effect.runPromise(Effect.scoped(program))
 * ```
 *
 * @category testing
 * @since 0.2.0
 */
export const makeMemory: <A = undefined, R = never>(
  options?: ServeOptions<A, R>
) => Effect.Effect<Memory.MemoryServer<A>, ServerError, Exclude<R, Scope.Scope> | Scope.Scope> = Memory.makeMemory

/**
 * Creates the class of a server's service, whose connections have a context of type `A`: what `authorize` returns.
 *
 * **Details**
 *
 * The class has layers: `layer` and `layerServe`, which also handles the connections, and `layerConfig` and `layerServeConfig`,
 * whose options may be configs. All of them are built when the server listens, and fail when it can't.
 *
 * **Example** (A chat as a service)
 *
 * ```ts
 * import { Config, Effect, Stream } from "effect"
 * import { Server } from "effect-ws"
 *
 * interface User {
 *   readonly name: string
 * }
 *
 * export class Chat extends Server.Service<Chat, User>()("app/Chat") {}
 *
 * export const ChatLive = Chat.layerServeConfig(
 *   {
 *     port: Config.Port("PORT"),
 *     maxMessageSize: Config.ByteSize("MAX_MESSAGE_SIZE").pipe(Config.withDefault("64 KiB")),
 *     authorize: ({ headers }) =>
 *       typeof headers["x-user"] === "string"
 *         ? Effect.succeed({ name: headers["x-user"] })
 *         : Effect.fail(Server.reject(401))
 *   },
 *   (socket) => Stream.runForEach(socket.messages, (text) => socket.send(`${socket.context.name}: ${String(text)}`))
 * )
 * ```
 *
 * @category services
 * @since 0.2.0
 */
export const Service: <Self, A = undefined>() => <const Id extends string>(id: Id) => ServiceClass<Self, Id, A> =
  Services.Service

/**
 * The service of a server that listens, which `layer` provides.
 *
 * @category services
 * @since 0.1.0
 */
export class WebSocketServer extends Context.Service<WebSocketServer, Server<undefined>>()(
  "effect-ws/Server/WebSocketServer"
) {}

/**
 * Provides the server of `make` as a layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <R = never>(
  options: ServeOptions<undefined, R>
): Layer.Layer<WebSocketServer, ServerError, Exclude<R, Scope.Scope>> => Layer.effect(WebSocketServer, make(options))

/**
 * Reads the options of a server, of which any part may be a `Config`: for `make`, `serve` and `layerServe`, for example.
 *
 * @category configuration
 * @since 0.2.0
 */
export const config: <A = undefined, R = never>(options: ConfigOptions<A, R>) => Config.Config<ServeOptions<A, R>> =
  Services.config

/**
 * `layer` with options of which any part may be a `Config`.
 *
 * **Details**
 *
 * An option is a value, or a `Config` of one: `Config.Port`, `Config.ByteSize` for sizes, `Config.Duration` for times,
 * `Config.Redacted` for a TLS passphrase. All options together can be one `Config`, too. Functions such as `authorize` are
 * given as they are.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerConfig = <R = never>(
  options: ConfigOptions<undefined, R>
): Layer.Layer<WebSocketServer, ServerError | Config.ConfigError, Exclude<R, Scope.Scope>> =>
  Layer.effect(WebSocketServer, Effect.flatMap(config(options), make))

/**
 * Runs `serve` as a layer. It is built when the server listens, and fails when the server can't, for example
 * because the port is taken. The handlers run until the end of the layer's scope.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerServe = <X, E, RH, A = undefined, R = never>(
  options: ServeOptions<A, R>,
  handler: (socket: Connection<A>) => Effect.Effect<X, E, RH>
): Layer.Layer<never, ServerError, Exclude<R, Scope.Scope> | Exclude<RH, Scope.Scope>> =>
  Layer.effectDiscard(Services.makeServing(options, handler))

/**
 * `layerServe` with options of which any part may be a `Config`, as `layerConfig` has them.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerServeConfig = <X, E, RH, A = undefined, R = never>(
  options: ConfigOptions<A, R>,
  handler: (socket: Connection<A>) => Effect.Effect<X, E, RH>
): Layer.Layer<never, ServerError | Config.ConfigError, Exclude<R, Scope.Scope> | Exclude<RH, Scope.Scope>> =>
  Layer.effectDiscard(Effect.flatMap(config(options), (options) => Services.makeServing(options, handler)))

/**
 * Accepts the upgrades of an HTTP server that exists. Several may be attached, each to a `path` of its own: one without
 * a path takes the paths that no other has. The end of the scope closes every connection with 1001, and detaches.
 *
 * **Details**
 *
 * The server's other listeners for upgrades, those of Effect's HTTP server among them, are called only with requests that no
 * attached path takes, whichever was added first. When there are none, such a request is answered with 404. A listener
 * that ignores a request leaves it unanswered, as without this library. Requests for an upgrade to anything but a WebSocket
 * go to the server's other listeners for upgrades on every path; when there are none, to the HTTP handler from Node 24.9 on,
 * and before they are answered with 426.
 *
 * A server of `node:http2` gets the setting that lets clients open WebSockets on the sessions to come (RFC 8441 §3).
 * Its sessions are the caller's: they are counted in no limit, and ended by no timeout.
 *
 * Fails with `InvalidOptions` when an option has a value that isn't allowed, or the path is taken.
 *
 * @category running
 * @since 0.1.0
 */
export const attach: <A = undefined, R = never>(
  server: http.Server | https.Server | http2.Http2Server | http2.Http2SecureServer,
  options: Options<A, R>
) => Effect.Effect<Acceptor<A>, ServerError, Exclude<R, Scope.Scope> | Scope.Scope> = Start.attach

/**
 * Opens one connection from the arguments of a server's `upgrade` event. The connection is closed when the scope
 * ends.
 *
 * **Details**
 *
 * A refused request is answered on the socket, and then the effect fails.
 *
 * **Gotchas**
 *
 * Each call is a server of its own: limits on connections and rates need `make` or `attach`. An option with a
 * value that is not allowed is a defect.
 *
 * @category running
 * @since 0.1.0
 */
export const upgrade = <A = undefined, R = never>(
  request: http.IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: Options<A, R> = {}
): Effect.Effect<Connection<A>, Handshake.HandshakeError, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Start.open(new Http1Exchange(request, socket, head), options)

/**
 * Opens one connection over HTTP/2 from the arguments of a server's `stream` event for an extended CONNECT (RFC
 * 8441). It is `upgrade` for HTTP/2.
 *
 * @category running
 * @since 0.1.0
 */
export const upgradeStream = <A = undefined, R = never>(
  stream: http2.ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
  options: Options<A, R> = {}
): Effect.Effect<Connection<A>, Handshake.HandshakeError, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Start.open(new Http2Exchange(stream, headers), options)

/**
 * Creates the error with which `authorize` refuses a request: with a status such as 401 or 403, and optionally
 * header fields and a body.
 *
 * @category authorizing
 * @since 0.1.0
 */
export const reject = (status: number, answer?: Omit<Handshake.Rejection, "status">): Handshake.HandshakeError =>
  Handshake.reject({ status, ...answer })

/**
 * Accepts a request, as the result of `authorize`: with the connection's context, header fields such as
 * `Set-Cookie` for the response, and the subprotocol.
 *
 * **Gotchas**
 *
 * A header field that can't be written, and a subprotocol that the client did not offer, are answered with 500.
 *
 * @category authorizing
 * @since 0.2.0
 */
export const accept: {
  <A>(options: AcceptanceOptions & { readonly context: A }): Acceptance<A>
  (options: AcceptanceOptions): Acceptance<undefined>
} = <A>({ context, headers = [], protocol }: AcceptanceOptions & { readonly context?: A }): Acceptance<A | undefined> =>
  new Acceptance(context, headers, protocol)
