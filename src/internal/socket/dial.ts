import { Effect } from "effect"
import * as http from "node:http"
import * as https from "node:https"
import * as net from "node:net"
import * as tls from "node:tls"
import type { ClientRequest } from "../handshake/model.ts"
import { SocketError } from "./error.ts"

/** How a client reaches the server. */
export interface DialOptions {
  /** TLS options, for `wss:`: `ca`, `cert`, `key`, `passphrase`, `rejectUnauthorized`, `servername`, … as `node:tls` has them. */
  readonly tls?: tls.ConnectionOptions | undefined
  /** An HTTP proxy to connect through (CONNECT, RFC 9110 §9.3.6): `http://user:password@host:port`, or `https:`. */
  readonly proxy?: string | URL | undefined
  /** Options of `node:net`: `localAddress`, `family`, `lookup`, … */
  readonly net?: Partial<net.TcpNetConnectOpts> | undefined
}

const openFailed = (what: string, cause: unknown): SocketError =>
  new SocketError({
    reason: {
      _tag: "OpenFailed",
      message: `${what}: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause
    }
  })

/** Opens the transport that a request names; destroys it when interrupted. */
export const dial = (request: ClientRequest, options: DialOptions): Effect.Effect<net.Socket, SocketError> => {
  const place = request.socketPath ?? `${request.host}:${request.port}`
  if (request.socketPath !== undefined) {
    return established(() => net.connect({ path: request.socketPath ?? "" }), "connect", place)
  }
  const tcp =
    options.proxy === undefined
      ? established(() => net.connect({ ...options.net, host: request.host, port: request.port }), "connect", place)
      : tunnel(new URL(options.proxy), request)
  return request.secure ? Effect.flatMap(tcp, (socket) => secure(socket, request, options.tls)) : tcp
}

const established = (
  connect: () => net.Socket,
  event: "connect" | "secureConnect",
  place: string
): Effect.Effect<net.Socket, SocketError> =>
  Effect.callback((resume) => {
    let socket: net.Socket
    try {
      socket = connect()
    } catch (cause) {
      return resume(Effect.fail(openFailed(`cannot connect to ${place}`, cause)))
    }
    const fail = (cause: Error): void => resume(Effect.fail(openFailed(`cannot connect to ${place}`, cause)))
    socket.once("error", fail)
    socket.once(event, () => {
      socket.off("error", fail)
      resume(Effect.succeed(socket))
    })
    return Effect.sync(() => {
      // Nobody else listens any more, and an error of a destroyed socket must not be thrown.
      socket.on("error", () => {})
      socket.destroy()
    })
  })

const secure = (
  socket: net.Socket,
  request: ClientRequest,
  options: tls.ConnectionOptions | undefined
): Effect.Effect<net.Socket, SocketError> =>
  established(
    () =>
      tls.connect({
        ...(net.isIP(request.host) === 0 ? { servername: request.host } : {}),
        ALPNProtocols: ["http/1.1"],
        ...options,
        socket
      }),
    "secureConnect",
    `${request.host}:${request.port}`
  )

const tunnel = (proxy: URL, request: ClientRequest): Effect.Effect<net.Socket, SocketError> =>
  Effect.callback((resume) => {
    const host = request.host.includes(":") ? `[${request.host}]` : request.host
    const target = `${host}:${request.port}`
    const what = `the proxy ${proxy.host} gives no way to ${target}`
    const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
    const connect = (proxy.protocol === "https:" ? https : http).request({
      host: proxy.hostname,
      ...(proxy.port === "" ? {} : { port: proxy.port }),
      method: "CONNECT",
      path: target,
      agent: false,
      headers: {
        host: target,
        ...(proxy.username === ""
          ? {}
          : { "proxy-authorization": `Basic ${Buffer.from(credentials).toString("base64")}` })
      }
    })
    connect.once("connect", (response, socket) => {
      if (response.statusCode === 200) return resume(Effect.succeed(socket as net.Socket))
      socket.destroy()
      resume(Effect.fail(openFailed(what, `it answered ${response.statusCode}`)))
    })
    connect.on("error", (cause) => resume(Effect.fail(openFailed(what, cause))))
    connect.end()
    return Effect.sync(() => connect.destroy())
  })
