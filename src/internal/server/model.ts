import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as http from "node:http"
import type * as http2 from "node:http2"
import type * as https from "node:https"
import type { AcceptOptions, HandshakeError, Request } from "../../Handshake.ts"
import type { Socket, SocketOptions } from "../socket/model.ts"

/** The request that opened a connection, and where it came from. */
export interface UpgradeRequest extends Request {
  readonly method: string
  readonly url: string
  /** The peer's address, as the transport knows it; absent on a Unix socket. */
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  /** The client's address: `remoteAddress`, or what trusted proxies say it is. */
  readonly clientAddress: string | undefined
}

/** How often connections may be opened: so many at once, and as many again spread over `per`. */
export interface ConnectionRate {
  readonly connections: number
  /** Default 1 second. */
  readonly per?: Duration.Input | undefined
}

/** The proxies before the server, and where they note the address of a client. */
export interface TrustedProxies {
  /** IP addresses, and blocks of them such as `10.0.0.0/8`. Peers of a Unix socket count as trusted. */
  readonly addresses: ReadonlyArray<string>
  /**
   * The header that they set. Name the one that yours sets: the other is the client's to write. Default
   * `x-forwarded-for`; `forwarded` is RFC 7239.
   */
  readonly header?: "x-forwarded-for" | "forwarded" | undefined
}

/** Who may connect, how often and for how long; what is over a limit is refused before anything else is looked at. */
export interface AdmissionOptions {
  /** Most connections of one client at once, handshakes included; more are refused with 429. IPv6 counts by /64. Default: no limit. */
  readonly maxConnectionsPerAddress?: number | undefined
  /** How often one client may connect; more often is refused with 429. Default: no limit. */
  readonly maxRatePerAddress?: ConnectionRate | undefined
  /** How often all clients together may connect; more often is refused with 503. Default: no limit. */
  readonly maxRate?: ConnectionRate | undefined
  /** Whose word counts for the address of a client. Default: nobody's, the client is who opened the transport. */
  readonly trustedProxies?: TrustedProxies | undefined
  /** What `Retry-After` says where nothing better is known, in whole seconds. Default 10 seconds. */
  readonly retryAfter?: Duration.Input | undefined
  /**
   * How long a peer may send no message, whatever its pongs; then the connection is closed with 1001. It is noticed within
   * a quarter of this time. Default: for ever.
   */
  readonly idleTimeout?: Duration.Input | undefined
  /** How long a connection may live; then it is closed with 1001. Default: for ever. */
  readonly maxLifetime?: Duration.Input | undefined
}

/** A connection that a server accepted. */
export interface Connection<out Context = undefined> extends Socket<Context> {
  readonly request: UpgradeRequest
}

/** What a server agrees to, and its limits. */
export interface Options<A = undefined, R = never> extends AcceptOptions, SocketOptions, AdmissionOptions {
  /**
   * Decides whether a valid request may connect; its result is the connection's `context`. Fail with a
   * `Server.reject(status)` to refuse it. Runs once for each request, before the answer is written, and counts against
   * the handshake timeout.
   */
  readonly authorize?: ((request: UpgradeRequest) => Effect.Effect<A, HandshakeError, R>) | undefined
  /** How long a client may take for its part of the handshake, and `authorize` for its own. Default 10 seconds. */
  readonly handshakeTimeout?: Duration.Input | undefined
  /** Most connections at once; more are refused with 503. Default: no limit but the system's. */
  readonly maxConnections?: number | undefined
  /** Most handshakes under way at once; more are refused with 503. Default 1024. */
  readonly maxHandshakes?: number | undefined
  /**
   * Bytes that all connections together may make the server keep: what waits to be read or written, and messages whose end
   * hasn't come. Beyond it new ones are refused with 503, and those that hold most are closed with 1013. It is looked at ten
   * times a second; what one connection may hold meanwhile, its own limits say. Default: no limit.
   */
  readonly maxMemory?: number | undefined
  /** How long connections may take to end when the server shuts down; what is left then is dropped. Default 10 seconds. */
  readonly shutdownTimeout?: Duration.Input | undefined
}

/** Where a server of its own listens. */
export interface ListenOptions {
  /** 0 picks a free one. */
  readonly port?: number | undefined
  /** The address to bind. Default: all. */
  readonly host?: string | undefined
  /** A Unix socket to listen on, in place of host and port. */
  readonly socketPath?: string | undefined
  /** Most connections that wait to be accepted by the process. Default: the system's, 511. */
  readonly backlog?: number | undefined
  /** Serves `wss:`: the certificate, its key, and what else `node:https` takes. */
  readonly tls?: https.ServerOptions | undefined
  /**
   * Speaks HTTP/2 too (RFC 8441): over TLS on the same port as HTTP/1.1, as the client prefers; without `tls` in place of
   * it, to clients that know. In place of `true` the settings to announce; `maxConcurrentStreams`, which bounds the
   * sockets of one HTTP/2 connection, is 256 by default. Default `false`.
   */
  readonly http2?: boolean | http2.Settings | undefined
  /**
   * Answers requests that ask for no upgrade; over HTTP/2 it gets Node's compatible `Http2ServerRequest` and
   * `Http2ServerResponse`. Default: 426, over HTTP/2 405.
   */
  readonly onRequest?: http.RequestListener | undefined
}

/** Where a server listens. */
export interface Address {
  /** The address bound, or the path of the Unix socket. */
  readonly host: string
  /** 0 on a Unix socket. */
  readonly port: number
}

/** Accepts connections until its scope ends. */
export interface Acceptor<A> {
  /**
   * The connections as they come. Each is open until the peer, its user or the end of the server's scope closes it. What
   * comes while nobody asks for connections waits.
   */
  readonly connections: Stream.Stream<Connection<A>>
  /**
   * Handles each connection in a fiber and a scope of its own, for ever. A connection closes when its handler ends:
   * with 1000, with 1011 when the handler failed, which is logged and harms no other. When it is interrupted, new
   * requests are answered with 503, every connection is closed with 1001, and what hasn't ended after
   * `shutdownTimeout` is dropped. Handlers go on meanwhile: what was sent before leaves before, and what the peer sent
   * before its answer is read, at the handler's pace, unless it reads nothing for half of the time that is left.
   */
  readonly run: <X, E, R>(
    handler: (socket: Connection<A>) => Effect.Effect<X, E, R>
  ) => Effect.Effect<never, never, Exclude<R, Scope.Scope>>
}

/** A server that listens. */
export interface Server<A> extends Acceptor<A> {
  readonly address: Address
}
