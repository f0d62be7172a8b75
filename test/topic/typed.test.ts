import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Schema, Stream } from "effect"
import { Socket, Topic } from "effect-ws"
import * as TopicNats from "effect-ws/TopicNats"
import * as TopicRedis from "effect-ws/TopicRedis"
import { natsServer, redisServer } from "./brokers.ts"
import { keepers } from "./keepers.ts"
import { ManualBroker } from "./manualBroker.ts"

const Price = Schema.Struct({ symbol: Schema.String, at: Schema.DateFromString })
type Price = typeof Price.Type

const price = (symbol: string): Price => ({ symbol, at: new Date(0) })
const encoded = (symbol: string): string => `{"symbol":"${symbol}","at":"1970-01-01T00:00:00.000Z"}`

const collect = (socket: Socket.Socket, count: number) => Stream.runCollect(Stream.take(socket.messages, count))

/** What a reader of a filter gets, which listens once this is done. */
const listening = <A, E, R>(
  topics: { readonly listen: (filter: string) => Stream.Stream<A, E, R> },
  filter: string,
  count: number
) => Effect.forkChild(Stream.runCollect(Stream.take(topics.listen(filter), count)), { startImmediately: true })

const reasonOf = <A, R>(effect: Effect.Effect<A, Topic.TopicError | Socket.MessageError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason._tag)

for (const { make, title } of keepers) {
  describe(`topics with a schema, ${title}`, () => {
    it.live("encode values once, and give them back from the history", () =>
      Effect.gen(function* () {
        const [first, second] = yield* make()
        const here = Topic.withSchema(first, Price)
        const there = Topic.withSchema(second, Price)
        const [client, server] = yield* Socket.makePair()
        yield* there.join(server, "prices.a")
        yield* here.publish("prices.a", price("A"))
        yield* here.publishAll([
          { topic: "prices.a", message: price("B"), key: "b" },
          { topic: "prices.a", message: price("B"), key: "b" },
          { topic: "prices.a", message: price("C") }
        ])
        assert.deepStrictEqual(yield* collect(client, 3), ["A", "B", "C"].map(encoded))
        const { complete, messages, position } = yield* there.history("prices.a", { last: 2 })
        assert.deepStrictEqual(
          messages.map(({ message, topic }) => ({ message, topic })),
          ["B", "C"].map((symbol) => ({ message: price(symbol), topic: "prices.a" }))
        )
        assert.isTrue(complete)
        assert.strictEqual(messages.at(-1)?.position, position)

        const [later, socket] = yield* Socket.makePair()
        yield* there.join(socket, "prices.a", { last: 1, presence: "Ann" })
        const values = Socket.withSchema(later, Price).messages
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(values, 1)), [price("C")])
        assert.deepStrictEqual(
          (yield* there.presence("prices.a")).map(({ name }) => name),
          ["Ann"]
        )
      })
    )
  })
}

const carriers = [
  [
    "Redis",
    Effect.flatMap(redisServer(), ({ port }) => TopicRedis.make({ client: { url: `redis://127.0.0.1:${port}` } }))
  ],
  ["NATS", Effect.flatMap(natsServer(), ({ port }) => TopicNats.make({ client: { servers: `127.0.0.1:${port}` } }))]
] as const

for (const [title, broker] of carriers) {
  describe(`topics with a schema, over ${title}`, () => {
    it.live("arrive in another process as values", () =>
      Effect.gen(function* () {
        const service = yield* broker
        const topics = Effect.provideService(Topic.makeOnBroker(), Topic.Broker, service)
        const [here, there] = yield* Effect.all([topics, topics])
        const [client, server] = yield* Socket.makePair()
        yield* there.join(server, "prices.*")
        const reader = yield* listening(Topic.withSchema(there, Price), "prices.*", 1)
        // The same filter at the broker is confirmed once this is.
        yield* there.join(server, "prices.*")
        yield* Topic.withSchema(here, Price).publish("prices.a", price("A"))
        assert.deepStrictEqual(yield* Fiber.join(reader), [{ _tag: "Message", topic: "prices.a", message: price("A") }])
        assert.deepStrictEqual(yield* collect(client, 1), [encoded("A")])
      })
    )
  })
}

describe("topics with a schema", () => {
  it.effect("publish nothing when the schema refuses a value", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make()
      const typed = Topic.withSchema(topics, Schema.Struct({ cents: Schema.Int }))
      const error = yield* Effect.flip(
        typed.publishAll([
          { topic: "a", message: { cents: 1 } },
          { topic: "a", message: { cents: 1.5 } }
        ])
      )
      assert.strictEqual(error._tag, "SchemaError")
      assert.deepStrictEqual((yield* topics.history("a", { last: 9 })).messages, [])
    })
  )

  it.effect("fail readers with the reason for which a message is no value", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make()
      const typed = Topic.withSchema(topics, Price)
      const invalid = [
        ["{", "Malformed"],
        ['{"symbol":1}', "WrongShape"],
        [new Uint8Array([1]), "WrongType"]
      ] as const
      for (const [message, reason] of invalid) {
        const reader = yield* listening(typed, "a", 2)
        yield* typed.publish("a", price("A"))
        yield* topics.publish("a", message)
        assert.strictEqual(yield* reasonOf(Fiber.join(reader)), reason)
        assert.strictEqual(yield* reasonOf(typed.history("a", { last: 1 })), reason)
      }
    })
  )

  it.effect("leave invalid messages out where that is wanted, and send them to sockets all the same", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make()
      const typed = Topic.withSchema(topics, Price, { onInvalid: "skip" })
      const [client, server] = yield* Socket.makePair()
      yield* typed.join(server, "a")
      const reader = yield* listening(typed, "a", 2)
      yield* typed.publish("a", price("A"))
      yield* topics.publish("a", "{")
      yield* typed.publish("a", price("B"))
      const messages = (yield* Fiber.join(reader)).map((delivery) => delivery._tag === "Message" && delivery.message)
      assert.deepStrictEqual(messages, [price("A"), price("B")])
      const found = yield* typed.history("a", { last: 3 })
      assert.deepStrictEqual(
        found.messages.map(({ message }) => message),
        [price("A"), price("B")]
      )
      assert.deepStrictEqual(yield* collect(client, 3), [encoded("A"), "{", encoded("B")])
    })
  )

  it.effect("have text and bytes as they are, and other formats", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make()
      const [client, server] = yield* Socket.makePair()
      yield* topics.join(server, ">")
      yield* Topic.withSchema(topics, Schema.NonEmptyString).publish("text", "plain")
      yield* Topic.withSchema(topics, Schema.Uint8Array).publish("bytes", new Uint8Array([1, 2]))
      const hex = {
        encode: (value: unknown) => Buffer.from(JSON.stringify(value)).toString("hex"),
        decode: (message: Socket.Message): unknown => JSON.parse(Buffer.from(String(message), "hex").toString())
      }
      const numbers = Topic.withSchema(topics, Schema.Array(Schema.Int), { format: hex })
      yield* numbers.publish("numbers", [1])
      const [text, bytes, other] = yield* collect(client, 3)
      assert.deepStrictEqual([text, [...(bytes ?? [])], other], ["plain", [1, 2], "5b315d"])
      const { messages } = yield* numbers.history("numbers", { last: 1 })
      assert.deepStrictEqual(messages[0]?.message, [1])
    })
  )

  it.effect("pass on gaps, the end of a subscription, and who may not publish", () =>
    Effect.gen(function* () {
      const broker = new ManualBroker()
      const options: Topic.Options = { authorize: () => Effect.succeed(false) }
      const topics = yield* Effect.provideService(Topic.makeOnBroker(options), Topic.Broker, broker)
      const typed = Topic.withSchema(topics, Price)
      const heard: Array<Topic.TypedDelivered<Price> | Topic.Gap> = []
      const reader = yield* Effect.forkChild(
        Stream.runForEach(typed.listen("a"), (delivery) => Effect.sync(() => heard.push(delivery))),
        { startImmediately: true }
      )
      broker.gap("forgotten", 2)
      broker.message(encoded("A"))
      broker.gap("refused")
      assert.strictEqual(yield* reasonOf(Fiber.join(reader)), "BrokerRefused")
      assert.deepStrictEqual(heard, [
        { _tag: "Gap", filter: "a", cause: "forgotten", missed: 2 },
        { _tag: "Message", topic: "a", message: price("A") },
        { _tag: "Gap", filter: "a", cause: "refused", missed: undefined }
      ])
      const [, server] = yield* Socket.makePair()
      assert.strictEqual(
        yield* typed
          .publish("a", price("A"), { from: server })
          .pipe(Effect.catchTag("TopicError", ({ reason }) => Effect.succeed(reason._tag))),
        "NotAuthorized"
      )
    })
  )

  it.effect("are a service of their own, data-last", () =>
    Effect.gen(function* () {
      class Prices extends Context.Service<Prices, Topic.TypedTopics<Price>>()("Prices") {
        static readonly layer = Layer.effect(Prices, Effect.map(Topic.Topics, Topic.withSchema(Price)))
      }
      const program = Effect.gen(function* () {
        const prices = yield* Prices
        yield* prices.publish("a", price("A"))
        return yield* prices.history("a", { last: 1 })
      })
      const { messages } = yield* Effect.provide(program, Layer.provide(Prices.layer, Topic.layer()))
      assert.deepStrictEqual(messages[0]?.message, price("A"))
    })
  )
})
