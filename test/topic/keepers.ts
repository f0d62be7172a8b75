// Brokers that keep history, presence and keys, each as two processes would use it.
import { Effect, Schedule, type Scope } from "effect"
import { Topic } from "effect-ws"
import * as TopicJetStream from "effect-ws/TopicJetStream"
import * as TopicRedis from "effect-ws/TopicRedis"
import { natsServer, redisServer } from "./brokers.ts"

const options = { reconnect: Schedule.spaced("20 millis") } as const

export const connectStreams = (port: number) =>
  TopicRedis.makeStreams({ client: { url: `redis://127.0.0.1:${port}` }, ...options })

export const connectJetStream = (port: number) =>
  TopicJetStream.make({ client: { servers: `127.0.0.1:${port}` }, maxMessages: 100, ...options })

type Pair = readonly [Topic.TopicsService, Topic.TopicsService]

/** Where topics are kept, and two services over it; in memory they are one. */
export interface Keeper {
  readonly title: string
  readonly make: (options?: Topic.Options) => Effect.Effect<Pair, Topic.TopicError, Scope.Scope>
}

const pairOf = (
  connect: Effect.Effect<Topic.BrokerService, Topic.TopicError, Scope.Scope>,
  options: Topic.Options | undefined
) => {
  const topics = Effect.flatMap(connect, (broker) =>
    Effect.provideService(Topic.makeOnBroker(options), Topic.Broker, broker)
  )
  return Effect.all([topics, topics])
}

export const keepers: ReadonlyArray<Keeper> = [
  { title: "in memory", make: (options) => Effect.map(Topic.make(options), (topics) => [topics, topics] as const) },
  {
    title: "over Redis streams",
    make: (options) => Effect.flatMap(redisServer(), ({ port }) => pairOf(connectStreams(port), options))
  },
  {
    title: "over JetStream",
    make: (options) =>
      Effect.flatMap(natsServer({ jetStream: true }), ({ port }) => pairOf(connectJetStream(port), options))
  }
]
