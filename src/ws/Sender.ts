import { randomFillSync } from "node:crypto"
import type { Duplex } from "node:stream"
import { isWireCloseCode, maxReasonSize } from "../internal/protocol/closeCode.ts"
import type { Codec } from "../internal/protocol/codec.ts"
import { Connection, type Face } from "../internal/connection/connection.ts"
import { DuplexTransport } from "../internal/transport/duplex.ts"
import { hybi, hybiWithKeys } from "../internal/protocol/hybi/codec.ts"
import { encodeFrame } from "../internal/protocol/hybi/encoder.ts"
import { Opcode } from "../internal/protocol/opcode.ts"
import { systemTimers } from "../internal/connection/timers.ts"
import type { Written } from "../internal/transport/transport.ts"
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
  if (typeof reason !== "string" && !(reason instanceof Uint8Array)) {
    throw new TypeError("Second argument must be a string or a Uint8Array")
  }
  return Buffer.concat([Uint8Array.of(code >>> 8, code), typeof reason === "string" ? Buffer.from(reason) : reason])
}

/** Reads a blob, in the form of `Connection.sendLater`. */
const readBlob =
  (blob: { arrayBuffer(): Promise<ArrayBuffer> }) =>
  (done: (payload: Uint8Array | Error) => void): void => {
    // In a later tick, so that what a callback throws isn't taken for a failure of the blob.
    blob.arrayBuffer().then(
      (buffer) => process.nextTick(done, new Uint8Array(buffer)),
      (error: unknown) => process.nextTick(done, error instanceof Error ? error : new Error(String(error)))
    )
  }

const silent: Face = {
  wantsFragments: false,
  message: () => undefined,
  fragment: () => undefined,
  control: () => {},
  batchEnd: () => {},
  ended: () => {},
  closed: () => {}
}

const asWritten = (callback: unknown): Written | undefined =>
  typeof callback === "function" ? (callback as Written) : undefined

/** Frames data and writes it to a socket, in order. */
export class Sender {
  /** Called when a blob can't be read. */
  onerror: (error: Error) => void = () => {}
  readonly #open: (mask: boolean) => Connection
  #connection: Connection | undefined = undefined
  /** Whether parts of a message were sent, but not its last. */
  #continuing = false
  #compressing = false

  /** Sends on a socket of its own; nobody else may write to it meanwhile. */
  constructor(socket: Duplex | Connection, extensions: Extensions = {}, generateMask?: GenerateMask) {
    if (socket instanceof Connection) {
      this.#connection = socket
      this.#open = () => socket
    } else {
      this.#open = (mask) => {
        const connection = new Connection(silent, {
          transport: new DuplexTransport(socket),
          codec: codecFor(generateMask),
          role: mask ? "client" : "server",
          timers: systemTimers,
          maxMessageSize: 0,
          writeHighWaterMark: 64 * 1024,
          closeTimeout: 0,
          compression: extensions["permessage-deflate"]?.makeCompression()
        })
        // The connection isn't started: what the socket receives is for others to read.
        socket.on("drain", () => connection.drained())
        return connection
      }
    }
  }

  /** Bytes that wait to be compressed or read from a blob. */
  get _bufferedBytes(): number {
    return this.#connection?.deferred ?? 0
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
    const connection = (this.#connection ??= this.#open(mask))
    const first = !this.#continuing
    const opcode = first ? (options.binary === true ? Opcode.binary : Opcode.text) : Opcode.continuation
    const fin = options.fin === true
    const size = sizeOf(data)
    if (first) {
      this.#compressing =
        options.compress === true && size >= connection.compressionThreshold && mask === (connection.role === "client")
    }
    this.#continuing = !fin
    if (isBlob(data)) {
      this.#later(connection, data, { opcode, fin, compress: this.#compressing }, callback)
    } else if (this.#compressing) {
      const payload = typeof data === "string" ? Buffer.from(data) : toBytes(data)
      connection.sendCompressed(opcode, fin, payload, asWritten(callback))
    } else {
      this.#frame(opcode, fin, typeof data === "string" ? Buffer.from(data) : toBytes(data), mask, callback)
    }
  }

  /** Writes pieces that were framed before. */
  sendFrame(pieces: ReadonlyArray<Uint8Array | string>, callback?: SendCallback): void {
    const connection = (this.#connection ??= this.#open(false))
    pieces.forEach((piece, at) => {
      const bytes = typeof piece === "string" ? Buffer.from(piece) : piece
      connection.sendEncoded(bytes, at === pieces.length - 1 ? asWritten(callback) : undefined)
    })
  }

  #control(opcode: number, data: unknown, mask: boolean, callback: SendCallback | undefined): void {
    if (sizeOf(data) > maxControlSize) throw new RangeError("The data size must not be greater than 125 bytes")
    if (isBlob(data)) {
      const connection = (this.#connection ??= this.#open(mask))
      this.#later(connection, data, { opcode, fin: true, compress: false }, callback)
    } else {
      this.#frame(opcode, true, typeof data === "string" ? Buffer.from(data) : toBytes(data), mask, callback)
    }
  }

  #later(
    connection: Connection,
    blob: { readonly size: number; arrayBuffer(): Promise<ArrayBuffer> },
    frame: { readonly opcode: number; readonly fin: boolean; readonly compress: boolean },
    callback: SendCallback | undefined
  ): void {
    const read = readBlob(blob)
    connection.sendLater(
      blob.size,
      (done) =>
        read((payload) => {
          done(payload)
          if (payload instanceof Error) this.onerror(payload)
        }),
      frame,
      asWritten(callback)
    )
  }

  #frame(opcode: number, fin: boolean, payload: Uint8Array, mask: boolean, callback: SendCallback | undefined): void {
    const connection = (this.#connection ??= this.#open(mask))
    const written = asWritten(callback)
    if (mask === (connection.role === "client")) {
      connection.sendFrame(opcode, fin, payload, 0, written)
    } else {
      const key = mask ? randomFillSync(Buffer.alloc(4)).readInt32LE(0) : undefined
      connection.sendEncoded(encodeFrame(opcode, fin, 0, payload, key), written)
    }
  }
}
