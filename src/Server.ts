/**
 * Accepts WebSocket connections: on a port of its own, or on an HTTP server that exists, over HTTP/1.1 and HTTP/2. `serve`
 * is the shortest way, `make` and `attach` give the connections as a Stream, `upgrade` opens one by hand.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as http from "node:http"
import type * as http2 from "node:http2"
import * as https from "node:https"
import type * as net from "node:net"
import type { Duplex } from "node:stream"
import * as Handshake from "./Handshake.ts"
import { acceptorOf, drain } from "./internal/server/acceptor.ts"
import { attachGate, type HttpServer } from "./internal/server/attachment.ts"
import type { ServerError } from "./internal/server/error.ts"
import { type Exchange, Http1Exchange } from "./internal/server/exchange.ts"
import { listenFailed, tlsInvalid } from "./internal/server/failure.ts"
import { Gate } from "./internal/server/gate.ts"
import { Http2Exchange } from "./internal/server/http2Exchange.ts"
import { makeHttp2Server } from "./internal/server/http2Server.ts"
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
    const listener = yield* listenerOf(gate, options)
    attachGate(listener.server, undefined, gate)
    const connected = options.tls === undefined ? new Set<net.Socket>() : connectedTo(listener.server)
    yield* Effect.acquireRelease(listen(listener.server, options), () => stop(listener, connected))
    yield* Effect.addFinalizer(() => drain(gate))
    return { address: addressOf(listener.server), ...acceptorOf(gate) }
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
 *
 * A server of `node:http2` gets the setting that lets clients open WebSockets on the sessions to come (RFC 8441 §3).
 * Its own listeners for `stream` must leave requests with a `:protocol` alone.
 */
export const attach = <A = undefined, R = never>(
  server: http.Server | https.Server | http2.Http2Server | http2.Http2SecureServer,
  options: Options<A, R>
): Effect.Effect<Acceptor<A>, never, R | Scope.Scope> =>
  Effect.gen(function* () {
    const gate = new Gate(options, yield* Effect.context<R>())
    yield* Effect.acquireRelease(
      Effect.sync(() => attachGate(server, options.path, gate)),
      (detach) => Effect.andThen(drain(gate), Effect.sync(detach))
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
  negotiate(new Http1Exchange(request, socket, head), options)

/** `upgrade` over HTTP/2: from what a server's `stream` event gives for an extended CONNECT (RFC 8441). */
export const upgradeStream = <A = undefined, R = never>(
  stream: http2.ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
  options: Options<A, R> = {}
): Effect.Effect<Connection<A>, Handshake.HandshakeError, R | Scope.Scope> =>
  negotiate(new Http2Exchange(stream, headers), options)

const negotiate = <A, R>(
  exchange: Exchange,
  options: Options<A, R>
): Effect.Effect<Connection<A>, Handshake.HandshakeError, R | Scope.Scope> =>
  Effect.flatMap(Effect.context<R>(), (context) =>
    Effect.acquireRelease(
      Effect.callback<ReturnType<Gate<A, R>["open"]>, Handshake.HandshakeError>((resume) =>
        new Gate(options, context).negotiate(exchange, (result) => resume(Effect.fromResult(result)))
      ),
      (live, exit) => live.end(exit)
    )
  )

/** Refuses a request, from within `authorize`: with a status such as 401 or 403, and what else the answer should say. */
export const reject = (status: number, answer?: Omit<Handshake.Rejection, "status">): Handshake.HandshakeError =>
  Handshake.rejected({ status, ...answer })

/** A server that is to listen, and how to end what is connected to it. */
interface Listener {
  readonly server: HttpServer
  readonly dropAll: () => void
}

const listenerOf = <A, R>(
  { handshakeTimeout, timers }: Gate<A, R>,
  { drafts = Handshake.default, http2: settings = false, onRequest = noWebSocket(drafts), tls }: ServeOptions<A, R>
): Effect.Effect<Listener, ServerError> => {
  // What can be wrong with the options of a server, before it listens, is what they say of TLS.
  const attempt = (make: () => Listener) => Effect.try({ try: make, catch: tlsInvalid })
  if (settings !== false) {
    const options = { tls, settings: settings === true ? {} : settings, idleTimeout: handshakeTimeout }
    // Loaded only where it is wanted: that takes 5 ms.
    return Effect.flatMap(
      Effect.promise(() => import("node:http2")),
      (module) => attempt(() => makeHttp2Server(module, { ...options, timers, onRequest }))
    )
  }
  return attempt(() => {
    const timing = { headersTimeout: handshakeTimeout, connectionsCheckingInterval: 1000 }
    const server =
      tls === undefined
        ? http.createServer(timing, onRequest)
        : https.createServer({ ...timing, handshakeTimeout, ...tls }, onRequest)
    return { server, dropAll: () => server.closeAllConnections() }
  })
}

const listen = (
  server: HttpServer,
  { backlog, host, port = 0, socketPath }: ListenOptions
): Effect.Effect<void, ServerError> =>
  Effect.callback((resume) => {
    const place = socketPath ?? `${host ?? "*"}:${port}`
    const fail = (cause: Error): void => resume(Effect.fail(listenFailed(place, cause)))
    server.once("error", fail)
    server.listen(
      {
        ...(socketPath === undefined ? { port } : { path: socketPath }),
        ...(host === undefined ? {} : { host }),
        ...(backlog === undefined ? {} : { backlog })
      },
      () => {
        server.off("error", fail)
        resume(Effect.void)
      }
    )
    return Effect.sync(() => server.close())
  })

/** Milliseconds for what was said last to leave, before what is still connected is cut off. */
const farewell = 100

const stop = ({ dropAll, server }: Listener, connected: ReadonlySet<net.Socket>): Effect.Effect<void> =>
  Effect.callback((resume) => {
    // A session that was destroyed doesn't wait for its peer, as one does that `close` has closed.
    dropAll()
    // Nobody else knows of a connection whose TLS handshake isn't over.
    const late = setTimeout(() => {
      for (const socket of connected) socket.destroy()
    }, farewell)
    server.close(() => {
      clearTimeout(late)
      resume(Effect.void)
    })
  })

/** The connections of a server of TLS, from before their handshakes. */
const connectedTo = (server: HttpServer): ReadonlySet<net.Socket> => {
  const connected = new Set<net.Socket>()
  server.on("connection", (socket: net.Socket) => {
    connected.add(socket)
    socket.once("close", () => connected.delete(socket))
  })
  return connected
}

const addressOf = (server: HttpServer): Address => {
  const address = server.address()
  return typeof address === "string" || address === null
    ? { host: address ?? "", port: 0 }
    : { host: address.address, port: address.port }
}

/** What a request is told that asks for no WebSocket. */
const noWebSocket =
  (drafts: ReadonlyArray<Handshake.Draft>): http.RequestListener =>
  (request, response) => {
    const type = { "content-type": "text/plain" }
    if (request.httpVersionMajor === 2) {
      // RFC 9110 §15.5.22: 426 demands an `Upgrade` field, which HTTP/2 has no place for.
      response.writeHead(405, { ...type, allow: "CONNECT" })
    } else {
      const versions = drafts.flatMap(({ version }) => (version === undefined ? [] : [version]))
      const upgrade = { connection: "close", upgrade: "websocket", "sec-websocket-version": versions.join(", ") }
      response.writeHead(426, { ...type, ...upgrade })
    }
    response.end("This is a WebSocket server.\n")
  }
