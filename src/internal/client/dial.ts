import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as net from "node:net"
import * as tls from "node:tls"
import type { ClientRequest } from "../handshake/model.ts"
import { plain, plainTls, type Secret } from "../handshake/secret.ts"
import type { SocketError } from "../socket/error.ts"
import { objectOf, type RulesOf } from "../socket/optionRules.ts"
import { established } from "./established.ts"
import { throughProxy } from "./proxy.ts"

/**
 * TLS options of a client, as `node:tls` has them. The key and its passphrase may be redacted.
 *
 * @category options
 * @since 0.2.0
 */
export interface TlsOptions extends Omit<tls.ConnectionOptions, "key" | "passphrase"> {
  /** The private key. */
  readonly key?: tls.ConnectionOptions["key"] | Redacted.Redacted<string>
  /** The passphrase of the private key. */
  readonly passphrase?: Secret | undefined
}

/**
 * Options of the transport.
 *
 * @category options
 * @since 0.1.0
 */
export interface DialOptions {
  /** TLS options, for `wss:`: `ca`, `cert`, `key`, `passphrase`, `rejectUnauthorized`, `servername`, … as `node:tls` has them. */
  readonly tls?: TlsOptions | undefined
  /**
   * A proxy to connect through. `http://user:password@host:port` and `https:` for one with CONNECT (RFC 9110
   * §9.3.6), `socks5:` for SOCKS 5 (RFC 1928, RFC 1929), which resolves the server's name too. Default ports: 80,
   * 443, 1080. Default: none.
   */
  readonly proxy?: Secret<string> | Secret<URL> | undefined
  /** Options of `node:net`: `localAddress`, `family`, `lookup`, … */
  readonly net?: Partial<net.TcpNetConnectOpts> | undefined
}

const isUrl = (value: unknown): boolean => {
  const url = Redacted.isRedacted(value) ? Redacted.value(value) : value
  return typeof url === "string" || url instanceof URL
}

/** The rules of `DialOptions`. What is in the options of Node, Node checks for each connection; that it fails is a failure to open. */
export const dialRules = {
  tls: objectOf("an object of options of node:tls"),
  proxy: { allowed: "a URL", check: isUrl },
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
