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
 * Options of `encode`.
 *
 * @category encoding
 * @since 0.1.0
 */
export interface EncodeOptions {
  /**
   * The masking key: four bytes, or `true` for a fresh one from the system's secure random source. Default: the
   * frame is not masked.
   */
  readonly mask?: boolean | Uint8Array | undefined
}

const maskingKey = (mask: boolean | Uint8Array): number | undefined => {
  if (mask === false) return undefined
  if (mask === true) return randomKey()
  if (mask.length !== 4) throw new RangeError(`a masking key has four bytes, not ${mask.length}`)
  return mask[0] | (mask[1] << 8) | (mask[2] << 16) | (mask[3] << 24)
}

/**
 * Encodes a frame as bytes, with its length in the shortest form (RFC 6455 §5.2).
 *
 * **Details**
 *
 * A close frame is written as its payload says; `code` and `reason` are not looked at.
 *
 * **Gotchas**
 *
 * Throws a `FrameError` when the reserved bits are not a number from 0 to 7 and when a control frame has more than
 * 125 bytes of payload. Throws a `RangeError` when the masking key doesn't have four bytes.
 *
 * **Example** (Encoding a masked text frame)
 *
 * ```ts
 * import { Frame } from "effect-ws"
 * import assert from "node:assert"
 *
 * const bytes = Frame.encode(Frame.text("Hello"), { mask: Uint8Array.of(0x37, 0xfa, 0x21, 0x3d) })
 *
 * assert.strictEqual(Buffer.from(bytes).toString("hex"), "818537fa213d7f9f4d5158")
 * ```
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
 * Options of `makeParser` and `decode`.
 *
 * @category decoding
 * @since 0.1.0
 */
export interface ParserOptions {
  /** The side that parses: a server demands masked frames, a client refuses them (RFC 6455 §5.1). */
  readonly role: Role
  /**
   * The longest message in bytes, all its fragments together. Default: 1 MiB. A longer one is an error with close
   * code 1009.
   */
  readonly maxMessageSize?: number | undefined
  /**
   * The reserved bits that an extension uses on the first frame of a message: RSV1 is 4, RSV2 is 2, RSV3 is 1.
   * Default: 0, none.
   */
  readonly allowedRsv?: number | undefined
}

/**
 * The default of `maxMessageSize`: 1 MiB.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultMaxMessageSize = 1024 * 1024

/**
 * Parses frames out of bytes that arrive in pieces.
 *
 * @category decoding
 * @since 0.1.0
 */
export interface Parser {
  /**
   * Takes the next bytes and calls back for each frame that they complete. Returns the error that was found, also
   * on every later call; after an error no frame is delivered.
   */
  readonly feed: (chunk: Uint8Array) => FrameError | undefined
  /** Ends the input. Returns an error when it ended inside a frame. */
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
 * Creates a parser, which calls `onFrame` for each frame.
 *
 * **Details**
 *
 * The parser refuses what RFC 6455 §5 refuses, at the first byte that shows it: reserved bits and opcodes, control
 * frames that are long or fragmented, lengths not in their shortest form, messages beyond the limit (before
 * anything is allocated for them), wrong masking, a broken order of fragments, close codes that may not be sent,
 * and text that isn't UTF-8. However the bytes are cut, the frames and the error are the same.
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
 * Creates a channel that turns bytes into frames, for `Stream.pipeThroughChannel`. It fails with a `FrameError` as
 * `makeParser` does, and when the bytes end inside a frame.
 *
 * **Example** (Decoding a stream of bytes)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Frame } from "effect-ws"
 * import assert from "node:assert"
 *
 * const bytes = Stream.make(Frame.encode(Frame.text("Hello")), Frame.encode(Frame.ping()))
 *
 * const program = Effect.gen(function* () {
 *   const frames = yield* bytes.pipe(Stream.pipeThroughChannel(Frame.decode({ role: "client" })), Stream.runCollect)
 *   assert.deepStrictEqual(
 *     frames.map((frame) => frame._tag),
 *     ["Text", "Ping"]
 *   )
 * })
 *
 * await Effect.runPromise(program)
 * ```
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
