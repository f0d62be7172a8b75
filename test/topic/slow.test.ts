import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Metric, Stream } from "effect"
import { Frame, Handshake, Socket, Topic } from "effect-ws"
import { ManualBroker } from "./manualBroker.ts"

/** When what was published has gone out, or waits. */
const nextTurn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

/** What one message takes of `queueSize`: 100 bytes, a frame's header of two, and the overhead. */
const size = 100 + 2 + 64

const text = (number: number): string => `message ${number}`.padEnd(100)

const filler = new Uint8Array(64 * 1024)

/** A subscriber whose connection is full, since its peer doesn't read. */
const slowSubscriber = (topics: Topic.TopicsService, options?: Topic.SubscribeOptions) =>
  Effect.gen(function* () {
    const [client, server] = yield* Socket.makePair({ client: { readBufferSize: 1 } })
    yield* topics.join(server, "a", options)
    let filled = 0
    let sending: Fiber.Fiber<void, Socket.SocketError>
    do {
      filled++
      sending = yield* Effect.forkChild(server.send(filler), { startImmediately: true })
      for (let i = 0; i < 3; i++) yield* nextTurn
    } while (sending.pollUnsafe() !== undefined)
    /** What came, behind what filled the connection. */
    const read = (count: number) =>
      Effect.map(Stream.runCollect(Stream.take(client.messages, filled + count)), (all) =>
        all.slice(filled).map((message) => String(message).trim())
      )
    return { client, server, read }
  })

const publishTo = (topics: Topic.TopicsService) => (numbers: ReadonlyArray<number>) =>
  Effect.forEach(numbers, (number) => Effect.andThen(topics.publish("a", text(number)), nextTurn), { discard: true })

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at)

const named = (numbers: ReadonlyArray<number>) => numbers.map((number) => text(number).trim())

const gapMessage = ({ cause, filter, missed }: Topic.Gap) => `missed ${missed} of ${filter}: ${cause}`

const ten = { queueSize: 10 * size, gapMessage } as const

describe("slow subscribers", () => {
  it.effect("are closed with 1013 when more than queueSize waits, by default", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make(ten)
      const before = yield* Metric.value(Topic.overruns)
      const slow = yield* slowSubscriber(topics)
      yield* publishTo(topics)(range(1, 10))
      assert.strictEqual(yield* topics.subscribers("a"), 1)
      yield* publishTo(topics)([11])
      assert.strictEqual(yield* topics.subscribers("a"), 0)
      assert.strictEqual((yield* Metric.value(Topic.overruns)).count, before.count + 1)
      yield* Effect.forkChild(Effect.ignore(Stream.runDrain(slow.client.messages)))
      assert.strictEqual((yield* slow.client.closed).received?.code, 1013)
    })
  )

  it.effect("get what waited, in order, when they read again", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make(ten)
      const slow = yield* slowSubscriber(topics)
      const queued = Effect.map(Metric.value(Topic.queuedBytes), ({ value }) => value)
      const before = yield* queued
      yield* publishTo(topics)(range(1, 10))
      assert.strictEqual(yield* queued, before + 10 * size)
      assert.deepStrictEqual(yield* slow.read(10), named(range(1, 10)))
      assert.strictEqual(yield* queued, before)
      yield* publishTo(topics)([11])
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(slow.client.messages, 1)), [text(11)])
    })
  )

  it.effect("miss the newest with drop, and hear how many", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make({ ...ten, slow: "drop" })
      const before = yield* Metric.value(Topic.missed)
      const slow = yield* slowSubscriber(topics)
      yield* publishTo(topics)(range(1, 13))
      assert.strictEqual((yield* Metric.value(Topic.missed)).count, before.count + 3)
      assert.deepStrictEqual(yield* slow.read(11), [...named(range(1, 10)), "missed 3 of a: slow"])
      yield* publishTo(topics)([14])
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(slow.client.messages, 1)), [text(14)])
    })
  )

  it.effect("miss the oldest with dropOldest, and hear how many", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make(ten)
      const slow = yield* slowSubscriber(topics, { slow: "dropOldest" })
      yield* publishTo(topics)(range(1, 30))
      const [gap = "", ...rest] = yield* slow.read(10)
      assert.strictEqual(gap, "missed 21 of a: slow")
      assert.deepStrictEqual(rest, named(range(22, 30)))
    })
  )

  it.effect("with dropOldest get nothing that is larger than the queue, but hear of it", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make({ ...ten, slow: "dropOldest" })
      const slow = yield* slowSubscriber(topics)
      yield* topics.publish("a", "x".repeat(11 * size))
      yield* nextTurn
      assert.deepStrictEqual(yield* slow.read(1), ["missed 1 of a: slow"])
    })
  )

  it.effect("make publishers wait with wait, until there is room", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make({ ...ten, slow: "wait" })
      const slow = yield* slowSubscriber(topics)
      yield* publishTo(topics)(range(1, 11))
      const waiting = yield* Effect.forkChild(topics.publish("a", text(12)), { startImmediately: true })
      const given = yield* Effect.forkChild(topics.publish("a", "never"), { startImmediately: true })
      yield* Fiber.interrupt(given)
      // Others aren't held up.
      yield* topics.publish("b", "elsewhere")
      yield* nextTurn
      assert.isUndefined(waiting.pollUnsafe())
      assert.deepStrictEqual(yield* slow.read(12), named(range(1, 12)))
      yield* Fiber.join(waiting)
    })
  )

  it.effect("stop holding publishers up when they leave, or are gone", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make({ ...ten, slow: "wait" })
      for (const end of [
        (server: Socket.Socket) => topics.leave(server, "a"),
        (server: Socket.Socket) => Effect.asVoid(Effect.forkChild(server.close(), { startImmediately: true }))
      ]) {
        const slow = yield* slowSubscriber(topics)
        yield* publishTo(topics)(range(1, 11))
        const waiting = yield* Effect.forkChild(topics.publish("a", "next"), { startImmediately: true })
        yield* nextTurn
        assert.isUndefined(waiting.pollUnsafe())
        yield* end(slow.server)
        yield* Fiber.join(waiting)
      }
    })
  )

  it.effect("are closed with 1013 with wait, too, when sixteen times as much waits", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make({ ...ten, slow: "wait" })
      yield* slowSubscriber(topics)
      yield* Effect.forEach(range(1, 160), (number) => topics.publish("a", text(number)), { concurrency: "unbounded" })
      yield* nextTurn
      assert.strictEqual(yield* topics.subscribers("a"), 1)
      const more = yield* Effect.forkChild(topics.publish("a", text(161)), { startImmediately: true })
      yield* nextTurn
      assert.isUndefined(more.pollUnsafe())
    })
  )

  it.effect("past sixteen times are closed", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make({ ...ten, slow: "wait" })
      yield* slowSubscriber(topics)
      yield* topics.publishAll(range(1, 161).map((number) => ({ topic: "a", message: text(number) })))
      yield* nextTurn
      assert.strictEqual(yield* topics.subscribers("a"), 0)
    })
  )

  it.effect("by default have 256 KiB", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make()
      yield* slowSubscriber(topics)
      // A header of ten bytes, and the overhead.
      yield* topics.publish("a", new Uint8Array(256 * 1024 - 10 - 64))
      yield* nextTurn
      assert.strictEqual(yield* topics.subscribers("a"), 1)
      yield* topics.publish("a", "")
      yield* nextTurn
      assert.strictEqual(yield* topics.subscribers("a"), 0)
    })
  )

  it.effect("wait behind a message in fragments, and for compression of their own", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make()
      const [client, server] = yield* Socket.makePair()
      yield* topics.join(server, "a")
      yield* server.send(Frame.text("fir", { fin: false }))
      yield* topics.publish("a", "second")
      yield* nextTurn
      yield* server.send(Frame.continuation("st"))
      yield* topics.publish("a", "third")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(client.messages, 3)), ["first", "second", "third"])
    })
  )

  it.effect("get what was published right before they are closed", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make()
      for (const draft of [Handshake.rfc6455, Handshake.hixie76]) {
        const [client, server] = yield* Socket.makePair({ draft })
        yield* topics.join(server, "a")
        yield* topics.publish("a", "goodbye")
        yield* Effect.forkChild(server.close(), { startImmediately: true })
        assert.deepStrictEqual(yield* Stream.runCollect(client.messages), ["goodbye"])
      }
    })
  )

  it.effect("hear nothing that was published before they joined or after they left", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make()
      const [first, late] = [yield* Socket.makePair(), yield* Socket.makePair()]
      yield* topics.join(first[1], "a")
      yield* topics.publish("a", "one")
      yield* topics.join(late[1], "a")
      yield* topics.publish("a", "two")
      yield* topics.leave(first[1], "a")
      yield* topics.publish("a", "three")
      yield* nextTurn
      yield* first[1].send("end")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(first[0].messages, 3)), ["one", "two", "end"])
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(late[0].messages, 2)), ["two", "three"])
    })
  )

  for (const slow of ["drop", "dropOldest", "wait", "close"] as const) {
    it.effect(`get the gaps of a broker with ${slow}: never dropped, never counted`, () =>
      Effect.gen(function* () {
        const broker = new ManualBroker()
        const topics = yield* Effect.provideService(Topic.makeOnBroker({ ...ten, slow }), Topic.Broker, broker)
        const before = yield* Metric.value(Topic.missed)
        const subscriber = yield* slowSubscriber(topics)
        const messages = (numbers: ReadonlyArray<number>) =>
          Effect.forEach(numbers, (number) => {
            broker.message(text(number))
            return nextTurn
          })
        const drops = slow === "drop" || slow === "dropOldest"
        yield* messages(range(1, drops ? 12 : 8))
        broker.gap("disconnected")
        broker.gap("disconnected", 3)
        broker.gap("forgotten", 2)
        yield* messages(range(13, drops ? 15 : 13))
        const gaps = ["missed undefined of a: disconnected", "missed 2 of a: forgotten"]
        if (slow === "drop") {
          assert.deepStrictEqual(yield* subscriber.read(13), [...named(range(1, 10)), "missed 5 of a: slow", ...gaps])
        } else if (slow === "dropOldest") {
          const heard = yield* subscriber.read(12)
          const [first = ""] = heard
          const missed = Number(/^missed (\d+) of a: slow$/.exec(first)?.[1])
          assert.deepStrictEqual(heard.slice(1, 14 - missed), [...named(range(missed + 1, 12)), gaps[0]])
          assert.strictEqual(heard[14 - missed], gaps[1])
        } else {
          assert.deepStrictEqual(yield* subscriber.read(11), [...named(range(1, 8)), ...gaps, ...named([13])])
        }
        const { count } = yield* Metric.value(Topic.missed)
        assert.isAtMost(count - before.count, drops ? 7 : 0)
      })
    )
  }

  it.effect("merge gaps of a broker when all messages between them were dropped", () =>
    Effect.gen(function* () {
      const broker = new ManualBroker()
      const options: Topic.Options = { ...ten, slow: "dropOldest" }
      const topics = yield* Effect.provideService(Topic.makeOnBroker(options), Topic.Broker, broker)
      const subscriber = yield* slowSubscriber(topics)
      for (let i = 1; i <= 40; i++) {
        broker.message(text(i))
        yield* nextTurn
        if (i <= 20) broker.gap("disconnected")
      }
      const heard = yield* subscriber.read(11)
      assert.deepStrictEqual(heard.slice(0, 2).sort(), ["missed 31 of a: slow", "missed undefined of a: disconnected"])
      assert.deepStrictEqual(heard.slice(2), named(range(32, 40)))
    })
  )
})
