/**
 * What a frame is (RFC 6455 §5): a tagged union of plain values with its Schema, and the codec between bytes and
 * frames. Nothing here reads from a socket: bytes go in, frames come out, and any cut of the bytes gives the same
 * frames or the same error.
 */
import * as Channel from "effect/Channel"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Schema from "effect/Schema"
import type { NonEmptyReadonlyArray } from "effect/Array"
import { MessageAssembler } from "./internal/protocol/messageAssembler.ts"
import { decodeClose, encodeClose } from "./internal/protocol/closeFrame.ts"
import { isWireCloseCode, maxReasonSize } from "./internal/protocol/closeCode.ts"
import type { FrameSink, Role } from "./internal/protocol/codec.ts"
import { HybiDecoder } from "./internal/protocol/hybi/decoder.ts"
import { encodeFrame } from "./internal/protocol/hybi/encoder.ts"
import { randomKey } from "./internal/protocol/mask.ts"
import { Opcode } from "./internal/protocol/opcode.ts"
import { decodeUtf8, Utf8Validator } from "./internal/protocol/utf8.ts"
import * as Violation from "./internal/protocol/protocolError.ts"

/** Longest payload of a control frame, in bytes (RFC 6455 §5.5). */
export const maxControlSize = 125

const maxControlPayload = Schema.Uint8Array.check(
  Schema.makeFilter((payload: Uint8Array) => payload.length <= maxControlSize, {
    expected: `a control frame's payload of at most ${maxControlSize} bytes`
  })
)

const dataFields = {
  /** Whether this is the last frame of its message. */
  fin: Schema.Boolean,
  /** The reserved bits as a number: RSV1 is 4, RSV2 is 2, RSV3 is 1. 0 unless an extension gave them a meaning. */
  rsv: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 7 })),
  /** The payload, not masked. */
  payload: Schema.Uint8Array
}

const controlFields = { fin: Schema.Literal(true), rsv: Schema.Literal(0), payload: maxControlPayload }

/** The first frame of a text message; the whole message when `fin` is set (RFC 6455 §5.6). */
export const Text = Schema.TaggedStruct("Text", dataFields)
export type Text = typeof Text.Type

/** The first frame of a binary message; the whole message when `fin` is set (RFC 6455 §5.6). */
export const Binary = Schema.TaggedStruct("Binary", dataFields)
export type Binary = typeof Binary.Type

/** A further frame of the message under way (RFC 6455 §5.4). */
export const Continuation = Schema.TaggedStruct("Continuation", dataFields)
export type Continuation = typeof Continuation.Type

/** A ping; the peer answers with a pong of the same payload (RFC 6455 §5.5.2). */
export const Ping = Schema.TaggedStruct("Ping", controlFields)
export type Ping = typeof Ping.Type

/** The answer to a ping, or a sign of life nobody asked for (RFC 6455 §5.5.3). */
export const Pong = Schema.TaggedStruct("Pong", controlFields)
export type Pong = typeof Pong.Type

/** The closing handshake (RFC 6455 §5.5.1). Its payload is the code, then the reason in UTF-8; or nothing. */
export const Close = Schema.TaggedStruct("Close", {
  ...controlFields,
  /** The close code, or `undefined` when the payload is empty. */
  code: Schema.UndefinedOr(
    Schema.Int.check(
      Schema.makeFilter((code: number) => isWireCloseCode(code), { expected: "a close code that may travel" })
    )
  ),
  /** The reason, at most 123 bytes of UTF-8. */
  reason: Schema.String
}).check(
  Schema.makeFilter(
    ({ code, payload, reason }) =>
      closeViolation(code, reason) === undefined && Buffer.compare(payload, encodeClose({ code, reason })) === 0,
    { expected: "a close frame whose payload is its code and reason" }
  )
)
export type Close = typeof Close.Type

/** The Schema of a frame. */
export const Frame = Schema.Union([Text, Binary, Continuation, Ping, Pong, Close])

/** A frame: a plain value with a `_tag`. */
export type Frame = Text | Binary | Continuation | Ping | Pong | Close

/** A frame that carries a message, or a part of one. */
export type DataFrame = Text | Binary | Continuation

/** A frame about the connection. */
export type ControlFrame = Ping | Pong | Close

/** Registered close codes (RFC 6455 §7.4.1 and the registry it set up). */
export const CloseCode = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  unsupportedData: 1003,
  /** Stands for a close frame without a code; never travels. */
  noStatus: 1005,
  /** Stands for a connection that ended without a close frame; never travels. */
  abnormal: 1006,
  invalidPayload: 1007,
  policyViolation: 1008,
  messageTooBig: 1009,
  mandatoryExtension: 1010,
  internalError: 1011,
  serviceRestart: 1012,
  tryAgainLater: 1013,
  badGateway: 1014
} as const

/** Whether a close code may stand in a close frame: 1000–1003, 1007–1014, 3000–4999 (RFC 6455 §7.4). */
export const isValidCloseCode = (code: number): boolean => isWireCloseCode(code)

/** What is wrong with bytes, or with a frame that can't be sent. Each kind names its section and its close code. */
export type FrameErrorReason = Violation.Violation

/**
 * Bytes that are no frames, or a frame that may not be sent. `reason` says which rule is broken; `closeCode` is how
 * a connection ends for it.
 */
export class FrameError extends Data.TaggedError("FrameError")<{ readonly reason: FrameErrorReason }> {
  override get message(): string {
    return `${this.reason.message} (${this.reason.section})`
  }

  /** The close code that answers this error. */
  get closeCode(): FrameErrorReason["closeCode"] {
    return this.reason.closeCode
  }
}

/** How a data frame stands in its message. */
export interface DataOptions {
  /** Whether it is the last frame of its message. Default `true`. */
  readonly fin?: boolean | undefined
  /** The reserved bits: RSV1 is 4, RSV2 is 2, RSV3 is 1. Default 0. */
  readonly rsv?: number | undefined
}

const bytesOf = (payload: string | Uint8Array): Uint8Array =>
  typeof payload === "string" ? new TextEncoder().encode(payload) : expectBytes(payload)

/** Callers without types give anything, and what has no length would be written with one of its own. */
const expectBytes = (payload: unknown): Uint8Array => {
  if (payload instanceof Uint8Array) return payload
  throw new TypeError(`a payload is a string or a Uint8Array, not ${typeof payload}`)
}

/** A text frame. */
export const text = (content: string, options?: DataOptions): Text => ({
  _tag: "Text",
  fin: options?.fin ?? true,
  rsv: options?.rsv ?? 0,
  payload: bytesOf(content)
})

/** A binary frame. */
export const binary = (payload: Uint8Array, options?: DataOptions): Binary => ({
  _tag: "Binary",
  fin: options?.fin ?? true,
  rsv: options?.rsv ?? 0,
  payload: expectBytes(payload)
})

/** A continuation frame; the last one of its message unless `fin` is `false`. */
export const continuation = (payload: string | Uint8Array, options?: DataOptions): Continuation => ({
  _tag: "Continuation",
  fin: options?.fin ?? true,
  rsv: options?.rsv ?? 0,
  payload: bytesOf(payload)
})

const controlPayload = (opcode: number, payload: string | Uint8Array | undefined): Uint8Array => {
  const bytes = bytesOf(payload ?? "")
  if (bytes.length > maxControlSize) throw new FrameError({ reason: Violation.controlTooLong(opcode) })
  return bytes
}

/** A ping frame. Throws a `FrameError` for a payload of more than 125 bytes. */
export const ping = (payload?: string | Uint8Array): Ping => ({
  _tag: "Ping",
  fin: true,
  rsv: 0,
  payload: controlPayload(Opcode.ping, payload)
})

/** A pong frame. Throws a `FrameError` for a payload of more than 125 bytes. */
export const pong = (payload?: string | Uint8Array): Pong => ({
  _tag: "Pong",
  fin: true,
  rsv: 0,
  payload: controlPayload(Opcode.pong, payload)
})

/**
 * A close frame. Throws a `FrameError` for a code that may not travel, for a reason of more than 123 bytes, and for
 * a reason without a code.
 */
export const close = (code?: number, reason = ""): Close => {
  const violation = closeViolation(code, reason)
  if (violation !== undefined) throw new FrameError({ reason: violation })
  return { _tag: "Close", fin: true, rsv: 0, code, reason, payload: encodeClose({ code, reason }) }
}

/** What keeps a close frame from being sent; `undefined` when nothing does. */
export const closeViolation = (code: number | undefined, reason: string): FrameErrorReason | undefined => {
  if (code === undefined) return reason === "" ? undefined : Violation.invalidClosePayload
  if (!isValidCloseCode(code)) return Violation.invalidCloseCode(code)
  return Buffer.byteLength(reason) > maxReasonSize ? Violation.controlTooLong(Opcode.close) : undefined
}

const opcodes = {
  Continuation: Opcode.continuation,
  Text: Opcode.text,
  Binary: Opcode.binary,
  Close: Opcode.close,
  Ping: Opcode.ping,
  Pong: Opcode.pong
} as const

/** The opcode of a frame on the wire (RFC 6455 §5.2). */
export const opcode = (frame: Frame): number => opcodes[frame._tag]

/** Whether a frame is about the connection, not part of a message. */
export const isControl = (frame: Frame): frame is ControlFrame => opcode(frame) >= Opcode.close

/** How a frame is written. */
export interface EncodeOptions {
  /** The masking key: four bytes, or `true` for a fresh one from the system's secure source. Default: not masked. */
  readonly mask?: boolean | Uint8Array | undefined
}

const maskingKey = (mask: boolean | Uint8Array): number | undefined => {
  if (mask === false) return undefined
  if (mask === true) return randomKey()
  if (mask.length !== 4) throw new RangeError(`a masking key has four bytes, not ${mask.length}`)
  return mask[0] | (mask[1] << 8) | (mask[2] << 16) | (mask[3] << 24)
}

/**
 * The bytes of a frame (RFC 6455 §5.2). The length stands in its shortest form. Throws a `FrameError` for reserved bits
 * that are no number from 0 to 7 and for a control frame of more than 125 bytes, a `RangeError` for a masking key that
 * hasn't four bytes. A close frame is sent as its payload says.
 */
export const encode = (frame: Frame, options?: EncodeOptions): Uint8Array => {
  const { fin, rsv } = frame
  const payload = expectBytes(frame.payload)
  if (rsv !== (rsv & 7)) throw new FrameError({ reason: Violation.unexpectedReservedBits(rsv) })
  if (isControl(frame) && payload.length > maxControlSize) {
    throw new FrameError({ reason: Violation.controlTooLong(opcode(frame)) })
  }
  return encodeFrame(opcode(frame), fin, rsv, payload, maskingKey(options?.mask ?? false))
}

/** How frames are read. */
export interface ParserOptions {
  /** The side that we are: a server demands masked frames, a client refuses them (RFC 6455 §5.1). */
  readonly role: Role
  /** Longest message in bytes, all its fragments together. Default 1 MiB. */
  readonly maxMessageSize?: number | undefined
  /** Reserved bits that an extension gave a meaning, on the first frame of a message. Default 0: none. */
  readonly allowedRsv?: number | undefined
}

/** Default of `maxMessageSize`: 1 MiB. */
export const defaultMaxMessageSize = 1024 * 1024

/** A parser of frames. */
export interface Parser {
  /** Takes the next bytes; calls back for each frame that they complete. After an error it does nothing more. */
  readonly feed: (chunk: Uint8Array) => FrameError | undefined
  /** Says that no more bytes come: an error when they ended inside a frame. */
  readonly end: () => FrameError | undefined
}

const dataTags = ["Continuation", "Text", "Binary"] as const

/** Turns what a decoder finds into frames. */
class FrameCollector implements FrameSink {
  private readonly onFrame: (frame: Frame) => void

  constructor(onFrame: (frame: Frame) => void) {
    this.onFrame = onFrame
  }

  message(opcode: number, rsv: number, bytes: Buffer, start: number, end: number): FrameErrorReason | undefined {
    if (opcode === Opcode.text && rsv === 0) {
      const validator = new Utf8Validator()
      if (!validator.push(bytes, start, end) || !validator.complete) return Violation.invalidUtf8
    }
    return this.fragment(opcode, true, rsv, bytes, start, end)
  }

  fragment(opcode: number, fin: boolean, rsv: number, bytes: Buffer, start: number, end: number): undefined {
    this.onFrame({ _tag: dataTags[opcode] ?? "Binary", fin, rsv, payload: bytes.subarray(start, end) })
  }

  control(opcode: number, bytes: Buffer, start: number, end: number): undefined {
    this.onFrame(controlFrame(opcode, bytes, start, end))
  }
}

const controlFrame = (opcode: number, bytes: Buffer, start: number, end: number): ControlFrame => {
  const payload = bytes.subarray(start, end)
  if (opcode === Opcode.close) {
    return { _tag: "Close", fin: true, rsv: 0, ...decodeClose(bytes, start, end), payload }
  }
  return { _tag: opcode === Opcode.ping ? "Ping" : "Pong", fin: true, rsv: 0, payload }
}

/**
 * A parser that calls back for every frame. It refuses what RFC 6455 §5 refuses, at the first byte that shows it:
 * reserved bits and opcodes, long or fragmented control frames, lengths not in their shortest form or beyond the
 * limit (before anything is allocated), wrong masking, broken fragmentation, close codes that may not travel, text
 * that isn't UTF-8.
 */
export const makeParser = (onFrame: (frame: Frame) => void, options: ParserOptions): Parser => {
  const decoder = new HybiDecoder(new FrameCollector(onFrame), {
    role: options.role,
    maxMessageSize: options.maxMessageSize ?? defaultMaxMessageSize,
    allowedRsv: options.allowedRsv ?? 0
  })
  let error: FrameError | undefined
  const settle = (reason: FrameErrorReason | undefined): FrameError | undefined => {
    if (reason !== undefined) error ??= new FrameError({ reason })
    return error
  }
  return {
    // The decoder unmasks in place, and the chunk is the caller's.
    feed: (chunk) => settle(decoder.feed(Buffer.from(chunk))),
    end: () => settle(decoder.violation ?? (decoder.partial ? Violation.incompleteFrame : undefined))
  }
}

/** Frames out of bytes, as a channel for `Stream.pipeThroughChannel`; fails with a `FrameError` as `makeParser` does. */
export const decode = <IE = never, Done = void>(
  options: ParserOptions
): Channel.Channel<NonEmptyReadonlyArray<Frame>, IE | FrameError, Done, NonEmptyReadonlyArray<Uint8Array>, IE, Done> =>
  Channel.fromTransform((upstream: Pull.Pull<NonEmptyReadonlyArray<Uint8Array>, IE, Done>) =>
    Effect.sync(() => {
      let frames: Array<Frame> = []
      let error: FrameError | undefined
      const parser = makeParser((frame) => frames.push(frame), options)
      return Effect.suspend(function next(): Pull.Pull<NonEmptyReadonlyArray<Frame>, IE | FrameError, Done> {
        const [first, ...rest] = frames
        if (first !== undefined) {
          frames = []
          return Effect.succeed([first, ...rest] as const)
        }
        if (error !== undefined) return Effect.fail(error)
        return Effect.matchCauseEffect(upstream, {
          onSuccess: (chunks) => {
            for (const chunk of chunks) error ??= parser.feed(chunk)
            return next()
          },
          onFailure: (cause): Pull.Pull<never, IE | FrameError, Done> => {
            const cut = Pull.isDoneCause(cause) ? parser.end() : undefined
            return cut === undefined ? Effect.failCause(cause) : Effect.fail(cut)
          }
        })
      })
    })
  )

/** The second stage: messages out of frames. */
export interface Assembler {
  /** Takes the next frame, which `makeParser` gave; control frames pass by. */
  readonly feed: (frame: Frame) => FrameError | undefined
}

/** Joins the frames of each message; text comes as a string, bytes as a `Uint8Array` (RFC 6455 §5.4). */
export const makeAssembler = (onMessage: (message: string | Uint8Array) => void): Assembler => {
  let assembler: MessageAssembler | undefined
  const whole = (opcode: number, payload: Buffer): FrameError | undefined => {
    if (opcode !== Opcode.text) {
      onMessage(payload)
      return undefined
    }
    const content = decodeUtf8(payload, 0, payload.length)
    if (content === undefined) return new FrameError({ reason: Violation.invalidUtf8 })
    onMessage(content)
    return undefined
  }
  return {
    feed(frame) {
      if (isControl(frame)) return undefined
      const first = frame._tag !== "Continuation"
      if (first !== (assembler === undefined))
        return new FrameError({ reason: Violation.unexpectedOpcode(opcode(frame)) })
      const payload = Buffer.from(frame.payload.buffer, frame.payload.byteOffset, frame.payload.length)
      if (first && frame.fin) return whole(opcode(frame), payload)
      assembler ??= new MessageAssembler(opcode(frame), frame.rsv, payload.length)
      assembler.append(payload, 0, payload.length)
      if (!frame.fin) return undefined
      const { opcode: kind } = assembler
      const message = assembler.take()
      assembler = undefined
      return whole(kind, message)
    }
  }
}
