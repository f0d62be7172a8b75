import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { Cause, errorSchema, reason, type ErrorClass, withSchema } from "../errorSchema.ts"
import { MessageError as Base, type MessageErrorReason } from "./messageError.ts"
import type { Message } from "./receiveBuffer.ts"

/** Text as it is, bytes in Base64. */
const ReceivedMessage: Schema.Codec<Message, unknown> = Schema.Union([
  Schema.String,
  Schema.Struct({ base64: Schema.Uint8ArrayFromBase64 }).pipe(
    Schema.decodeTo(
      Schema.Uint8Array,
      SchemaTransformation.transform({ decode: ({ base64 }) => base64, encode: (base64) => ({ base64 }) })
    )
  )
])

/** What the schema said, as a sentence: the schema itself doesn't travel. */
const Refusal = Schema.Struct({ name: Schema.String, message: Schema.String }).pipe(
  Schema.decodeTo(
    Schema.Union([Schema.instanceOf(Schema.SchemaError), Schema.instanceOf(RangeError)]),
    SchemaTransformation.transform({
      decode: ({ message, name }) =>
        name === "RangeError"
          ? new RangeError(message)
          : new Schema.SchemaError(new SchemaIssue.InvalidValue({ message }, undefined)),
      encode: ({ message, name }) => ({ name, message })
    })
  )
)

const Reason: Schema.Codec<MessageErrorReason, unknown> = Schema.Union([
  reason("WrongType", { closeCode: Schema.Literal(1003), received: ReceivedMessage }),
  reason("Malformed", { closeCode: Schema.Literal(1007), received: ReceivedMessage, cause: Cause }),
  reason("WrongShape", { closeCode: Schema.Literal(1008), received: ReceivedMessage, cause: Refusal })
])

/**
 * A message arrived that is no value of the schema. `reason` says why, and `closeCode` is the close code that the peer is sent.
 * A Schema of its instances.
 *
 * **Example** (Going on after a message that can't be parsed)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Socket } from "effect-ws"
 *
 * const program = Effect.gen(function* () {
 *   const [client, server] = yield* Socket.makePair()
 *   const numbers = Socket.withSchema(server, Schema.Finite, { onInvalid: "fail" })
 *   yield* client.sendAll(["{", "7"])
 *   const next = Effect.catchReason(numbers.receive, "MessageError", "Malformed", () => Effect.succeed(0))
 *   return [yield* next, yield* next]
 * })
 *
 * const values = await Effect.runPromise(Effect.scoped(program))
 * if (values.join() !== "0,7") throw new Error(values.join())
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export const MessageError: ErrorClass<typeof Base> = withSchema(Base, errorSchema(Base, "MessageError", Reason))

/**
 * An instance of the class `MessageError`.
 *
 * @category errors
 * @since 0.1.0
 */
export type MessageError = Base
