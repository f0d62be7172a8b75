import { MessageAssembler } from "../../internal/protocol/messageAssembler.ts"
import { decodeClose } from "../../internal/protocol/closeFrame.ts"
import type { FrameSink } from "../../internal/protocol/codec.ts"
import { HybiDecoder } from "../../internal/protocol/hybi/decoder.ts"
import { Opcode } from "../../internal/protocol/opcode.ts"
import { decodeUtf8 } from "../../internal/protocol/utf8.ts"
import * as Violation from "../../internal/protocol/protocolError.ts"
import { defaultMaxPayload } from "./link.ts"
import { reasonOf } from "./reasons.ts"
import type { ControlFlags, Flags } from "./types.ts"

const nothing = Buffer.alloc(0)

/**
 * Reads HyBi frames out of bytes (RFC 6455 §5), and calls what is put into its `on…` properties. It reads what either side
 * sends: whether the first frame is masked settles which. A `WebSocket` has no need of it.
 *
 * @category classes
 * @since 0.1.0
 */
export class Receiver {
  /** Called with each text message. */
  ontext: (text: string, flags: Flags) => void = () => {}
  /** Called with each binary message. */
  onbinary: (data: Buffer, flags: Flags) => void = () => {}
  /** The code is 1000 when the frame has none. Nothing is read after it. */
  onclose: (code: number, message: string, flags: { readonly masked: boolean }) => void = () => {}
  /** Called with each ping. */
  onping: (data: Buffer | null, flags: ControlFlags) => void = () => {}
  /** Called with each pong. */
  onpong: (data: Buffer | null, flags: ControlFlags) => void = () => {}
  /** Nothing is read after it. */
  onerror: (reason: string, closeCode: number) => void = () => {}
  /** Whether `cleanup` was called. */
  dead = false
  private state: Reading | undefined = undefined
  /** What came before the byte that has the mask bit. */
  private head = nothing

  /** Takes the next bytes; they are not changed. */
  add(data: Uint8Array): void {
    if (this.dead || data.length === 0) return
    if (this.state !== undefined) return this.state.feed(Buffer.from(data))
    const chunk = Buffer.concat([this.head, data])
    const second = chunk[1]
    if (second === undefined) {
      this.head = chunk
      return
    }
    this.head = nothing
    this.state = new Reading(this, second > 0x7f)
    this.state.feed(chunk)
  }

  /** Reads no more, and forgets what was read. */
  cleanup(): void {
    this.dead = true
    this.state = undefined
    this.head = nothing
  }
}

/** What a receiver has read of one side's frames. */
class Reading implements FrameSink {
  private readonly receiver: Receiver
  private readonly masked: boolean
  private readonly decoder: HybiDecoder
  private assembler: MessageAssembler | undefined = undefined
  private over = false

  constructor(receiver: Receiver, masked: boolean) {
    this.receiver = receiver
    this.masked = masked
    this.decoder = new HybiDecoder(this, {
      role: masked ? "server" : "client",
      maxMessageSize: defaultMaxPayload,
      allowedRsv: 0,
      minimalLength: false
    })
  }

  feed(chunk: Buffer): void {
    if (this.over) return
    const violation = this.decoder.feed(chunk)
    if (violation === undefined || this.over || this.receiver.dead) return
    this.over = true
    this.receiver.onerror(reasonOf(violation), violation.closeCode)
  }

  message(opcode: number, _: number, bytes: Buffer, start: number, end: number): Violation.Violation | undefined {
    const { masked, receiver } = this
    if (receiver.dead) return undefined
    const buffer = bytes.subarray(start, end)
    if (opcode === Opcode.binary) {
      receiver.onbinary(buffer, { masked, buffer })
      return undefined
    }
    const text = decodeUtf8(bytes, start, end)
    if (text === undefined) return Violation.invalidUtf8
    receiver.ontext(text, { masked, buffer })
    return undefined
  }

  fragment(
    opcode: number,
    fin: boolean,
    _: number,
    bytes: Buffer,
    start: number,
    end: number
  ): Violation.Violation | undefined {
    const assembler = (this.assembler ??= new MessageAssembler(opcode, 0, end - start))
    assembler.append(bytes, start, end)
    if (!fin) return undefined
    this.assembler = undefined
    const whole = assembler.take()
    return this.message(assembler.opcode, 0, whole, 0, whole.length)
  }

  control(opcode: number, bytes: Buffer, start: number, end: number): undefined {
    const { masked, receiver } = this
    if (receiver.dead) return
    if (opcode === Opcode.close) {
      this.over = true
      this.decoder.suspend()
      const { code = 1000, reason } = decodeClose(bytes, start, end)
      receiver.onclose(code, reason, { masked })
      return
    }
    const data = end === start ? null : bytes.subarray(start, end)
    const flags: ControlFlags = { masked, binary: true }
    if (opcode === Opcode.ping) receiver.onping(data, flags)
    else receiver.onpong(data, flags)
  }
}
