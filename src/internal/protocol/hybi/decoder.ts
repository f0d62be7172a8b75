import { isUtf8 } from "node:buffer"
import { HeaderReader, type MessageUnderWay } from "./header.ts"
import type { MessageAssembler } from "../messageAssembler.ts"
import { isWireCloseCode } from "../closeCode.ts"
import type { Borrowed, DecoderOptions, FrameSink } from "../codec.ts"
import { applyMask } from "../mask.ts"
import { Opcode } from "../opcode.ts"
import { ResumableDecoder } from "../resumableDecoder.ts"
import { Utf8Validator } from "../utf8.ts"
import * as Violation from "../protocolError.ts"

/** A frame cut by a chunk's end gets room for its whole payload at once up to this many bytes; longer ones grow into it. */
const allocateAtOnce = 1024 * 1024

/** A message that is whole in a borrowed chunk is copied by itself from this many bytes on; smaller ones together. */
const copiedFrom = 4 * 1024

/** The rest of a payload is read into its place from this many bytes on. */
const readAheadFrom = 32 * 1024

const empty = Buffer.alloc(0)

/**
 * Reads the framing of RFC 6455 §5. A frame that is whole in its chunk is handed on where it stands; one that is
 * cut is gathered in a buffer of its own, or in its message's, after its length was checked. Every check is made at
 * the first byte that settles it, so that the same bytes, however they are cut, end in the same frames and the same
 * violation.
 */
export class HybiDecoder extends ResumableDecoder implements MessageUnderWay {
  options: DecoderOptions
  private sink: FrameSink
  private readonly server: boolean
  private readonly validateText: boolean
  private readonly maxChunks: number
  /** The header of the frame under way. */
  private readonly header: HeaderReader
  /** Its payload so far, when the chunk ended inside that, and where in this memory it begins. */
  private payload: Buffer | undefined = undefined
  private begin = 0
  private filled = 0
  /** The chunks that it came in. */
  private chunks = 0

  // MessageUnderWay, when the message has more than one frame.
  messageOpcode = 0
  messageSize = 0
  private compressed = false
  private utf8: Utf8Validator | undefined = undefined

  constructor(sink: FrameSink, options: DecoderOptions) {
    super()
    this.sink = sink
    this.options = options
    this.server = options.role === "server"
    this.header = new HeaderReader(options)
    this.validateText = options.skipUtf8Validation !== true
    this.maxChunks = options.maxChunks ?? Infinity
  }

  get partial(): boolean {
    return this.header.kept > 0 || this.payload !== undefined || this.messageOpcode !== 0
  }

  get partialSize(): number {
    return this.payload === undefined ? 0 : this.filled
  }

  protected get roomAhead(): Buffer | undefined {
    const { begin, filled, payload } = this
    if (payload === undefined || this.chunks >= this.maxChunks) return undefined
    const start = begin + filled
    const end = Math.min(begin + this.header.length, payload.length)
    return end - start < readAheadFrom ? undefined : payload.subarray(start, end)
  }

  /** Reads for another sink from now on. */
  serve(sink: FrameSink): void {
    this.sink = sink
  }

  limit(options: DecoderOptions): void {
    this.options = options
    this.header.limit(options.maxMessageSize)
  }

  protected parse(chunk: Buffer, borrowed: Borrowed | undefined): number {
    const end = chunk.length
    let pos = 0
    if (borrowed === "delivery" && this.tellsInside(end)) return 0
    if (this.payload !== undefined) {
      if (this.chunks++ >= this.maxChunks) this.violation = Violation.tooManyParts("chunks", this.maxChunks)
      else pos = this.fill(this.payload, chunk, pos)
    } else if (this.header.kept > 0) {
      pos = this.gatherHeader(chunk, pos)
    }
    while (pos < end && this.violation === undefined) {
      if (this.suspended) return pos
      const { header } = this
      const size = header.read(chunk, pos, end - pos, this)
      if (size === 0) {
        header.keep(chunk, pos)
        break
      }
      if (size < 0) {
        this.violation = header.violation
        break
      }
      const after = pos + size + header.length
      const whole = after <= end
      if (whole && borrowed === undefined) {
        pos += size
        if (this.server && header.length > 0) applyMask(chunk, pos, after, header.key, 0)
        this.taken = after
        this.violation = this.deliver(chunk, pos, after)
        pos = after
      } else {
        if (after < end && borrowed === "delivery") return pos
        const message = this.gatherer()
        if (whole && message === undefined && header.length < copiedFrom) return pos
        pos += size
        pos = this.fill(this.beginPayload(message, end - pos), chunk, pos)
      }
    }
    return end
  }

  /** Whether what earlier chunks began may be told before the end of one of `length` bytes. */
  private tellsInside(length: number): boolean {
    return this.payload === undefined ? this.header.kept > 0 : this.header.length - this.filled < length
  }

  protected release(): void {
    this.payload = this.utf8 = undefined
  }

  /** Completes a header that an earlier chunk began, and what it announces. Answers how far it read. */
  private gatherHeader(chunk: Buffer, from: number): number {
    const { header } = this
    let pos = from
    while (pos < chunk.length) {
      const size = header.complete(chunk[pos++], this)
      if (size < 0) {
        this.violation = header.violation
        return pos
      }
      if (size > 0) {
        if (header.length === 0) {
          this.taken = pos
          this.violation = this.deliver(empty, 0, 0)
          return pos
        }
        return this.fill(this.beginPayload(this.gatherer(), chunk.length - pos), chunk, pos)
      }
    }
    return pos
  }

  /** The message that the frame under way is copied into, when it is a fragment and short enough to be given room at once. */
  private gatherer(): MessageAssembler | undefined {
    const { fin, length, opcode, rsv } = this.header
    if (opcode > Opcode.binary || (fin && opcode !== Opcode.continuation) || length > allocateAtOnce) return undefined
    return this.sink.gather?.(opcode, rsv, length)
  }

  private beginPayload(message: MessageAssembler | undefined, available: number): Buffer {
    this.begin = message === undefined ? 0 : message.size
    this.filled = 0
    this.chunks = available > 0 ? 1 : 0
    if (message === undefined) return (this.payload = this.splits() ? empty : this.makeRoom(available))
    return (this.payload = message.reserve(this.header.length))
  }

  private makeRoom(available: number): Buffer {
    const { length } = this.header
    const size = length <= allocateAtOnce ? length : Math.max(allocateAtOnce, Math.min(length, 2 * available))
    return Buffer.allocUnsafeSlow(size)
  }

  /** Copies what the chunk has of the payload under way, and delivers the frame once it is whole. */
  private fill(room: Buffer, chunk: Buffer, from: number): number {
    let payload = room
    const { begin, filled } = this
    const { key, length } = this.header
    const count = Math.min(length - filled, chunk.length - from)
    const start = begin + filled
    const end = start + count
    if (end > payload.length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(length, Math.max(2 * payload.length, end)))
      payload.copy(grown, 0, 0, start)
      this.payload = payload = grown
    }
    // What was read into its place stands there already.
    const inPlace = chunk.buffer === payload.buffer && chunk.byteOffset + from === payload.byteOffset + start
    if (!inPlace) chunk.copy(payload, start, from, from + count)
    if (this.server) applyMask(payload, start, end, key, filled)
    this.filled = filled + count
    if (this.filled === length) {
      this.payload = undefined
      this.taken = from + count
      this.violation = this.deliver(payload, begin, end, filled)
    } else if (begin === 0 && this.splits()) {
      this.taken = from + count
      this.split(payload, filled)
    } else if (this.isPlainText() && !this.validate(payload, start, end)) {
      this.violation = Violation.invalidUtf8
    }
    return from + count
  }

  private splits(): boolean {
    const { length, opcode, rsv } = this.header
    return opcode <= Opcode.binary && this.sink.splits?.(rsv, length) === true
  }

  /** Delivers what has come of the frame under way as a fragment, and the rest of it as what continues that. */
  private split(payload: Buffer, validated: number): void {
    const { filled, header } = this
    const { fin } = header
    this.payload = empty
    this.filled = 0
    header.fin = false
    this.violation = this.deliver(payload, 0, filled, validated)
    header.fin = fin
    header.split(filled)
  }

  /** Whether the frame under way carries text whose validity can be told byte by byte. */
  private isPlainText(): boolean {
    if (!this.validateText) return false
    const { opcode, rsv } = this.header
    return opcode === Opcode.text
      ? rsv === 0
      : opcode === Opcode.continuation && this.messageOpcode === Opcode.text && !this.compressed
  }

  private validate(bytes: Buffer, start: number, end: number): boolean {
    return (this.utf8 ??= new Utf8Validator()).push(bytes, start, end)
  }

  /** Hands a whole frame on. `validated` is how much of its text earlier chunks were checked for. */
  private deliver(bytes: Buffer, start: number, end: number, validated = 0): Violation.Violation | undefined {
    const { opcode, fin, rsv } = this.header
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
