import { assert, describe, it } from "@effect/vitest"
import { connect } from "@nats-io/transport-node"
import { Effect, Schedule, Stream } from "effect"
import { Socket, Topic } from "effect-ws"
import * as TopicNats from "effect-ws/TopicNats"
import { natsCluster, natsServer } from "./brokers.ts"
import { until } from "./processes.ts"

const nats = natsServer()

const collect = (socket: Socket.Socket, count: number) => Stream.runCollect(Stream.take(socket.messages, count))

/** How often each message came; bytes in hexadecimal. */
const countsOf = (messages: ReadonlyArray<Socket.Message>): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const message of messages) {
    const text = typeof message === "string" ? message : Buffer.from(message).toString("hex")
    counts[text] = (counts[text] ?? 0) + 1
  }
  return counts
}

const topicsOn = (port: number, options: TopicNats.Options = {}, topicOptions: Topic.Options = {}) =>
  Effect.gen(function* () {
    const client = { servers: `127.0.0.1:${port}` }
    const broker = yield* TopicNats.make({ client, reconnect: Schedule.spaced("20 millis"), ...options })
    return yield* Effect.provideService(Topic.makeOnBroker(topicOptions), Topic.Broker, broker)
  })

describe("topics over NATS", () => {
  it.live("bring messages to every process, once for each filter", () =>
    Effect.gen(function* () {
      const { port } = yield* nats
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

  it.live("take every name and filter of the grammar", () =>
    Effect.gen(function* () {
      const { port } = yield* nats
      const topics = yield* topicsOn(port)
      const [client, server] = yield* Socket.makePair()
      const names = ["Az09-_:/@+=~%", "a".repeat(255), Array.from({ length: 16 }, () => "a").join(".")]
      for (const name of names) {
        yield* topics.join(server, name)
        yield* topics.publish(name, name)
      }
      assert.deepStrictEqual(yield* collect(client, names.length), names)
      for (const filter of [">", "*", "*.*.>"]) yield* topics.join(server, filter)
      yield* topics.publish("x", "x")
      assert.deepStrictEqual(yield* collect(client, 2), ["x", "x"])
    })
  )

  it.live("exchange plain text with other programs, under a prefix, and forget what nobody wants", () =>
    Effect.gen(function* () {
      const { port } = yield* nats
      const topics = yield* topicsOn(port, { prefix: "app.", payload: "text" })
      const other = yield* Effect.acquireRelease(
        Effect.promise(() => connect({ servers: `127.0.0.1:${port}` })),
        (connection) => Effect.promise(() => connection.close())
      )
      const heard: Array<string> = []
      other.subscribe("app.chat.a", { callback: (_, message) => void heard.push(message.string()) })
      yield* Effect.promise(() => other.flush())
      const [client, server] = yield* Socket.makePair()
      for (let i = 0; i < 20; i++) {
        yield* topics.join(server, "chat.*")
        yield* topics.leave(server, "chat.*")
      }
      yield* topics.join(server, "chat.*")
      yield* topics.publish("chat.a", "ours")
      yield* Effect.promise(async () => {
        other.publish("app.chat.a", "theirs")
        other.publish("app.chat.§", "not a name here")
        other.publish("app.chat.a", new Uint8Array([0xff]))
        other.publish("chat.a", "elsewhere")
        await other.flush()
      })
      yield* topics.publish("chat.a", "end")
      assert.deepStrictEqual(yield* collect(client, 3), ["ours", "theirs", "end"])
      yield* until(() => heard.length === 4)
    })
  )

  it.live("fail while NATS is away, and tell of a gap when it is back", () =>
    Effect.gen(function* () {
      const server = yield* nats
      const topics = yield* topicsOn(server.port)
      const heard: Array<Topic.Delivery> = []
      yield* Effect.forkChild(
        Stream.runForEach(topics.listen("a"), (delivery) => Effect.sync(() => heard.push(delivery))),
        { startImmediately: true }
      )
      yield* topics.publish("a", "one")
      yield* until(() => heard.length === 1)
      yield* Effect.promise(() => server.kill())
      const error = yield* Effect.flip(
        Effect.retry(
          Effect.repeat(topics.publish("a", "lost"), { while: () => true, schedule: Schedule.spaced("5 millis") }),
          {
            while: ({ reason }) => reason._tag === "BrokerUnavailable" && reason.outcome === "unknown",
            schedule: Schedule.spaced("5 millis")
          }
        )
      )
      assert.deepInclude(error.reason, { _tag: "BrokerUnavailable", outcome: "not sent" })
      yield* Effect.promise(() => server.start())
      yield* Effect.retry(topics.publish("a", "two"), Schedule.spaced("10 millis"))
      yield* until(() => heard.length === 3)
      assert.deepStrictEqual(heard, [
        { _tag: "Message", topic: "a", message: "one" },
        { _tag: "Gap", filter: "a", cause: "disconnected", missed: undefined },
        { _tag: "Message", topic: "a", message: "two" }
      ])
    })
  )

  it.live("refuse what is longer than NATS takes", () =>
    Effect.gen(function* () {
      const { port } = yield* nats
      const topics = yield* topicsOn(port, {}, { maxMessageSize: Infinity })
      const [client, server] = yield* Socket.makePair({ client: { maxMessageSize: Infinity } })
      yield* topics.join(server, "a")
      // NATS' own limit is 1 MiB, and the tag is a byte of it.
      const longest = new Uint8Array(1024 * 1024 - 1)
      yield* topics.publish("a", longest)
      assert.strictEqual((yield* collect(client, 1))[0]?.length, longest.length)
      const error = yield* Effect.flip(topics.publish("a", new Uint8Array(1024 * 1024)))
      assert.deepInclude(error.reason, { _tag: "MessageTooLarge", size: 1024 * 1024 + 1, limit: 1024 * 1024 })
    })
  )

  it.live("fail at the start when NATS isn't there", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(TopicNats.make({ client: { servers: "127.0.0.1:1" } }))
      assert.strictEqual(error.reason._tag, "BrokerUnavailable")
    })
  )

  it.live("bring what is published through another server of a cluster right after a subscription was answered", () =>
    Effect.gen(function* () {
      const servers = yield* natsCluster(3)
      const [near, , far] = yield* Effect.forEach(servers, ({ port }) =>
        TopicNats.make({ client: { servers: `127.0.0.1:${port}` } })
      )
      if (near === undefined || far === undefined) return
      // Until the servers know each other.
      const heard = new Set<string>()
      const take = (delivery: Topic.Delivery) => void (delivery._tag === "Message" && heard.add(delivery.topic))
      yield* near.subscribe("ready", take)
      yield* Effect.repeat(far.publish([{ topic: "ready", message: "" }]), {
        until: () => heard.has("ready"),
        schedule: Schedule.spaced("20 millis")
      })
      const count = 300
      for (let at = 0; at < count; at++) {
        yield* near.subscribe(`t.${at}`, take)
        yield* far.publish([{ topic: `t.${at}`, message: "" }])
      }
      yield* far.publish([{ topic: "ready", message: "" }])
      yield* until(() => heard.size === count + 1)
    })
  )
})
