/**
 * The driver's own framing (RFC 6455 §5.2). It shares no code with the library: a tester that shares code with the
 * tested proves nothing. It writes any frame, legal or not, and reads frames without judging them.
 */
import { bytesOf, type FrameSpec, opcodes } from "./case.ts"

const masked = (bytes: Buffer, key: Buffer): Buffer => {
  const out = Buffer.allocUnsafe(bytes.length)
  const [k0 = 0, k1 = 0, k2 = 0, k3 = 0] = key
  const whole = bytes.length - (bytes.length % 4)
  let i = 0
  for (; i < whole; i += 4) {
    out[i] = (bytes[i] ?? 0) ^ k0
    out[i + 1] = (bytes[i + 1] ?? 0) ^ k1
    out[i + 2] = (bytes[i + 2] ?? 0) ^ k2
    out[i + 3] = (bytes[i + 3] ?? 0) ^ k3
  }
  for (; i < bytes.length; i++) out[i] = (bytes[i] ?? 0) ^ (key[i % 4] ?? 0)
  return out
}

/** Bytes of a frame before its payload. */
export const headerOf = (spec: FrameSpec, length: number, key: Buffer | undefined): Buffer => {
  const first = (spec.fin === false ? 0 : 0x80) | ((spec.rsv ?? 0) << 4) | spec.opcode
  const maskBit = key === undefined ? 0 : 0x80
  let head: Buffer
  if (length <= 125) head = Buffer.of(first, maskBit | length)
  else if (length <= 0xffff) {
    head = Buffer.of(first, maskBit | 126, 0, 0)
    head.writeUInt16BE(length, 2)
  } else {
    head = Buffer.alloc(10)
    head[0] = first
    head[1] = maskBit | 127
    head.writeBigUInt64BE(BigInt(length), 2)
  }
  return key === undefined ? head : Buffer.concat([head, key])
}

/** A whole frame, masked if there is a key of four bytes. */
export const encode = (spec: FrameSpec, key?: Buffer): Buffer => {
  const payload = bytesOf(spec.payload ?? "")
  return Buffer.concat([headerOf(spec, payload.length, key), key === undefined ? payload : masked(payload, key)])
}

/** A message as frames of at most `fragment` bytes; 0 makes it one frame. Reserved bits stand on the first. */
export const fragmentsOf = (
  opcode: number,
  payload: Buffer,
  fragment: number,
  rsv: number = 0
): ReadonlyArray<FrameSpec> => {
  if (fragment === 0 || payload.length <= fragment) return [{ opcode, payload, rsv }]
  const frames: Array<FrameSpec> = []
  for (let from = 0; from < payload.length; from += fragment) {
    frames.push({
      opcode: from === 0 ? opcode : opcodes.continuation,
      payload: payload.subarray(from, from + fragment),
      fin: from + fragment >= payload.length,
      rsv: from === 0 ? rsv : 0
    })
  }
  return frames
}

/** A frame as it was read, its payload unmasked. */
export interface Frame {
  readonly fin: boolean
  readonly rsv: number
  readonly opcode: number
  readonly masked: boolean
  readonly payload: Buffer
  /** Whether the length stood in its shortest form. */
  readonly shortest: boolean
}

interface Head extends Omit<Frame, "payload"> {
  readonly key: Buffer | undefined
}

const none = Buffer.alloc(0)

/** Longest payload that the driver reads, well above what any case sends. */
const maxPayload = 64 * 1024 * 1024

/** Takes bytes in any pieces, gives frames. */
export class FrameReader {
  private rest: Buffer = none
  private head: Head | undefined
  private payload: Buffer = none
  private filled = 0

  push(chunk: Buffer): void {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
  }

  /** The next frame, or `undefined` until more bytes came. Throws at a length that no peer of this suite sends. */
  next(): Frame | undefined {
    this.head ??= this.readHead()
    if (this.head === undefined) return undefined
    const taken = this.rest.copy(this.payload, this.filled)
    this.filled += taken
    this.rest = this.rest.subarray(taken)
    if (this.filled < this.payload.length) return undefined
    const { key, ...head } = this.head
    const payload = key === undefined ? this.payload : masked(this.payload, key)
    this.head = undefined
    this.payload = none
    this.filled = 0
    return { ...head, payload }
  }

  private readHead(): Head | undefined {
    const { rest } = this
    if (rest.length < 2) return undefined
    const first = rest.readUInt8(0)
    const second = rest.readUInt8(1)
    const short = second & 0x7f
    const lengthSize = short === 126 ? 2 : short === 127 ? 8 : 0
    const isMasked = second > 0x7f
    const size = 2 + lengthSize + (isMasked ? 4 : 0)
    if (rest.length < size) return undefined
    const length = lengthSize === 0 ? short : lengthSize === 2 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2))
    if (length > maxPayload) throw new RangeError(`A frame of ${length} bytes`)
    const key = isMasked ? Buffer.from(rest.subarray(size - 4, size)) : undefined
    this.rest = rest.subarray(size)
    this.payload = Buffer.allocUnsafe(length)
    this.filled = 0
    return {
      fin: first > 0x7f,
      rsv: (first >> 4) & 7,
      opcode: first & 0xf,
      masked: isMasked,
      shortest: lengthSize === 0 || (lengthSize === 2 ? length > 125 : length > 0xffff),
      key
    }
  }
}
