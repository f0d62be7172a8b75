import type { Encoder } from "../codec.ts"
import { applyMask, randomKey } from "../mask.ts"
import { Opcode } from "../opcode.ts"
import type { OutputBuffer } from "../outputBuffer.ts"
import { referenceSize } from "../outputBuffer.ts"

/** Text from this many UTF-16 units on is measured before it is written, not after. */
const measureFrom = 16 * 1024

/** Bytes that a header takes before the masking key. */
const headerSize = (length: number): number => (length < 126 ? 2 : length < 65536 ? 4 : 10)

const writeHeader = (buffer: Buffer, at: number, first: number, maskBit: number, length: number): void => {
  buffer[at] = first
  if (length < 126) {
    buffer[at + 1] = maskBit | length
  } else if (length < 65536) {
    buffer[at + 1] = maskBit | 126
    buffer[at + 2] = length >>> 8
    buffer[at + 3] = length
  } else {
    buffer[at + 1] = maskBit | 127
    buffer.writeUInt32BE(Math.floor(length / 0x1_0000_0000), at + 2)
    buffer.writeUInt32BE(length >>> 0, at + 6)
  }
}

const firstByte = (opcode: number, fin: boolean, rsv: number): number => (fin ? 0x80 : 0) | (rsv << 4) | opcode

/**
 * Writes `text` behind a header of `extra` more bytes than the bare one, and answers its length in bytes; the
 * payload then stands at the place that `headerSize` of that length gives.
 */
const writeText = (out: OutputBuffer, text: string, extra: number): number => {
  const units = text.length
  if (units >= measureFrom) {
    const length = Buffer.byteLength(text)
    const header = headerSize(length) + extra
    const at = out.reserve(header + length)
    out.buffer.write(text, at + header, "utf8")
    return length
  }
  const at = out.reserve(10 + extra + 3 * units)
  // Most text is ASCII: one byte a unit. Where it isn't, and the header grows by that, the payload moves up.
  const guess = headerSize(units) + extra
  const length = out.buffer.write(text, at + guess, "utf8")
  const header = headerSize(length) + extra
  if (header !== guess) out.buffer.copyWithin(at + header, at + guess, at + guess + length)
  return length
}

/** Frames as a server sends them: not masked (RFC 6455 §5.1). */
export class HybiServerEncoder implements Encoder {
  text(out: OutputBuffer, opcode: number, fin: boolean, text: string): void {
    const length = writeText(out, text, 0)
    const header = headerSize(length)
    const at = out.reserve(header + length)
    writeHeader(out.buffer, at, firstByte(opcode, fin, 0), 0, length)
    out.commit(header + length)
  }

  frame(out: OutputBuffer, opcode: number, fin: boolean, rsv: number, payload: Uint8Array): void {
    const { length } = payload
    const header = headerSize(length)
    const first = firstByte(opcode, fin, rsv)
    if (length >= referenceSize) {
      const at = out.reserve(header)
      writeHeader(out.buffer, at, first, 0, length)
      out.commit(header)
      out.reference(payload)
      return
    }
    const at = out.reserve(header + length)
    writeHeader(out.buffer, at, first, 0, length)
    out.buffer.set(payload, at + header)
    out.commit(header + length)
  }

  close(out: OutputBuffer, payload: Uint8Array): void {
    this.frame(out, Opcode.close, true, 0, payload)
  }
}

const writeKey = (buffer: Buffer, at: number, key: number): void => {
  buffer[at] = key
  buffer[at + 1] = key >>> 8
  buffer[at + 2] = key >>> 16
  buffer[at + 3] = key >>> 24
}

/** Frames as a client sends them: each masked with a key of its own (RFC 6455 §5.3). The payload is copied, never changed. */
export class HybiClientEncoder implements Encoder {
  private readonly nextKey: () => number

  /** `nextKey` gives the masking key of the next frame, its first byte in the lowest bits. */
  constructor(nextKey: () => number = randomKey) {
    this.nextKey = nextKey
  }

  text(out: OutputBuffer, opcode: number, fin: boolean, text: string): void {
    const length = writeText(out, text, 4)
    const header = headerSize(length)
    this.finish(out, firstByte(opcode, fin, 0), header, length)
  }

  frame(out: OutputBuffer, opcode: number, fin: boolean, rsv: number, payload: Uint8Array): void {
    const { length } = payload
    const header = headerSize(length)
    const at = out.reserve(header + 4 + length)
    out.buffer.set(payload, at + header + 4)
    this.finish(out, firstByte(opcode, fin, rsv), header, length)
  }

  close(out: OutputBuffer, payload: Uint8Array): void {
    this.frame(out, Opcode.close, true, 0, payload)
  }

  private finish(out: OutputBuffer, first: number, header: number, length: number): void {
    const at = out.reserve(header + 4 + length)
    const { buffer } = out
    const key = this.nextKey()
    writeHeader(buffer, at, first, 0x80, length)
    writeKey(buffer, at + header, key)
    applyMask(buffer, at + header + 4, at + header + 4 + length, key, 0)
    out.commit(header + 4 + length)
  }
}

/** One frame in a buffer of its own; masked when there is a key, its first byte in the lowest bits. */
export const encodeFrame = (
  opcode: number,
  fin: boolean,
  rsv: number,
  payload: Uint8Array,
  key: number | undefined
): Buffer => {
  const header = headerSize(payload.length)
  const start = header + (key === undefined ? 0 : 4)
  const bytes = Buffer.allocUnsafeSlow(start + payload.length)
  writeHeader(bytes, 0, firstByte(opcode, fin, rsv), key === undefined ? 0 : 0x80, payload.length)
  bytes.set(payload, start)
  if (key !== undefined) {
    writeKey(bytes, header, key)
    applyMask(bytes, start, bytes.length, key, 0)
  }
  return bytes
}
