import type { Duration, Effect, Scope, Stream } from "effect"
import type * as http from "node:http"
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
}

/** A connection that a server accepted. */
export interface Connection<out Context = undefined> extends Socket<Context> {
  readonly request: UpgradeRequest
}

/** What a server agrees to, and its limits. */
export interface Options<A = undefined, R = never> extends AcceptOptions, SocketOptions {
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
  /** Answers requests that ask for no upgrade. Default: 426. */
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
   * `shutdownTimeout` is dropped.
   */
  readonly run: <X, E, R>(
    handler: (socket: Connection<A>) => Effect.Effect<X, E, R>
  ) => Effect.Effect<never, never, Exclude<R, Scope.Scope>>
}

/** A server that listens. */
export interface Server<A> extends Acceptor<A> {
  readonly address: Address
}
