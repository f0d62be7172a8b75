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
import { destroyedError, type OutputTransport } from "../internal/transport/transport.ts"
import type { Written } from "../internal/protocol/outputBuffer.ts"
import { isBlob, nothing, sizeOf, toBytes } from "./internal/data.ts"
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
  /** Counts for nothing: the data is never changed. */
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

/** A frame whose payload is read from a blob: what is sent after it waits for it. */
class BlobFrame implements Turn {
  readonly size: number
  readonly endsSoon = true
  readonly isUnfinished = false
  private readonly lane: Lane
  private readonly blob: Blob
  private readonly frame: { readonly opcode: number; readonly fin: boolean; readonly compress: boolean }
  private readonly written: Written | undefined
  private readonly onError: (error: Error) => void
  private over = false

  constructor(
    lane: Lane,
    blob: Blob,
    frame: BlobFrame["frame"],
    written: Written | undefined,
    onError: (error: Error) => void
  ) {
    this.size = blob.size
    this.lane = lane
    this.blob = blob
    this.frame = frame
    this.written = written
    this.onError = onError
  }

  begin(): boolean {
    // In a later tick, so that what a callback throws isn't taken for a failure of the blob.
    this.blob.arrayBuffer().then(
      (buffer) => process.nextTick(() => this.read(new Uint8Array(buffer))),
      (error: unknown) => process.nextTick(() => this.fail(error instanceof Error ? error : new Error(String(error))))
    )
    return true
  }

  revoked(): void {
    if (this.over) return
    this.over = true
    this.written?.(destroyedError())
  }

  private read(payload: Uint8Array): void {
    if (this.over) return
    this.over = true
    const { compress, fin, opcode } = this.frame
    const { outbound } = this.lane
    outbound.endTurn(this, () => {
      outbound.frame(opcode, fin, payload, { compress, turn: this, written: this.written })
    })
  }

  private fail(error: Error): void {
    if (this.over) return
    this.over = true
    this.written?.(error)
    this.lane.outbound.failTurn(this, error)
    this.onError(error)
  }
}

/** What a sender writes to when it has no connection: a socket, of which it uses no more than this. */
export interface Writable {
  readonly writableLength?: number
  write(bytes: Uint8Array, written?: Written): unknown
  cork?(): void
  uncork?(): void
  end?(): void
}

/** Such a socket as the transport of a send queue. */
class WritableOutput implements OutputTransport {
  readonly congested = false
  private readonly socket: Writable

  constructor(socket: Writable) {
    this.socket = socket
  }

  get buffered(): number {
    return this.socket.writableLength ?? 0
  }

  write(bytes: Uint8Array, written?: Written): boolean {
    this.socket.write(bytes, written)
    return false
  }

  writeAll(pieces: ReadonlyArray<Uint8Array>, written?: Written): boolean {
    this.socket.cork?.()
    pieces.forEach((piece, at) => this.socket.write(piece, at === pieces.length - 1 ? written : undefined))
    this.socket.uncork?.()
    return false
  }

  end(): void {
    this.socket.end?.()
  }
}

const laneOf = (
  socket: Writable,
  mask: boolean,
  extensions: Extensions,
  generateMask: GenerateMask | undefined
): Lane => {
  const role = mask ? "client" : "server"
  const output = new WritableOutput(socket)
  const settings = { writeHighWaterMark: 1, counters: undefined }
  const writer = new FrameWriter(output, codecFor(generateMask).encoder(role), settings)
  const compression = extensions["permessage-deflate"]?.makeCompression()
  const owner = { closeWritten: () => {}, sendFailed: () => output.end() }
  return { role, compression, outbound: new Outbound(writer, compression, owner) }
}

const asWritten = (callback: unknown): Written | undefined =>
  typeof callback === "function" ? (callback as Written) : undefined

/** Frames data and writes it to a socket, in order. */
export class Sender {
  /** Called when a blob can't be read. */
  onerror: (error: Error) => void = () => {}
  readonly #open: (mask: boolean) => Lane
  #lane: Lane | undefined = undefined
  /** Whether parts of a message were sent, but not its last. */
  #continuing = false
  #compressing = false

  /** Sends on a socket of its own, which nothing else may write to meanwhile, or on the lane of a connection. */
  constructor(socket: Writable | Lane, extensions: Extensions = {}, generateMask?: GenerateMask) {
    if ("outbound" in socket) this.#lane = socket
    this.#open = (mask) =>
      (this.#lane ??= "outbound" in socket ? socket : laneOf(socket, mask, extensions, generateMask))
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
    const fin = options.fin === true
    const rsv = options.rsv1 === true ? 4 : 0
    if (options.mask !== true) {
      if (payload.length === 0) return [encodeFrame(options.opcode, fin, rsv, payload, undefined)]
      const whole = encodeFrame(options.opcode, fin, rsv, payload, undefined)
      const header = whole.length - payload.length
      return [whole.subarray(0, header), whole.subarray(header)]
    }
    const key = options.maskBuffer ?? Buffer.alloc(4)
    if (options.generateMask === undefined) randomFillSync(key, 0, 4)
    else options.generateMask(key)
    return [encodeFrame(options.opcode, fin, rsv, payload, key.readInt32LE(0))]
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
      lane.outbound.frame(opcode, fin, payload, { compress: true, written: asWritten(callback) })
    } else {
      this.#frame(opcode, fin, typeof data === "string" ? Buffer.from(data) : toBytes(data), mask, callback)
    }
  }

  /** Writes pieces that were framed before. */
  sendFrame(pieces: ReadonlyArray<Uint8Array | string>, callback?: SendCallback): void {
    const { outbound } = this.#open(false)
    pieces.forEach((piece, at) => {
      const bytes = typeof piece === "string" ? Buffer.from(piece) : piece
      const last = at === pieces.length - 1
      outbound.encoded(bytes, last ? 1 : 0, { written: last ? asWritten(callback) : undefined })
    })
  }

  #control(opcode: number, data: unknown, mask: boolean, callback: SendCallback | undefined): void {
    if (sizeOf(data) > maxControlSize) throw new RangeError("The data size must not be greater than 125 bytes")
    if (isBlob(data)) {
      this.#later(this.#open(mask), data, { opcode, fin: true, compress: false }, callback)
    } else {
      this.#frame(opcode, true, typeof data === "string" ? Buffer.from(data) : toBytes(data), mask, callback)
    }
  }

  #later(lane: Lane, blob: Blob, frame: BlobFrame["frame"], callback: SendCallback | undefined): void {
    lane.outbound.turn(new BlobFrame(lane, blob, frame, asWritten(callback), (error) => this.onerror(error)))
  }

  #frame(opcode: number, fin: boolean, payload: Uint8Array, mask: boolean, callback: SendCallback | undefined): void {
    const { outbound, role } = this.#open(mask)
    const written = asWritten(callback)
    if (mask === (role === "client")) {
      outbound.frame(opcode, fin, payload, { written })
    } else {
      const key = mask ? randomFillSync(Buffer.alloc(4)).readInt32LE(0) : undefined
      outbound.encoded(encodeFrame(opcode, fin, 0, payload, key), fin && opcode <= Opcode.binary ? 1 : 0, { written })
    }
  }
}
