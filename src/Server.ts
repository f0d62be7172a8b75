/**
 * Accepts WebSocket connections: on a port of its own, or on an HTTP server that exists, over HTTP/1.1 and HTTP/2. `serve`
 * is the shortest way, `make` and `attach` give the connections as a Stream, `upgrade` opens one by hand.
 */
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
import type { ServerError } from "./internal/server/error.ts"
import { Http1Exchange } from "./internal/server/exchange.ts"
import { Http2Exchange } from "./internal/server/http2Exchange.ts"
import type { Acceptor, Connection, Options, ServeOptions, Server } from "./internal/server/model.ts"
import * as Memory from "./internal/server/memory.ts"
import * as Start from "./internal/server/start.ts"

export type { Acceptance, AcceptanceOptions } from "./internal/server/authorization.ts"
export * from "./internal/server/error.ts"
export type { MemoryServer } from "./internal/server/memory.ts"
export { evictions, refusals } from "./internal/server/metrics.ts"
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
  TrustedProxies,
  UpgradeRequest
} from "./internal/server/model.ts"

/**
 * Listens, and handles each connection in a fiber and a scope of its own until it is interrupted. A connection closes
 * when its handler ends: with 1000, or with 1011 when the handler failed.
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
 * Listens. The end of the scope closes every connection with 1001, and stops listening. Fails with `InvalidOptions` when an
 * option has a value that isn't allowed.
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
 * @category testing
 * @since 0.2.0
 */
export const makeMemory: <A = undefined, R = never>(
  options?: ServeOptions<A, R>
) => Effect.Effect<Memory.MemoryServer<A>, ServerError, Exclude<R, Scope.Scope> | Scope.Scope> = Memory.makeMemory

/**
 * The service of a server that listens, for `layer`.
 *
 * @category services
 * @since 0.1.0
 */
export class WebSocketServer extends Context.Service<WebSocketServer, Server<undefined>>()(
  "effect-ws/Server/WebSocketServer"
) {}

/**
 * `make` as a layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <R = never>(
  options: ServeOptions<undefined, R>
): Layer.Layer<WebSocketServer, ServerError, Exclude<R, Scope.Scope>> => Layer.effect(WebSocketServer, make(options))

/**
 * `serve` as a layer: it is built when the server listens, and fails when it can't, because the port is taken for example.
 * The handlers run until the layer's scope ends.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerServe = <X, E, RH, A = undefined, R = never>(
  options: ServeOptions<A, R>,
  handler: (socket: Connection<A>) => Effect.Effect<X, E, RH>
): Layer.Layer<never, ServerError, Exclude<R, Scope.Scope> | Exclude<RH, Scope.Scope>> =>
  Layer.effectDiscard(Effect.flatMap(make(options), (server) => Effect.forkScoped(server.run(handler))))

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
 * Opens one connection by hand, from the arguments of a server's `upgrade` event. A refusal is written to the socket, then
 * it is the failure. The end of the scope closes the connection.
 *
 * Each call is a server of its own: limits on connections and rates take `make` or `attach`. An option with a value that
 * isn't allowed is a defect.
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
 * `upgrade` over HTTP/2: from the arguments of a server's `stream` event for an extended CONNECT (RFC 8441).
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
 * Refuses a request, from within `authorize`: with a status such as 401 or 403, and the rest of the response.
 *
 * @category authorizing
 * @since 0.1.0
 */
export const reject = (status: number, answer?: Omit<Handshake.Rejection, "status">): Handshake.HandshakeError =>
  Handshake.rejected({ status, ...answer })

/**
 * Accepts a request, as the result of `authorize`: with the connection's context, header fields such as `Set-Cookie` for the
 * answer, and the subprotocol.
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
