import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule, Stream } from "effect"
import { Topic } from "effect-ws"
import * as TopicRedis from "effect-ws/TopicRedis"
import { createClient } from "redis"
import { redisServer } from "./brokers.ts"
import { until } from "./processes.ts"

const redis = redisServer()

const key = "topics"

const topicsOn = (port: number, options: TopicRedis.StreamsOptions = {}) =>
  Effect.gen(function* () {
    const client = { url: `redis://127.0.0.1:${port}` }
    const broker = yield* TopicRedis.makeStreams({ client, key, reconnect: Schedule.spaced("20 millis"), ...options })
    return yield* Effect.provideService(Topic.makeOnBroker(), Topic.Broker, broker)
  })

const askRedis = (port: number) =>
  Effect.acquireRelease(
    Effect.promise(() => createClient({ url: `redis://127.0.0.1:${port}` }).connect()),
    (client) => Effect.sync(() => client.destroy())
  )

const listen = (topics: Topic.TopicsService, filter: string) =>
  Effect.gen(function* () {
    const heard: Array<string> = []
    const listening = yield* Effect.forkChild(
      Stream.runForEach(topics.listen(filter), (delivery) =>
        Effect.sync(() => heard.push(delivery._tag === "Gap" ? `gap ${delivery.cause}` : String(delivery.message)))
      ),
      { startImmediately: true }
    )
    return { heard, listening }
  })

/** Cuts every connection but the one that asks, and what is opened until this is done. */
const cut = (ask: Effect.Success<ReturnType<typeof askRedis>>) =>
  Effect.promise(async () => {
    for (const { id } of await ask.clientList()) {
      if (id !== (await ask.clientId())) await ask.sendCommand(["CLIENT", "KILL", "ID", String(id)])
    }
  })

describe("topics over Redis streams", () => {
  it.live("go on where they were when a connection is cut: nothing lost, nothing twice, no gap", () =>
    Effect.gen(function* () {
      const { port } = yield* redis
      const ask = yield* askRedis(port)
      const [first, second] = [yield* topicsOn(port), yield* topicsOn(port)]
      const { heard } = yield* listen(second, "a.*")
      const expected: Array<string> = []
      for (let i = 0; i < 100; i++) {
        if (i % 20 === 10) yield* cut(ask)
        const message = `message ${i}`
        // What may have arrived all the same isn't published again, so it is looked for in the stream.
        const sent = yield* Effect.result(
          Effect.retry(first.publish("a.b", message), {
            while: ({ reason }) => reason._tag === "BrokerUnavailable" && reason.outcome === "not sent",
            schedule: Schedule.spaced("5 millis")
          })
        )
        const [newest] = (yield* Effect.promise(() => ask.xRevRange(key, "+", "-", { COUNT: 1 }))) ?? []
        if (sent._tag === "Success" || newest?.message["message"] === `T${message}`) expected.push(message)
      }
      yield* until(() => heard.at(-1) === expected.at(-1))
      assert.deepStrictEqual(heard, expected)
      assert.isAtLeast(expected.length, 95)
    })
  )

  it.live("tell of a gap when the stream no longer reaches back", () =>
    Effect.gen(function* () {
      const { port } = yield* redis
      const ask = yield* askRedis(port)
      const topics = yield* topicsOn(port)
      const { heard } = yield* listen(topics, "a")
      yield* topics.publish("a", "one")
      yield* until(() => heard.length === 1)
      yield* Effect.promise(async () => {
        // Cut off by a password until the stream went on without it.
        await ask.configSet("requirepass", "secret")
      })
      yield* cut(ask)
      yield* Effect.promise(async () => {
        for (let i = 0; i < 5; i++) {
          await ask.sendCommand(["XADD", key, "MAXLEN", "=", "2", "*", "topic", "a", "message", `Tnumber ${i}`])
        }
        await ask.configSet("requirepass", "")
      })

      yield* until(() => heard.length === 4)
      assert.deepStrictEqual(heard, ["one", "gap forgotten", "number 3", "number 4"])
    })
  )

  it.live("tell of a gap when Redis lost everything", () =>
    Effect.gen(function* () {
      const server = yield* redis
      const topics = yield* topicsOn(server.port)
      const { heard } = yield* listen(topics, "a")
      yield* topics.publish("a", "one")
      yield* until(() => heard.length === 1)
      yield* Effect.promise(() => server.kill())
      yield* Effect.promise(() => server.start())
      yield* Effect.retry(topics.publish("a", "two"), {
        while: ({ reason }) => reason._tag === "BrokerUnavailable" && reason.outcome === "not sent",
        schedule: Schedule.spaced("5 millis")
      }).pipe(Effect.ignore)
      yield* until(() => heard.includes("gap forgotten"))
      yield* topics.publish("a", "three")
      yield* until(() => heard.includes("three"))
      assert.strictEqual(heard[1], "gap forgotten")
      assert.strictEqual(new Set(heard).size, heard.length)
    })
  )

  it.live("keep about as many messages as they are told to", () =>
    Effect.gen(function* () {
      const { port } = yield* redis
      const ask = yield* askRedis(port)
      const topics = yield* topicsOn(port, { maxLength: 100 })
      for (let i = 0; i < 10; i++) {
        yield* topics.publishAll(Array.from({ length: 100 }, () => ({ topic: "a", message: "message" })))
      }
      const length = yield* Effect.promise(() => ask.xLen(key))
      assert.isAtLeast(length, 100)
      assert.isAtMost(length, 300)
    })
  )

  it.live("open the connection anew when the stream can't be read, and pass over what isn't theirs", () =>
    Effect.gen(function* () {
      const { port } = yield* redis
      const ask = yield* askRedis(port)
      const topics = yield* topicsOn(port)
      const { heard, listening } = yield* listen(topics, "a")
      yield* Effect.promise(async () => {
        for (const fields of [
          ["other", "fields"],
          ["topic", "a"],
          ["topic", "a", "message", ""],
          ["topic", "a", "message", "X?"],
          ["topic", "no name", "message", "Tmessage"]
        ]) {
          await ask.sendCommand(["XADD", key, "*", ...fields])
        }
        await ask.sendCommand(["XADD", key, "*", "topic", "a", "message", "Tours"])
      })
      yield* until(() => heard.length === 1)
      yield* Effect.promise(async () => {
        await ask.del(key)
        await ask.set(key, "no stream")
      })
      const error = yield* Effect.flip(topics.publish("a", "message"))
      assert.include(["BrokerRefused", "BrokerUnavailable"], error.reason._tag)
      yield* Effect.promise(() => ask.del(key))
      yield* Effect.retry(topics.publish("a", "again"), Schedule.spaced("10 millis"))
      yield* until(() => heard.at(-1) === "again")
      assert.deepStrictEqual(heard, ["ours", "gap forgotten", "again"])
      yield* Fiber.interrupt(listening)
    })
  )
})
