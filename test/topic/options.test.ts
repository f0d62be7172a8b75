import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, type Scope } from "effect"
import { Topic } from "effect-ws"
import * as TopicCluster from "effect-ws/TopicCluster"
import * as TopicJetStream from "effect-ws/TopicJetStream"
import * as TopicNats from "effect-ws/TopicNats"
import * as TopicRedis from "effect-ws/TopicRedis"
import { ManualBroker } from "./manualBroker.ts"

/** Options as a program without types may give them. */
type Loose = Readonly<Record<string, unknown>>

/** Values on both sides of a bound, by the option, whose own options are behind a dot. */
interface Rule {
  readonly option: string
  readonly refused: ReadonlyArray<unknown>
  readonly taken: ReadonlyArray<unknown>
  readonly allowed: string
}

const maxDelay = 2 ** 31 - 1
const maxAge = 100 * 365 * 86_400_000

const limit = (option: string): Rule => ({
  option,
  refused: [NaN, -1, 0.5, "1", null, 2 ** 53],
  taken: [0, 1, 2 ** 53 - 1, Infinity, undefined],
  allowed: "an integer of at least 0, or Infinity"
})

const atLeastOne = (option: string): Rule => ({
  option,
  refused: [NaN, 0, -1, 1.5, Infinity, "1"],
  taken: [1, 2 ** 53 - 1],
  allowed: "an integer of at least 1"
})

const callback = (option: string): Rule => ({ option, refused: ["f", {}], taken: [() => "a"], allowed: "a function" })

const timer = (option: string): Rule => ({
  option,
  refused: [NaN, 0, -1, Infinity, maxDelay + 1, "25 days", "soon", "0 seconds"],
  taken: [1, maxDelay, "10 seconds"],
  allowed: `a duration above 0 and up to ${maxDelay} ms`
})

const age = (option: string, minimum: number): Rule => ({
  option,
  refused: [NaN, 0, -1, Infinity, minimum - 1, maxAge + 1, "a week"],
  taken: [minimum, maxAge, "1 day"],
  allowed: `a duration from ${minimum} ms to 36500 days`
})

const payload: Rule = {
  option: "payload",
  refused: ["json", "", null],
  taken: ["tagged", "text", "bytes"],
  allowed: "tagged or text or bytes"
}

const link: ReadonlyArray<Rule> = [
  { option: "reconnect", refused: ["1 second", 5, null], taken: [undefined], allowed: "a Schedule" },
  timer("timeout"),
  limit("publishBufferSize")
]

const topics: ReadonlyArray<Rule> = [
  {
    option: "slow",
    refused: ["ignore", "", 1],
    taken: ["close", "drop", "dropOldest", "wait"],
    allowed: "close or drop or dropOldest or wait"
  },
  limit("queueSize"),
  limit("maxMessageSize"),
  limit("maxSubscriptions"),
  limit("maxFilters"),
  callback("gapMessage"),
  callback("format"),
  callback("authorize"),
  {
    option: "publishRate",
    refused: [1, "10 a second", null],
    taken: [{ messages: 1, per: 1 }],
    allowed: "an object with messages and per"
  },
  { option: "publishRate.messages", refused: [undefined], taken: [1], allowed: "an integer of at least 1" },
  atLeastOne("publishRate.messages"),
  timer("publishRate.per"),
  {
    option: "history",
    refused: [true, 100, null, "none"],
    taken: [false, {}, undefined],
    allowed: "false or an object of options"
  },
  limit("history.maxMessages"),
  limit("history.maxBytes")
]

const client = (allowed: string): Rule => ({
  option: "client",
  refused: ["redis://localhost", 1, null],
  taken: [],
  allowed
})

const redis: ReadonlyArray<Rule> = [
  ...link,
  client("an object of options, or a client"),
  { option: "prefix", refused: [1, null, "\ud800"], taken: ["", "app[1]:"], allowed: "a well-formed text" },
  payload
]

const streams: ReadonlyArray<Rule> = [
  ...link,
  client("an object of options, or a client"),
  {
    option: "key",
    refused: ["", 1, "\udc00"],
    taken: ["k", "{tag}:topics"],
    allowed: "a well-formed text, not empty"
  },
  atLeastOne("maxLength"),
  {
    option: "history",
    refused: [true, 100, null],
    taken: [false, {}],
    allowed: "false or an object of options"
  },
  atLeastOne("history.maxMessages"),
  age("history.maxAge", 1)
]

const segments = 'at most 255 characters, segments without white space, "*" and ">", each followed by a dot'

const connection: Rule = {
  option: "connection",
  refused: ["nats://localhost", {}, null],
  taken: [undefined],
  allowed: "a connection of NATS"
}

const nats: ReadonlyArray<Rule> = [
  ...link,
  client("an object of options"),
  connection,
  {
    option: "prefix",
    refused: ["app", ".", "a..", "a b.", "*.", ">.", "a\n.", `${"a".repeat(255)}.`, 1],
    taken: ["", "app.", "app.v1.", `${"a".repeat(254)}.`],
    allowed: segments
  },
  payload
]

const jetStream: ReadonlyArray<Rule> = [
  ...link,
  client("an object of options"),
  connection,
  { option: "prefix", refused: ["", "app", "a b.", "*."], taken: ["app."], allowed: `not empty, ${segments}` },
  {
    option: "stream",
    refused: ["", "a.b", "a b", "a".repeat(201), 1],
    taken: ["a", "a".repeat(200), "A-1_b"],
    allowed: '1 to 200 letters, digits, "-" and "_"'
  },
  atLeastOne("maxMessages"),
  age("maxAge", 100)
]

/** Options with this value under a name such as `history.maxAge`. */
const optionsWith = (option: string, value: unknown, others: Loose): Loose => {
  const [outer = "", inner] = option.split(".")
  if (inner === undefined) return { ...others, [outer]: value }
  const beside = outer === "publishRate" ? { messages: 1, per: "1 second" } : {}
  return { ...others, [outer]: { ...beside, [inner]: value } }
}

const nowhere = { client: { url: "redis://127.0.0.1:1", servers: "127.0.0.1:1", timeout: 200 } }

const topicSuites: Readonly<
  Record<string, (options: Topic.Options) => Effect.Effect<unknown, Topic.TopicError, Scope.Scope>>
> = {
  "Topic.make": Topic.make,
  "Topic.layer": (options: Topic.Options) => Layer.build(Topic.layer(options)),
  "Topic.makeOnBroker": (options: Topic.Options) =>
    Effect.provideService(Topic.makeOnBroker(options), Topic.Broker, new ManualBroker()),
  "Topic.layerOnBroker": (options: Topic.Options) =>
    Layer.build(Layer.provide(Topic.layerOnBroker(options), Layer.succeed(Topic.Broker, new ManualBroker())))
}

const cut = (value: unknown): string =>
  `${typeof value} ${typeof value === "object" || typeof value === "string" ? JSON.stringify(value).slice(0, 16) : String(value)}`

/** The reason for which options are refused; `undefined` when they aren't. */
type Probe = (options: Loose) => Effect.Effect<Topic.TopicErrorReason | undefined>

const probe =
  (make: (options: never) => Effect.Effect<unknown, Topic.TopicError, never>, others: Loose): Probe =>
  (options) =>
    Effect.map(Effect.result(make({ ...others, ...options } as never)), (result) =>
      result._tag === "Failure" ? result.failure.reason : undefined
    )

const suite = (title: string, rules: ReadonlyArray<Rule>, reasonOf: Probe): void => {
  describe(title, () => {
    for (const { allowed, option, refused, taken } of rules) {
      it.live(`checks ${option}`, () =>
        Effect.gen(function* () {
          for (const value of refused) {
            const reason = yield* reasonOf(optionsWith(option, value, {}))
            assert.deepInclude(reason, { _tag: "InvalidOptions", option, allowed }, cut(value))
            assert.include(reason?.message, `invalid option ${option}: `)
            assert.include(reason?.message, `; allowed: ${allowed}`)
          }
          for (const value of taken) {
            const reason = yield* reasonOf(optionsWith(option, value, {}))
            assert.notStrictEqual(reason?._tag, "InvalidOptions", cut(value))
          }
        })
      )
    }
  })
}

for (const [title, make] of Object.entries(topicSuites)) {
  suite(
    title,
    topics,
    probe((options) => Effect.scoped(make(options)), {})
  )
}

suite(
  "TopicRedis.make",
  redis,
  probe((options) => Effect.scoped(TopicRedis.make(options)), nowhere)
)
suite(
  "TopicRedis.layer",
  redis,
  probe((options) => Effect.scoped(Layer.build(TopicRedis.layer(options))), nowhere)
)
suite(
  "TopicRedis.makeStreams",
  streams,
  probe((options) => Effect.scoped(TopicRedis.makeStreams(options)), nowhere)
)
suite(
  "TopicNats.make",
  nats,
  probe((options) => Effect.scoped(TopicNats.make(options)), nowhere)
)
suite(
  "TopicJetStream.make",
  jetStream,
  probe((options) => Effect.scoped(TopicJetStream.make(options)), nowhere)
)
suite(
  "TopicCluster.make",
  link,
  probe((options) => Effect.scoped(TopicCluster.make(options)), {})
)
