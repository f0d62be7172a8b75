/** The rules of the options of topics and of brokers, which are checked when they are made. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
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
  size
} from "../socket/optionRules.ts"
import type { TopicError } from "./error.ts"
import { fail } from "./failure.ts"
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

/** What topics take. */
export const topicRules: OptionRules = {
  slow: oneOf("close", "drop", "dropOldest", "wait"),
  queueSize: size,
  maxMessageSize: size,
  maxSubscriptions: count,
  maxFilters: count,
  gapMessage: callback,
  format: callback,
  authorize: callback,
  publishRate: objectOf("an object with messages and per", { messages: integer(1), per: finiteDuration }, [
    "messages",
    "per"
  ]),
  history: falseOr({ maxMessages: count, maxBytes: size })
}

/** What every broker takes. */
export const linkRules: OptionRules = {
  reconnect: { allowed: "a Schedule", check: Schedule.isSchedule },
  timeout: finiteDuration,
  publishBufferSize: size
}

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

export const redisRules: OptionRules = {
  client: { ...client, allowed: "an object of options, or a client" },
  prefix: text(0, "a well-formed text"),
  payload
}

export const redisStreamsRules: OptionRules = {
  client: { ...client, allowed: "an object of options, or a client" },
  key: text(1, "a well-formed text, not empty"),
  maxLength: integer(1),
  history: falseOr({ maxMessages: integer(1), maxAge: age(1) })
}

const segments = `at most ${maxNameLength} characters, segments without white space, "*" and ">", each followed by a dot`

const isPrefix = (value: unknown): value is string =>
  typeof value === "string" && value.length <= maxNameLength && /^(?:[^\s.*>\p{Cc}]+\.)*$/u.test(value)

export const natsRules: OptionRules = {
  client,
  connection,
  prefix: { allowed: segments, check: isPrefix },
  payload
}

export const jetStreamRules: OptionRules = {
  client,
  connection,
  // The subjects of a stream without a prefix would be those of the server, too.
  prefix: { allowed: `not empty, ${segments}`, check: (value) => isPrefix(value) && value !== "" },
  stream: {
    allowed: '1 to 200 letters, digits, "-" and "_"',
    check: (value) => typeof value === "string" && /^[\w-]{1,200}$/.test(value)
  },
  maxMessages: integer(1),
  maxAge: age(100)
}
