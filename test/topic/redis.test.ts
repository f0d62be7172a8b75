import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schedule, Stream } from "effect"
import { Socket, Topic } from "effect-ws"
import * as TopicRedis from "effect-ws/TopicRedis"
import { createClient } from "redis"
import { redisServer } from "./brokers.ts"

const redis = redisServer()

const collect = (socket: Socket.Socket, count: number) => Stream.runCollect(Stream.take(socket.messages, count))

const quick = { reconnect: Schedule.spaced("20 millis") }

/** How often each message came; bytes in hexadecimal. */
const countsOf = (messages: ReadonlyArray<Socket.Message>): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const message of messages) {
    const text = typeof message === "string" ? message : Buffer.from(message).toString("hex")
    counts[text] = (counts[text] ?? 0) + 1
  }
  return counts
}

const topicsOn = (port: number, options: TopicRedis.Options = {}, topicOptions: Topic.Options = {}) =>
  Effect.gen(function* () {
    const broker = yield* TopicRedis.make({ client: { url: `redis://127.0.0.1:${port}` }, ...quick, ...options })
    return yield* Effect.provideService(Topic.makeOnBroker(topicOptions), Topic.Broker, broker)
  })

const gapMessage = (gap: Topic.Gap) => `missed something of ${gap.filter}`

describe("topics over Redis", () => {
  it.live("bring messages to every process, once for each filter", () =>
    Effect.gen(function* () {
      const { port } = yield* redis
      const [first, second] = [yield* topicsOn(port), yield* topicsOn(port)]
      const pairs = yield* Effect.forEach([first, second, second], (topics) =>
        Effect.map(Socket.makePair(), ([client, server]) => ({ topics, client, server }))
      )
      for (const { server, topics } of pairs) {
        for (const filter of ["chat.a", "chat.*", "chat.>", "*.a", "chat.b.*"]) yield* topics.join(server, filter)
      }
      yield* first.publish("chat.a", "text: käse")
      yield* second.publishAll([
        { topic: "chat.a", message: new Uint8Array([0, 255]) },
        { topic: "chat.b.c", message: "deep" },
        { topic: "other", message: "not here" },
        { topic: "chat", message: "nor here" },
        { topic: "chat.b.d", message: "" }
      ])
      for (const { client } of pairs) {
        assert.deepStrictEqual(countsOf(yield* collect(client, 12)), {
          "text: käse": 4,
          "00ff": 4,
          deep: 2,
          "": 2
        })
      }
    })
  )

  it.live("exchange plain text with other programs, under a prefix", () =>
    Effect.gen(function* () {
      const { port } = yield* redis
      const topics = yield* topicsOn(port, { prefix: "app[1]:", payload: "text" })
      const other = yield* Effect.acquireRelease(
        Effect.promise(() => createClient({ url: `redis://127.0.0.1:${port}` }).connect()),
        (client) => Effect.sync(() => client.destroy())
      )
      const heard: Array<string> = []
      const subscriber = yield* Effect.acquireRelease(
        Effect.promise(() => other.duplicate().connect()),
        (client) => Effect.sync(() => client.destroy())
      )
      yield* Effect.promise(() => subscriber.subscribe("app[1]:chat.a", (message) => void heard.push(message)))
      const [client, server] = yield* Socket.makePair()
      yield* topics.join(server, "chat.a")
      yield* topics.join(server, "chat.*")
      yield* topics.publish("chat.a", "ours")
      yield* Effect.promise(() => other.publish("app[1]:chat.a", "theirs"))
      yield* Effect.promise(() => other.publish("app[1]:chat.no name", "not valid"))
      yield* Effect.promise(() => other.publish("app[1]:chat.a", Buffer.from([0xff])))
      yield* Effect.promise(() => other.publish("app1:chat.a", "elsewhere"))
      yield* topics.publish("chat.a", "end")
      assert.deepStrictEqual(yield* collect(client, 6), ["ours", "ours", "theirs", "theirs", "end", "end"])
      yield* Effect.repeat(Effect.yieldNow, { until: () => heard.length === 4, schedule: Schedule.spaced("5 millis") })
      assert.deepStrictEqual(heard, ["ours", "theirs", "\ufffd", "end"])
    })
  )

  it.live("forget at Redis what nobody is subscribed to any more, and bear coming and going", () =>
    Effect.gen(function* () {
      const { port } = yield* redis
      const topics = yield* topicsOn(port)
      const [client, server] = yield* Socket.makePair()
      const ask = yield* Effect.acquireRelease(
        Effect.promise(() => createClient({ url: `redis://127.0.0.1:${port}` }).connect()),
        (client) => Effect.sync(() => client.destroy())
      )
      const counts = Effect.promise(async () => [await ask.pubSubChannels(), await ask.pubSubNumPat()] as const)
      for (let i = 0; i < 20; i++) {
        for (const filter of ["a", "b.*", "b.>"]) {
          yield* topics.join(server, filter)
          yield* topics.leave(server, filter)
        }
      }
      yield* topics.join(server, "b.*")
      yield* topics.join(server, "b.>")
      yield* topics.join(server, "a")
      yield* topics.publish("b.c", "both")
      assert.deepStrictEqual(yield* collect(client, 2), ["both", "both"])
      assert.deepStrictEqual(yield* counts, [["a"], 1])
      yield* topics.leave(server, "b.*")
      yield* topics.publish("b.c", "one")
      yield* topics.publish("a", "a")
      assert.deepStrictEqual(yield* collect(client, 2), ["one", "a"])
      yield* server.close()
      yield* Effect.repeat(counts, {
        until: ([channels, patterns]) => channels.length === 0 && patterns === 0,
        schedule: Schedule.spaced("10 millis")
      })
    })
  )

  it.live("fail while Redis is away, and tell of a gap when it is back", () =>
    Effect.gen(function* () {
      const server = yield* redis
      const topics = yield* topicsOn(server.port, {}, { gapMessage })
      const [client, socket] = yield* Socket.makePair()
      yield* topics.join(socket, "before")
      const heard: Array<Topic.Delivery> = []
      yield* Effect.forkChild(
        Stream.runForEach(topics.listen("before"), (delivery) => Effect.sync(() => heard.push(delivery))),
        { startImmediately: true }
      )
      yield* topics.publish("before", "one")
      // Redis answers whoever publishes before it tells those who are subscribed.
      assert.deepStrictEqual(yield* collect(client, 1), ["one"])
      yield* Effect.promise(() => server.kill())
      const refused = yield* Effect.repeat(Effect.result(topics.publish("before", "lost")), {
        until: (result) => result._tag === "Failure",
        schedule: Schedule.spaced("10 millis")
      })
      assert.strictEqual(refused._tag === "Failure" && refused.failure.reason._tag, "BrokerUnavailable")
      const outcome = yield* Effect.flip(
        Effect.repeat(topics.publish("before", "lost"), { while: () => true, schedule: Schedule.spaced("10 millis") })
      )
      assert.deepInclude(outcome.reason, { _tag: "BrokerUnavailable", outcome: "not sent" })
      // Subscribing succeeds all the same.
      yield* topics.join(socket, "during")
      yield* Effect.promise(() => server.start())
      yield* Effect.retry(topics.publish("before", "two"), Schedule.spaced("10 millis"))
      yield* topics.publish("during", "three")
      const messages = yield* collect(client, 4)
      assert.deepStrictEqual([...messages].sort(), [
        "missed something of before",
        "missed something of during",
        "three",
        "two"
      ])
      assert.isBelow(messages.indexOf("missed something of before"), messages.indexOf("two"))
      assert.isBelow(messages.indexOf("missed something of during"), messages.indexOf("three"))
      assert.deepStrictEqual(heard, [
        { _tag: "Message", topic: "before", message: "one" },
        { _tag: "Gap", filter: "before", cause: "disconnected", missed: undefined },
        { _tag: "Message", topic: "before", message: "two" }
      ])
    })
  )

  it.live("fail at the start when Redis isn't there, or says no", () =>
    Effect.gen(function* () {
      const { port } = yield* redis
      const nowhere = yield* Effect.flip(TopicRedis.make({ client: { url: "redis://127.0.0.1:1" } }))
      assert.strictEqual(nowhere.reason._tag, "BrokerUnavailable")
      const url = `redis://user:wrong@127.0.0.1:${port}`
      const unknown = yield* Effect.flip(Effect.scoped(TopicRedis.make({ client: { url } })))
      assert.strictEqual(unknown.reason._tag, "BrokerRefused")
    })
  )

  it.live("as layers", () =>
    Effect.gen(function* () {
      const { port } = yield* redis
      const layer = Topic.layerOnBroker().pipe(
        Layer.provide(TopicRedis.layer({ client: { url: `redis://127.0.0.1:${port}` } }))
      )
      const heard = yield* Effect.gen(function* () {
        const topics = yield* Topic.Topics
        const heard = yield* Effect.forkChild(Stream.runHead(topics.listen("a")), { startImmediately: true })
        yield* Effect.repeat(topics.publish("a", "hello"), {
          until: () => heard.pollUnsafe() !== undefined,
          schedule: Schedule.spaced("10 millis")
        })
        return yield* Fiber.join(heard)
      }).pipe(Effect.provide(layer))
      assert.strictEqual(heard._tag, "Some")
    })
  )
})
