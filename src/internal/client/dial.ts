import * as Effect from "effect/Effect"
import * as http from "node:http"
import * as https from "node:https"
import * as net from "node:net"
import * as tls from "node:tls"
import { dropOnError } from "../transport/duplex.ts"
import type { ClientRequest } from "../handshake/model.ts"
import type { SocketError } from "../socket/error.ts"
import { openFailed } from "../socket/failure.ts"
import { holding } from "../socket/opened.ts"
import { Socks5Client } from "./socks5.ts"

/** How a client reaches the server. */
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

/** Opens the transport that a request names; destroys it when interrupted. It never throws an error for want of a listener. */
export const dial = (request: ClientRequest, options: DialOptions): Effect.Effect<net.Socket, SocketError> => {
  const place = request.socketPath ?? `${request.host}:${request.port}`
  if (request.socketPath !== undefined) {
    return established(() => net.connect({ path: request.socketPath ?? "" }), "connect", place)
  }
  const tcp =
    options.proxy === undefined
      ? established(() => net.connect({ ...options.net, host: request.host, port: request.port }), "connect", place)
      : proxied(String(options.proxy), request)
  return request.secure ? Effect.flatMap(tcp, (socket) => secure(socket, request, options.tls)) : tcp
}

const established = (
  connect: () => net.Socket,
  event: "connect" | "secureConnect",
  place: string
): Effect.Effect<net.Socket, SocketError> =>
  Effect.flatMap(holding, (hold) =>
    Effect.callback((resume) => {
      let socket: net.Socket
      try {
        socket = connect()
      } catch (cause) {
        return resume(Effect.fail(openFailed(`cannot connect to ${place}`, cause)))
      }
      hold(socket)
      const fail = (cause: Error): void => resume(Effect.fail(openFailed(`cannot connect to ${place}`, cause)))
      socket.on("error", fail)
      socket.once(event, () => {
        socket.off("error", fail)
        // There are times before the connection is open when nobody else listens.
        dropOnError(socket)
        resume(Effect.succeed(socket))
      })
      return Effect.sync(() => socket.destroy())
    })
  )

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

const proxied = (proxy: string, request: ClientRequest): Effect.Effect<net.Socket, SocketError> => {
  const url = URL.parse(proxy)
  if (url?.protocol === "http:" || url?.protocol === "https:") return tunnel(url, request)
  if (url?.protocol === "socks5:" || url?.protocol === "socks5h:") return socks(url, request)
  return Effect.fail(openFailed("cannot use the proxy", "its URL must begin with http:, https: or socks5:"))
}

const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, "$1")

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const noWay = (proxy: URL, request: ClientRequest): string =>
  `the proxy ${proxy.host} gives no way to ${authority(request)}`

const authority = ({ host, port }: ClientRequest): string => `${host.includes(":") ? `[${host}]` : host}:${port}`

const tunnel = (proxy: URL, request: ClientRequest): Effect.Effect<net.Socket, SocketError> =>
  Effect.flatMap(holding, (hold) =>
    Effect.callback((resume) => {
      const target = authority(request)
      const what = noWay(proxy, request)
      const credentials = `${decode(proxy.username)}:${decode(proxy.password)}`
      const connect = (proxy.protocol === "https:" ? https : http).request({
        host: hostOf(proxy),
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
      connect.once("connect", (response, socket, head) => {
        if (response.statusCode !== 200) {
          socket.destroy()
          return resume(Effect.fail(openFailed(what, `it answered ${response.statusCode}`)))
        }
        hold(socket)
        dropOnError(socket)
        if (head.length > 0) socket.unshift(head)
        resume(Effect.succeed(socket as net.Socket))
      })
      connect.on("error", (cause) => resume(Effect.fail(openFailed(what, cause))))
      connect.end()
      return Effect.sync(() => connect.destroy())
    })
  )

const defaultSocksPort = 1080

const socks = (proxy: URL, request: ClientRequest): Effect.Effect<net.Socket, SocketError> => {
  const credentials =
    proxy.username === "" && proxy.password === ""
      ? undefined
      : { user: decode(proxy.username), password: decode(proxy.password) }
  const client = new Socks5Client({ host: request.host, port: request.port, credentials })
  const what = noWay(proxy, request)
  if (client.invalid !== undefined) return Effect.fail(openFailed(what, client.invalid))
  const port = proxy.port === "" ? defaultSocksPort : Number(proxy.port)
  return Effect.flatMap(
    established(() => net.connect({ host: hostOf(proxy), port }), "connect", `the proxy ${proxy.host}`),
    (socket) => negotiate(socket, client, what)
  )
}

/** Has a SOCKS proxy open the way; what comes from beyond it stays in the socket, for whoever reads next. */
const negotiate = (socket: net.Socket, client: Socks5Client, what: string): Effect.Effect<net.Socket, SocketError> =>
  Effect.callback((resume) => {
    const stop = (): void => {
      socket.off("readable", onReadable)
      socket.off("error", onError)
      socket.off("close", onClose)
    }
    const give = (cause: unknown): void => {
      stop()
      socket.on("error", () => {})
      socket.destroy()
      resume(Effect.fail(openFailed(what, cause)))
    }
    const onError = (cause: Error): void => give(cause)
    const onClose = (): void => give("it ended the connection")
    const onReadable = (): void => {
      const chunk: unknown = socket.read()
      if (!(chunk instanceof Buffer)) return
      const step = client.receive(chunk)
      if (step._tag === "Send") socket.write(step.bytes)
      if (step._tag === "Refused") give(step.message)
      if (step._tag !== "Open") return
      stop()
      if (step.rest.length > 0) socket.unshift(step.rest)
      resume(Effect.succeed(socket))
    }
    socket.on("readable", onReadable)
    socket.on("error", onError)
    socket.on("close", onClose)
    socket.write(client.greeting)
    return Effect.sync(() => {
      stop()
      socket.on("error", () => {})
      socket.destroy()
    })
  })
