import type { DecoderOptions } from "../codec.ts"
import { Opcode } from "../opcode.ts"
import * as Violation from "../protocolError.ts"

/** Longest header in bytes: two, an extended length of eight, a masking key of four. */
const maxHeaderSize = 14

/** The message whose next frame is read, as far as it decides about that frame. */
export interface MessageUnderWay {
  /** Opcode of its first frame; 0 outside of a message. */
  readonly messageOpcode: number
  /** Bytes of its frames so far. */
  readonly messageSize: number
}

/** Reads the headers of frames (RFC 6455 §5.2), and checks each part at the first byte that settles it. */
export class HeaderReader {
  opcode = 0
  fin = false
  rsv = 0
  length = 0
  /** The masking key, as a 32-bit integer in the order of the wire. */
  key = 0
  /** Why the header that was read last must not stand there. */
  violation: Violation.Violation | undefined = undefined
  /** Bytes that are kept of a header whose end hasn't come. */
  kept = 0
  private bytes: Buffer | undefined = undefined
  private readonly server: boolean
  private maxMessageSize: number
  private readonly allowedRsv: number
  private readonly minimalLength: boolean

  constructor(options: DecoderOptions) {
    this.server = options.role === "server"
    this.maxMessageSize = options.maxMessageSize
    this.allowedRsv = options.allowedRsv
    this.minimalLength = options.minimalLength !== false
  }

  /** Checks the headers that follow against another limit, in bytes. */
  limit(maxMessageSize: number): void {
    this.maxMessageSize = maxMessageSize
  }

  /** Reads the header at `at`. Returns its size, 0 when bytes are missing, -1 on a violation. */
  read(bytes: Buffer, at: number, available: number, message: MessageUnderWay): number {
    if (available < 2) return 0
    const second = bytes[at + 1]
    const violation = this.parseOpcode(bytes[at], second, message.messageOpcode !== 0)
    if (violation !== undefined) {
      this.violation = violation
      return -1
    }
    let length = second & 0x7f
    let size = 2
    if (length === 126) {
      if (available < 4) return 0
      length = (bytes[at + 2] << 8) | bytes[at + 3]
      size = 4
      if (length < 126 && this.minimalLength) return this.fail(Violation.nonMinimalLength)
    } else if (length === 127) {
      if (available < 10) return 0
      const high = bytes.readUInt32BE(at + 2)
      if (this.minimalLength) {
        if (high > 0x7fffffff) return this.fail(Violation.invalidLength)
      } else if (high > 0x1fffff) {
        return this.fail(Violation.unsupportedLength)
      }
      // Beyond 2^53 - 1 the sum is rounded, and still far above any limit.
      length = high * 0x1_0000_0000 + bytes.readUInt32BE(at + 6)
      size = 10
      if (length < 65536 && this.minimalLength) return this.fail(Violation.nonMinimalLength)
    }
    if (this.opcode < Opcode.close && message.messageSize + length > this.maxMessageSize) {
      return this.fail(Violation.messageTooLarge(this.maxMessageSize))
    }
    if (this.server) {
      if (available < size + 4) return 0
      const key = at + size
      this.key = bytes[key] | (bytes[key + 1] << 8) | (bytes[key + 2] << 16) | (bytes[key + 3] << 24)
      size += 4
    }
    this.length = length
    return size
  }

  /** What is left of the frame after its first `count` bytes becomes a continuation of them. */
  split(count: number): void {
    const shift = (count & 3) << 3
    this.opcode = Opcode.continuation
    this.rsv = 0
    this.length -= count
    if (shift !== 0) this.key = (this.key >>> shift) | (this.key << (32 - shift))
  }

  /** Keeps the beginning of a header, from `from` to the end of the chunk. */
  keep(chunk: Buffer, from: number): void {
    this.bytes ??= Buffer.allocUnsafeSlow(maxHeaderSize)
    this.kept = chunk.copy(this.bytes, 0, from)
  }

  /** Reads the next byte of a header that is kept. Returns what `read` does. */
  complete(byte: number, message: MessageUnderWay): number {
    const { bytes } = this
    if (bytes === undefined) return 0
    bytes[this.kept++] = byte
    const size = this.read(bytes, 0, this.kept, message)
    if (size > 0) this.kept = 0
    return size
  }

  private parseOpcode(first: number, second: number, continues: boolean): Violation.Violation | undefined {
    const opcode = first & 0x0f
    const rsv = (first >>> 4) & 0x07
    this.opcode = opcode
    this.rsv = rsv
    this.fin = first > 0x7f
    if (rsv !== 0 && ((rsv & ~this.allowedRsv) !== 0 || opcode === Opcode.continuation)) {
      return Violation.unexpectedReservedBits(rsv)
    }
    if (opcode > Opcode.binary) {
      if (opcode < Opcode.close || opcode > Opcode.pong) return Violation.reservedOpcode(opcode)
      if (!this.fin) return Violation.fragmentedControl(opcode)
      if (rsv !== 0) return Violation.unexpectedReservedBits(rsv)
      const length = second & 0x7f
      if (length > 125) return Violation.controlTooLong(opcode, length)
      if (length === 1 && opcode === Opcode.close) return Violation.invalidClosePayload
    } else if ((opcode === Opcode.continuation) !== continues) {
      return Violation.unexpectedOpcode(opcode)
    }
    if (second > 0x7f !== this.server) return this.server ? Violation.expectedMask : Violation.unexpectedMask
    return undefined
  }

  private fail(violation: Violation.Violation): -1 {
    this.violation = violation
    return -1
  }
}
