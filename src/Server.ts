/**
 * Accepts WebSocket connections: on a port of its own, or on an HTTP server that exists. `serve` is the shortest way,
 * `make` and `attach` give the connections as a Stream, `upgrade` opens one by hand.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import * as http from "node:http"
import * as https from "node:https"
import type { Duplex } from "node:stream"
import * as Handshake from "./Handshake.ts"
import { acceptorOf, drain } from "./internal/server/acceptor.ts"
import { attachGate } from "./internal/server/attachment.ts"
import { listenFailed, type ServerError } from "./internal/server/error.ts"
import { Gate } from "./internal/server/gate.ts"
import type { Acceptor, Address, Connection, ListenOptions, Options, Server } from "./internal/server/model.ts"

export * from "./internal/server/error.ts"
export { evictions, refusals } from "./internal/server/metrics.ts"
export type {
  Acceptor,
  Address,
  AdmissionOptions,
  Connection,
  ConnectionRate,
  ListenOptions,
  Options,
  Server,
  TrustedProxies,
  UpgradeRequest
} from "./internal/server/model.ts"

/** Options of a server that listens by itself. */
export interface ServeOptions<A = undefined, R = never> extends Options<A, R>, ListenOptions {}

/**
 * Listens, and handles each connection in a fiber and a scope of its own until it is interrupted. A connection closes
 * when its handler ends: with 1000, or with 1011 when the handler failed.
 */
export const serve = <X, E, RH, A = undefined, R = never>(
  options: ServeOptions<A, R>,
  handler: (socket: Connection<A>) => Effect.Effect<X, E, RH>
): Effect.Effect<never, ServerError, R | Exclude<RH, Scope.Scope> | Scope.Scope> =>
  Effect.flatMap(make(options), (server) => server.run(handler))

/** Listens. The end of the scope closes every connection with 1001, and stops listening. */
export const make = <A = undefined, R = never>(
  options: ServeOptions<A, R>
): Effect.Effect<Server<A>, ServerError, R | Scope.Scope> =>
  Effect.gen(function* () {
    const gate = new Gate(options, yield* Effect.context<R>())
    const server = yield* Effect.acquireRelease(listen(gate, options), (server) => stop(server))
    yield* Effect.addFinalizer(() => drain(gate, new Set()))
    return { address: addressOf(server), ...acceptorOf(gate) }
  })

/** The service of a server that listens, for `layer`. */
export class WebSocketServer extends Context.Service<WebSocketServer, Server<undefined>>()(
  "effect-ws/Server/WebSocketServer"
) {}

/** `make` as a layer. */
export const layer = <R = never>(
  options: ServeOptions<undefined, R>
): Layer.Layer<WebSocketServer, ServerError, Exclude<R, Scope.Scope>> => Layer.effect(WebSocketServer, make(options))

/**
 * Accepts the upgrades of an HTTP server that exists. Several may be attached, each to a `path` of its own: one without
 * a path takes what no other does. What none takes is answered with 404, unless the HTTP server has other listeners for
 * upgrades. The end of the scope closes every connection with 1001, and detaches.
 */
export const attach = <A = undefined, R = never>(
  server: http.Server | https.Server,
  options: Options<A, R>
): Effect.Effect<Acceptor<A>, never, R | Scope.Scope> =>
  Effect.gen(function* () {
    const gate = new Gate(options, yield* Effect.context<R>())
    yield* Effect.acquireRelease(
      Effect.sync(() => attachGate(server, options.path, gate.upgrade)),
      (detach) => Effect.andThen(drain(gate, new Set()), Effect.sync(detach))
    )
    return acceptorOf(gate)
  })

/**
 * Opens one connection by hand, from what a server's `upgrade` event gives. A refusal is written to the socket, then
 * it is the failure. The end of the scope closes the connection.
 */
export const upgrade = <A = undefined, R = never>(
  request: http.IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: Options<A, R> = {}
): Effect.Effect<Connection<A>, Handshake.HandshakeError, R | Scope.Scope> =>
  Effect.flatMap(Effect.context<R>(), (context) =>
    Effect.acquireRelease(
      Effect.callback<ReturnType<Gate<A, R>["open"]>, Handshake.HandshakeError>((resume) =>
        new Gate(options, context).negotiate(request, socket, head, (result) => resume(Effect.fromResult(result)))
      ),
      (live, exit) => live.end(exit)
    )
  )

/** Refuses a request, from within `authorize`: with a status such as 401 or 403, and what else the answer should say. */
export const reject = (status: number, answer?: Omit<Handshake.Rejection, "status">): Handshake.HandshakeError =>
  Handshake.rejected({ status, ...answer })

const listen = <A, R>(
  gate: Gate<A, R>,
  options: ServeOptions<A, R>
): Effect.Effect<http.Server | https.Server, ServerError> =>
  Effect.callback((resume) => {
    const onRequest = options.onRequest ?? upgradeRequired(options.drafts ?? Handshake.default)
    const timing = { headersTimeout: gate.handshakeTimeout, connectionsCheckingInterval: 1000 }
    const server =
      options.tls === undefined
        ? http.createServer(timing, onRequest)
        : https.createServer({ ...timing, ...options.tls }, onRequest)
    server.on("upgrade", gate.upgrade)
    const place = options.socketPath ?? `${options.host ?? "*"}:${options.port ?? 0}`
    const fail = (cause: Error): void => resume(Effect.fail(listenFailed(place, cause)))
    server.once("error", fail)
    server.listen(
      {
        ...(options.socketPath === undefined ? { port: options.port ?? 0 } : { path: options.socketPath }),
        ...(options.host === undefined ? {} : { host: options.host }),
        ...(options.backlog === undefined ? {} : { backlog: options.backlog })
      },
      () => {
        server.off("error", fail)
        resume(Effect.succeed(server))
      }
    )
    return Effect.sync(() => server.close())
  })

const stop = (server: http.Server | https.Server): Effect.Effect<void> =>
  Effect.callback((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

const addressOf = (server: http.Server | https.Server): Address => {
  const address = server.address()
  return typeof address === "string" || address === null
    ? { host: address ?? "", port: 0 }
    : { host: address.address, port: address.port }
}

const upgradeRequired =
  (drafts: ReadonlyArray<Handshake.Draft>): http.RequestListener =>
  (_, response) => {
    const versions = drafts.flatMap(({ version }) => (version === undefined ? [] : [version]))
    response.writeHead(426, {
      "content-type": "text/plain",
      connection: "close",
      upgrade: "websocket",
      "sec-websocket-version": versions.join(", ")
    })
    response.end("This is a WebSocket server.\n")
  }
