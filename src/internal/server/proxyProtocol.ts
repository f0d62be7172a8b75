/** The PROXY protocol of HAProxy, versions 1 and 2: a header in front of a connection that names the client. */
import { isIP, type Server, type Socket } from "node:net"
import type { Timer, Timers } from "../connection/timers.ts"
import { canonicalAddress } from "./address.ts"
import type { Peer } from "./admission.ts"
import { peerOf } from "./exchange.ts"

/** The addresses that a header names; `undefined` in each for a connection of the proxy itself, such as a health check. */
export interface Proxied {
  readonly address: string | undefined
  readonly port: number | undefined
}

/** What the bytes so far are: a header of `size` bytes, the begin of one that has at least `size` bytes, or none. */
export type ProxyHeader =
  | { readonly _tag: "Complete"; readonly proxied: Proxied; readonly size: number }
  | { readonly _tag: "Incomplete"; readonly size: number }
  | { readonly _tag: "Invalid" }

const incomplete = (size: number): ProxyHeader => ({ _tag: "Incomplete", size })

const invalid: ProxyHeader = { _tag: "Invalid" }

const own: Proxied = { address: undefined, port: undefined }

/** §2.1: the longest header of version 1, with its CRLF. */
const maxTextSize = 107

/** §2.2: the fixed part of a header of version 2, and the longest part after it that its length can name. */
const fixedSize = 16
export const maxHeaderSize = fixedSize + 0xffff

/** §2.2: the signature of version 2. */
const signature = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a])

/** Reads the header at the start of a connection. */
export const readProxyHeader = (bytes: Buffer): ProxyHeader => {
  const binary = Math.min(bytes.length, signature.length)
  if (bytes.compare(signature, 0, binary, 0, binary) === 0) return readBinary(bytes)
  return readText(bytes)
}

/** §2.1: `PROXY TCP4 192.0.2.1 198.51.100.1 4711 443`, or `PROXY UNKNOWN` and anything. */
const readText = (bytes: Buffer): ProxyHeader => {
  const end = bytes.subarray(0, maxTextSize).indexOf("\r\n")
  if (end === -1) {
    const start = bytes.toString("latin1", 0, Math.min(bytes.length, 6))
    return bytes.length < maxTextSize && "PROXY ".startsWith(start) ? incomplete(bytes.length + 1) : invalid
  }
  const line = bytes.toString("latin1", 0, end)
  const size = end + 2
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { _tag: "Complete", proxied: own, size }
  const [, family, address = "", to = "", port, toPort] =
    /^PROXY TCP([46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) ([0-9]{1,5}) ([0-9]{1,5})$/.exec(line) ?? []
  const valid =
    isIP(address) === Number(family) && isIP(to) === Number(family) && isPort(Number(port)) && isPort(Number(toPort))
  if (!valid) return invalid
  return { _tag: "Complete", proxied: { address: canonicalAddress(address), port: Number(port) }, size }
}

const isPort = (port: number): boolean => port >= 0 && port <= 65_535

/** §2.2: version and command, family and transport, length, addresses; then values that nothing here needs. */
const readBinary = (bytes: Buffer): ProxyHeader => {
  if (bytes.length < fixedSize) return incomplete(fixedSize)
  const [command, family] = [bytes.readUInt8(12), bytes.readUInt8(13)]
  const size = fixedSize + bytes.readUInt16BE(14)
  if (command !== 0x20 && command !== 0x21) return invalid
  if (bytes.length < size) return incomplete(size)
  // 0x20 is LOCAL, a connection of the proxy's own; 0x11 and 0x21 are TCP over IPv4 and over IPv6.
  if (command === 0x20 || (family !== 0x11 && family !== 0x21)) return { _tag: "Complete", proxied: own, size }
  const width = family === 0x11 ? 4 : 16
  if (size < 16 + 2 * width + 4) return invalid
  const address = family === 0x11 ? readIPv4(bytes.subarray(16, 20)) : readIPv6(bytes.subarray(16, 32))
  const port = bytes.readUInt16BE(16 + 2 * width)
  return { _tag: "Complete", proxied: { address: canonicalAddress(address), port }, size }
}

const readIPv4 = (bytes: Buffer): string => [...bytes].join(".")

const readIPv6 = (bytes: Buffer): string =>
  Array.from({ length: 8 }, (_, group) => bytes.readUInt16BE(2 * group).toString(16)).join(":")

/** How the headers of a server's connections are read. */
export interface ProxyProtocol {
  /** Whether a peer sends a header. */
  readonly isTrusted: (peer: Peer) => boolean
  readonly timers: Timers
  /** Milliseconds that a peer has for its header. */
  readonly limit: number
}

/**
 * Makes a server read the header in front of each connection of a trusted peer, before the protocol of the server begins. A
 * connection without a valid header is dropped. Other peers are served as they are: a header of theirs is no HTTP.
 */
export const readProxyHeaders = (server: Server, { isTrusted, limit, timers }: ProxyProtocol): void => {
  const listeners = server.listeners("connection")
  server.removeAllListeners("connection")
  const begin = (socket: Socket): void => {
    for (const listener of listeners) Reflect.apply(listener, server, [socket])
  }
  server.on("connection", (socket: Socket) => {
    if (isTrusted(peerOf(socket))) new HeaderReader(socket, begin).start(timers, limit)
    else begin(socket)
  })
  // TLS makes a socket of its own, which asks the system for the peer.
  server.prependListener("secureConnection", (socket: Socket & { readonly _parent?: object }) => {
    const proxied = socket._parent === undefined ? undefined : clients.get(socket._parent)
    if (proxied !== undefined) setPeer(socket, proxied)
  })
}

/** The clients of the connections that a header came with. */
const clients = new WeakMap<object, Proxied>()

/** Reads the header of one connection. */
class HeaderReader {
  private readonly socket: Socket
  private readonly begin: (socket: Socket) => void
  private readonly chunks: Array<Buffer> = []
  private received = 0
  /** Bytes that the header has at least. */
  private needed = 1
  private timer: Timer | undefined = undefined

  constructor(socket: Socket, begin: (socket: Socket) => void) {
    this.socket = socket
    this.begin = begin
  }

  start(timers: Timers, limit: number): void {
    const { socket } = this
    this.timer = timers.after(limit, this.drop)
    socket.on("readable", this.read)
    socket.on("end", this.drop)
    socket.on("error", this.drop)
    socket.on("close", this.stop)
  }

  private readonly stop = (): void => {
    const { socket } = this
    this.timer?.cancel()
    socket.off("readable", this.read)
    socket.off("end", this.drop)
    socket.off("error", this.drop)
    socket.off("close", this.stop)
  }

  private readonly drop = (): void => void this.socket.destroy()

  private readonly read = (): void => {
    const { socket } = this
    const chunk: unknown = socket.read()
    if (!(chunk instanceof Buffer)) return
    this.chunks.push(chunk)
    this.received += chunk.length
    if (this.received < this.needed) return
    const bytes = Buffer.concat(this.chunks)
    const header = readProxyHeader(bytes)
    if (header._tag === "Incomplete") {
      this.needed = header.size
      return
    }
    if (header._tag === "Invalid") return this.drop()
    this.stop()
    if (header.proxied.address !== undefined) {
      clients.set(socket, header.proxied)
      setPeer(socket, header.proxied)
    }
    if (bytes.length > header.size) socket.unshift(bytes.subarray(header.size))
    this.begin(socket)
  }
}

const setPeer = (socket: Socket, { address, port }: Proxied): void => {
  const remoteFamily = address?.includes(":") === true ? "IPv6" : "IPv4"
  for (const [name, value] of Object.entries({ remoteAddress: address, remotePort: port, remoteFamily })) {
    Object.defineProperty(socket, name, { value, configurable: true })
  }
}
