import { messageOf } from "../messageOf.ts"
import * as Effect from "effect/Effect"
import { type BrokerUnavailable, TopicError, type TopicErrorReason } from "./error.ts"

/** The broker is away. */
export const unavailable = (broker: string, outcome: BrokerUnavailable["outcome"], cause: unknown): TopicError =>
  new TopicError({
    reason: { _tag: "BrokerUnavailable", message: `${broker} is not available: ${messageOf(cause)}`, outcome, cause }
  })

/** The broker said no. */
export const refused = (broker: string, cause: unknown): TopicError =>
  new TopicError({ reason: { _tag: "BrokerRefused", message: `${broker} refused: ${messageOf(cause)}`, cause } })

/** Fails for a reason. */
export const fail = (reason: TopicErrorReason): Effect.Effect<never, TopicError> =>
  Effect.fail(new TopicError({ reason }))
