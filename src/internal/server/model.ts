import type * as ByteSize from "effect/ByteSize"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as http from "node:http"
import type * as http2 from "node:http2"
import type * as https from "node:https"
import type { HandshakeError } from "../handshake/error.ts"
import type { AcceptOptions, Request } from "../handshake/model.ts"
import type { Secret } from "../handshake/secret.ts"
import type { Acceptance } from "./authorization.ts"
import type { Socket, SocketOptions } from "../socket/model.ts"

/**
 * The request that opened a connection, with the addresses from which it came.
 *
 * @category models
 * @since 0.1.0
 */
export interface UpgradeRequest extends Request {
  /** The HTTP method: `GET`, or `CONNECT` over HTTP/2. */
  readonly method: string
  /** The path and the query. */
  readonly url: string
  /** Whether the client's request came over TLS: to this server, or to the trusted proxy that says so. */
  readonly secure: boolean
  /** The peer's address, as the transport knows it; absent on a Unix socket. */
  readonly remoteAddress: string | undefined
  /** The peer's port, as the transport knows it; absent on a Unix socket. */
  readonly remotePort: number | undefined
  /** The client's address: `remoteAddress`, or what trusted proxies say it is. */
  readonly clientAddress: string | undefined
}

/**
 * A rate of connections: so many at once, and as many again spread over `per`.
 *
 * @category options
 * @since 0.1.0
 */
export interface ConnectionRate {
  /** How many: an integer of at least 1. */
  readonly connections: number
  /** The time over which as many again are allowed: above 0 and finite. Default: 1 second. */
  readonly per?: Duration.Input | undefined
}

/**
 * The proxies in front of the server, and the header in which they write where a request came from.
 *
 * **Details**
 *
 * From a trusted proxy the server takes the client's address, and the host and the scheme of the client's request,
 * with which the origin policy `"same"` compares. A field that can't be parsed is ignored as a whole.
 *
 * @category options
 * @since 0.1.0
 */
export interface TrustedProxies {
  /**
   * IP addresses, and blocks of them such as `10.0.0.0/8`. The peers of a Unix socket are trusted too. A peer whose address
   * is unknown, because it has left, is not.
   */
  readonly addresses: ReadonlyArray<string>
  /**
   * The header that the proxies set. Name the one that yours sets: a client can write the other. `x-forwarded-for`, the
   * default, goes with `X-Forwarded-Host`, `X-Forwarded-Port` and `X-Forwarded-Proto`; `forwarded` (RFC 7239) has `host`
   * and `proto` itself.
   */
  readonly header?: "x-forwarded-for" | "forwarded" | undefined
}

/**
 * Admission limits and memory limits. A request over a limit is refused before the server looks at anything else.
 *
 * @category options
 * @since 0.1.0
 */
export interface AdmissionOptions {
  /**
   * Connections of one client at once, handshakes and HTTP/2 sessions without a WebSocket included; more are refused with
   * 429. IPv6 counts by /64. Default: no limit.
   */
  readonly maxConnectionsPerAddress?: number | undefined
  /** The rate at which one client may connect. More is refused with 429. Default: no limit. */
  readonly maxRatePerAddress?: ConnectionRate | undefined
  /** The rate at which all clients together may connect. More is refused with 503. Default: no limit. */
  readonly maxRate?: ConnectionRate | undefined
  /** Proxies whose forwarding header is trusted. Default: none, the client is the peer of the transport. */
  readonly trustedProxies?: TrustedProxies | undefined
  /** The value of `Retry-After` in a refusal, in whole seconds, unless a rate limit knows better. Default 10 seconds. */
  readonly retryAfter?: Duration.Input | undefined
  /**
   * How long a peer may send no message, even if it sends pongs; then the connection is closed with 1001. It is
   * noticed within a quarter of this time. Default: no limit.
   */
  readonly idleTimeout?: Duration.Input | undefined
  /** How long a connection may exist; then it is closed with 1001. Default: no limit. */
  readonly maxLifetime?: Duration.Input | undefined
}

/**
 * A connection that a server accepted.
 *
 * @category models
 * @since 0.1.0
 */
export interface Connection<out Context = unknown> extends Socket<Context> {
  /** The request that opened the connection. */
  readonly request: UpgradeRequest
  /**
   * Completes when the server begins to drain: `server.drain` was called, or the server's scope ends. From then on the
   * handler has `grace` to finish; its connection is closed with 1001 when it has.
   */
  readonly draining: Effect.Effect<void>
}

/**
 * Options of a server.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<A = undefined, R = never> extends AcceptOptions, SocketOptions, AdmissionOptions {
  /**
   * Decides whether a valid request becomes a connection. Its result is the connection's `context`, or a
   * `Server.accept` with context, header fields and subprotocol; a failure with `Server.reject(status)` refuses
   * the request. It runs once for each request, before the response is written, and counts against
   * `handshakeTimeout`. Default: every valid request is accepted, with the context `undefined`.
   *
   * It runs in the connection's scope: what it acquires is released after the connection's handler has ended, or
   * when a connection without a handler has closed, and at once when the request is refused or the client leaves.
   * A client that sent more than 64 KiB after its request isn't read any more, so that its leaving is noticed when
   * `authorize` ends, or after `handshakeTimeout`. If it throws or dies, the request is answered with 500 and the
   * cause is logged.
   */
  readonly authorize?: ((request: UpgradeRequest) => Effect.Effect<A | Acceptance<A>, HandshakeError, R>) | undefined
  /**
   * How long a client may take for its part of the handshake, and `authorize` for its own; beyond it the request
   * is answered with 408. A request that waits for the response to an earlier one is dropped after this time, and
   * so is an HTTP/2 session without an open WebSocket. Above 0; `Infinity` for no limit. Default: 10 seconds.
   */
  readonly handshakeTimeout?: Duration.Input | undefined
  /**
   * The number of connections at once, HTTP/2 sessions without a WebSocket included. More are refused with 503.
   * Default: no limit but the system's.
   */
  readonly maxConnections?: number | undefined
  /**
   * The number of handshakes at once, together with the connections that wait to be taken from `connections`. More
   * are refused with 503. Default: 1024.
   */
  readonly maxHandshakes?: number | undefined
  /**
   * The bytes that all connections together may hold: what waits to be read or written, and messages that are not
   * complete. Beyond it new connections are refused with 503, and those that hold most are closed with 1013. It is
   * checked ten times a second; meanwhile each connection has its own limits. Default: no limit.
   */
  readonly maxMemory?: ByteSize.Input | undefined
  /**
   * How long connections may take to end when the server shuts down; the others are then dropped. Default: 10
   * seconds.
   */
  readonly shutdownTimeout?: Duration.Input | undefined
  /**
   * How long handlers may go on when the server's scope ends, or `run` or `serve` is interrupted, before their
   * connections are closed: the `grace` of a `drain` at that moment. Default: 0.
   */
  readonly drainGrace?: Duration.Input | undefined
}

/**
 * TLS options of a server, as `node:https` has them. The key and its passphrase may be redacted.
 *
 * @category options
 * @since 0.2.0
 */
export interface TlsServerOptions extends Omit<https.ServerOptions, "key" | "passphrase"> {
  /** The private key. */
  readonly key?: https.ServerOptions["key"] | Redacted.Redacted<string>
  /** The passphrase of the private key. */
  readonly passphrase?: Secret | undefined
}

/**
 * Options of the address at which a server listens.
 *
 * @category options
 * @since 0.1.0
 */
export interface ListenOptions {
  /** The port; 0 selects a free one. Default: 0. */
  readonly port?: number | undefined
  /** The address to bind. Default: all. */
  readonly host?: string | undefined
  /**
   * A Unix socket to listen on, in place of host and port. The file of a process that no longer listens is replaced; a
   * socket on which a process listens, and any other file, is left alone and fails with `ListenFailed`. Of several servers
   * that begin at once one listens, and the others fail: they take turns by a file with `.starting` after the path, which
   * exists for milliseconds. One that a process left behind when it was killed is removed after 5 seconds. Where that file
   * can't be made, nothing is replaced.
   */
  readonly socketPath?: string | undefined
  /** The permissions of the Unix socket's file, such as `0o660`; to connect takes the permission to write. Default: by the umask. */
  readonly socketMode?: number | undefined
  /** Connections that may wait to be accepted by the process. Default: the system's, 511. */
  readonly backlog?: number | undefined
  /**
   * Lets several processes listen on one port, between which the system distributes connections (`SO_REUSEPORT`). A server
   * that drains then stops listening at once, so that the others get the new connections. Not on every system. Default
   * `false`.
   */
  readonly reusePort?: boolean | undefined
  /**
   * Reads the header of the PROXY protocol, versions 1 and 2, with which a proxy for TCP names the client: `remoteAddress` is
   * then the client's. `true` expects it from every trusted proxy (`trustedProxies`), an object from other `addresses`; peers
   * of a Unix socket are trusted too. A trusted peer that sends no valid header within `handshakeTimeout` is dropped; a header of
   * version 2 may have all of the 65 551 bytes that its length can name. From
   * any other peer a header is a malformed request, answered with 400. Default `false`.
   */
  readonly proxyProtocol?: boolean | { readonly addresses: ReadonlyArray<string> } | undefined
  /** Serves `wss:`: the certificate, its key, and what else `node:https` takes. */
  readonly tls?: TlsServerOptions | undefined
  /**
   * Speaks HTTP/2 too (RFC 8441): over TLS on the same port as HTTP/1.1, as the client prefers; without `tls` in place of
   * it, to clients that know. In place of `true` the settings to announce; `maxConcurrentStreams`, which bounds the
   * sockets of one HTTP/2 connection, is 256 by default. Default `false`.
   */
  readonly http2?: boolean | http2.Settings | undefined
  /**
   * Responds to requests that don't ask for an upgrade; over HTTP/2 it gets Node's `Http2ServerRequest` and
   * `Http2ServerResponse`. Default: 426, over HTTP/2 405.
   */
  readonly onRequest?: http.RequestListener | undefined
}

/**
 * The address at which a server listens.
 *
 * @category models
 * @since 0.1.0
 */
export interface Address {
  /** The address, or the path of the Unix socket. */
  readonly host: string
  /** The port; 0 on a Unix socket. */
  readonly port: number
}

/**
 * Accepts connections until its scope ends.
 *
 * @category models
 * @since 0.1.0
 */
export interface Acceptor<A> {
  /**
   * The connections, in the order in which they open. Each is open until the peer, the program or the end of the
   * server's scope closes it. A connection waits until the stream is read, as long as it is open; `maxHandshakes`
   * limits how many may wait. Several readers share the connections.
   */
  readonly connections: Stream.Stream<Connection<A>>
  /**
   * Runs the handler for each connection in a fiber and a scope of its own, until it is interrupted.
   *
   * A connection closes when its handler ends: with 1000, or with 1011 when the handler failed, which is logged
   * and concerns no other. On interruption new requests are answered with 503, every connection is closed with
   * 1001 after `drainGrace`, and what hasn't ended after `shutdownTimeout` is dropped. Handlers go on meanwhile:
   * what they sent is written, and what the peer sent before its close frame is read at the handler's pace, unless
   * the handler reads nothing for half of the time that is left.
   */
  readonly run: <X, E, R>(
    handler: (socket: Connection<A>) => Effect.Effect<X, E, R>
  ) => Effect.Effect<never, never, Exclude<R, Scope.Scope>>
  /**
   * Stops accepting connections and lets those that are open finish. Completes when all have ended.
   *
   * **Details**
   *
   * New requests are answered with 503 and `Retry-After`. Each connection's `draining` completes, and handlers go on for up
   * to `grace`: messages of the peers are read and answered as before. A connection whose handler ends is closed with 1001.
   * After `grace` the others are closed with 1001, each as soon as its handler waits for the next message and its answers
   * are written, at the latest one second later; what hasn't ended after another `shutdownTimeout` is dropped. The server
   * doesn't accept connections again.
   */
  readonly drain: (options?: DrainOptions) => Effect.Effect<void>
}

/**
 * Options of `drain`.
 *
 * @category options
 * @since 0.2.0
 */
export interface DrainOptions {
  /**
   * How long handlers may go on. From 0 to 2 147 483 647 ms, or `Infinity`; any other value is a defect, a `ServerError` with reason
   * `InvalidOptions`, and nothing is drained. Default: the server's `drainGrace`.
   */
  readonly grace?: Duration.Input | undefined
}

/**
 * A server that listens.
 *
 * @category models
 * @since 0.1.0
 */
export interface Server<A> extends Acceptor<A> {
  /** The address at which the server listens. */
  readonly address: Address
}

/**
 * Options of a server that listens by itself.
 *
 * @category options
 * @since 0.1.0
 */
export interface ServeOptions<A = undefined, R = never> extends Options<A, R>, ListenOptions {}
