import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric, Result, Schedule, Stream } from "effect"
import { Socket, Topic } from "effect-ws"
import * as TopicRedis from "effect-ws/TopicRedis"
import { redisServer } from "./brokers.ts"
import { ManualBroker } from "./manualBroker.ts"

const value = (gauge: Metric.Metric<number, Metric.GaugeState<number>>) =>
  Effect.map(Metric.value(gauge), ({ value }) => value)

const waitFor = (tag: Topic.BrokerState["_tag"]) =>
  Stream.runHead(Stream.filter(Topic.brokerState, ({ _tag }) => _tag === tag))

describe("the health of a broker", () => {
  it.live("is a stream of states, and readiness and liveness follow it", () =>
    Effect.gen(function* () {
      const server = yield* redisServer()
      const client = { url: `redis://127.0.0.1:${server.port}` }
      const before = yield* value(Topic.brokersUp)
      yield* Effect.gen(function* () {
        yield* waitFor("up")
        yield* Topic.readiness
        assert.strictEqual(yield* value(Topic.brokersUp), before + 1)
        yield* Effect.promise(() => server.kill())
        yield* waitFor("down")
        assert.strictEqual(yield* value(Topic.brokersUp), before)
        const ready = yield* Effect.result(Topic.readiness)
        assert.strictEqual(Result.isFailure(ready) && ready.failure.reason._tag, "BrokerUnavailable")
        yield* Topic.liveness
        yield* waitFor("recovering")
        yield* Effect.promise(() => server.start())
        yield* waitFor("up")
        yield* Topic.readiness
      }).pipe(Effect.provide(TopicRedis.layer({ client, reconnect: Schedule.spaced("50 millis") })))
      assert.strictEqual(yield* value(Topic.brokersUp), before)
    })
  )

  it.live("ends with liveness when no further attempt is made", () =>
    Effect.gen(function* () {
      const server = yield* redisServer()
      const broker = yield* TopicRedis.make({
        client: { url: `redis://127.0.0.1:${server.port}` },
        reconnect: Schedule.recurs(0)
      })
      yield* Effect.promise(() => server.kill())
      yield* Stream.runHead(Stream.filter(broker.state, (state) => state._tag === "down" && state.final))
      const error = yield* Effect.flip(Effect.provideService(Topic.liveness, Topic.Broker, broker))
      assert.strictEqual(error.reason._tag, "BrokerUnavailable")
    })
  )

  it.effect("is good where a broker says nothing of its state", () =>
    Effect.andThen(Topic.readiness, Topic.liveness).pipe(
      Effect.provide(Layer.succeed(Topic.Broker, new ManualBroker()))
    )
  )
})

describe("the gauges of topics", () => {
  it.effect("count filters and subscriptions until they end", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make()
      const filters = yield* value(Topic.activeFilters)
      const subscriptions = yield* value(Topic.activeSubscriptions)
      const [, first] = yield* Socket.makePair()
      const [, second] = yield* Socket.makePair()
      yield* topics.join(first, "a")
      yield* topics.join(second, "a")
      yield* topics.join(second, "b")
      assert.strictEqual(yield* value(Topic.activeFilters), filters + 2)
      assert.strictEqual(yield* value(Topic.activeSubscriptions), subscriptions + 3)
      yield* topics.leave(second, "b")
      yield* first.close()
      assert.strictEqual(yield* value(Topic.activeFilters), filters + 1)
      assert.strictEqual(yield* value(Topic.activeSubscriptions), subscriptions + 1)
      yield* topics.leave(second, "a")
      assert.strictEqual(yield* value(Topic.activeFilters), filters)
    })
  )
})
