/**
 * Topics over Redis, by the package `redis`, which the program that imports this module installs. `layer` uses Redis' own
 * publish and subscribe; `layerStreams` keeps messages in a stream, so that a connection that was lost goes on where it was.
 */
import type * as NodeRedis from "@effect/platform-node/NodeRedis"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { TopicError } from "./internal/topic/error.ts"
import { type LinkOptions, makeBroker } from "./internal/topic/keepLinked.ts"
import type { BrokerConnection } from "./internal/topic/model.ts"
import { redisRules, redisStreamsRules } from "./internal/topic/optionRules.ts"
import type { PayloadFormat } from "./internal/topic/payload.ts"
import type { ClientSource, ExistingClient } from "./internal/topic/redisClient.ts"
import { pubSubDriver } from "./internal/topic/redisPubSub.ts"
import type { TopicHistory } from "./internal/topic/redisStreamKey.ts"
import { streamsDriver } from "./internal/topic/redisStreams.ts"
import { Broker } from "./Topic.ts"

export type { LinkOptions } from "./internal/topic/keepLinked.ts"
export type { PayloadFormat } from "./internal/topic/payload.ts"
export type { ClientOptions, ClientSource, ExistingClient } from "./internal/topic/redisClient.ts"

/**
 * Options of the connection to Redis.
 *
 * @category options
 * @since 0.1.0
 */
export interface ConnectOptions extends LinkOptions {
  /**
   * As `createClient` takes it, such as `{ url: "redis://localhost:6379" }`, which is the default; or a client that exists. The
   * connections are opened with its options by its `duplicate`, and closed with the scope; the client itself is used for nothing else, need not be
   * connected, and is its owner's to close. `reconnectStrategy`, `disableOfflineQueue` and `commandOptions` are set here. A ping every
   * 10 seconds and a `socketTimeout` of 30 are added where they aren't given.
   */
  readonly client?: ClientSource | undefined
}

/**
 * Options of a broker over Redis' publish and subscribe.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options extends ConnectOptions {
  /** The text before each name, which makes it a channel. Default: `""`. */
  readonly prefix?: string | undefined
  /** The form of messages. Default: `"tagged"`. */
  readonly payload?: PayloadFormat | undefined
}

/**
 * Creates a broker over Redis' publish and subscribe, with two connections.
 *
 * **Details**
 *
 * Messages that are published while a process has no connection to Redis never reach it; each of its subscriptions
 * gets a gap. Fails with a `TopicError` when Redis can't be reached at the start. Fails with `InvalidOptions` when an option has a value that isn't allowed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<BrokerConnection, TopicError, Scope.Scope> =>
  makeBroker(options, redisRules, ({ client = {}, payload = "tagged", prefix = "" }) =>
    pubSubDriver({ client, prefix, format: payload })
  )

/**
 * Provides the broker of `make` as a layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<Broker, TopicError> => Layer.effect(Broker, make(options))

/**
 * `layer` with the client of Effect's own `NodeRedis` service, which its layer closes: see `ConnectOptions.client`.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerNodeRedis = (
  options: Omit<Options, "client"> = {}
): Layer.Layer<Broker, TopicError, NodeRedis.NodeRedis> => withNodeRedis((client) => make({ ...options, client }))

/**
 * Options of a broker over a stream of Redis.
 *
 * @category options
 * @since 0.1.0
 */
export interface StreamsOptions extends ConnectOptions {
  /** The stream that all topics are in; not empty. Default `"effect-ws:topics"`. */
  readonly key?: string | undefined
  /** About how many messages are kept for processes that connect again; at least 1. Default 100 000. */
  readonly maxLength?: number | undefined
  /** The history of each topic, in a stream of its own; `false` for none. Default: see `StreamsHistory`. */
  readonly history?: StreamsHistory | false | undefined
}

/**
 * Limits of the history of each topic.
 *
 * @category options
 * @since 0.2.0
 */
export interface StreamsHistory {
  /** Most messages of each topic, at least 1. Default 100. */
  readonly maxMessages?: number | undefined
  /** How long a topic is kept after its last message: from 1 ms to 36 500 days. Default 1 day. */
  readonly maxAge?: Duration.Input | undefined
}

const historyOf = ({ maxAge = "1 day", maxMessages = 100 }: StreamsHistory): TopicHistory => ({
  maxMessages,
  // Redis takes whole milliseconds.
  maxAge: Math.ceil(Duration.toMillis(maxAge))
})

/**
 * Creates a broker over one stream of Redis 5 or later, with two connections. Every process reads the whole
 * stream.
 *
 * **Details**
 *
 * A process whose connection was lost continues where it was: there is a gap only when the stream no longer has
 * the messages after that, or when Redis itself was restarted and may have lost what wasn't on its disk. Fails
 * with a `TopicError` when Redis can't be reached at the start. Fails with `InvalidOptions` when an option has a value that isn't allowed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeStreams = (options: StreamsOptions = {}): Effect.Effect<BrokerConnection, TopicError, Scope.Scope> =>
  makeBroker(
    options,
    redisStreamsRules,
    ({ client = {}, history = {}, key = "effect-ws:topics", maxLength = 100_000 }) =>
      streamsDriver({ client, key, maxLength, history: history === false ? undefined : historyOf(history) })
  )

/**
 * Provides the broker of `makeStreams` as a layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerStreams = (options: StreamsOptions = {}): Layer.Layer<Broker, TopicError> =>
  Layer.effect(Broker, makeStreams(options))

/**
 * `layerStreams` with the client of Effect's own `NodeRedis` service, which its layer closes: see `ConnectOptions.client`.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerStreamsNodeRedis = (
  options: Omit<StreamsOptions, "client"> = {}
): Layer.Layer<Broker, TopicError, NodeRedis.NodeRedis> =>
  withNodeRedis((client) => makeStreams({ ...options, client }))

/** By its key, since the module itself needs a later version of `redis` than this one. */
const nodeRedis = Context.Service<NodeRedis.NodeRedis, NodeRedis.NodeRedis["Service"]>(
  "@effect/platform-node/NodeRedis"
)

const withNodeRedis = (
  connect: (client: ExistingClient) => Effect.Effect<BrokerConnection, TopicError, Scope.Scope>
): Layer.Layer<Broker, TopicError, NodeRedis.NodeRedis> =>
  Layer.effect(
    Broker,
    Effect.flatMap(nodeRedis, ({ client }) => connect(client))
  )
