/** Frames to bytes, and bytes to frames. */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import { decodeClose } from "../protocol/closeFrame.ts"
import type { FrameSink, Role } from "../protocol/codec.ts"
import { HybiDecoder } from "../protocol/hybi/decoder.ts"
import { encodeFrame } from "../protocol/hybi/encoder.ts"
import { randomKey } from "../protocol/mask.ts"
import { Opcode } from "../protocol/opcode.ts"
import * as Violation from "../protocol/protocolError.ts"
import { Utf8Validator } from "../protocol/utf8.ts"
import { FrameError, type FrameErrorReason } from "./error.ts"
import { expectBytes } from "./make.ts"
import { type ControlFrame, type Frame, isControl, maxControlSize, opcode } from "./model.ts"

/**
 * How a frame is written.
 *
 * @category encoding
 * @since 0.1.0
 */
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
 *
 * @category encoding
 * @since 0.1.0
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

/**
 * How frames are read.
 *
 * @category decoding
 * @since 0.1.0
 */
export interface ParserOptions {
  /** The side that we are: a server demands masked frames, a client refuses them (RFC 6455 §5.1). */
  readonly role: Role
  /** Longest message in bytes, all its fragments together. Default 1 MiB. */
  readonly maxMessageSize?: number | undefined
  /** Reserved bits that an extension gave a meaning, on the first frame of a message. Default 0: none. */
  readonly allowedRsv?: number | undefined
}

/**
 * Default of `maxMessageSize`: 1 MiB.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultMaxMessageSize = 1024 * 1024

/**
 * A parser of frames.
 *
 * @category decoding
 * @since 0.1.0
 */
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
 *
 * @category decoding
 * @since 0.1.0
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

/**
 * Frames out of bytes, as a channel for `Stream.pipeThroughChannel`; fails with a `FrameError` as `makeParser` does.
 *
 * @category decoding
 * @since 0.1.0
 */
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
