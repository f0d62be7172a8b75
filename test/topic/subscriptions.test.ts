// A subscription that was answered receives every message or a gap.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schedule, Scope, Stream } from "effect"
import { Topic } from "effect-ws"
import * as TopicNats from "effect-ws/TopicNats"
import * as TopicRedis from "effect-ws/TopicRedis"
import { natsServer, redisServer } from "./brokers.ts"
import { ManualBroker } from "./manualBroker.ts"
import { until } from "./processes.ts"

const quick = { reconnect: Schedule.spaced("20 millis") }

/** Writes down what a broker delivers: messages as they are, gaps by their cause. */
const log = (heard: Array<string>) => (delivery: Topic.Delivery) =>
  void heard.push(delivery._tag === "Gap" ? `gap ${delivery.cause}` : String(delivery.message))

/** Publishes until the broker takes it. */
const publish = (broker: Topic.BrokerService, topic: string, message: string) =>
  Effect.retry(broker.publish([{ topic, message }]), Schedule.spaced("10 millis"))

const brokers = [
  {
    title: "Redis",
    start: redisServer({
      args: ["--user", "app", "on", ">pw", "~*", "resetchannels", "&chat.*", "+@all"]
    }),
    connect: (port: number) => TopicRedis.make({ client: { url: `redis://app:pw@127.0.0.1:${port}` }, ...quick })
  },
  {
    title: "NATS",
    start: natsServer({
      config: `authorization { users = [{
        user: app, password: pw, permissions: { publish: ">", subscribe: { deny: "secret.>" } }
      }] }`
    }),
    connect: (port: number) =>
      TopicNats.make({ client: { servers: `127.0.0.1:${port}`, user: "app", pass: "pw" }, ...quick })
  }
] as const

for (const { connect, start, title } of brokers) {
  describe(`subscriptions at ${title}`, () => {
    it.live("fail when the broker refuses the filter, without harm to others", () =>
      Effect.gen(function* () {
        const { port } = yield* start
        const broker = yield* connect(port)
        const heard: Array<string> = []
        yield* broker.subscribe("chat.a", log(heard))
        for (const filter of ["secret.a", "secret.*"]) {
          const error = yield* Effect.flip(Effect.scoped(broker.subscribe(filter, () => {})))
          assert.strictEqual(error.reason._tag, "BrokerRefused")
        }
        yield* publish(broker, "chat.a", "one")
        yield* until(() => heard.length === 1)
      })
    )

    it.live("end with a gap when a filter that was joined while the broker was away is refused; others go on", () =>
      Effect.gen(function* () {
        const server = yield* start
        const broker = yield* connect(server.port)
        const [open, secret, ended]: [Array<string>, Array<string>, Array<string>] = [[], [], []]
        yield* broker.subscribe("chat.a", log(open))
        const topics = yield* Effect.provideService(
          Topic.makeOnBroker({ gapMessage: ({ cause }) => cause }),
          Topic.Broker,
          broker
        )
        yield* Effect.promise(() => server.kill())
        yield* Effect.repeat(Effect.exit(broker.publish([{ topic: "chat.a", message: "x" }])), {
          until: Exit.isFailure,
          schedule: Schedule.spaced("5 millis")
        })
        yield* broker.subscribe("secret.a", log(secret))
        const listening = yield* Effect.forkChild(
          Effect.flip(
            Stream.runForEach(topics.listen("secret.b"), (delivery) => Effect.sync(() => log(ended)(delivery)))
          ),
          { startImmediately: true }
        )
        yield* Effect.promise(() => server.start())
        yield* publish(broker, "chat.a", "two")
        yield* until(() => open.includes("two"))
        assert.deepStrictEqual(open, ["gap disconnected", "two"])
        assert.deepStrictEqual(secret, ["gap refused"])
        yield* until(() => listening.pollUnsafe() !== undefined)
        assert.deepStrictEqual(ended, ["gap refused"])
        const again = yield* Effect.flip(Effect.scoped(Stream.runDrain(topics.listen("secret.b"))))
        assert.strictEqual(again.reason._tag, "BrokerRefused")
      })
    )

    it.live("are shared when two services of topics use one broker", () =>
      Effect.gen(function* () {
        const { port } = yield* start
        const broker = yield* connect(port)
        const [first, second]: [Array<string>, Array<string>] = [[], []]
        const scope = yield* Scope.make()
        yield* broker.subscribe("chat.a", log(first))
        yield* publish(broker, "chat.a", "1")
        yield* until(() => first.length === 1)
        yield* Scope.provide(broker.subscribe("chat.a", log(second)), scope)
        yield* publish(broker, "chat.a", "2")
        yield* until(() => second.length === 1)
        yield* Scope.close(scope, Exit.void)
        yield* publish(broker, "chat.a", "3")
        yield* until(() => first.length === 3)
        assert.deepStrictEqual([first, second], [["1", "2", "3"], ["2"]])
      })
    )

    it.live("receive what is published after they were answered, while another filter is being left", () =>
      Effect.gen(function* () {
        const { port } = yield* start
        const broker = yield* connect(port)
        const filters = ["chat.1", "chat.*", "chat.>", "chat.1", "chat.>", "chat.*"]
        let scope = yield* Scope.make()
        for (let i = 0; i < 60; i++) {
          const heard: Array<string> = []
          const next = yield* Scope.make()
          const leaving = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
          yield* Scope.provide(broker.subscribe(filters[i % filters.length] ?? "", log(heard)), next)
          yield* publish(broker, "chat.1", `message ${i}`)
          yield* until(() => heard.length > 0)
          assert.deepStrictEqual(heard, [`message ${i}`])
          assert.isDefined(leaving)
          scope = next
        }
      })
    )
  })
}

describe("gaps of a broker", () => {
  it.live("reach a program that listens too slowly, without a number that isn't known", () =>
    Effect.gen(function* () {
      const broker = new ManualBroker()
      const topics = yield* Effect.provideService(Topic.makeOnBroker(), Topic.Broker, broker)
      const pull = yield* Stream.toPull(topics.listen("a"))
      const first = yield* Effect.forkChild(pull, { startImmediately: true })
      broker.gap("forgotten", 2)
      assert.strictEqual((yield* Fiber.join(first)).length, 1)
      for (let i = 0; i < 1024; i++) broker.message(String(i))
      broker.gap("disconnected")
      for (let i = 0; i < 3; i++) broker.message("more")
      broker.gap("forgotten", 4)
      broker.gap("disconnected", 5)
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      const gaps = (yield* pull).slice(1024)
      assert.deepStrictEqual(gaps, [
        { _tag: "Gap", filter: "a", cause: "disconnected", missed: undefined },
        { _tag: "Gap", filter: "a", cause: "slow", missed: 3 },
        { _tag: "Gap", filter: "a", cause: "forgotten", missed: 4 }
      ])
    })
  )
})
