// A connection to NATS that exists.
import { assert, describe, it } from "@effect/vitest"
import { connect, type NodeConnectionOptions } from "@nats-io/transport-node"
import { Effect, Schedule, Stream } from "effect"
import { Socket, Topic } from "effect-ws"
import * as TopicJetStream from "effect-ws/TopicJetStream"
import * as TopicNats from "effect-ws/TopicNats"
import { natsCluster, natsServer } from "./brokers.ts"
import { until } from "./processes.ts"

const nats = natsServer()

const collect = (socket: Socket.Socket, count: number) => Stream.runCollect(Stream.take(socket.messages, count))

const connected = (port: number, options: NodeConnectionOptions = {}) =>
  Effect.acquireRelease(
    Effect.promise(() => connect({ servers: `127.0.0.1:${port}`, reconnectTimeWait: 20, ...options })),
    (connection) => Effect.promise(() => connection.close())
  )

const gapMessage = ({ cause, filter }: Topic.Gap) => `${filter}: ${cause}`

const reconnect = Schedule.spaced("20 millis")

const topicsOn = (options: TopicNats.Options) =>
  Effect.gen(function* () {
    const broker = yield* TopicNats.make({ reconnect, ...options })
    const topics = yield* Effect.provideService(Topic.makeOnBroker({ gapMessage }), Topic.Broker, broker)
    return { broker, topics }
  })

describe("a connection to NATS that exists", () => {
  it.live("carries topics, stays open when they end, and keeps nothing of them", () =>
    Effect.gen(function* () {
      const { port } = yield* nats
      const connection = yield* connected(port)
      const heard: Array<string> = []
      connection.subscribe("theirs", { callback: (_, message) => void heard.push(message.string()) })
      const before = connection.stats().inMsgs
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { topics } = yield* topicsOn({ connection, prefix: "app." })
          const [client, server] = yield* Socket.makePair()
          yield* topics.join(server, "a.*")
          yield* topics.publish("a.b", "one")
          yield* topics.publish("a.b", new Uint8Array([0, 255]))
          const messages = yield* collect(client, 2)
          assert.deepStrictEqual(
            messages.map((message) => (typeof message === "string" ? message : [...message])),
            ["one", [0, 255]]
          )
        })
      )
      assert.strictEqual(connection.stats().inMsgs, before + 2)
      connection.publish("app.a.b", "for nobody")
      connection.publish("theirs", "still here")
      yield* Effect.promise(() => connection.flush())
      yield* until(() => heard.length === 1)
      assert.strictEqual(connection.stats().inMsgs, before + 3)
      assert.isFalse(connection.isClosed())
    })
  )

  it.live("connects again by itself: a gap, nothing twice, nothing that was published meanwhile", () =>
    Effect.gen(function* () {
      const server = yield* nats
      const connection = yield* connected(server.port, { maxReconnectAttempts: -1 })
      const { broker, topics } = yield* topicsOn({ connection })
      const [client, socket] = yield* Socket.makePair()
      yield* topics.join(socket, "a")
      yield* topics.publish("a", "before")
      for (let round = 0; round < 3; round++) {
        yield* Effect.promise(() => server.kill())
        yield* Stream.runHead(Stream.filter(broker.state, ({ _tag }) => _tag === "down"))
        const lost = yield* Effect.flip(topics.publish("a", "lost"))
        assert.deepInclude(lost.reason, { _tag: "BrokerUnavailable", outcome: "not sent" })
        yield* Effect.promise(() => server.start())
        yield* Stream.runHead(Stream.filter(broker.state, ({ _tag }) => _tag === "up"))
        yield* topics.publish("a", `after ${round}`)
      }
      assert.deepStrictEqual(yield* collect(client, 7), [
        "before",
        "a: disconnected",
        "after 0",
        "a: disconnected",
        "after 1",
        "a: disconnected",
        "after 2"
      ])
    })
  )

  it.live("is never opened again once it is closed", () =>
    Effect.gen(function* () {
      const { port } = yield* nats
      const connection = yield* connected(port)
      const reconnect = Schedule.max([Schedule.spaced("20 millis"), Schedule.recurs(2)])
      const { broker, topics } = yield* topicsOn({ connection, reconnect })
      yield* Effect.promise(() => connection.close())
      yield* Stream.runHead(Stream.filter(broker.state, (state) => state._tag === "down" && state.final))
      const lost = yield* Effect.flip(topics.publish("a", "lost"))
      assert.deepInclude(lost.reason, { _tag: "BrokerUnavailable", outcome: "not sent" })
      const closed = yield* Effect.flip(Effect.scoped(TopicNats.make({ connection })))
      assert.include(closed.message, "the connection was closed")
    })
  )

  it.live("carries a stream of JetStream, which goes on where it was, nothing lost and nothing twice", () =>
    Effect.gen(function* () {
      const server = yield* natsServer({ jetStream: true })
      const connection = yield* connected(server.port, { maxReconnectAttempts: -1 })
      const other = yield* TopicJetStream.make({ client: { servers: `127.0.0.1:${server.port}` }, reconnect })
      const heard: Array<string> = []
      yield* Effect.scoped(
        Effect.gen(function* () {
          const broker = yield* TopicJetStream.make({ connection, reconnect })
          yield* broker.subscribe("a", (delivery) =>
            heard.push(delivery._tag === "Message" ? String(delivery.message) : delivery.cause)
          )
          for (let round = 0; round < 3; round++) {
            yield* broker.publish([{ topic: "a", message: `before ${round}` }])
            yield* Effect.promise(() => server.kill())
            yield* Stream.runHead(Stream.filter(broker.state, ({ _tag }) => _tag === "down"))
            yield* Effect.promise(() => server.start())
            // Published while this one may still be away.
            const key = `while ${round}`
            yield* Effect.retry(other.publish([{ topic: "a", message: key, key }]), Schedule.spaced("10 millis"))
            yield* Stream.runHead(Stream.filter(broker.state, ({ _tag }) => _tag === "up"))
          }
          yield* broker.publish([{ topic: "a", message: "end" }])
          yield* until(() => heard.includes("end"))
        })
      )
      yield* other.publish([{ topic: "a", message: "nobody is subscribed" }])
      yield* Effect.promise(() => connection.flush())
      const rounds = [0, 1, 2].flatMap((round) => [`before ${round}`, `while ${round}`])
      assert.deepStrictEqual(heard, [...rounds, "end"])
      assert.isFalse(connection.isClosed())
    })
  )

  it.live("must deliver to its own subscriptions", () =>
    Effect.gen(function* () {
      const { port } = yield* nats
      const connection = yield* connected(port, { noEcho: true })
      const error = yield* Effect.flip(Effect.scoped(TopicNats.make({ connection })))
      assert.deepInclude(error.reason, { _tag: "InvalidOptions", option: "connection" })
      assert.include(error.message, "allowed: a connection without noEcho")
    })
  )

  it.live("is confirmed through the other servers of a cluster when options are given, too", () =>
    Effect.gen(function* () {
      const [first, second] = yield* natsCluster(2)
      const ports = [first?.port ?? 0, second?.port ?? 0] as const
      const connection = yield* connected(ports[0])
      const here = yield* topicsOn({ connection, client: { servers: `127.0.0.1:${ports[0]}` } })
      const there = yield* topicsOn({ client: { servers: `127.0.0.1:${ports[1]}` } })
      // Until the servers know each other.
      let ready = false
      yield* here.broker.subscribe("ready", () => (ready = true))
      yield* Effect.repeat(there.topics.publish("ready", ""), { until: () => ready, schedule: Schedule.spaced(20) })
      const [client, socket] = yield* Socket.makePair()
      for (let i = 0; i < 50; i++) {
        yield* here.topics.join(socket, `t.${i}`)
        yield* there.topics.publish(`t.${i}`, String(i))
      }
      assert.deepStrictEqual(
        [...(yield* collect(client, 50))].sort(),
        Array.from({ length: 50 }, (_, i) => String(i)).sort()
      )
    })
  )
})
