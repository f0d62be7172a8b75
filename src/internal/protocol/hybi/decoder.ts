import { isUtf8 } from "node:buffer"
import type { Assembler } from "../messageAssembler.ts"
import { isWireCloseCode } from "../closeCode.ts"
import type { Borrowed, DecoderOptions, FrameSink } from "../codec.ts"
import { applyMask } from "../mask.ts"
import { Opcode } from "../opcode.ts"
import { PausableDecoder } from "../resumableDecoder.ts"
import { Utf8Validator } from "../utf8.ts"
import * as Violation from "../protocolError.ts"

/** A frame cut by a chunk's end gets room for its whole payload at once up to this many bytes; longer ones grow into it. */
const allocateAtOnce = 1024 * 1024

/** A message that is whole in a borrowed chunk is copied by itself from this many bytes on; smaller ones together. */
const copiedFrom = 4 * 1024

const empty = Buffer.alloc(0)

/**
 * Reads the framing of RFC 6455 §5. A frame that is whole in its chunk is handed on where it stands; one that is
 * cut is gathered in a buffer of its own, or in its message's, after its length was checked. Every check is made at
 * the first byte that settles it, so that the same bytes, however they are cut, end in the same frames and the same
 * violation.
 */
export class HybiDecoder extends PausableDecoder {
  sink: FrameSink
  readonly options: DecoderOptions
  private readonly server: boolean
  private readonly maxMessageSize: number
  private readonly allowedRsv: number
  private readonly validateText: boolean
  private readonly minimalLength: boolean
  private readonly maxChunks: number

  // The frame under way.
  private opcode = 0
  private fin = false
  private rsv = 0
  private length = 0
  private key = 0
  /** Its header so far, when the chunk ended inside it. */
  private header: Buffer | undefined = undefined
  private headerSize = 0
  /** Its payload so far, when the chunk ended inside that, and where in this memory it begins. */
  private payload: Buffer | undefined = undefined
  private begin = 0
  private filled = 0
  /** The chunks that it came in. */
  private chunks = 0

  // The message under way, when it has more than one frame.
  private messageOpcode = 0
  private messageSize = 0
  private compressed = false
  private utf8: Utf8Validator | undefined = undefined

  constructor(sink: FrameSink, options: DecoderOptions) {
    super()
    this.sink = sink
    this.options = options
    this.server = options.role === "server"
    this.maxMessageSize = options.maxMessageSize
    this.allowedRsv = options.allowedRsv
    this.validateText = options.skipUtf8Validation !== true
    this.minimalLength = options.minimalLength !== false
    this.maxChunks = options.maxChunks ?? Infinity
  }

  get partial(): boolean {
    return this.headerSize > 0 || this.payload !== undefined || this.messageOpcode !== 0
  }

  get partialSize(): number {
    return this.payload === undefined ? 0 : this.filled
  }

  protected parse(chunk: Buffer, borrowed: Borrowed | undefined): number {
    const end = chunk.length
    let pos = 0
    if (borrowed === "delivery" && this.tellsInside(end)) return 0
    if (this.payload !== undefined) {
      if (this.chunks++ >= this.maxChunks) this.violation = Violation.tooManyParts("chunks", this.maxChunks)
      else pos = this.fill(this.payload, chunk, pos)
    } else if (this.headerSize > 0) {
      pos = this.gatherHeader(chunk, pos)
    }
    while (pos < end && this.violation === undefined) {
      if (this.suspended) return pos
      const size = this.parseHeader(chunk, pos, end - pos)
      if (size === 0) {
        this.keepHeader(chunk, pos)
        break
      }
      if (size < 0) break
      const after = pos + size + this.length
      const whole = after <= end
      if (whole && borrowed === undefined) {
        pos += size
        if (this.server && this.length > 0) applyMask(chunk, pos, after, this.key, 0)
        this.taken = after
        this.violation = this.deliver(chunk, pos, after)
        pos = after
      } else {
        if (after < end && borrowed === "delivery") return pos
        const message = this.gatherer()
        if (whole && message === undefined && this.length < copiedFrom) return pos
        pos += size
        pos = this.fill(this.beginPayload(message, end - pos), chunk, pos)
      }
    }
    return end
  }

  /** Whether what earlier chunks began may be told before the end of one of `length` bytes. */
  private tellsInside(length: number): boolean {
    return this.payload === undefined ? this.headerSize > 0 : this.length - this.filled < length
  }

  protected release(): void {
    this.payload = this.utf8 = undefined
  }

  /** Parses the header at `at`, RFC 6455 §5.2. Answers its size, 0 when bytes are missing, -1 on a violation. */
  private parseHeader(bytes: Buffer, at: number, available: number): number {
    if (available < 2) return 0
    const second = bytes[at + 1]
    const violation = this.parseOpcode(bytes[at], second)
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
    if (this.opcode < Opcode.close && this.messageSize + length > this.maxMessageSize) {
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

  private parseOpcode(first: number, second: number): Violation.Violation | undefined {
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
    } else if ((opcode === Opcode.continuation) !== (this.messageOpcode !== 0)) {
      return Violation.unexpectedOpcode(opcode)
    }
    if (second > 0x7f !== this.server) return this.server ? Violation.expectedMask : Violation.unexpectedMask
    return undefined
  }

  private fail(violation: Violation.Violation): -1 {
    this.violation = violation
    return -1
  }

  private keepHeader(chunk: Buffer, from: number): void {
    this.header ??= Buffer.allocUnsafeSlow(14)
    this.headerSize = chunk.copy(this.header, 0, from)
  }

  /** Completes a header that an earlier chunk began, and what it announces. Answers how far it read. */
  private gatherHeader(chunk: Buffer, from: number): number {
    const header = this.header ?? empty
    let pos = from
    while (pos < chunk.length) {
      header[this.headerSize++] = chunk[pos++]
      const size = this.parseHeader(header, 0, this.headerSize)
      if (size < 0) return pos
      if (size > 0) {
        this.headerSize = 0
        if (this.length === 0) {
          this.taken = pos
          this.violation = this.deliver(empty, 0, 0)
          return pos
        }
        return this.fill(this.beginPayload(this.gatherer(), chunk.length - pos), chunk, pos)
      }
    }
    return pos
  }

  /** Who copies the frame under way into its message, when it is a fragment and short enough to be given room at once. */
  private gatherer(): Assembler | undefined {
    const { fin, length, opcode, rsv } = this
    if (opcode > Opcode.binary || (fin && opcode !== Opcode.continuation) || length > allocateAtOnce) return undefined
    return this.sink.gather?.(opcode, rsv, length)
  }

  private beginPayload(message: Assembler | undefined, available: number): Buffer {
    this.begin = message === undefined ? 0 : message.size
    this.filled = 0
    this.chunks = available > 0 ? 1 : 0
    return (this.payload = message === undefined ? this.makeRoom(available) : message.reserve(this.length))
  }

  private makeRoom(available: number): Buffer {
    const size =
      this.length <= allocateAtOnce ? this.length : Math.max(allocateAtOnce, Math.min(this.length, 2 * available))
    return Buffer.allocUnsafeSlow(size)
  }

  /** Copies what the chunk has of the payload under way, and delivers the frame once it is whole. */
  private fill(room: Buffer, chunk: Buffer, from: number): number {
    let payload = room
    const { begin, filled } = this
    const count = Math.min(this.length - filled, chunk.length - from)
    const start = begin + filled
    const end = start + count
    if (end > payload.length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(this.length, Math.max(2 * payload.length, end)))
      payload.copy(grown, 0, 0, start)
      this.payload = payload = grown
    }
    chunk.copy(payload, start, from, from + count)
    if (this.server) applyMask(payload, start, end, this.key, filled)
    this.filled = filled + count
    if (this.filled === this.length) {
      this.payload = undefined
      this.taken = from + count
      this.violation = this.deliver(payload, begin, end, filled)
    } else if (this.isPlainText() && !this.validate(payload, start, end)) {
      this.violation = Violation.invalidUtf8
    }
    return from + count
  }

  /** Whether the frame under way carries text whose validity can be told byte by byte. */
  private isPlainText(): boolean {
    if (!this.validateText) return false
    return this.opcode === Opcode.text
      ? this.rsv === 0
      : this.opcode === Opcode.continuation && this.messageOpcode === Opcode.text && !this.compressed
  }

  private validate(bytes: Buffer, start: number, end: number): boolean {
    return (this.utf8 ??= new Utf8Validator()).push(bytes, start, end)
  }

  /** Hands a whole frame on. `validated` is how much of its text earlier chunks were checked for. */
  private deliver(bytes: Buffer, start: number, end: number, validated = 0): Violation.Violation | undefined {
    const { opcode, fin, rsv } = this
    if (opcode > Opcode.binary) {
      return (
        (opcode === Opcode.close ? validateClose(bytes, start, end, this.validateText) : undefined) ??
        this.sink.control(opcode, bytes, start, end)
      )
    }
    if (fin && opcode !== Opcode.continuation) {
      if (validated > 0) this.utf8?.reset()
      return this.sink.message(opcode, rsv, bytes, start, end)
    }
    if (this.isPlainText()) {
      if (!this.validate(bytes, start + validated, end)) return Violation.invalidUtf8
      if (fin && this.utf8?.complete === false) return Violation.invalidUtf8
    }
    if (fin) {
      this.messageOpcode = 0
      this.messageSize = 0
      this.utf8?.reset()
    } else {
      if (opcode !== Opcode.continuation) {
        this.messageOpcode = opcode
        this.compressed = rsv !== 0
      }
      this.messageSize += end - start
    }
    return this.sink.fragment(opcode, fin, rsv, bytes, start, end)
  }
}

/** RFC 6455 §5.5.1 and §7.4: no payload, or a code that may travel and a reason in UTF-8. */
const validateClose = (
  bytes: Buffer,
  start: number,
  end: number,
  validateText: boolean
): Violation.Violation | undefined => {
  if (end === start) return undefined
  const code = (bytes[start] << 8) | bytes[start + 1]
  if (!isWireCloseCode(code)) return Violation.invalidCloseCode(code)
  return validateText && end - start > 2 && !isUtf8(bytes.subarray(start + 2, end)) ? Violation.invalidUtf8 : undefined
}
