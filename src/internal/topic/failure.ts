import { messageOf } from "../messageOf.ts"
import { type BrokerUnavailable, TopicError } from "./error.ts"

/** The broker is away. */
export const unavailable = (broker: string, outcome: BrokerUnavailable["outcome"], cause: unknown): TopicError =>
  new TopicError({
    reason: { _tag: "BrokerUnavailable", message: `${broker} is not available: ${messageOf(cause)}`, outcome, cause }
  })

/** The broker said no. */
export const refused = (broker: string, cause: unknown): TopicError =>
  new TopicError({ reason: { _tag: "BrokerRefused", message: `${broker} refused: ${messageOf(cause)}`, cause } })
