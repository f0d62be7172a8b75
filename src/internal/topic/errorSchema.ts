import * as Schema from "effect/Schema"
import { Cause, errorSchema, orUndefined, reason, type ErrorClass, withSchema } from "../errorSchema.ts"
import { TopicError as Base, type TopicErrorReason } from "./error.ts"

const { Number: Num, String: Str } = Schema

const Reason: Schema.Codec<TopicErrorReason, unknown> = Schema.Union([
  reason("InvalidTopic", { topic: Str }),
  reason("TooManySubscriptions", { limit: Num }),
  reason("TooManyFilters", { limit: Num }),
  reason("MessageTooLarge", { size: Num, limit: Num }),
  reason("BrokerUnavailable", { outcome: Schema.Literals(["not sent", "unknown"]), cause: Cause }),
  reason("BrokerRefused", { cause: Cause }),
  reason("HistoryUnavailable", {}),
  reason("InvalidPosition", { position: Str }),
  reason("PresenceUnavailable", {}),
  reason("NotAuthorized", { action: Schema.Literals(["subscribe", "publish"]), topic: Str }),
  reason("TooManyMessages", { limit: Num, retryAfter: orUndefined(Num) }),
  reason("InvalidKey", {})
])

/**
 * A subscription or a message can't be had or sent. `reason` says why. A Schema of its instances.
 *
 * **Example** (Refusing a topic that breaks the grammar)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Socket, Topic } from "effect-ws"
 *
 * const program = Effect.gen(function* () {
 *   const [, server] = yield* Socket.makePair()
 *   const topics = yield* Topic.make()
 *   return yield* Effect.as(topics.join(server, "rooms..1"), "joined").pipe(
 *     Effect.catchReason("TopicError", "InvalidTopic", ({ topic }) => Effect.succeed(`no such topic: ${topic}`))
 *   )
 * })
 *
 * const text = await Effect.runPromise(Effect.scoped(program))
 * if (text !== "no such topic: rooms..1") throw new Error(text)
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export const TopicError: ErrorClass<typeof Base> = withSchema(Base, errorSchema(Base, "TopicError", Reason))

/**
 * An instance of the class `TopicError`.
 *
 * @category errors
 * @since 0.1.0
 */
export type TopicError = Base
