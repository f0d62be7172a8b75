// Runs one script against `ws` and against this library, and compares what it logs.
import { assert, it } from "@effect/vitest"
import { hash } from "node:crypto"
import { once } from "node:events"
import * as http from "node:http"
import * as net from "node:net"
import * as peer from "ws"
import * as ours from "effect-ws/ws"

/** Either library; the types are those of the peer, which programs are written against. */
export type Lib = typeof peer & { readonly WebSocket: typeof peer.WebSocket }

export type Log = Array<ReadonlyArray<unknown>>

/** Values as they are compared: what a program can tell apart, and nothing that differs from run to run. */
export const plain = (value: unknown): unknown => {
  if (Buffer.isBuffer(value))
    return value.length > 64 ? `Buffer(${value.length})` : `Buffer ${value.toString("latin1")}`
  if (value instanceof ArrayBuffer) return `ArrayBuffer(${value.byteLength})`
  if (value instanceof Blob) return `Blob(${value.size})`
  if (value instanceof Uint8Array) return `Uint8Array ${Buffer.from(value).toString("latin1")}`
  if (value instanceof Error) {
    return { error: value.constructor.name, message: value.message, code: "code" in value ? value.code : undefined }
  }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === "function") return `function ${value.name}`
  return value
}

/** What a call answers or throws. */
export const attempt = (call: () => unknown): unknown => {
  try {
    return { returned: plain(call()) }
  } catch (error) {
    return { thrown: plain(error) }
  }
}

/** One frame as it stood on the wire, unmasked. */
export interface WireFrame {
  readonly first: number
  readonly masked: boolean
  readonly payload: Buffer
}

/** Takes the frames that are whole off the front of the bytes. */
export const takeFrames = (bytes: Buffer): { readonly frames: ReadonlyArray<WireFrame>; readonly rest: Buffer } => {
  const frames: Array<WireFrame> = []
  let at = 0
  while (bytes.length - at >= 2) {
    const masked = (bytes[at + 1] ?? 0) > 127
    let length = (bytes[at + 1] ?? 0) & 127
    let head = 2
    if (length === 126) {
      if (bytes.length - at < 4) break
      length = bytes.readUInt16BE(at + 2)
      head = 4
    } else if (length === 127) {
      if (bytes.length - at < 10) break
      length = Number(bytes.readBigUInt64BE(at + 2))
      head = 10
    }
    const start = at + head + (masked ? 4 : 0)
    if (bytes.length < start + length) break
    const payload = Buffer.from(bytes.subarray(start, start + length))
    if (masked) for (let i = 0; i < length; i++) payload[i] = (payload[i] ?? 0) ^ (bytes[start - 4 + (i & 3)] ?? 0)
    frames.push({ first: bytes[at] ?? 0, masked, payload })
    at = start + length
  }
  return { frames, rest: bytes.subarray(at) }
}

/** A frame to put on the wire. `length` overrides the seven bits of the length. */
export const frame = (
  first: number,
  payload: Uint8Array | string,
  options: { readonly mask?: boolean; readonly length?: number } = {}
): Buffer => {
  const bytes = Buffer.from(payload as string)
  const mask = options.mask === true ? [0x37, 0xfa, 0x21, 0x3d] : []
  const size = bytes.length < 126 ? 2 : bytes.length < 65536 ? 4 : 10
  const head = Buffer.alloc(size)
  head[0] = first
  head[1] =
    (options.mask === true ? 0x80 : 0) | (options.length ?? (size === 2 ? bytes.length : size === 4 ? 126 : 127))
  if (size === 4) head.writeUInt16BE(bytes.length, 2)
  if (size === 10) head.writeBigUInt64BE(BigInt(bytes.length), 2)
  if (options.mask === true) for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] ?? 0) ^ (mask[i & 3] ?? 0)
  return Buffer.concat([head, Buffer.from(mask), bytes])
}

/** A peer on a bare socket: what it got, as frames. */
export class Raw {
  readonly socket: net.Socket
  readonly log: Log
  bytes: Buffer = Buffer.alloc(0)
  head = ""
  readonly opened: Promise<void>
  readonly closed: Promise<void>

  constructor(socket: net.Socket, log: Log) {
    this.socket = socket
    this.log = log
    const { promise, resolve: open } = Promise.withResolvers<void>()
    this.opened = promise
    socket.on("error", () => {})
    socket.on("data", (chunk) => {
      this.bytes = Buffer.concat([this.bytes, chunk])
      if (this.head === "") {
        const end = this.bytes.indexOf("\r\n\r\n")
        if (end < 0) return
        this.head = this.bytes.toString("latin1", 0, end)
        this.bytes = this.bytes.subarray(end + 4)
        open()
      }
      const { frames, rest } = takeFrames(this.bytes)
      this.bytes = rest
      for (const { first, masked, payload } of frames) log.push(["frame", first, masked, plain(payload)])
    })
    socket.on("end", () => log.push(["end"]))
    this.closed = new Promise((resolve) =>
      socket.on("close", () => {
        open()
        resolve()
      })
    )
  }

  /** Writes, and waits until the library's socket has read it, so that a later write is a later read. */
  async deliver(to: peer.WebSocket, bytes: Buffer): Promise<void> {
    const transport: net.Socket = Reflect.get(to, "_socket")
    const end = transport.bytesRead + bytes.length
    this.socket.write(bytes)
    await until(() => transport.bytesRead >= end || transport.destroyed, 2000)
    await settled(1)
  }
}

export const key = "dGhlIHNhbXBsZSBub25jZQ=="

export const requestHead = (headers: ReadonlyArray<string> = [], first = "GET / HTTP/1.1"): string =>
  [
    first,
    "Host: localhost",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Key: ${key}`,
    "Sec-WebSocket-Version: 13",
    ...headers,
    "",
    ""
  ].join("\r\n")

/** What a script works with. Everything that it opens is closed behind it. */
export class Lab {
  readonly lib: Lib
  readonly log: Log = []
  readonly wire: Log = []
  private readonly cleanups: Array<() => void> = []

  constructor(lib: Lib) {
    this.lib = lib
  }

  note(...entry: ReadonlyArray<unknown>): void {
    this.log.push(entry.map(plain))
  }

  after(cleanup: () => void): void {
    this.cleanups.push(cleanup)
  }

  end(): void {
    for (const cleanup of this.cleanups.toReversed()) cleanup()
  }

  /** Logs every event of a socket, with the state at that moment. */
  observe(socket: peer.WebSocket, name: string, ...events: ReadonlyArray<string>): peer.WebSocket {
    const all = events.length > 0 ? events : ["open", "message", "ping", "pong", "close", "error"]
    for (const event of all) {
      socket.on(event, (...args: Array<unknown>) => {
        const told = args.map((arg) =>
          arg instanceof http.IncomingMessage || arg instanceof http.ClientRequest ? "…" : arg
        )
        this.note(name, event, socket.readyState, ...told)
      })
    }
    return socket
  }

  /** A server that listens. */
  async server(
    options: peer.ServerOptions = {}
  ): Promise<{ readonly server: peer.WebSocketServer; readonly port: number }> {
    const server = new this.lib.WebSocketServer({ port: 0, host: "127.0.0.1", ...options })
    this.after(() => {
      for (const client of server.clients ?? []) client.terminate()
      server.close()
    })
    await once(server, "listening")
    const address = server.address()
    return { server, port: typeof address === "object" && address !== null ? address.port : 0 }
  }

  client(port: number, options: peer.ClientOptions = {}, protocols: Array<string> = []): peer.WebSocket {
    const client = new this.lib.WebSocket(`ws://127.0.0.1:${port}`, protocols, options)
    this.after(() => client.terminate())
    return client
  }

  /** A client and the server's side of it, both open. */
  async pair(
    serverOptions: peer.ServerOptions = {},
    clientOptions: peer.ClientOptions = {}
  ): Promise<{
    readonly client: peer.WebSocket
    readonly remote: peer.WebSocket
    readonly server: peer.WebSocketServer
  }> {
    const { port, server } = await this.server(serverOptions)
    const client = this.client(port, clientOptions)
    const [[remote]] = await Promise.all([once(server, "connection"), once(client, "open")])
    return { client, remote, server }
  }

  /** A bare client of a server of the library; open once it is given. */
  async rawClient(port: number, head: string | Buffer = requestHead()): Promise<Raw> {
    const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true })
    this.after(() => socket.destroy())
    const raw = new Raw(socket, this.wire)
    socket.write(head)
    await raw.opened
    return raw
  }

  /** A server of the library, its first socket, and the bare client of it. */
  async rawPair(
    options: peer.ServerOptions = {},
    head?: string
  ): Promise<{ readonly socket: peer.WebSocket; readonly raw: Raw }> {
    const { port, server } = await this.server(options)
    const connected = once(server, "connection")
    const raw = await this.rawClient(port, head)
    const [socket] = await connected
    return { socket, raw }
  }

  /** A bare server: `answer` writes the response to a request, and what follows. */
  async rawServer(answer: (raw: Raw) => void): Promise<number> {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      this.after(() => socket.destroy())
      const raw = new Raw(socket, this.wire)
      void raw.opened.then(() => answer(raw))
    })
    this.after(() => server.close())
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const address = server.address()
    return typeof address === "object" && address !== null ? address.port : 0
  }

  /** A client of the library that a bare server accepted. */
  async rawAccepted(
    options: peer.ClientOptions = {},
    headers: ReadonlyArray<string> = []
  ): Promise<{ readonly socket: peer.WebSocket; readonly raw: Raw }> {
    const { promise: peerRaw, resolve: accepted } = Promise.withResolvers<Raw>()
    const port = await this.rawServer((raw) => {
      raw.socket.write(acceptance(raw.head, headers))
      accepted(raw)
    })
    const socket = this.client(port, options)
    await once(socket, "open")
    return { socket, raw: await peerRaw }
  }

  /** A plain HTTP server. */
  async http(listener?: http.RequestListener): Promise<{ readonly server: http.Server; readonly port: number }> {
    const server = http.createServer(listener)
    this.after(() => {
      server.closeAllConnections()
      server.close()
    })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const address = server.address()
    return { server, port: typeof address === "object" && address !== null ? address.port : 0 }
  }
}

/** The response that grants a request. */
export const acceptance = (head: string, headers: ReadonlyArray<string> = []): string => {
  const challenge = /^sec-websocket-key: *(.*)$/im.exec(head)?.[1] ?? ""
  return [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${acceptFor(challenge)}`,
    ...headers,
    "",
    ""
  ].join("\r\n")
}

const acceptFor = (challenge: string): string =>
  hash("sha1", `${challenge}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`, "base64")

/** Resolves when a socket is closed. */
export const closed = (socket: peer.WebSocket): Promise<void> =>
  socket.readyState === socket.CLOSED
    ? Promise.resolve()
    : new Promise((resolve) => socket.once("close", () => resolve()))

/** Resolves after the events that are already under way. */
export const settled = async (turns = 3): Promise<void> => {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** Resolves when the condition holds, or after so many milliseconds. */
export const until = async (condition: () => boolean, limit = 5000): Promise<void> => {
  for (const end = performance.now() + limit; !condition() && performance.now() < end;) await settled(1)
}

export type Script = (lab: Lab) => Promise<void> | void

/** Milliseconds that a script may take. */
const deadline = 8000

export const run = async (lib: Lib, script: Script): Promise<{ readonly log: Log; readonly wire: Log }> => {
  const lab = new Lab(lib)
  let timer: NodeJS.Timeout | undefined
  try {
    await Promise.race([
      Promise.resolve(script(lab)),
      new Promise<void>((resolve) => {
        timer = setTimeout(() => {
          lab.note("the script never ended")
          resolve()
        }, deadline)
      })
    ])
    return { log: [...lab.log], wire: [...lab.wire] }
  } finally {
    clearTimeout(timer)
    lab.end()
  }
}

export const libraries = { peer: peer as unknown as Lib, ours: ours as unknown as Lib }

/** Declares that a script logs the same with both libraries. */
export const same = (title: string, script: Script): void => {
  it(title, { timeout: 3 * deadline }, async () => {
    const expected = await run(libraries.peer, script)
    const actual = await run(libraries.ours, script)
    assert.isAbove(expected.log.length + expected.wire.length, 0, "the script logs nothing")
    assert.deepStrictEqual(actual, expected)
  })
}

/** Declares that each of many scripts logs the same with both libraries. They run at the same time. */
export const sameEach = (title: string, scripts: ReadonlyArray<readonly [name: string, script: Script]>): void => {
  it(title, { timeout: 3 * deadline }, async () => {
    const all = async (lib: Lib): Promise<unknown> => {
      const results: { [name: string]: unknown } = {}
      const waiting = [...scripts]
      const work = async (): Promise<void> => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          results[next[0]] = await run(lib, next[1])
        }
      }
      await Promise.all(Array.from({ length: 16 }, work))
      return results
    }
    assert.isAbove(scripts.length, 0)
    assert.deepStrictEqual(await all(libraries.ours), await all(libraries.peer))
  })
}
