import { randomFillSync } from "node:crypto"
import { types } from "node:util"
import { isWireCloseCode, maxReasonSize } from "../internal/protocol/closeCode.ts"
import type { Codec, Role } from "../internal/protocol/codec.ts"
import type { Compression } from "../internal/connection/compression.ts"
import { FrameWriter } from "../internal/connection/frameWriter.ts"
import { Outbound } from "../internal/connection/outbound.ts"
import type { Turn } from "../internal/connection/turn.ts"
import { hybi, hybiWithKeys } from "../internal/protocol/hybi/codec.ts"
import { encodeFrame } from "../internal/protocol/hybi/encoder.ts"
import { Opcode } from "../internal/protocol/opcode.ts"
import type { Written } from "../internal/protocol/outputBuffer.ts"
import { destroyedError } from "../internal/transport/transport.ts"
import { isBlob, nothing, sizeOf, toBytes } from "./internal/data.ts"
import { PiecewiseEncoder, type Writable, WritableOutput } from "./internal/piecewise.ts"
import type { PerMessageDeflate } from "./PerMessageDeflate.ts"

/** The extensions that a connection uses, by name. */
export interface Extensions {
  "permessage-deflate"?: PerMessageDeflate
}

/** Puts the four bytes of a masking key into the buffer. They have to be unpredictable (RFC 6455 §10.3). */
export type GenerateMask = (mask: Buffer) => void

/** Hears that data was written, or why not. */
export type SendCallback = (error?: Error | null) => void

/** How `Sender.frame` frames. */
export interface FrameOptions {
  readonly opcode: number
  /** Default `false`. */
  readonly fin?: boolean | undefined
  /** Default `false`. */
  readonly rsv1?: boolean | undefined
  /** Default `false`. */
  readonly mask?: boolean | undefined
  /** Default: from the system's secure source. */
  readonly generateMask?: GenerateMask | undefined
  /** Where `generateMask` puts the key. */
  readonly maskBuffer?: Buffer | undefined
  /** The data is never changed. With `true` a masked frame is one piece. */
  readonly readOnly?: boolean | undefined
}

/** How `Sender.send` sends. All are off by default. */
export interface SenderOptions {
  readonly binary?: boolean | undefined
  readonly compress?: boolean | undefined
  /** Whether this is the last part of its message. */
  readonly fin?: boolean | undefined
  readonly mask?: boolean | undefined
}

/** Longest payload of a control frame, in bytes (RFC 6455 §5.5). */
export const maxControlSize = 125

/** Keys from a caller's function, in the engine's form. */
export const keysFrom = (generate: GenerateMask): (() => number) => {
  const buffer = Buffer.alloc(4)
  return () => {
    generate(buffer)
    return buffer.readInt32LE(0)
  }
}

/** The framing of a client or a server with a caller's masking keys, when it has its own. */
export const codecFor = (generate: GenerateMask | undefined): Codec =>
  generate === undefined ? hybi : hybiWithKeys(keysFrom(generate))

/** The payload of a close frame, RFC 6455 §5.5.1. Throws for a code or reason that may not be sent. */
export const closePayload = (code: number | undefined, reason: string | Uint8Array | undefined): Uint8Array => {
  if (code === undefined) return nothing
  if (typeof code !== "number" || !isWireCloseCode(code)) {
    throw new TypeError("First argument must be a valid error code number")
  }
  if (reason === undefined || !(reason.length > 0)) return Uint8Array.of(code >>> 8, code)
  const length = Buffer.byteLength(reason)
  if (length > maxReasonSize) throw new RangeError("The message must not be greater than 123 bytes")
  if (typeof reason !== "string" && !types.isUint8Array(reason)) {
    throw new TypeError("Second argument must be a string or a Uint8Array")
  }
  return Buffer.concat([Uint8Array.of(code >>> 8, code), typeof reason === "string" ? Buffer.from(reason) : reason])
}

interface Blob {
  readonly size: number
  arrayBuffer(): Promise<ArrayBuffer>
}

/** Where a sender sends: a send queue, and what its frames are made for. */
export interface Lane {
  readonly role: Role
  readonly outbound: Outbound
  readonly compression: Compression | undefined
}

/** What sends a blob. */
interface BlobSender {
  readonly _socket: Writable
  readonly onerror: (error: Error) => void
}

/** A frame whose payload is read from a blob: what is sent after it waits for it. */
class BlobFrame implements Turn {
  readonly size: number
  readonly endsSoon = true
  readonly isUnfinished = false
  readonly work = "the blob was being read"
  private readonly lane: Lane
  private readonly blob: Blob
  private readonly frame: { readonly opcode: number; readonly fin: boolean; readonly compress: boolean }
  private readonly written: Written | undefined
  private readonly sender: BlobSender
  private over = false

  constructor(lane: Lane, blob: Blob, frame: BlobFrame["frame"], written: Written | undefined, sender: BlobSender) {
    this.size = blob.size
    this.lane = lane
    this.blob = blob
    this.frame = frame
    this.written = written
    this.sender = sender
  }

  begin(): boolean {
    // What was sent before doesn't wait for the blob.
    this.lane.outbound.flush()
    // In a later tick, so that what a callback throws isn't taken for a failure of the blob.
    this.blob.arrayBuffer().then(
      (buffer) => process.nextTick(() => this.read(new Uint8Array(buffer))),
      // Whatever the blob failed with.
      (error: Error) => process.nextTick(() => this.fail(error))
    )
    return true
  }

  revoked(): void {
    if (this.over) return
    this.over = true
    this.written?.(this.lossError())
  }

  private lossError(): Error {
    return new Error(`The socket was closed while ${this.work}`)
  }

  private read(payload: Uint8Array): void {
    if (this.over) return
    if (this.sender._socket.destroyed === true) return this.lose(this.lossError())
    this.over = true
    const { compress, fin, opcode } = this.frame
    const { outbound } = this.lane
    outbound.endTurn(this, () => {
      outbound.frame(opcode, fin, payload, { compress, turn: this, written: this.written })
    })
  }

  private fail(error: Error): void {
    if (this.over) return
    this.lose(error)
    this.sender.onerror(error)
  }

  private lose(error: Error): void {
    this.over = true
    this.written?.(error)
    this.lane.outbound.failTurn(this, error)
  }
}

const randomKey = (): number => randomFillSync(Buffer.alloc(4)).readInt32LE(0)

const laneOf = (
  socket: Writable,
  mask: boolean,
  extensions: Extensions,
  generateMask: GenerateMask | undefined
): Lane => {
  const role = mask ? "client" : "server"
  const nextKey = generateMask === undefined ? randomKey : keysFrom(generateMask)
  const output = new WritableOutput(socket)
  const encoder = new PiecewiseEncoder(output, mask ? nextKey : undefined)
  const writer = new FrameWriter(output, encoder, { writeHighWaterMark: 1, counters: undefined })
  const compression = extensions["permessage-deflate"]?.makeCompression()
  const owner = { closeWritten: () => {}, sendFailed: () => {} }
  return { role, compression, outbound: new Outbound(writer, compression, owner) }
}

/** Calls back for what was not accepted, because the connection is closing or closed. */
const settle = (accepted: boolean, written: Written | undefined): void => {
  if (!accepted && written !== undefined) process.nextTick(written, destroyedError())
}

const asWritten = (callback: unknown): Written | undefined =>
  typeof callback === "function" ? (callback as Written) : undefined

/**
 * Frames data and writes it to a socket, in order.
 *
 * @category classes
 * @since 0.1.0
 */
export class Sender {
  /** Called when a blob can't be read. */
  onerror: (error: Error) => void = () => {}
  /** What is written to; of a connection, its socket. */
  readonly _socket: Writable
  readonly _extensions: Extensions
  readonly #open: (mask: boolean) => Lane
  #lane: Lane | undefined
  /** Whether parts of a message were sent, but not its last. */
  #continuing = false
  #compressing = false

  /** Sends on a socket that nothing else may write to meanwhile, or, given the lane of a connection, on that. */
  constructor(socket: Writable, extensions: Extensions = {}, generateMask?: GenerateMask, lane?: Lane) {
    this._socket = socket
    this._extensions = extensions
    this.#lane = lane
    this.#open = (mask) => (this.#lane ??= laneOf(socket, mask, extensions, generateMask))
  }

  /** Bytes that wait to be compressed or read from a blob. */
  get _bufferedBytes(): number {
    return this.#lane?.outbound.queued ?? 0
  }

  /** Whether the next data starts a message. */
  get _firstFragment(): boolean {
    return !this.#continuing
  }

  /** Frames data without sending it: the pieces that have to be written one after the other. */
  static frame(data: Uint8Array | string, options: FrameOptions): Array<Buffer> {
    const payload = typeof data === "string" ? Buffer.from(data) : data
    const rsv = options.rsv1 === true ? 4 : 0
    let key: Buffer | undefined
    if (options.mask === true) {
      key = options.maskBuffer ?? Buffer.alloc(4)
      if (options.generateMask === undefined) randomFillSync(key, 0, 4)
      else options.generateMask(key)
    }
    const frame = encodeFrame(options.opcode, options.fin === true, rsv, payload, key?.readInt32LE(0))
    if (key !== undefined && options.readOnly === true) return [frame]
    const header = frame.length - payload.length
    return [frame.subarray(0, header), frame.subarray(header)]
  }

  /** Sends a close frame. Throws for a code or reason that may not be sent. */
  close(code?: number, data?: string | Uint8Array, mask?: boolean, callback?: SendCallback): void {
    this.#frame(Opcode.close, true, closePayload(code, data), mask === true, callback)
  }

  /** Sends a ping. Throws a `RangeError` for more than 125 bytes. */
  ping(data: unknown, mask?: boolean, callback?: SendCallback): void {
    this.#control(Opcode.ping, data, mask === true, callback)
  }

  /** Sends a pong. Throws a `RangeError` for more than 125 bytes. */
  pong(data: unknown, mask?: boolean, callback?: SendCallback): void {
    this.#control(Opcode.pong, data, mask === true, callback)
  }

  /** Sends a message, or a part of one. */
  send(data: unknown, options: SenderOptions, callback?: SendCallback): void {
    const mask = options.mask === true
    const lane = this.#open(mask)
    const first = !this.#continuing
    const opcode = first ? (options.binary === true ? Opcode.binary : Opcode.text) : Opcode.continuation
    const fin = options.fin === true
    const size = sizeOf(data)
    if (first) {
      this.#compressing =
        options.compress === true &&
        size >= (lane.compression?.threshold ?? Infinity) &&
        mask === (lane.role === "client")
    }
    this.#continuing = !fin
    if (isBlob(data)) {
      this.#later(lane, data, { opcode, fin, compress: this.#compressing }, callback)
    } else if (this.#compressing) {
      const payload = typeof data === "string" ? Buffer.from(data) : toBytes(data)
      const written = asWritten(callback)
      settle(lane.outbound.frame(opcode, fin, payload, { compress: true, written }), written)
    } else {
      this.#frame(opcode, fin, data, mask, callback)
    }
  }

  /** Writes pieces that were framed before. */
  sendFrame(pieces: ReadonlyArray<Uint8Array | string>, callback?: SendCallback): void {
    const { outbound } = this.#open(false)
    pieces.forEach((piece, at) => {
      const bytes = typeof piece === "string" ? Buffer.from(piece) : piece
      const last = at === pieces.length - 1
      const written = last ? asWritten(callback) : undefined
      settle(outbound.encoded(bytes, last ? 1 : 0, { written }), written)
    })
  }

  #control(opcode: number, data: unknown, mask: boolean, callback: SendCallback | undefined): void {
    if (sizeOf(data) > maxControlSize) throw new RangeError("The data size must not be greater than 125 bytes")
    if (isBlob(data)) {
      this.#later(this.#open(mask), data, { opcode, fin: true, compress: false }, callback)
    } else {
      this.#frame(opcode, true, data, mask, callback)
    }
  }

  #later(lane: Lane, blob: Blob, frame: BlobFrame["frame"], callback: SendCallback | undefined): void {
    const written = asWritten(callback)
    settle(lane.outbound.turn(new BlobFrame(lane, blob, frame, written, this)), written)
  }

  #frame(opcode: number, fin: boolean, data: unknown, mask: boolean, callback: SendCallback | undefined): void {
    const { outbound, role } = this.#open(mask)
    const written = asWritten(callback)
    if (typeof data === "string" && fin && !mask && role === "server") {
      settle(outbound.message(data, false, written, opcode), written)
      return
    }
    const payload = typeof data === "string" ? Buffer.from(data) : toBytes(data)
    if (mask === (role === "client")) {
      settle(outbound.frame(opcode, fin, payload, { written }), written)
    } else {
      const frame = encodeFrame(opcode, fin, 0, payload, mask ? randomKey() : undefined)
      settle(outbound.encoded(frame, fin && opcode <= Opcode.binary ? 1 : 0, { written }), written)
    }
  }
}
