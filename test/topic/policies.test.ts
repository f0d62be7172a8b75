// Who may do what, how often, and what is published only once.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Socket, Topic } from "effect-ws"
import * as TopicRedis from "effect-ws/TopicRedis"
import { redisServer } from "./brokers.ts"
import { keepers } from "./keepers.ts"
import { ManualBroker } from "./manualBroker.ts"
import { until } from "./processes.ts"

const reasonOf = <A, R>(effect: Effect.Effect<A, Topic.TopicError, R>) =>
  Effect.map(Effect.flip(effect), (error) => error.reason)

const collect = (socket: Socket.Socket, count: number) => Stream.runCollect(Stream.take(socket.messages, count))

describe("authorization of topics", () => {
  it.effect("is asked for each subscription and each publish of a socket, also on resume", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      let allowed = true
      const topics = yield* Topic.make({
        authorize: ({ action, from, topic }) =>
          Effect.sync(() => {
            asked.push(`${action} ${topic}${from === undefined ? "" : " from"}`)
            return allowed
          })
      })
      const [client, server] = yield* Socket.makePair()
      const { position } = yield* topics.join(server, "a", { last: 0 })
      yield* topics.publish("a", "one", { from: server })
      yield* topics.publish("a", "the program itself")
      assert.deepStrictEqual(yield* collect(client, 2), ["one", "the program itself"])
      yield* topics.leave(server, "a")
      allowed = false
      assert.deepInclude(yield* reasonOf(topics.join(server, "a", { from: position })), {
        _tag: "NotAuthorized",
        action: "subscribe",
        topic: "a"
      })
      assert.deepInclude(yield* reasonOf(Effect.scoped(topics.subscribe(server, ">"))), { _tag: "NotAuthorized" })
      const messages = ["a", "b"].map((topic) => ({ topic, message: "no" }))
      assert.deepInclude(yield* reasonOf(topics.publishAll(messages, { from: server })), {
        _tag: "NotAuthorized",
        action: "publish"
      })
      assert.deepStrictEqual(asked, ["subscribe a", "publish a", "subscribe a from", "subscribe >", "publish a"])
      assert.deepStrictEqual(yield* topics.filters, [])
      assert.strictEqual((yield* topics.history("a", { last: 10 })).messages.length, 2)
    })
  )

  it.effect("is asked only about valid names and filters, and may fail with its own error", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make({
        authorize: () =>
          Effect.fail(new Topic.TopicError({ reason: { _tag: "BrokerRefused", message: "no", cause: undefined } }))
      })
      const [, server] = yield* Socket.makePair()
      assert.strictEqual((yield* reasonOf(topics.join(server, "not valid")))._tag, "InvalidTopic")
      assert.strictEqual((yield* reasonOf(topics.join(server, "a")))._tag, "BrokerRefused")
    })
  )
})

const batch = (count: number) => Array.from({ length: count }, () => ({ topic: "a", message: "x" }))

describe("publishRate", () => {
  it.effect("limits the messages of each socket within a time", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make({ publishRate: { messages: 4, per: "2 seconds" } })
      const [first, second] = yield* Socket.makePair()
      for (let i = 0; i < 4; i++) yield* topics.publish("a", "x", { from: first })
      assert.deepInclude(yield* reasonOf(topics.publish("a", "x", { from: first })), {
        _tag: "TooManyMessages",
        limit: 4,
        retryAfter: 500
      })
      yield* topics.publishAll(batch(4), { from: second })
      yield* TestClock.adjust(499)
      assert.deepInclude(yield* reasonOf(topics.publish("a", "x", { from: first })), { retryAfter: 1 })
      yield* TestClock.adjust(1)
      yield* topics.publish("a", "x", { from: first })
      yield* TestClock.adjust("1 minute")
      assert.deepInclude(yield* reasonOf(topics.publishAll(batch(5), { from: first })), { retryAfter: undefined })
      yield* topics.publishAll(batch(4), { from: first })
      for (let i = 0; i < 10; i++) yield* topics.publish("a", "the program itself")
    })
  )
})

describe("keys of messages", () => {
  for (const { make, title } of keepers) {
    it.live(`make a message be published once, ${title}`, () =>
      Effect.gen(function* () {
        const [topics] = yield* make()
        const [client, server] = yield* Socket.makePair()
        yield* topics.join(server, "a")
        for (const key of ["1", "2", "1", "2", "x".repeat(255), "x".repeat(255)]) {
          yield* topics.publish("a", key.slice(0, 1), { key })
        }
        yield* topics.publishAll(["3", "3", "4"].map((key) => ({ topic: "a", message: key, key })))
        yield* topics.publish("a", "end")
        assert.deepStrictEqual(yield* collect(client, 6), ["1", "2", "x", "3", "4", "end"])
        for (const key of ["", "x".repeat(256)]) {
          assert.strictEqual((yield* reasonOf(topics.publish("a", "x", { key })))._tag, "InvalidKey")
        }
      })
    )
  }

  it.live("survive a process that gave up before it was answered: repeating it publishes nothing more", () =>
    Effect.gen(function* () {
      const server = yield* redisServer()
      const client = { url: `redis://127.0.0.1:${server.port}` }
      const options = { client, timeout: "1 second", reconnect: Schedule.spaced("20 millis") } as const
      const broker = yield* TopicRedis.makeStreams(options)
      const heard: Array<string> = []
      yield* broker.subscribe("a", (delivery) => void heard.push(delivery._tag))
      server.freeze()
      const reason = yield* reasonOf(broker.publish([{ topic: "a", message: "once", key: "once" }]))
      assert.deepInclude(reason, { outcome: "unknown" })
      server.thaw()
      const again = broker.publish([{ topic: "a", message: "once", key: "once" }])
      yield* Effect.retry(again, Schedule.spaced("20 millis"))
      yield* broker.publish([{ topic: "a", message: "end" }])
      yield* until(() => heard.filter((tag) => tag === "Message").length === 2)
      assert.strictEqual(heard.filter((tag) => tag === "Message").length, 2)
    })
  )

  it.effect("are forgotten after two minutes", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make()
      const count = Effect.map(topics.history("a", { last: 10 }), ({ messages }) => messages.length)
      yield* topics.publish("a", "x", { key: "1" })
      yield* TestClock.adjust(119_999)
      yield* topics.publish("a", "x", { key: "1" })
      assert.strictEqual(yield* count, 1)
      yield* TestClock.adjust(1)
      yield* topics.publish("a", "x", { key: "1" })
      assert.strictEqual(yield* count, 2)
    })
  )

  it.effect("are refused where the broker does not respect them", () =>
    Effect.gen(function* () {
      const topics = yield* Effect.provideService(Topic.makeOnBroker(), Topic.Broker, new ManualBroker())
      assert.strictEqual((yield* reasonOf(topics.publish("a", "x", { key: "1" })))._tag, "InvalidKey")
    })
  )
})
