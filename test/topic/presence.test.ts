import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schedule, Scope, Stream } from "effect"
import { Socket, Topic } from "effect-ws"
import { redisServer } from "./brokers.ts"
import { connectStreams, keepers } from "./keepers.ts"
import { ManualBroker } from "./manualBroker.ts"
import { until } from "./processes.ts"

const reasonOf = <A>(effect: Effect.Effect<A, Topic.TopicError>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason._tag)

const namesOf = (topics: Topic.TopicsService, topic: string) =>
  Effect.map(topics.presence(topic), (members) => members.map(({ name }) => name).toSorted())

for (const { make, title } of keepers) {
  describe(`presence ${title}`, () => {
    it.live("is who subscribed to a topic under a name, in all processes", () =>
      Effect.gen(function* () {
        const [first, second] = yield* make()
        const [ann, bob] = [yield* Socket.makePair(), yield* Socket.makePair()]
        const scope = yield* Scope.make()
        yield* first.join(ann[1], "room", { presence: "Ann: 💬" })
        yield* Scope.provide(second.subscribe(bob[1], "room", { presence: "Bob", last: 10 }), scope)
        yield* second.join(bob[1], "elsewhere")
        for (const topics of [first, second]) {
          yield* Effect.repeat(namesOf(topics, "room"), { until: (names) => names.length === 2 })
          assert.deepStrictEqual(yield* namesOf(topics, "room"), ["Ann: 💬", "Bob"])
          assert.deepStrictEqual(yield* namesOf(topics, "elsewhere"), [])
        }
        yield* Scope.close(scope, Exit.void)
        yield* Effect.repeat(namesOf(first, "room"), { until: (names) => names.length === 1 })
        yield* ann[0].close()
        yield* Effect.repeat(namesOf(second, "room"), { until: (names) => names.length === 0 })
      })
    )

    it.live("is a stream of joins, of leaves and of sockets that close; patterns receive nothing of it", () =>
      Effect.gen(function* () {
        const [first, second] = yield* make()
        const [ann, bob] = [yield* Socket.makePair(), yield* Socket.makePair()]
        yield* first.join(ann[1], ">")
        yield* first.join(ann[1], "room", { presence: "Ann" })
        const changes: Array<string> = []
        yield* Effect.forkChild(
          Stream.runForEach(second.presenceChanges("room"), ({ _tag, member }) =>
            Effect.sync(() => changes.push(`${_tag} ${member.name}`))
          ),
          { startImmediately: true }
        )
        yield* until(() => changes.length === 1)
        yield* second.join(bob[1], "room", { presence: "Bob" })
        yield* until(() => changes.length === 2)
        yield* first.leave(ann[1], "room")
        yield* until(() => changes.length === 3)
        yield* bob[0].close()
        yield* until(() => changes.length === 4)
        assert.deepStrictEqual(changes, ["Joined Ann", "Joined Bob", "Left Ann", "Left Bob"])
        yield* first.publish("room", "end")
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(ann[0].messages, 1)), ["end"])
      })
    )

    it.live("is put and listed once for each of many members, those that left aside", () =>
      Effect.gen(function* () {
        const [first, second] = yield* make()
        const count = 100
        for (let at = 0; at < count; at++) {
          const [, socket] = yield* Socket.makePair()
          yield* first.join(socket, "room", { presence: `member ${at}` })
          if (at % 10 === 0) yield* first.leave(socket, "room")
          // Now and then what has changed is put.
          if (at % 7 === 0) yield* first.presence("room")
        }
        const expected = Array.from({ length: count }, (_, at) => at)
          .filter((at) => at % 10 !== 0)
          .map((at) => `member ${at}`)
          .toSorted()
        for (const topics of [first, second]) assert.deepStrictEqual(yield* namesOf(topics, "room"), expected)
      })
    )

    it.live("refuses patterns, and names that are empty or too long", () =>
      Effect.gen(function* () {
        const [topics] = yield* make()
        const [, server] = yield* Socket.makePair()
        assert.strictEqual(yield* reasonOf(topics.presence("room.*")), "InvalidTopic")
        assert.strictEqual(yield* reasonOf(topics.join(server, "room.*", { presence: "Ann" })), "InvalidTopic")
        for (const presence of ["", "x".repeat(256)]) {
          assert.strictEqual(yield* reasonOf(topics.join(server, "room", { presence })), "PresenceUnavailable")
        }
        yield* topics.join(server, "room", { presence: "x".repeat(255) })
      })
    )
  })
}

describe("presence over Redis streams", () => {
  it.live("is put again after Redis lost it", () =>
    Effect.gen(function* () {
      const server = yield* redisServer()
      const broker = yield* connectStreams(server.port)
      const topics = yield* Effect.provideService(Topic.makeOnBroker(), Topic.Broker, broker)
      const [, socket] = yield* Socket.makePair()
      yield* topics.join(socket, "room", { presence: "Ann" })
      yield* Effect.repeat(namesOf(topics, "room"), { until: (names) => names.length === 1 })
      yield* Effect.promise(() => server.kill())
      yield* Effect.promise(() => server.start())
      const again = Effect.retry(namesOf(topics, "room"), Schedule.spaced("20 millis"))
      assert.deepStrictEqual(yield* again, [])
      // Members are put again every ten seconds.
      yield* Effect.repeat(again, { until: (names) => names.length === 1, schedule: Schedule.spaced("200 millis") })
    })
  )
})

describe("presence over a broker that does not keep it", () => {
  it.effect("is refused", () =>
    Effect.gen(function* () {
      const topics = yield* Effect.provideService(Topic.makeOnBroker(), Topic.Broker, new ManualBroker())
      const { reason } = yield* Effect.flip(topics.presence("room"))
      assert.strictEqual(reason._tag, "PresenceUnavailable")
      const changes = yield* Effect.flip(Stream.runDrain(topics.presenceChanges("room")))
      assert.strictEqual(changes.reason._tag, "PresenceUnavailable")
    })
  )
})
