import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Published } from "./model.ts"
import { encodePayload } from "./payload.ts"

// What processes of one cluster tell each other. It travels as JSON, so bytes are base64.

/** A name and a message: text behind a `T`, bytes as base64 behind a `B`. */
const Packed = Schema.Tuple([Schema.String, Schema.String])

/** A worker's requests, which the primary answers with `Done`. */
export const Request = Schema.Union([
  Schema.TaggedStruct("effect-ws/Hello", { id: Schema.Int }),
  Schema.TaggedStruct("effect-ws/Subscribe", { id: Schema.Int, filters: Schema.Array(Schema.String) }),
  Schema.TaggedStruct("effect-ws/Unsubscribe", { id: Schema.Int, filter: Schema.String }),
  Schema.TaggedStruct("effect-ws/Publish", { id: Schema.Int, messages: Schema.Array(Packed) })
])

/** What the primary tells a worker. */
export const Answer = Schema.Union([
  Schema.TaggedStruct("effect-ws/Done", { id: Schema.Int }),
  Schema.TaggedStruct("effect-ws/Messages", { messages: Schema.Array(Packed) }),
  Schema.TaggedStruct("effect-ws/Missed", { count: Schema.Int })
])

export type Request = typeof Request.Type
export type Answer = typeof Answer.Type

/** A request of a worker; `undefined` for any other message. */
export const asRequest = (message: unknown): Request | undefined =>
  isOurs(message) ? Option.getOrUndefined(Schema.decodeUnknownOption(Request)(message)) : undefined

/** What the primary told; `undefined` for any other message. */
export const asAnswer = (message: unknown): Answer | undefined =>
  isOurs(message) ? Option.getOrUndefined(Schema.decodeUnknownOption(Answer)(message)) : undefined

const isOurs = (message: unknown): boolean =>
  typeof message === "object" && message !== null && "_tag" in message && String(message._tag).startsWith("effect-ws/")

export type Packed = typeof Packed.Type

export const pack = ({ message, topic }: Published): Packed => [
  topic,
  typeof message === "string" ? `T${message}` : `B${encodePayload(message, "bytes").toString("base64")}`
]

export const unpack = ([topic, content]: Packed): Published => ({
  topic,
  message: content.startsWith("T") ? content.slice(1) : Buffer.from(content.slice(1), "base64")
})
