import * as Data from "effect/Data"
import type * as Schema from "effect/Schema"
import type { Message } from "./receiveBuffer.ts"

/**
 * The message is text where bytes were due, or the other way round. Its close code is the one that RFC 6455 §7.4.1 has for it.
 *
 * @category errors
 * @since 0.1.0
 */
export interface WrongType {
  readonly _tag: "WrongType"
  readonly message: string
  readonly closeCode: 1003
  readonly received: Message
}

/**
 * The message can't be parsed: its text is no JSON, or the format's `decode` threw.
 *
 * @category errors
 * @since 0.1.0
 */
export interface Malformed {
  readonly _tag: "Malformed"
  readonly message: string
  readonly closeCode: 1007
  readonly received: Message
  readonly cause: unknown
}

/**
 * The message is well-formed, but no value of the schema.
 *
 * @category errors
 * @since 0.1.0
 */
export interface WrongShape {
  readonly _tag: "WrongShape"
  readonly message: string
  readonly closeCode: 1008
  readonly received: Message
  /** The schema's own error, or the `RangeError` of a message that is nested too deep for it. */
  readonly cause: Schema.SchemaError | RangeError
}

/**
 * Why a message is no value of the schema.
 *
 * @category errors
 * @since 0.1.0
 */
export type MessageErrorReason = WrongType | Malformed | WrongShape

/** A message arrived that is no value of the schema. `reason` says why. */
export class MessageError extends Data.TaggedError("MessageError")<{ readonly reason: MessageErrorReason }> {
  override get message(): string {
    return this.reason.message
  }

  /** The close code that the peer is sent. */
  get closeCode(): MessageErrorReason["closeCode"] {
    return this.reason.closeCode
  }
}
