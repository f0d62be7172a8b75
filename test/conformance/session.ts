/** One open connection between the driver and a peer: what was sent, what came, how it ended. */
import { isUtf8 } from "node:buffer"
import { randomBytes } from "node:crypto"
import type { Socket } from "node:net"
import { bytesOf, type FrameSpec, opcodes } from "./case.ts"
import { type Agreement, Compressor, Decompressor } from "./deflate.ts"
import { encode, type Frame, FrameReader, fragmentsOf } from "./wire.ts"

/** The side that the driver plays. */
export type Side = "client" | "server"

export type Event =
  | { readonly _tag: "message"; readonly opcode: number; readonly payload: Buffer }
  | { readonly _tag: "ping"; readonly payload: Buffer }
  | { readonly _tag: "pong"; readonly payload: Buffer }
  | { readonly _tag: "passed"; readonly label: string }

export interface CloseFrame {
  readonly code: number | undefined
  readonly reason: string
}

/** Bytes per write where a case does not say. */
const writeSize = 64 * 1024

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const mayTravel = (code: number): boolean =>
  (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999)

export interface SessionOptions {
  readonly side: Side
  /** What came with the handshake. */
  readonly rest: Buffer
  /** permessage-deflate, if that was agreed. */
  readonly agreement: Agreement | undefined
  /** Longest time that all may take, in ms. */
  readonly limit: number
  /** How long a server may keep TCP open once both close frames went, in ms (RFC 6455 §7.1.1). */
  readonly dropLimit: number
}

export class Session {
  readonly side: Side
  /** What came, close frames aside, in order. */
  readonly events: Array<Event> = []
  /** The first thing by which the peer broke the standard. */
  violation: string | undefined
  closeSent: CloseFrame | undefined
  closeReceived: CloseFrame | undefined
  /** Who sent the first close frame. */
  startedBy: "driver" | "peer" | undefined
  /** The driver, as client, had to end TCP because the server did not. */
  droppedByDriver = false
  timedOut = false
  /** Messages that came compressed. */
  compressed = 0
  /** TCP is over. */
  ended = false
  /** Whether permessage-deflate holds. */
  readonly deflates: boolean

  private readonly socket: Socket
  private readonly dropLimit: number
  private readonly reader = new FrameReader()
  private readonly compressor: Compressor | undefined
  private readonly decompressor: Decompressor | undefined
  private message: { readonly opcode: number; readonly compressed: boolean; readonly parts: Array<Buffer> } | undefined
  private readonly pieces = new Map<FrameSpec, Buffer>()
  private readonly waiters = new Set<() => void>()
  private readonly deadline: NodeJS.Timeout
  private drop: NodeJS.Timeout | undefined
  private blocked = false
  private probes = 0
  private expectedPong: Buffer | undefined

  constructor(socket: Socket, { agreement, dropLimit, limit, rest, side }: SessionOptions) {
    this.socket = socket
    this.side = side
    this.dropLimit = dropLimit
    this.deflates = agreement !== undefined
    if (agreement !== undefined) {
      this.compressor = new Compressor(agreement.own)
      this.decompressor = new Decompressor(agreement.peer)
    }
    this.deadline = setTimeout(() => {
      this.timedOut = true
      this.destroy()
    }, limit)
    socket.setNoDelay(true)
    socket.on("data", (chunk) => this.received(chunk))
    socket.on("drain", () => {
      this.blocked = false
      this.changed()
    })
    // A reset is one way to drop a connection; "close" follows.
    socket.on("error", () => undefined)
    socket.on("close", () => this.destroy())
    if (rest.length > 0) this.received(rest)
    socket.resume()
  }

  /** Nothing more can be sent that anybody would answer. */
  get over(): boolean {
    return this.ended || this.violation !== undefined
  }

  /** Resolves with whether it was met: at once, at a later event, or not until the connection ended or time was up. */
  wait(met: () => boolean, ms?: number): Promise<boolean> {
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined
      const check = (late: boolean): void => {
        const yes = met()
        if (!yes && !this.over && !late) return
        this.waiters.delete(waiter)
        clearTimeout(timer)
        resolve(yes)
      }
      const waiter = (): void => check(false)
      if (ms !== undefined) timer = setTimeout(() => check(true), ms)
      this.waiters.add(waiter)
      waiter()
    })
  }

  /**
   * Waits so many milliseconds, or less if a close frame comes or the connection ends. Afterwards it leaves a peer in the
   * same process some turns to be heard: where the process itself was held up, its timers run before its sockets.
   */
  async silence(ms: number): Promise<void> {
    await this.wait(() => this.closeReceived !== undefined, ms)
    for (let turns = 0; turns < 20 && !this.over && this.closeReceived === undefined; turns++) await turn()
  }

  /** Frames as one run of bytes. With `chop`, in writes of so many bytes, each in its own turn of the event loop. */
  async frames(frames: ReadonlyArray<FrameSpec>, chop?: number): Promise<void> {
    await this.write(Buffer.concat(frames.map((frame) => encode(frame, this.key()))), chop)
  }

  /** A message, compressed if that was agreed. */
  async send(opcode: number, payload: Buffer, fragment: number): Promise<void> {
    const compressed = this.compressor?.compress(payload)
    await this.frames(fragmentsOf(opcode, compressed ?? payload, fragment, compressed === undefined ? 0 : 4))
  }

  /** Part of a frame whose other parts go, or went, by further calls. */
  async piece(frame: FrameSpec, from: number, to: number): Promise<void> {
    let bytes = this.pieces.get(frame)
    if (bytes === undefined) {
      bytes = encode(frame, this.key())
      this.pieces.set(frame, bytes)
    }
    const head = bytes.length - bytesOf(frame.payload ?? "").length
    await this.write(bytes.subarray(from === 0 ? 0 : head + from, head + to))
  }

  /** A close frame with just this payload. */
  async close(payload: Buffer): Promise<void> {
    if (this.closeSent !== undefined) return
    this.startedBy ??= "driver"
    this.closeSent = {
      code: payload.length < 2 ? undefined : payload.readUInt16BE(0),
      reason: payload.toString("utf8", Math.min(2, payload.length))
    }
    await this.frames([{ opcode: opcodes.close, payload }])
  }

  /** Pings and waits for that pong, which is no event. Whether it came. */
  async probe(): Promise<boolean> {
    this.probes += 1
    this.expectedPong = Buffer.from(`probe ${this.probes}`)
    await this.frames([{ opcode: opcodes.ping, payload: this.expectedPong }])
    return this.wait(() => this.expectedPong === undefined)
  }

  /** Ends TCP, if it is not over yet. */
  destroy(): void {
    clearTimeout(this.deadline)
    clearTimeout(this.drop)
    this.ended = true
    this.socket.destroy()
    this.changed()
  }

  private key(): Buffer | undefined {
    return this.side === "client" ? randomBytes(4) : undefined
  }

  private async write(bytes: Buffer, chop?: number): Promise<void> {
    const size = chop ?? writeSize
    for (let from = 0; from < bytes.length && !this.over; from += size) {
      this.blocked = !this.socket.write(bytes.subarray(from, from + size))
      if (this.blocked) await this.wait(() => !this.blocked)
      if (chop !== undefined) await turn()
    }
  }

  private changed(): void {
    for (const waiter of this.waiters) waiter()
  }

  private received(chunk: Buffer): void {
    try {
      this.reader.push(chunk)
      for (let frame = this.reader.next(); frame !== undefined; frame = this.reader.next()) {
        if (this.violation === undefined) this.violation = this.take(frame)
      }
    } catch (error) {
      this.violation ??= String(error)
    }
    if (this.violation !== undefined) this.destroy()
    this.changed()
  }

  /** Takes a frame; answers with what is wrong about it. */
  private take(frame: Frame): string | undefined {
    const { opcode, payload, rsv } = frame
    if (this.closeReceived !== undefined) return `A frame after the close frame (opcode ${opcode})`
    if (frame.masked !== (this.side === "server")) return frame.masked ? "A masked frame" : "An unmasked frame"
    if (!frame.shortest) return "A length that is not in its shortest form"
    if (opcode >= 8) {
      if (!frame.fin) return "A control frame in fragments"
      if (payload.length > 125) return `A control frame of ${payload.length} bytes`
      if (rsv !== 0) return "A reserved bit on a control frame"
    }
    switch (opcode) {
      case opcodes.text:
      case opcodes.binary: {
        if (this.message !== undefined) return "A new message inside another"
        if (rsv !== 0 && !(rsv === 4 && this.decompressor !== undefined)) return `Reserved bits ${rsv}`
        this.message = { opcode, compressed: rsv === 4, parts: [payload] }
        return frame.fin ? this.assembled() : undefined
      }
      case opcodes.continuation: {
        if (this.message === undefined) return "A continuation that continues nothing"
        if (rsv !== 0) return "A reserved bit on a continuation"
        this.message.parts.push(payload)
        return frame.fin ? this.assembled() : undefined
      }
      case opcodes.ping: {
        this.events.push({ _tag: "ping", payload })
        if (this.closeSent === undefined) void this.frames([{ opcode: opcodes.pong, payload }])
        return undefined
      }
      case opcodes.pong: {
        if (this.expectedPong?.equals(payload) === true) this.expectedPong = undefined
        else this.events.push({ _tag: "pong", payload })
        return undefined
      }
      case opcodes.close:
        return this.closed(payload)
      default:
        return `Reserved opcode ${opcode}`
    }
  }

  private assembled(): string | undefined {
    const { message } = this
    this.message = undefined
    if (message === undefined) return undefined
    let payload: Buffer = Buffer.concat(message.parts)
    if (message.compressed && this.decompressor !== undefined) {
      this.compressed += 1
      try {
        payload = this.decompressor.decompress(payload)
      } catch (error) {
        return `A message that does not inflate: ${String(error)}`
      }
    }
    if (message.opcode === opcodes.text && !isUtf8(payload)) return "Text that is no UTF-8"
    this.events.push({ _tag: "message", opcode: message.opcode, payload })
    return undefined
  }

  private closed(payload: Buffer): string | undefined {
    if (payload.length === 1) return "A close frame with half a code"
    const code = payload.length === 0 ? undefined : payload.readUInt16BE(0)
    if (code !== undefined && !mayTravel(code) && code !== this.closeSent?.code)
      return `A close frame with code ${code}`
    const reason = payload.subarray(2)
    if (!isUtf8(reason)) return "A close reason that is no UTF-8"
    this.closeReceived = { code, reason: reason.toString("utf8") }
    if (this.closeSent === undefined) {
      this.startedBy = "peer"
      void this.close(payload.subarray(0, 2))
    }
    // RFC 6455 §7.1.1: the server ends TCP first.
    if (this.side === "server") this.socket.end()
    else {
      this.drop = setTimeout(() => {
        this.droppedByDriver = true
        this.destroy()
      }, this.dropLimit)
    }
    return undefined
  }
}
