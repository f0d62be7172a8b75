import * as Effect from "effect/Effect"
import * as net from "node:net"
import * as tls from "node:tls"
import type { ClientRequest } from "../handshake/model.ts"
import type { SocketError } from "../socket/error.ts"
import { parseUrl } from "../protocol/opening/url.ts"
import { openFailed } from "../socket/failure.ts"
import { established } from "./established.ts"
import { HttpConnectClient } from "./httpConnect.ts"
import type { ProxyClient } from "./proxyClient.ts"
import { Socks5Client } from "./socks5.ts"

const defaultPorts = new Map([
  ["http:", 80],
  ["https:", 443],
  ["socks5:", 1080],
  ["socks5h:", 1080]
])

/** Opens a tunnel to the server of a request through a proxy; destroys it when interrupted. */
export const throughProxy = (proxy: string, request: ClientRequest): Effect.Effect<net.Socket, SocketError> => {
  const url = parseUrl(proxy)
  const defaultPort = url === undefined ? undefined : defaultPorts.get(url.protocol)
  if (url === undefined || defaultPort === undefined) {
    return Effect.fail(openFailed("cannot use the proxy", "its URL must begin with http:, https: or socks5:"))
  }
  const { host, port } = request
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`
  const what = `the proxy ${url.host} gives no way to ${authority}`
  const secure = url.protocol === "https:"
  const socket = established(
    () => connectTo(url, url.port === "" ? defaultPort : Number(url.port)),
    secure ? "secureConnect" : "connect",
    `the proxy ${url.host}`
  )
  if (secure || url.protocol === "http:") {
    const client = new HttpConnectClient({
      authority,
      credentials: url.username === "" ? undefined : credentialsOf(url)
    })
    return Effect.flatMap(socket, (socket) => negotiate(socket, client, what))
  }
  const hasCredentials = url.username !== "" || url.password !== ""
  const client = new Socks5Client({ host, port, credentials: hasCredentials ? credentialsOf(url) : undefined })
  return client.invalid === undefined
    ? Effect.flatMap(socket, (socket) => negotiate(socket, client, what))
    : Effect.fail(openFailed(what, client.invalid))
}

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const credentialsOf = ({ password, username }: URL) => ({ user: decode(username), password: decode(password) })

const connectTo = (proxy: URL, port: number): net.Socket => {
  const host = proxy.hostname.replace(/^\[(.*)\]$/, "$1")
  if (proxy.protocol !== "https:") return net.connect({ host, port })
  return tls.connect({
    host,
    port,
    ...(net.isIP(host) === 0 ? { servername: host } : {}),
    ALPNProtocols: ["http/1.1"]
  })
}

const hungUp = Object.assign(new Error("socket hang up"), { code: "ECONNRESET" })

/** Has a proxy open the tunnel; bytes from its other end stay in the socket for the next reader. */
const negotiate = (socket: net.Socket, client: ProxyClient, what: string): Effect.Effect<net.Socket, SocketError> =>
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
    const onClose = (): void => give(hungUp)
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
