import * as Effect from "effect/Effect"
import * as net from "node:net"
import * as tls from "node:tls"
import type { ClientRequest } from "../handshake/model.ts"
import type { SocketError } from "../socket/error.ts"
import { objectOf, type RulesOf } from "../socket/optionRules.ts"
import { established } from "./established.ts"
import { throughProxy } from "./proxy.ts"

/**
 * How a client reaches the server.
 *
 * @category options
 * @since 0.1.0
 */
export interface DialOptions {
  /** TLS options, for `wss:`: `ca`, `cert`, `key`, `passphrase`, `rejectUnauthorized`, `servername`, … as `node:tls` has them. */
  readonly tls?: tls.ConnectionOptions | undefined
  /**
   * A proxy to connect through: `http://user:password@host:port` or `https:` for one that knows CONNECT (RFC 9110
   * §9.3.6), `socks5:` for SOCKS 5 (RFC 1928, RFC 1929), which resolves the name of the server too. Default ports: 80,
   * 443, 1080.
   */
  readonly proxy?: string | URL | undefined
  /** Options of `node:net`: `localAddress`, `family`, `lookup`, … */
  readonly net?: Partial<net.TcpNetConnectOpts> | undefined
}

/** The rules of `DialOptions`. What is in the options of Node, Node checks for each connection; that it fails is a failure to open. */
export const dialRules = {
  tls: objectOf("an object of options of node:tls"),
  proxy: { allowed: "a URL", check: (value) => typeof value === "string" || value instanceof URL },
  net: objectOf("an object of options of node:net")
} satisfies RulesOf<DialOptions>

/** Opens the transport that a request names; destroys it when interrupted. It never throws an error for want of a listener. */
export const dial = (request: ClientRequest, options: DialOptions): Effect.Effect<net.Socket, SocketError> => {
  const place = request.socketPath ?? `${request.host}:${request.port}`
  if (request.socketPath !== undefined) {
    return established(() => net.connect({ path: request.socketPath ?? "" }), "connect", place)
  }
  const tcp =
    options.proxy === undefined
      ? established(() => net.connect({ ...options.net, host: request.host, port: request.port }), "connect", place)
      : throughProxy(String(options.proxy), request)
  return request.secure ? Effect.flatMap(tcp, (socket) => secure(socket, request, options.tls)) : tcp
}

const secure = (
  socket: net.Socket,
  request: ClientRequest,
  options: tls.ConnectionOptions | undefined
): Effect.Effect<net.Socket, SocketError> =>
  established(
    () =>
      tls.connect({
        ...(net.isIP(request.host) === 0 ? { servername: request.host } : {}),
        ALPNProtocols: [request.httpVersion === "2.0" ? "h2" : "http/1.1"],
        ...options,
        socket
      }),
    "secureConnect",
    `${request.host}:${request.port}`
  )
