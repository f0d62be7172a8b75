/** The rules of the options of topics and of brokers, which are checked when they are made. */
import * as Effect from "effect/Effect"
import {
  callback,
  count,
  durationFrom,
  falseOr,
  finiteDuration,
  integer,
  invalidOption,
  isObject,
  objectOf,
  oneOf,
  type OptionRule,
  type OptionRules,
  required,
  type RulesOf,
  schedule,
  size
} from "../socket/optionRules.ts"
import type { TopicError } from "./error.ts"
import { fail } from "./failure.ts"
import type { HistoryOptions, Options, PublishRate } from "./model.ts"
import type { LinkOptions } from "./keepLinked.ts"
import { maxNameLength } from "./name.ts"

/** Fails for the first option that breaks its rule. */
export const validated = (rules: OptionRules, options: object): Effect.Effect<void, TopicError> =>
  Effect.suspend(() => {
    const invalid = invalidOption(rules, options)
    return invalid === undefined ? Effect.void : fail({ _tag: "InvalidOptions", ...invalid })
  })

/** A duration that brokers can keep something for: Redis counts it in milliseconds, JetStream in nanoseconds and from 100 ms on. */
const age = (minimum: number): OptionRule =>
  durationFrom(minimum, 100 * 365 * 86_400_000, `from ${minimum} ms to 36500 days`)

/** What becomes of slow subscribers. */
export const slow = oneOf("close", "drop", "dropOldest", "wait")

const rateRules = { messages: required(integer(1)), per: required(finiteDuration) } satisfies RulesOf<PublishRate>

const historyRules = { maxMessages: count, maxBytes: size } satisfies RulesOf<HistoryOptions>

/** What topics take. */
export const topicRules = {
  slow,
  queueSize: size,
  maxMessageSize: size,
  maxSubscriptions: count,
  maxFilters: count,
  gapMessage: callback,
  format: callback,
  authorize: callback,
  publishRate: objectOf("an object with messages and per", rateRules),
  history: falseOr(historyRules)
} satisfies RulesOf<Options>

/** What every broker takes. */
export const linkRules = {
  reconnect: schedule,
  timeout: finiteDuration,
  publishBufferSize: size
} satisfies RulesOf<LinkOptions>

const text = (minimum: number, allowed: string): OptionRule => ({
  allowed,
  check: (value) => typeof value === "string" && value.length >= minimum && value.isWellFormed()
})

const client: OptionRule = { allowed: "an object of options", check: isObject }

const connection: OptionRule = {
  allowed: "a connection of NATS",
  check: (value) => isObject(value) && typeof Reflect.get(value, "publish") === "function"
}

/** How messages travel. */
const payload = oneOf("tagged", "text", "bytes")

export const redisRules = {
  client: { ...client, allowed: "an object of options, or a client" },
  prefix: text(0, "a well-formed text"),
  payload
}

export const redisStreamsRules = {
  client: { ...client, allowed: "an object of options, or a client" },
  key: text(1, "a well-formed text, not empty"),
  maxLength: integer(1),
  history: falseOr({ maxMessages: integer(1), maxAge: age(1) })
}

const segments = `at most ${maxNameLength} characters, segments without white space, "*" and ">", each followed by a dot`

const isPrefix = (value: unknown): value is string =>
  typeof value === "string" && value.length <= maxNameLength && /^(?:[^\s.*>\p{Cc}]+\.)*$/u.test(value)

export const natsRules = {
  client,
  connection,
  prefix: { allowed: segments, check: isPrefix },
  payload
}

export const jetStreamRules = {
  client,
  connection,
  // The subjects of a stream without a prefix would be those of the server, too.
  prefix: { allowed: `not empty, ${segments}`, check: (value: unknown) => isPrefix(value) && value !== "" },
  stream: {
    allowed: '1 to 200 letters, digits, "-" and "_"',
    check: (value: unknown) => typeof value === "string" && /^[\w-]{1,200}$/.test(value)
  },
  maxMessages: integer(1),
  maxAge: age(100)
}
