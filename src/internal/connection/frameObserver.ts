import type { MessageAssembler } from "../protocol/messageAssembler.ts"
import type { Capabilities, Encoder, FrameSink, Role } from "../protocol/codec.ts"
import { Opcode } from "../protocol/opcode.ts"
import type { OutputBuffer } from "../protocol/outputBuffer.ts"
import type { Violation } from "../protocol/protocolError.ts"

/**
 * A frame as it was sent: a compressed payload is not inflated, a masked one is shown unmasked.
 *
 * @category models
 * @since 0.1.0
 */
export interface WireFrame {
  /** Whether this side sent the frame or received it. */
  readonly direction: "sent" | "received"
  /** 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong (RFC 6455 §5.2). Hixie-76 has text and close. */
  readonly opcode: number
  /** Whether the frame is the last one of its message. */
  readonly fin: boolean
  /** RSV1 is 4, RSV2 is 2, RSV3 is 1. */
  readonly rsv: number
  /** Whether the payload was masked. */
  readonly masked: boolean
  /** The payload. Its bytes are borrowed: they stay valid until the call returns. */
  readonly payload: Uint8Array
}

/** Hears of each frame: when it was read whole, and when it is put in line to be written. Must not throw. */
export type OnFrame = (frame: WireFrame) => void

/** Tells an observer of what a decoder finds, before the sink hears of it. */
export class ObservedSink implements FrameSink {
  private readonly sink: FrameSink
  private readonly observe: OnFrame
  private readonly masked: boolean

  constructor(sink: FrameSink, role: Role, capabilities: Capabilities, observe: OnFrame) {
    this.sink = sink
    this.observe = observe
    this.masked = role === "server" && capabilities.masking
  }

  gather(opcode: number, rsv: number, length: number): MessageAssembler | undefined {
    return this.sink.gather?.(opcode, rsv, length)
  }

  message(opcode: number, rsv: number, bytes: Buffer, start: number, end: number): Violation | undefined {
    this.tell(opcode, true, rsv, bytes, start, end)
    return this.sink.message(opcode, rsv, bytes, start, end)
  }

  fragment(
    opcode: number,
    fin: boolean,
    rsv: number,
    bytes: Buffer,
    start: number,
    end: number
  ): Violation | undefined {
    this.tell(opcode, fin, rsv, bytes, start, end)
    return this.sink.fragment(opcode, fin, rsv, bytes, start, end)
  }

  control(opcode: number, bytes: Buffer, start: number, end: number): Violation | undefined {
    this.tell(opcode, true, 0, bytes, start, end)
    return this.sink.control(opcode, bytes, start, end)
  }

  private tell(opcode: number, fin: boolean, rsv: number, bytes: Buffer, start: number, end: number): void {
    const payload = bytes.subarray(start, end)
    this.observe({ direction: "received", opcode, fin, rsv, masked: this.masked, payload })
  }
}

/** Tells an observer of what is encoded. */
export class ObservedEncoder implements Encoder {
  private readonly encoder: Encoder
  private readonly observe: OnFrame
  private readonly masked: boolean

  constructor(encoder: Encoder, role: Role, capabilities: Capabilities, observe: OnFrame) {
    this.encoder = encoder
    this.observe = observe
    this.masked = role === "client" && capabilities.masking
  }

  text(out: OutputBuffer, opcode: number, fin: boolean, text: string): void {
    this.encoder.text(out, opcode, fin, text)
    this.tell(opcode, fin, 0, Buffer.from(text))
  }

  frame(out: OutputBuffer, opcode: number, fin: boolean, rsv: number, payload: Uint8Array): void {
    this.encoder.frame(out, opcode, fin, rsv, payload)
    this.tell(opcode, fin, rsv, payload)
  }

  close(out: OutputBuffer, payload: Uint8Array): void {
    this.encoder.close(out, payload)
    this.tell(Opcode.close, true, 0, payload)
  }

  private tell(opcode: number, fin: boolean, rsv: number, payload: Uint8Array): void {
    this.observe({ direction: "sent", opcode, fin, rsv, masked: this.masked, payload })
  }
}
