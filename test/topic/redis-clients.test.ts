// Clients of Redis that exist: of the package itself, and of Effect's own service.
import { assert, describe, it } from "@effect/vitest"
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import { Effect, type Layer, Schedule, type Scope, Stream } from "effect"
import { Socket, Topic } from "effect-ws"
import * as TopicRedis from "effect-ws/TopicRedis"
import { createClient } from "redis"
import { redisServer } from "./brokers.ts"

/** Redis with a user whose password is in the options of the client alone. */
const redis = redisServer({ args: ["--requirepass", "secret"] })

const optionsOf = (port: number) => ({ url: `redis://127.0.0.1:${port}`, password: "secret" })

type Make = (
  options: Pick<TopicRedis.ConnectOptions, "client" | "reconnect">
) => Effect.Effect<Topic.BrokerConnection, Topic.TopicError, Scope.Scope>

const brokers: ReadonlyArray<readonly [title: string, make: Make]> = [
  ["publish and subscribe", TopicRedis.make],
  ["streams", TopicRedis.makeStreams]
]

const collect = (socket: Socket.Socket, count: number) => Stream.runCollect(Stream.take(socket.messages, count))

const connected = (port: number) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = createClient(optionsOf(port))
      client.on("error", () => {})
      await client.connect()
      return client
    }),
    (client) => Effect.sync(() => client.destroy())
  )

const connections = (client: Effect.Success<ReturnType<typeof connected>>) =>
  Effect.promise(
    async () =>
      String(await client.sendCommand(["CLIENT", "LIST"]))
        .trim()
        .split("\n").length
  )

/** Publishes text and bytes, and has them arrive. */
const exchange = (broker: Topic.BrokerService) =>
  Effect.gen(function* () {
    const topics = yield* Effect.provideService(Topic.makeOnBroker(), Topic.Broker, broker)
    const [client, server] = yield* Socket.makePair()
    yield* topics.join(server, "a.*")
    yield* topics.publish("a.b", "text")
    yield* topics.publish("a.b", new Uint8Array([0, 255]))
    assert.deepStrictEqual(
      (yield* collect(client, 2)).map((message) => (typeof message === "string" ? message : [...message])),
      ["text", [0, 255]]
    )
  })

for (const [title, make] of brokers) {
  describe(`a client of Redis that exists, for ${title}`, () => {
    it.live("gives its options to connections of the broker, which alone the broker closes", () =>
      Effect.gen(function* () {
        const { port } = yield* redis
        const client = yield* connected(port)
        const before = yield* connections(client)
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* exchange(yield* make({ client }))
            assert.strictEqual(yield* connections(client), before + 2)
          })
        )
        yield* Effect.repeat(connections(client), {
          until: (count) => count === before,
          schedule: Schedule.spaced("5 millis")
        })
        assert.strictEqual(yield* Effect.promise(() => client.ping()), "PONG")
      })
    )

    it.live("may be one that was never connected, or was closed, or has options for its commands", () =>
      Effect.gen(function* () {
        const { port } = yield* redis
        yield* exchange(yield* make({ client: createClient(optionsOf(port)) }))
        const closed = yield* Effect.scoped(connected(port))
        yield* exchange(yield* make({ client: closed }))
        const mapped = createClient({ ...optionsOf(port), commandOptions: { typeMapping: { 36: Buffer, 43: Buffer } } })
        yield* exchange(yield* make({ client: mapped }))
      })
    )

    it.live("is left alone when Redis is started anew, and the broker connects again", () =>
      Effect.gen(function* () {
        const server = yield* redis
        const broker = yield* make({ client: createClient(optionsOf(server.port)), reconnect: Schedule.spaced(20) })
        yield* exchange(broker)
        yield* Effect.promise(() => server.kill())
        yield* Stream.runHead(Stream.filter(broker.state, ({ _tag }) => _tag === "down"))
        yield* Effect.promise(() => server.start())
        yield* Stream.runHead(Stream.filter(broker.state, ({ _tag }) => _tag === "up"))
        yield* exchange(broker)
      })
    )

    it.live("fails with a typed error when its options are refused, or are none that redis takes", () =>
      Effect.gen(function* () {
        const { port } = yield* redis
        const wrong = createClient({ ...optionsOf(port), password: "wrong" })
        const refused = yield* Effect.flip(Effect.scoped(make({ client: wrong })))
        assert.strictEqual(refused.reason._tag, "BrokerRefused")
        const invalid = yield* Effect.flip(Effect.scoped(make({ client: { url: "http://localhost" } })))
        assert.deepInclude(invalid.reason, { _tag: "InvalidOptions", option: "client" })
        assert.match(invalid.message, /^invalid option client: .+; allowed: what createClient of redis takes$/)
      })
    )
  })
}

const layers: ReadonlyArray<
  readonly [title: string, layer: Layer.Layer<Topic.Broker, Topic.TopicError, NodeRedis.NodeRedis>]
> = [
  ["layerNodeRedis", TopicRedis.layerNodeRedis({ prefix: "app:" })],
  ["layerStreamsNodeRedis", TopicRedis.layerStreamsNodeRedis({ key: "app" })]
]

describe("a broker whose scope ends before the topics", () => {
  it.live("fails what is published at once", () =>
    Effect.gen(function* () {
      const { port } = yield* redis
      const broker = yield* Effect.scoped(TopicRedis.make({ client: optionsOf(port) }))
      const topics = yield* Effect.provideService(Topic.makeOnBroker(), Topic.Broker, broker)
      const error = yield* Effect.flip(topics.publish("a", "late"))
      assert.deepInclude(error.reason, { _tag: "BrokerUnavailable", outcome: "not sent" })
      assert.include(error.message, "its scope has ended")
    })
  )
})

describe("Effect's own Redis service", () => {
  for (const [title, layer] of layers) {
    it.live(`is where topics are carried by ${title}, and goes on after them`, () =>
      Effect.gen(function* () {
        const { port } = yield* redis
        yield* Effect.gen(function* () {
          const { use } = yield* NodeRedis.NodeRedis
          yield* Effect.provide(Effect.flatMap(Topic.Broker, exchange), layer)
          assert.strictEqual(yield* use((client) => client.ping()), "PONG")
        }).pipe(Effect.provide(NodeRedis.layer(optionsOf(port))))
      })
    )
  }
})
