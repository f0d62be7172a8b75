/** What a frame is (RFC 6455 §5): a tagged union of plain values with its Schema. */
import * as Schema from "effect/Schema"
import { isWireCloseCode } from "../protocol/closeCode.ts"
import { encodeClose } from "../protocol/closeFrame.ts"
import { Opcode } from "../protocol/opcode.ts"
import { closeViolation } from "./error.ts"

/**
 * The longest payload of a control frame: 125 bytes (RFC 6455 §5.5).
 *
 * @category constants
 * @since 0.1.0
 */
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

/**
 * The first frame of a text message; the whole message when `fin` is set (RFC 6455 §5.6).
 *
 * @category models
 * @since 0.1.0
 */
export const Text = Schema.TaggedStruct("Text", dataFields)
export type Text = typeof Text.Type

/**
 * The first frame of a binary message; the whole message when `fin` is set (RFC 6455 §5.6).
 *
 * @category models
 * @since 0.1.0
 */
export const Binary = Schema.TaggedStruct("Binary", dataFields)
export type Binary = typeof Binary.Type

/**
 * A further frame of a fragmented message (RFC 6455 §5.4).
 *
 * @category models
 * @since 0.1.0
 */
export const Continuation = Schema.TaggedStruct("Continuation", dataFields)
export type Continuation = typeof Continuation.Type

/**
 * A ping, to which the peer responds with a pong of the same payload (RFC 6455 §5.5.2).
 *
 * @category models
 * @since 0.1.0
 */
export const Ping = Schema.TaggedStruct("Ping", controlFields)
export type Ping = typeof Ping.Type

/**
 * The response to a ping, or an unsolicited sign of life (RFC 6455 §5.5.3).
 *
 * @category models
 * @since 0.1.0
 */
export const Pong = Schema.TaggedStruct("Pong", controlFields)
export type Pong = typeof Pong.Type

/**
 * A close frame (RFC 6455 §5.5.1). Its payload is the code and then the reason in UTF-8, or nothing.
 *
 * @category models
 * @since 0.1.0
 */
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

/**
 * A frame of RFC 6455 §5, as a tagged union of plain values, and its Schema.
 *
 * @category models
 * @since 0.1.0
 */
export const Frame = Schema.Union([Text, Binary, Continuation, Ping, Pong, Close])

/** A frame: a plain value with a `_tag`. */
export type Frame = Text | Binary | Continuation | Ping | Pong | Close

/**
 * A frame that carries a message, or a part of one.
 *
 * @category models
 * @since 0.1.0
 */
export type DataFrame = Text | Binary | Continuation

/**
 * A frame about the connection: ping, pong or close.
 *
 * @category models
 * @since 0.1.0
 */
export type ControlFrame = Ping | Pong | Close

/**
 * The registered close codes (RFC 6455 §7.4.1 and the IANA registry that it set up).
 *
 * @category models
 * @since 0.1.0
 */
export const CloseCode = {
  /** The connection has done what it was opened for. */
  normal: 1000,
  /** A server shuts down, or a page is left. */
  goingAway: 1001,
  /** The peer broke the protocol. */
  protocolError: 1002,
  /** The peer sent a kind of message that is not accepted, such as binary where text is expected. */
  unsupportedData: 1003,
  /** Reported for a close frame without a code; never sent. */
  noStatus: 1005,
  /** Reported for a connection that ended without a close frame; never sent. */
  abnormal: 1006,
  /** The content of a message is not what its kind demands, such as text that isn't UTF-8. */
  invalidPayload: 1007,
  /** The peer sent a message that a policy forbids. */
  policyViolation: 1008,
  /** The peer sent a message that is too long. */
  messageTooBig: 1009,
  /** The server didn't agree to an extension that the client needs. */
  mandatoryExtension: 1010,
  /** An unexpected condition kept the peer from going on. */
  internalError: 1011,
  /** The service restarts; clients may connect again. */
  serviceRestart: 1012,
  /** The service is overloaded; clients may connect again later. */
  tryAgainLater: 1013,
  /** A gateway received an invalid response from the server after it. */
  badGateway: 1014
} as const

/**
 * Returns `true` when a close code may be sent in a close frame: 1000–1003, 1007–1014, 3000–4999 (RFC 6455 §7.4).
 *
 * @category guards
 * @since 0.1.0
 */
export const isValidCloseCode = (code: number): boolean => isWireCloseCode(code)

const opcodes = {
  Continuation: Opcode.continuation,
  Text: Opcode.text,
  Binary: Opcode.binary,
  Close: Opcode.close,
  Ping: Opcode.ping,
  Pong: Opcode.pong
} as const

/**
 * Returns the opcode of a frame, as it is sent (RFC 6455 §5.2).
 *
 * @category getters
 * @since 0.1.0
 */
export const opcode = (frame: Frame): number => opcodes[frame._tag]

/**
 * Returns `true` when a frame is about the connection and not part of a message.
 *
 * @category guards
 * @since 0.1.0
 */
export const isControl = (frame: Frame): frame is ControlFrame => opcode(frame) >= Opcode.close
