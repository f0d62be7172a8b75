import * as Data from "effect/Data"
import type * as Schema from "effect/Schema"
import type { Message } from "./receiveBuffer.ts"

/**
 * The message is text where binary was expected, or binary where text was expected (RFC 6455 §7.4.1).
 *
 * @category errors
 * @since 0.1.0
 */
export interface WrongType {
  readonly _tag: "WrongType"
  /** What is wrong, in words. */
  readonly message: string
  /** The close code with which `onInvalid: "close"` closes. */
  readonly closeCode: 1003
  /** The message. */
  readonly received: Message
}

/**
 * The message can't be parsed: its text is not JSON, or the `decode` of the format threw.
 *
 * @category errors
 * @since 0.1.0
 */
export interface Malformed {
  readonly _tag: "Malformed"
  /** What is wrong, in words. */
  readonly message: string
  /** The close code with which `onInvalid: "close"` closes. */
  readonly closeCode: 1007
  /** The message. */
  readonly received: Message
  /** The error of the parser. */
  readonly cause: unknown
}

/**
 * The message can be parsed, but is not a value of the schema.
 *
 * @category errors
 * @since 0.1.0
 */
export interface WrongShape {
  readonly _tag: "WrongShape"
  /** What is wrong, in words. */
  readonly message: string
  /** The close code with which `onInvalid: "close"` closes. */
  readonly closeCode: 1008
  /** The message. */
  readonly received: Message
  /** The error of the schema, or the `RangeError` of a message that is nested too deeply for it. */
  readonly cause: Schema.SchemaError | RangeError
}

/**
 * The reasons of a `MessageError`.
 *
 * @category errors
 * @since 0.1.0
 */
export type MessageErrorReason = WrongType | Malformed | WrongShape

/**
 * The error of a message that is not a value of the schema. `reason` says why.
 *
 * **Details**
 *
 * `Effect.catchTag("MessageError", …)` catches it, `Effect.catchReason("MessageError", tag, …)` one reason of it.
 *
 * **Example** (Catching one reason)
 *
 * ```ts
 * import { Effect, Schema, Stream } from "effect"
 * import { Socket } from "effect-ws"
 * import assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const [client, server] = yield* Socket.makePair()
 *   yield* client.send("no JSON")
 *   return yield* Stream.runDrain(Socket.withSchema(server, Schema.Finite).messages).pipe(
 *     Effect.as("ended"),
 *     Effect.catchReason("MessageError", "Malformed", ({ received }) => Effect.succeed(`malformed: ${String(received)}`))
 *   )
 * })
 *
 * assert.strictEqual(await Effect.runPromise(Effect.scoped(program)), "malformed: no JSON")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class MessageError extends Data.TaggedError("MessageError")<{ readonly reason: MessageErrorReason }> {
  /** What is wrong, in words. */
  override get message(): string {
    return this.reason.message
  }

  /** The close code with which `onInvalid: "close"` closes. */
  get closeCode(): MessageErrorReason["closeCode"] {
    return this.reason.closeCode
  }
}
