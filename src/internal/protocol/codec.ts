import type { MessageAssembler } from "./messageAssembler.ts"
import type { OutputBuffer } from "./outputBuffer.ts"
import type { Violation } from "./protocolError.ts"

/**
 * How long a borrowed chunk stays valid: until the call returns, or until the first event is delivered, whichever comes
 * first.
 */
export type Borrowed = "call" | "delivery"

/** The side of the connection that we are. */
export type Role = "client" | "server"

/**
 * Where a decoder puts what it found. `bytes[start, end)` is the payload,
 * unmasked; it stays valid after the call, and nobody writes to it again.
 * Each call may answer with a violation, which stops the decoder for good.
 */
export interface FrameSink {
  /** Where a fragment of `length` bytes that is about to come is copied to anyway, so that it may be put there at once. */
  gather?(opcode: number, rsv: number, length: number): MessageAssembler | undefined
  /** Whether a frame of which `length` bytes are still to come is delivered in fragments, as its bytes come. Default: never. */
  splits?(rsv: number, length: number): boolean
  /** A whole message in one frame: opcode text or binary, FIN set. Text is not yet validated: the sink does that. */
  message(opcode: number, rsv: number, bytes: Buffer, start: number, end: number): Violation | undefined
  /** One frame of a message in several frames: text or binary opens it, continuations follow. Uncompressed text was validated. */
  fragment(opcode: number, fin: boolean, rsv: number, bytes: Buffer, start: number, end: number): Violation | undefined
  /** A close, ping or pong frame. The payload of a close frame was validated. */
  control(opcode: number, bytes: Buffer, start: number, end: number): Violation | undefined
}

export interface DecoderOptions {
  readonly role: Role
  /** Longest message in bytes, all fragments together, as they stand on the wire. */
  readonly maxMessageSize: number
  /** Bits that a negotiated extension gave a meaning on the first frame of a message: RSV1 is 4. */
  readonly allowedRsv: number
  /** Whether text and close reasons may be anything. Default `false`. */
  readonly skipUtf8Validation?: boolean | undefined
  /**
   * Whether a length must stand in its shortest form and below 2^63, as RFC 6455 §5.2 says. On unless `false`: then one
   * beyond 2^53 - 1 is too large, not wrong.
   */
  readonly minimalLength?: boolean | undefined
  /** Most chunks in which the payload of one frame may come. Default: no limit, since chunks cost no more than their bytes. */
  readonly maxChunks?: number | undefined
}

/** Bytes to frames, one chunk after the other. Unmasks in place: the chunk is the decoder's, for a while only when it is borrowed. */
export interface Decoder {
  /** Takes the next bytes. After a violation it does nothing, and answers with the same one again. */
  feed(chunk: Buffer, borrowed?: Borrowed): Violation | undefined
  /**
   * Stops after the frame that is being delivered, and keeps what follows until `resume`. Called from inside a sink:
   * while a large message inflates elsewhere, or when the consumer has enough for now.
   */
  suspend(): void
  /** Goes on with what was kept. */
  resume(): Violation | undefined
  /** Goes on with options that differ from its own in nothing but `maxMessageSize`. */
  limit?(options: DecoderOptions): void
  readonly suspended: boolean
  /** What stopped it. */
  readonly violation: Violation | undefined
  /** Whether the bytes so far end inside a frame or a message. */
  readonly partial: boolean
  /** Bytes that are kept of the frame under way. */
  readonly partialSize: number
  /** Memory of the payload under way into which the next bytes may be read, if there is any: they are fed all the same. */
  readonly readTarget: Buffer | undefined
  /** Whether nothing is kept at all, so that any other decoder could go on in its place. */
  readonly atRest: boolean
}

/** Frames to bytes. Each call appends one whole frame to the output. */
export interface Encoder {
  /** One data frame of text, encoded as UTF-8. */
  text(out: OutputBuffer, opcode: number, fin: boolean, text: string): void
  /** One frame. `rsv` counts RSV1 as 4. */
  frame(out: OutputBuffer, opcode: number, fin: boolean, rsv: number, payload: Uint8Array): void
  /** The closing frame of the draft; `payload` is code and reason where the draft has them. */
  close(out: OutputBuffer, payload: Uint8Array): void
}

/** What a draft can say on the wire. */
export interface Capabilities {
  /** Messages of bytes. */
  readonly binary: boolean
  /** Ping and pong frames. */
  readonly ping: boolean
  /** A close code and a reason in the closing frame. */
  readonly closeCode: boolean
  /** Messages in several frames. */
  readonly fragments: boolean
  /** Clients mask what they send. */
  readonly masking: boolean
  /** `Sec-WebSocket-Extensions`. */
  readonly extensions: boolean
}

/** The wire format of a draft. */
export interface Codec {
  readonly capabilities: Capabilities
  decoder(sink: FrameSink, options: DecoderOptions): Decoder
  /** Takes back a decoder at rest, to serve another sink with the same options. */
  recycle?(decoder: Decoder): void
  encoder(role: Role): Encoder
}
