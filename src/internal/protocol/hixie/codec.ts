import { MessageAssembler } from "../messageAssembler.ts"
import type { Borrowed, Capabilities, Codec, DecoderOptions, Encoder, FrameSink } from "../codec.ts"
import { Opcode } from "../opcode.ts"
import type { OutputBuffer } from "../outputBuffer.ts"
import { referenceSize } from "../outputBuffer.ts"
import { ResumableDecoder } from "../resumableDecoder.ts"
import { Utf8Validator } from "../utf8.ts"
import * as Violation from "../protocolError.ts"

/** Where the draft tells how a server reads; §4.2 says the same of a client. */
const section = "draft-hixie-thewebsocketprotocol-76 §5.3"

/** Digits of seven bits that a length may have: it stays exact, and a run of zero digits ends. */
const maxLengthDigits = 7

/** Text from this many UTF-16 units on is measured before it is written, not after. */
const measureFrom = 16 * 1024

const closingType = 0xff
const terminator = 0xff

const empty = Buffer.alloc(0)

/** What the next byte belongs to. */
type State =
  /** The type of a frame. */
  | "type"
  /** Text, up to the terminator. */
  | "text"
  /** A frame of an unknown type without a length, up to the terminator. */
  | "unknown"
  /** The length of a frame that has one. */
  | "length"
  /** The payload of a frame that has a length. */
  | "payload"

/**
 * Reads the framing of draft-hixie-thewebsocketprotocol-76 §4.2 and §5.3: text between 00 and FF, and frames with a
 * length. The draft knows one of the latter, the closing frame FF 00, and has all others, and those of the types 01
 * to 7F, read and discarded. Whatever is read is bounded by the size of a message, discarded or not. The draft puts
 * U+FFFD where text isn't UTF-8; here that ends the connection, as RFC 6455 §8.1 has it.
 */
export class HixieDecoder extends ResumableDecoder {
  private readonly sink: FrameSink
  private readonly maxMessageSize: number
  private readonly validateText: boolean
  private state: State = "type"

  // A frame that ends with a terminator: its size so far, and its text when an earlier chunk began it.
  private size = 0
  private text: MessageAssembler | undefined = undefined
  private utf8: Utf8Validator | undefined = undefined

  // A frame with a length: the length so far, then how much of the payload is left.
  private closing = false
  private length = 0
  private digits = 0

  constructor(sink: FrameSink, options: DecoderOptions) {
    super()
    this.sink = sink
    this.maxMessageSize = options.maxMessageSize
    this.validateText = options.skipUtf8Validation !== true
  }

  get partial(): boolean {
    return this.state !== "type"
  }

  get partialSize(): number {
    return this.text?.size ?? 0
  }

  protected get roomAhead(): undefined {
    return undefined
  }

  protected parse(chunk: Buffer, borrowed: Borrowed | undefined): number {
    if (borrowed !== undefined) return 0
    let pos = 0
    while (pos < chunk.length && this.violation === undefined) {
      if (this.suspended) return pos
      pos = this.step(chunk, pos)
    }
    return chunk.length
  }

  protected release(): void {
    this.text = this.utf8 = undefined
  }

  /** Reads on within one state, and answers how far it came. */
  private step(chunk: Buffer, pos: number): number {
    switch (this.state) {
      case "type": {
        this.begin(chunk[pos])
        return pos + 1
      }
      case "text":
      case "unknown": {
        return this.readDelimited(chunk, pos)
      }
      case "length": {
        this.taken = pos + 1
        this.readDigit(chunk[pos])
        return pos + 1
      }
      case "payload": {
        const count = Math.min(this.length, chunk.length - pos)
        this.length -= count
        if (this.length === 0) this.state = "type"
        return pos + count
      }
    }
  }

  private begin(type: number): void {
    if (type < 0x80) {
      this.state = type === 0 ? "text" : "unknown"
      this.size = 0
    } else {
      this.state = "length"
      this.closing = type === closingType
      this.length = this.digits = 0
    }
  }

  private readDigit(byte: number): void {
    const length = this.length * 128 + (byte & 0x7f)
    if (length > this.maxMessageSize) {
      this.violation = Violation.messageTooLarge(this.maxMessageSize)
    } else if (byte > 0x7f) {
      this.length = length
      if (++this.digits === maxLengthDigits) {
        this.violation = Violation.malformedFrame(section, `a length has more than ${maxLengthDigits} digits`)
      }
    } else {
      this.length = length
      this.state = length === 0 ? "type" : "payload"
      if (length === 0 && this.closing) this.violation = this.sink.control(Opcode.close, empty, 0, 0)
    }
  }

  private readDelimited(chunk: Buffer, pos: number): number {
    const found = chunk.indexOf(terminator, pos)
    const end = found < 0 ? chunk.length : found
    const size = this.size + end - pos
    if (size > this.maxMessageSize) {
      // Bad text within the limit comes before the byte beyond it, however the bytes were cut.
      const limit = pos + this.maxMessageSize - this.size
      this.violation = this.isValid(chunk, pos, limit)
        ? Violation.messageTooLarge(this.maxMessageSize)
        : Violation.invalidUtf8
    } else if (found < 0) {
      this.size = size
      if (!this.isValid(chunk, pos, end)) this.violation = Violation.invalidUtf8
      else if (this.state === "text") (this.text ??= new MessageAssembler(Opcode.text, 0, size)).append(chunk, pos, end)
    } else {
      this.taken = found + 1
      this.deliver(chunk, pos, end)
      return found + 1
    }
    return end
  }

  /** Whether the bytes may stand in the frame under way, of which more may follow. */
  private isValid(chunk: Buffer, start: number, end: number): boolean {
    if (this.state !== "text" || !this.validateText) return true
    return (this.utf8 ??= new Utf8Validator()).push(chunk, start, end)
  }

  /** Hands on the text that ends here, which the sink validates as a whole. */
  private deliver(chunk: Buffer, start: number, end: number): void {
    const { state, text } = this
    this.state = "type"
    if (state !== "text") return
    if (text === undefined) {
      this.violation = this.sink.message(Opcode.text, 0, chunk, start, end)
      return
    }
    text.append(chunk, start, end)
    this.text = undefined
    this.utf8?.reset()
    const whole = text.take()
    this.violation = this.sink.message(Opcode.text, 0, whole, 0, whole.length)
  }
}

const demandText = (opcode: number, fin: boolean, rsv: number): void => {
  if (opcode !== Opcode.text || !fin || rsv !== 0) {
    throw new TypeError("Hixie-76 has whole text messages and the closing frame, nothing else")
  }
}

/** Frames as both sides send them: nothing is masked. What the draft can't say is the caller's to refuse before. */
export class HixieEncoder implements Encoder {
  text(out: OutputBuffer, opcode: number, fin: boolean, text: string): void {
    demandText(opcode, fin, 0)
    const room = text.length < measureFrom ? 3 * text.length : Buffer.byteLength(text)
    const at = out.reserve(room + 2)
    const { buffer } = out
    const length = buffer.write(text, at + 1, "utf8")
    buffer[at] = 0
    buffer[at + 1 + length] = terminator
    out.commit(length + 2)
  }

  /** `payload` is UTF-8, so the terminator can't stand in it. */
  frame(out: OutputBuffer, opcode: number, fin: boolean, rsv: number, payload: Uint8Array): void {
    demandText(opcode, fin, rsv)
    if (payload.includes(terminator)) throw new TypeError("the payload of a Hixie-76 frame is not UTF-8")
    const { length } = payload
    if (length >= referenceSize) {
      this.byte(out, 0)
      out.reference(payload)
      this.byte(out, terminator)
      return
    }
    const at = out.reserve(length + 2)
    const { buffer } = out
    buffer[at] = 0
    buffer.set(payload, at + 1)
    buffer[at + 1 + length] = terminator
    out.commit(length + 2)
  }

  /** The closing frame of §5.3, FF 00. It has no room for a code or a reason. */
  close(out: OutputBuffer, _payload: Uint8Array): void {
    const at = out.reserve(2)
    out.buffer[at] = closingType
    out.buffer[at + 1] = 0
    out.commit(2)
  }

  private byte(out: OutputBuffer, value: number): void {
    const at = out.reserve(1)
    out.buffer[at] = value
    out.commit(1)
  }
}

const capabilities: Capabilities = {
  binary: false,
  ping: false,
  closeCode: false,
  fragments: false,
  masking: false,
  extensions: false
}

const encoder: Encoder = new HixieEncoder()

/** The framing of Hixie-76, draft-hixie-thewebsocketprotocol-76 §4.2 and §5.3 (HyBi-00 is the same). */
export const hixie76: Codec = {
  capabilities,
  decoder: (sink, options) => new HixieDecoder(sink, options),
  encoder: () => encoder
}
