import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { Topic } from "effect-ws"
import * as TopicNats from "effect-ws/TopicNats"
import * as TopicRedis from "effect-ws/TopicRedis"
import { createClient } from "redis"
import { unavailable } from "../../src/internal/topic/failure.ts"
import { makeLink } from "../../src/internal/topic/keepLinked.ts"
import type { Driver } from "../../src/internal/topic/link.ts"
import { redisServer } from "./brokers.ts"

/** A broker that takes connections, and drops each after some time. */
const dropsAfter = (duration: `${number} seconds`) => {
  const counts = { connections: 0 }
  const driver: Driver = {
    name: "the broker",
    connect: () =>
      Effect.sync(() => {
        counts.connections++
        return {
          away: "disconnected",
          publish: () => Effect.void,
          subscribe: () => Effect.succeed([]),
          unsubscribe: () => Effect.void,
          lost: Effect.as(Effect.sleep(duration), unavailable("the broker", "unknown", new Error("dropped")))
        }
      })
  }
  return { counts, driver }
}

describe("a broker that was lost", () => {
  it.effect("is retried with growing pauses when it accepts connections and drops them at once", () =>
    Effect.gen(function* () {
      const { counts, driver } = dropsAfter("0 seconds")
      yield* makeLink(driver, {})
      for (let i = 0; i < 800; i++) yield* TestClock.adjust("10 millis")
      assert.isAtLeast(counts.connections, 5)
      assert.isAtMost(counts.connections, 9)
    })
  )

  it.effect("is retried soon after a connection that lasted for 10 seconds", () =>
    Effect.gen(function* () {
      const { counts, driver } = dropsAfter("10 seconds")
      yield* makeLink(driver, { reconnect: Schedule.exponential("1 second") })
      for (let i = 0; i < 110; i++) yield* TestClock.adjust("1 second")
      assert.strictEqual(counts.connections, 11)
    })
  )

  it.effect("is given up when the schedule ends, which its state says", () =>
    Effect.gen(function* () {
      const { driver } = dropsAfter("1 seconds")
      const broker = yield* makeLink(driver, {
        reconnect: Schedule.max([Schedule.spaced("1 second"), Schedule.recurs(2)])
      })
      const states: Array<Topic.BrokerState> = []
      yield* Effect.forkChild(
        Stream.runForEach(broker.state, (state) => Effect.sync(() => states.push(state))),
        { startImmediately: true }
      )
      for (let i = 0; i < 10; i++) yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(
        states.map(({ _tag }) => _tag),
        ["up", "down", "recovering", "up", "down", "recovering", "up", "down", "down"]
      )
      assert.deepInclude(states.at(-1), { final: true })
      const error = yield* Effect.flip(broker.publish([{ topic: "a", message: "late" }]))
      assert.deepInclude(error.reason, { _tag: "BrokerUnavailable", outcome: "not sent" })
    })
  )

  it.live("fails at the start when Redis does not allow a stream to be read", () =>
    Effect.gen(function* () {
      const { port } = yield* redisServer({ args: ["--user", "app", "on", ">pw", "~*", "&*", "+@all", "-xread"] })
      const url = `redis://app:pw@127.0.0.1:${port}`
      const error = yield* Effect.flip(Effect.scoped(TopicRedis.makeStreams({ client: { url } })))
      assert.strictEqual(error.reason._tag, "BrokerRefused")
    })
  )

  it.live("is retried with growing pauses when Redis withdraws the right to read a stream", () =>
    Effect.gen(function* () {
      const { port } = yield* redisServer({ args: ["--user", "app", "on", ">pw", "~*", "&*", "+@all"] })
      const client = yield* Effect.acquireRelease(
        Effect.promise(() => createClient({ url: `redis://127.0.0.1:${port}` }).connect()),
        (client) => Effect.sync(() => client.destroy())
      )
      const broker = yield* TopicRedis.makeStreams({ client: { url: `redis://app:pw@127.0.0.1:${port}` } })
      yield* broker.subscribe("a", () => {})
      yield* Effect.promise(() => client.sendCommand(["ACL", "SETUSER", "app", "-xread"]))
      const since = Date.now()
      const refusals = broker.state.pipe(
        Stream.filter((state) => state._tag === "down" && state.cause.reason._tag === "BrokerRefused"),
        Stream.take(5)
      )
      yield* Stream.runDrain(refusals)
      // Without growing pauses five attempts take some milliseconds; with them at least half of 0.1 + 0.2 + 0.4 + 0.8 seconds.
      assert.isAtLeast(Date.now() - since, 750)
    })
  )
})

describe("prefixes of NATS subjects", () => {
  for (const prefix of ["app", "app..", ".", "app.*.", ">.", "a b.", "a\n.", `${"a".repeat(255)}.`]) {
    it.effect(`are refused before anything connects: ${JSON.stringify(prefix.slice(0, 10))}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Effect.scoped(TopicNats.make({ client: { servers: "127.0.0.1:1" }, prefix })))
        assert.deepInclude(error.reason, { _tag: "InvalidOptions", option: "prefix" })
        assert.include(error.message, "each followed by a dot")
      })
    )
  }

  for (const prefix of ["", "app.", "app.v1.", `${"a".repeat(254)}.`]) {
    it.effect(`are taken: ${JSON.stringify(prefix.slice(0, 10))}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Effect.scoped(TopicNats.make({ client: { servers: "127.0.0.1:1" }, prefix })))
        assert.strictEqual(error.reason._tag, "BrokerUnavailable")
      })
    )
  }
})
