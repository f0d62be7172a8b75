// A client on `node:net` alone, of its own making: what it sees is what is on the wire.
import { createHash, randomBytes } from "node:crypto"
import * as net from "node:net"

export interface RawEvents {
  readonly opened: () => void
  readonly message: (data: string | Uint8Array) => void
  /** The code of the server's close frame; 1006 for none. */
  readonly closed: (code: number) => void
  readonly failed: () => void
  /** A close frame came while a message was sent in parts; the rest of it goes first. */
  readonly halfway: () => void
}

/** Milliseconds between two parts of a message. */
const pause = 30

type Done = (error?: Error | null) => void

const frame = (opcode: number, fin: boolean, payload: Uint8Array): Buffer => {
  const { length } = payload
  const head = Buffer.alloc(length < 126 ? 2 : length < 65536 ? 4 : 10)
  head[0] = (fin ? 0x80 : 0) | opcode
  head[1] = 0x80 | (length < 126 ? length : length < 65536 ? 126 : 127)
  if (head.length === 4) head.writeUInt16BE(length, 2)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2)
  const key = randomBytes(4)
  const masked = Uint8Array.from(payload, (byte, at) => byte ^ (key[at & 3] ?? 0))
  return Buffer.concat([head, key, masked])
}

export class RawClient {
  private readonly socket: net.Socket
  private readonly events: RawEvents
  private readonly key = randomBytes(16).toString("base64")
  private upgraded = false
  private read = Buffer.alloc(0)
  private readonly message: Array<Uint8Array> = []
  private messageOpcode = 0
  private count = 0
  /** Messages that wait for one that is sent in parts. */
  private waiting: Array<{ readonly message: string | Uint8Array; readonly done: Done }> | undefined = undefined
  /** A pong that waits for the end of a frame. */
  private pong: Buffer | undefined = undefined
  private cut = false
  private closeSent = false
  private code = 1006
  private failed = false

  constructor(port: number, path: string, localAddress: string | undefined, events: RawEvents) {
    this.events = events
    this.socket = net.connect({ port, host: "127.0.0.1", ...(localAddress === undefined ? {} : { localAddress }) })
    this.socket.setNoDelay(true)
    this.socket.write(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${this.key}\r\n\r\n`
    )
    this.socket.on("error", () => {})
    this.socket.on("data", (chunk: Buffer) => this.received(chunk))
    this.socket.on("close", () => {
      if (this.upgraded) events.closed(this.code)
      else if (!this.failed) events.failed()
      this.failed = true
    })
  }

  /** Every fourth message goes in three parts. */
  send(message: string | Uint8Array, done: Done): void {
    if (this.closeSent || this.code !== 1006) return done(new Error("too late"))
    if (this.waiting !== undefined) {
      this.waiting.push({ message, done })
      return
    }
    this.write(message, done)
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  close(): void {
    // Behind what is being sent in parts.
    if (this.waiting !== undefined) setTimeout(() => this.close(), pause)
    else this.sendClose(1000)
  }

  private write(message: string | Uint8Array, done: Done): void {
    const opcode = typeof message === "string" ? 1 : 2
    const payload = Buffer.from(message)
    if (this.count++ % 4 !== 3) {
      this.socket.write(frame(opcode, true, payload), done)
      return
    }
    const waiting: Array<{ message: string | Uint8Array; done: Done }> = []
    this.waiting = waiting
    const [first, second] = [payload.length >> 2, payload.length >> 1]
    // The second part is cut in the middle of its frame, too.
    const middle = frame(0, false, payload.subarray(first, second))
    this.socket.write(Buffer.concat([frame(opcode, false, payload.subarray(0, first)), middle.subarray(0, 5)]))
    this.cut = true
    setTimeout(() => {
      this.socket.write(middle.subarray(5))
      this.cut = false
      this.writePong()
      setTimeout(() => {
        this.socket.write(frame(0, true, payload.subarray(second)), done)
        this.waiting = undefined
        const late = this.code !== 1006
        while (this.waiting === undefined) {
          const next = waiting.shift()
          if (next === undefined) break
          if (late) next.done(new Error("too late"))
          else this.write(next.message, next.done)
        }
        // A message in parts again: the others wait for it in turn.
        for (const next of waiting) this.send(next.message, next.done)
        if (late) this.sendClose(this.code)
      }, pause)
    }, pause)
  }

  private writePong(): void {
    if (this.pong === undefined || this.cut) return
    this.socket.write(this.pong)
    this.pong = undefined
  }

  private sendClose(code: number): void {
    if (this.closeSent) return
    this.closeSent = true
    this.socket.write(frame(8, true, Buffer.from([code >> 8, code & 255])))
  }

  private received(chunk: Buffer): void {
    this.read = Buffer.concat([this.read, chunk])
    if (!this.upgraded && !this.upgrade()) return
    while (this.takeFrame());
  }

  private upgrade(): boolean {
    const end = this.read.indexOf("\r\n\r\n")
    if (end < 0) return false
    const head = this.read.subarray(0, end).toString("latin1")
    const accept = createHash("sha1").update(`${this.key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")
    if (!head.startsWith("HTTP/1.1 101 ") || !head.includes(accept)) {
      this.socket.destroy()
      return false
    }
    this.read = this.read.subarray(end + 4)
    this.upgraded = true
    this.events.opened()
    return true
  }

  private takeFrame(): boolean {
    const { read } = this
    if (read.length < 2) return false
    const [first = 0, second = 0] = read
    const short = second & 0x7f
    const headSize = short < 126 ? 2 : short === 126 ? 4 : 10
    if (read.length < headSize) return false
    const length = short < 126 ? short : short === 126 ? read.readUInt16BE(2) : Number(read.readBigUInt64BE(2))
    if (read.length < headSize + length) return false
    const payload = read.subarray(headSize, headSize + length)
    this.read = read.subarray(headSize + length)
    this.frame(first & 15, (first & 0x80) !== 0, payload)
    return true
  }

  private frame(opcode: number, fin: boolean, payload: Buffer): void {
    // Nothing may come behind a close frame.
    if (this.code !== 1006) throw new Error("a frame behind the close frame")
    if (opcode === 8) {
      this.code = payload.length < 2 ? 1005 : payload.readUInt16BE(0)
      if (this.waiting === undefined) this.sendClose(this.code === 1005 ? 1000 : this.code)
      else this.events.halfway()
    } else if (opcode === 9) {
      this.pong = frame(10, true, payload)
      this.writePong()
    } else if (opcode < 3) {
      if (opcode !== 0) this.messageOpcode = opcode
      this.message.push(payload)
      if (!fin) return
      const whole = Buffer.concat(this.message.splice(0))
      this.events.message(this.messageOpcode === 1 ? whole.toString("utf8") : whole)
    }
  }
}
