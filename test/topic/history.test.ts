import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { Socket, Topic } from "effect-ws"
import { keepers } from "./keepers.ts"

const gapMessage = ({ cause, filter }: Topic.Gap) => `gap ${cause} of ${filter}`

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => String(from + at))

const publish = (topics: Topic.TopicsService, messages: ReadonlyArray<string>, topic = "a") =>
  topics.publishAll(messages.map((message) => ({ topic, message })))

const collect = (socket: Socket.Socket, count: number) => Stream.runCollect(Stream.take(socket.messages, count))

const reasonOf = <A>(effect: Effect.Effect<A, Topic.TopicError>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason._tag)

for (const { make, title } of keepers) {
  describe(`history ${title}`, () => {
    it.live("starts a subscription with the last messages of its topic, and goes on with what is published", () =>
      Effect.gen(function* () {
        const [topics] = yield* make({ gapMessage })
        yield* publish(topics, range(1, 20))
        yield* publish(topics, ["elsewhere"], "b")
        const [client, server] = yield* Socket.makePair()
        const { complete, position } = yield* topics.join(server, "a", { last: 5 })
        assert.isTrue(complete)
        assert.isString(position)
        yield* publish(topics, range(21, 22))
        assert.deepStrictEqual(yield* collect(client, 7), range(16, 22))
      })
    )

    it.live("is what its limits keep", () =>
      Effect.gen(function* () {
        const [topics] = yield* make({ gapMessage })
        yield* publish(topics, range(1, 150))
        const { messages } = yield* topics.history("a", { last: 1000 })
        assert.deepStrictEqual(
          messages.map(({ message }) => String(message)),
          range(51, 150)
        )
        assert.deepStrictEqual((yield* topics.history("a", { last: 0 })).messages, [])
        assert.deepStrictEqual((yield* topics.history("never", { last: 10 })).messages, [])
      })
    )

    it.live("goes on from a position: that of an answer, of a message, and of a topic without messages", () =>
      Effect.gen(function* () {
        const [topics] = yield* make({ gapMessage })
        const empty = yield* topics.history("a", { last: 10 })
        yield* publish(topics, range(1, 3))
        const { messages } = yield* topics.history("a", { from: empty.position })
        assert.deepStrictEqual(
          messages.map(({ message }) => message),
          range(1, 3)
        )
        const [client, server] = yield* Socket.makePair()
        const scope = yield* Scope.make()
        const first = yield* Scope.provide(topics.subscribe(server, "a", { from: messages[0]?.position }), scope)
        yield* Scope.close(scope, Exit.void)
        yield* publish(topics, range(4, 6))
        const second = yield* topics.join(server, "a", { from: first.position })
        assert.deepStrictEqual(yield* collect(client, 5), range(2, 6))
        assert.isTrue(first.complete && second.complete)
        const page = yield* topics.history("a", { from: empty.position, limit: 2 })
        assert.deepStrictEqual(
          page.messages.map(({ message }) => message),
          ["1", "2"]
        )
        assert.strictEqual((yield* topics.history("a", { from: page.position })).messages.length, 4)
      })
    )

    it.live("says so with a gap when it no longer reaches back to a position", () =>
      Effect.gen(function* () {
        const [topics] = yield* make({ gapMessage })
        yield* publish(topics, range(1, 10))
        const { position } = yield* topics.history("a", { last: 1 })
        yield* publish(topics, range(11, 130))
        const [client, server] = yield* Socket.makePair()
        const { complete } = yield* topics.join(server, "a", { from: position })
        assert.isFalse(complete)
        assert.deepStrictEqual(yield* collect(client, 101), ["gap forgotten of a", ...range(31, 130)])
      })
    )

    it.live("and what is published meanwhile come in order, without a message missing or twice", () =>
      Effect.gen(function* () {
        const [topics] = yield* make({ gapMessage })
        let number = 0
        let wanted = true
        const publishing = yield* Effect.forkChild(
          Effect.whileLoop({
            while: () => wanted,
            body: () =>
              Effect.andThen(publish(topics, [String(++number)]), number % 5 === 0 ? Effect.sleep(1) : Effect.void),
            step: () => {}
          })
        )
        for (let round = 0; round < 20; round++) {
          const [client, server] = yield* Socket.makePair()
          yield* topics.join(server, "a", { last: 10 })
          const heard = (yield* collect(client, 30)).map(Number)
          const [first = 0] = heard
          assert.deepStrictEqual(
            heard,
            heard.map((_, at) => first + at)
          )
        }
        wanted = false
        yield* Fiber.join(publishing)
      })
    )

    it.live("refuses patterns, positions that it did not give, and numbers that are none", () =>
      Effect.gen(function* () {
        const [topics] = yield* make({ gapMessage })
        const [, server] = yield* Socket.makePair()
        assert.strictEqual(yield* reasonOf(topics.join(server, "a.*", { last: 1 })), "InvalidTopic")
        assert.strictEqual(yield* reasonOf(topics.history("a.>", { last: 1 })), "InvalidTopic")
        assert.strictEqual(yield* reasonOf(topics.join(server, "a", { from: "nonsense" })), "InvalidPosition")
        for (const last of [-1, Number.NaN, 1.5, Infinity]) {
          assert.strictEqual(yield* reasonOf(topics.history("a", { last })), "InvalidPosition")
        }
        assert.deepStrictEqual(yield* topics.filters, [])
      })
    )
  })
}

describe("history in memory", () => {
  it.effect("is off with `history: false`", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make({ history: false })
      const { reason } = yield* Effect.flip(topics.history("a", { last: 1 }))
      assert.strictEqual(reason._tag, "HistoryUnavailable")
    })
  )

  it.effect("has limits: maxMessages of a topic, and maxBytes of all, of which the silent are forgotten", () =>
    Effect.gen(function* () {
      // Each message takes 1 for the name, 10 for itself, and 64.
      const topics = yield* Topic.make({ history: { maxMessages: 3, maxBytes: 6 * 75 } })
      const countOf = (topic: string) =>
        Effect.map(topics.history(topic, { last: 10 }), ({ messages }) => messages.length)
      const [message] = ["0123456789"]
      for (const topic of ["a", "a", "a", "a", "b", "b", "b"]) yield* topics.publish(topic, message ?? "")
      assert.deepStrictEqual([yield* countOf("a"), yield* countOf("b")], [3, 3])
      const { position } = yield* topics.history("a", { last: 1 })
      yield* topics.publish("c", message ?? "")
      assert.deepStrictEqual([yield* countOf("a"), yield* countOf("b"), yield* countOf("c")], [2, 3, 1])
      assert.isTrue((yield* topics.history("a", { from: position })).complete)
      for (const topic of ["c", "c"]) yield* topics.publish(topic, message ?? "")
      assert.deepStrictEqual([yield* countOf("a"), yield* countOf("b"), yield* countOf("c")], [0, 3, 3])
      const other = yield* Topic.make()
      assert.isFalse((yield* other.history("a", { from: position })).complete)
    })
  )

  it.effect("gives `format` the position of each message, and `listen` when it is set", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make({
        history: {},
        format: ({ message, position, topic }) => JSON.stringify({ topic, message, position })
      })
      const [client, server] = yield* Socket.makePair()
      yield* topics.publish("a", "one")
      yield* topics.join(server, "a", { last: 1 })
      const listening = yield* Effect.forkChild(Stream.runHead(topics.listen("a")), { startImmediately: true })
      yield* topics.publish("a", "two")
      const [one, two] = (yield* collect(client, 2)).map((message) => JSON.parse(String(message)))
      assert.deepStrictEqual([one.message, two.message], ["one", "two"])
      const { messages } = yield* topics.history("a", { from: one.position })
      assert.deepStrictEqual(messages, [{ topic: "a", message: "two", position: two.position }])
      assert.deepStrictEqual((yield* Fiber.join(listening)).valueOrUndefined, {
        _tag: "Message",
        topic: "a",
        message: "two",
        position: two.position
      })
    })
  )

  it.live("is sent as fast as a slow socket takes it, whatever its policy", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make({ queueSize: 1000, history: { maxMessages: 1000 } })
      const long = "x".repeat(10_000)
      for (let i = 0; i < 1000; i++) yield* topics.publish("a", `${i} ${long}`)
      const [client, server] = yield* Socket.makePair({ client: { readBufferSize: 1 } })
      const joining = yield* Effect.forkChild(topics.join(server, "a", { last: 1000 }), { startImmediately: true })
      yield* topics.publish("a", "live")
      const heard = yield* collect(client, 1001)
      yield* Fiber.join(joining)
      assert.deepStrictEqual(
        heard.map((message) => String(message).split(" ")[0]),
        [...range(0, 999), "live"]
      )
    })
  )
})
