import { once } from "node:events"
import * as http from "node:http"
import * as net from "node:net"
import type { AddressInfo } from "node:net"
import { encodeFrame } from "../../src/internal/protocol/hybi/encoder.ts"

/** What a test opens, and what ends it. */
export class Resources {
  private readonly closers: Array<() => void> = []

  add(close: () => void): void {
    this.closers.push(close)
  }

  close(): void {
    for (const close of this.closers.splice(0).toReversed()) close()
  }
}

/** Runs a test, and ends what it opened. */
export const using =
  (test: (resources: Resources) => Promise<void>): (() => Promise<void>) =>
  async () => {
    const resources = new Resources()
    try {
      await test(resources)
    } finally {
      resources.close()
    }
  }

/** An HTTP server on a free port of the loopback address. */
export const httpServer = async (resources: Resources, listener?: http.RequestListener): Promise<http.Server> => {
  const server = http.createServer(listener)
  const sockets = new Set<net.Socket>()
  server.on("connection", (socket) => {
    sockets.add(socket)
    socket.on("error", () => {})
    socket.on("close", () => sockets.delete(socket))
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  resources.add(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return server
}

export const portOf = (server: net.Server): number => (server.address() as AddressInfo).port

/** The head of an answer, and the bytes behind it. */
export class RawClient {
  readonly socket: net.Socket
  private bytes = Buffer.alloc(0)
  private ended = false
  private wake: (() => void) | undefined = undefined

  constructor(socket: net.Socket) {
    this.socket = socket
    socket.on("data", (chunk: Buffer) => {
      this.bytes = Buffer.concat([this.bytes, chunk])
      this.wake?.()
    })
    const end = (): void => {
      this.ended = true
      this.wake?.()
    }
    socket.on("error", () => {})
    socket.on("end", end)
    socket.on("close", end)
  }

  static async connect(resources: Resources, port: number): Promise<RawClient> {
    const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true })
    resources.add(() => socket.destroy())
    await once(socket, "connect")
    return new RawClient(socket)
  }

  write(data: string | Uint8Array): void {
    this.socket.write(data)
  }

  /** The next bytes, so many of them; fewer when no more come. */
  async read(size: number): Promise<Buffer> {
    while (this.bytes.length < size && !this.ended) await this.more()
    const taken = this.bytes.subarray(0, size)
    this.bytes = this.bytes.subarray(size)
    return taken
  }

  /** All that comes until the peer ends. */
  async rest(): Promise<Buffer> {
    while (!this.ended) await this.more()
    return this.read(this.bytes.length)
  }

  /** The head of an HTTP message, without the empty line. */
  async head(): Promise<Array<string>> {
    let end = this.bytes.indexOf("\r\n\r\n")
    while (end < 0 && !this.ended) {
      await this.more()
      end = this.bytes.indexOf("\r\n\r\n")
    }
    const head = await this.read(end < 0 ? this.bytes.length : end + 4)
    return head.toString("latin1").trimEnd().split("\r\n")
  }

  /** The next frame of a server, or of a client. */
  async frame(): Promise<{ opcode: number; fin: boolean; masked: boolean; payload: Buffer } | undefined> {
    const start = await this.read(2)
    const [first, second] = start
    if (first === undefined || second === undefined) return undefined
    const short = second & 0x7f
    const length =
      short === 126
        ? (await this.read(2)).readUInt16BE(0)
        : short === 127
          ? Number((await this.read(8)).readBigUInt64BE(0))
          : short
    const masked = second > 0x7f
    const key = masked ? await this.read(4) : undefined
    const payload = Buffer.from(await this.read(length))
    if (key !== undefined) for (let at = 0; at < length; at++) payload[at] = (payload[at] ?? 0) ^ (key[at & 3] ?? 0)
    return { opcode: first & 0x0f, fin: first > 0x7f, masked, payload }
  }

  private more(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = () => {
        this.wake = undefined
        resolve()
      }
    })
  }
}

export const sampleKey = "dGhlIHNhbXBsZSBub25jZQ=="

/** A request for version 13, RFC 6455 §1.3; header lines take the place of those of the same name, or remove them. */
export const upgradeRequest = (
  target = "/",
  changes: Readonly<Record<string, string | undefined>> = {},
  method = "GET"
): string => {
  const headers: Record<string, string | undefined> = {
    Host: "127.0.0.1",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": sampleKey,
    "Sec-WebSocket-Version": "13",
    ...changes
  }
  const lines = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]))
  return `${method} ${target} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`
}

/** The keys of the example in hixie-76 §1.2, the bytes behind the head, and the answer. */
export const hixieExample = {
  key1: "4 @1  46546xW%0l 1 5",
  key2: "12998 5 Y3 1  .P00",
  key3: "^n:ds[4U",
  answer: "8jKS'y:G*Co,Wxa-"
} as const

/** A Hixie-76 request, without the bytes behind the head. */
export const hixieRequest = (target = "/", changes: Readonly<Record<string, string | undefined>> = {}): string =>
  upgradeRequest(target, {
    Upgrade: "WebSocket",
    "Sec-WebSocket-Key": undefined,
    "Sec-WebSocket-Version": undefined,
    "Sec-WebSocket-Key1": hixieExample.key1,
    "Sec-WebSocket-Key2": hixieExample.key2,
    Origin: "http://example.com",
    ...changes
  })

/** A client's frame. */
export const masked = (opcode: number, payload: string | Uint8Array = "", fin = true): Buffer =>
  encodeFrame(opcode, fin, 0, Buffer.from(payload), 0x12345678)

/** A server's frame. */
export const bare = (opcode: number, payload: string | Uint8Array = "", fin = true): Buffer =>
  encodeFrame(opcode, fin, 0, Buffer.from(payload), undefined)

/** The next turn of the event loop, and everything that promises and ticks do before it. */
export const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))
