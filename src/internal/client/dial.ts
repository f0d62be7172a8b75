import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as net from "node:net"
import * as tls from "node:tls"
import type { ClientRequest } from "../handshake/model.ts"
import { plain, plainTls, type Secret } from "../handshake/secret.ts"
import type { SocketError } from "../socket/error.ts"
import { established } from "./established.ts"
import { throughProxy } from "./proxy.ts"

/**
 * TLS options of a client, as `node:tls` has them. The key and its passphrase may be redacted.
 *
 * @category options
 * @since 0.2.0
 */
export interface TlsOptions extends Omit<tls.ConnectionOptions, "key" | "passphrase"> {
  readonly key?: tls.ConnectionOptions["key"] | Redacted.Redacted<string>
  readonly passphrase?: Secret | undefined
}

/** How a client reaches the server. */
export interface DialOptions {
  /** TLS options, for `wss:`: `ca`, `cert`, `key`, `passphrase`, `rejectUnauthorized`, `servername`, … as `node:tls` has them. */
  readonly tls?: TlsOptions | undefined
  /**
   * A proxy to connect through: `http://user:password@host:port` or `https:` for one that knows CONNECT (RFC 9110
   * §9.3.6), `socks5:` for SOCKS 5 (RFC 1928, RFC 1929), which resolves the name of the server too. Default ports: 80,
   * 443, 1080.
   */
  readonly proxy?: Secret<string> | Secret<URL> | undefined
  /** Options of `node:net`: `localAddress`, `family`, `lookup`, … */
  readonly net?: Partial<net.TcpNetConnectOpts> | undefined
}

/** Opens the transport that a request names; destroys it when interrupted. It never throws an error for want of a listener. */
export const dial = (request: ClientRequest, options: DialOptions): Effect.Effect<net.Socket, SocketError> => {
  const place = request.socketPath ?? `${request.host}:${request.port}`
  if (request.socketPath !== undefined) {
    return established(() => net.connect({ path: request.socketPath ?? "" }), "connect", place)
  }
  const tcp =
    options.proxy === undefined
      ? established(() => net.connect({ ...options.net, host: request.host, port: request.port }), "connect", place)
      : throughProxy(String(plain<string | URL>(options.proxy)), request)
  return request.secure ? Effect.flatMap(tcp, (socket) => secure(socket, request, options.tls)) : tcp
}

const secure = (
  socket: net.Socket,
  request: ClientRequest,
  options: TlsOptions = {}
): Effect.Effect<net.Socket, SocketError> =>
  established(
    () =>
      tls.connect({
        ...(net.isIP(request.host) === 0 ? { servername: request.host } : {}),
        ALPNProtocols: [request.httpVersion === "2.0" ? "h2" : "http/1.1"],
        ...plainTls(options),
        socket
      }),
    "secureConnect",
    `${request.host}:${request.port}`
  )
