/**
 * Topics over Redis, by the package `redis`, which the program that imports this module installs. `layer` uses Redis' own
 * publish and subscribe; `layerStreams` keeps messages in a stream, so that a connection that was lost goes on where it was.
 */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { TopicError } from "./internal/topic/error.ts"
import { type LinkOptions, makeLink } from "./internal/topic/keepLinked.ts"
import type { BrokerConnection } from "./internal/topic/model.ts"
import type { PayloadFormat } from "./internal/topic/payload.ts"
import type { ClientOptions } from "./internal/topic/redisClient.ts"
import { pubSubDriver } from "./internal/topic/redisPubSub.ts"
import type { TopicHistory } from "./internal/topic/redisStreamKey.ts"
import { streamsDriver } from "./internal/topic/redisStreams.ts"
import { Broker } from "./Topic.ts"

export type { LinkOptions } from "./internal/topic/keepLinked.ts"
export type { PayloadFormat } from "./internal/topic/payload.ts"

/**
 * How to reach Redis.
 *
 * @category options
 * @since 0.1.0
 */
export interface ConnectOptions extends LinkOptions {
  /**
   * As `createClient` takes it, such as `{ url: "redis://localhost:6379" }`, which is the default. `reconnectStrategy` and
   * `disableOfflineQueue` are set here. A ping every 10 seconds and a `socketTimeout` of 30 are added where they aren't given.
   */
  readonly client?: ClientOptions | undefined
}

/**
 * How topics are channels.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options extends ConnectOptions {
  /** Stands before each name to make it a channel. Default `""`. */
  readonly prefix?: string | undefined
  /** Default `"tagged"`. */
  readonly payload?: PayloadFormat | undefined
}

/**
 * A broker over Redis' publish and subscribe. What is published while a process has no connection to Redis never reaches it: each of
 * its subscriptions is told of a gap. Uses two connections. Fails when Redis can't be reached at the start.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<BrokerConnection, TopicError, Scope.Scope> => {
  const { client = {}, payload = "tagged", prefix = "" } = options
  return makeLink(pubSubDriver({ client, prefix, format: payload }), options)
}

/**
 * `make` as a layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<Broker, TopicError> => Layer.effect(Broker, make(options))

/**
 * How topics are kept in a stream.
 *
 * @category options
 * @since 0.1.0
 */
export interface StreamsOptions extends ConnectOptions {
  /** The stream that all topics are in. Default `"effect-ws:topics"`. */
  readonly key?: string | undefined
  /** About how many messages are kept for processes that connect again. Default 100 000. */
  readonly maxLength?: number | undefined
  /** What is kept of each topic, in a stream of its own; `false` for nothing. Default: see `StreamsHistory`. */
  readonly history?: StreamsHistory | false | undefined
}

/**
 * How much of each topic is kept for `history`.
 *
 * @category options
 * @since 0.2.0
 */
export interface StreamsHistory {
  /** Most messages of each topic. Default 100. */
  readonly maxMessages?: number | undefined
  /** How long a topic is kept after its last message. Default 1 day. */
  readonly maxAge?: Duration.Input | undefined
}

const historyOf = ({ maxAge = "1 day", maxMessages = 100 }: StreamsHistory): TopicHistory => ({
  maxMessages,
  maxAge: Duration.toMillis(maxAge)
})

/**
 * A broker over one stream of Redis 5 or later, which every process reads whole. A process whose connection was lost goes on reading where it was:
 * there is a gap only when the stream no longer reaches back so far, or when Redis itself was started anew and may have lost
 * what wasn't on its disk. Uses two connections. Fails when Redis can't be reached at the start.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeStreams = (options: StreamsOptions = {}): Effect.Effect<BrokerConnection, TopicError, Scope.Scope> => {
  const { client = {}, history = {}, key = "effect-ws:topics", maxLength = 100_000 } = options
  const kept = history === false ? undefined : historyOf(history)
  return makeLink(streamsDriver({ client, key, maxLength, history: kept }), options)
}

/**
 * `makeStreams` as a layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerStreams = (options: StreamsOptions = {}): Layer.Layer<Broker, TopicError> =>
  Layer.effect(Broker, makeStreams(options))
