import { TopicError, type TopicErrorReason } from "./error.ts"
import type { HistoryQuery } from "./model.ts"
import { isPattern, nameViolation } from "./name.ts"

/** Most messages that are read at once by position. */
export const defaultLimit = 1000

/** Why a part of a topic's history can't be asked for; `undefined` when it can. */
export const historyViolation = (topic: string, query: HistoryQuery): TopicErrorReason | undefined => {
  if (isPattern(topic)) {
    return { _tag: "InvalidTopic", message: "a pattern has no history; a topic name has", topic: topic.slice(0, 64) }
  }
  const [count, least] = query.from === undefined ? [query.last, 0] : [query.limit ?? defaultLimit, 1]
  if (!Number.isSafeInteger(count) || count < least) {
    const message = `unsupported number of messages ${count}; allowed: whole numbers from ${least} on`
    return { _tag: "InvalidPosition", message, position: String(count).slice(0, 64) }
  }
  return nameViolation(topic)
}

/** A position that was not given for these topics. */
export const invalidPosition = (position: string): TopicError =>
  new TopicError({
    reason: {
      _tag: "InvalidPosition",
      message: `unknown position ${JSON.stringify(position.slice(0, 64))}; allowed: positions of these topics`,
      position: position.slice(0, 64)
    }
  })

/** Nothing is kept. */
export const noHistory = new TopicError({
  reason: { _tag: "HistoryUnavailable", message: "no history is kept: neither by this broker nor in memory" }
})
