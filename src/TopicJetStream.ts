/**
 * Topics over NATS' JetStream, by the packages `@nats-io/transport-node` and `@nats-io/jetstream`, which the program that imports this
 * module installs. Messages are kept in a stream, so that a connection that was lost goes on where it was.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { TopicError } from "./internal/topic/error.ts"
import { type LinkOptions, makeLink } from "./internal/topic/keepLinked.ts"
import type { BrokerConnection } from "./internal/topic/model.ts"
import { type ClientOptions, prefixViolation, streamViolation } from "./internal/topic/natsClient.ts"
import { jetStreamDriver } from "./internal/topic/natsJetStream.ts"
import { Broker } from "./Topic.ts"

export type { LinkOptions } from "./internal/topic/keepLinked.ts"
export type { ClientOptions } from "./internal/topic/natsClient.ts"

/**
 * Options of a broker over JetStream.
 *
 * @category options
 * @since 0.2.0
 */
export interface Options extends LinkOptions {
  /** Options of the client, as in `TopicNats.Options`. */
  readonly client?: ClientOptions | undefined
  /**
   * The text before each name, which makes it a subject of the stream; not empty, otherwise as in
   * `TopicNats.Options`. Default: `"effect-ws.topics."`.
   */
  readonly prefix?: string | undefined
  /**
   * The name of the stream, which is created where it doesn't exist: letters, digits, `-` and `_`. Default:
   * `"effect-ws-topics"`.
   */
  readonly stream?: string | undefined
  /**
   * The number of messages of each topic, for `history` and for processes that connect again or were held up. What
   * exceeds it is replaced by a gap. Default: 1000.
   */
  readonly maxMessages?: number | undefined
  /** How long a message is kept. Default 1 day. */
  readonly maxAge?: Duration.Input | undefined
}

/**
 * Creates a broker over a stream of NATS' JetStream. A `publish` completes when the server has stored the
 * messages.
 *
 * **Details**
 *
 * It needs the package `@nats-io/jetstream` and a server of version 2.9 or later. Every process reads the whole
 * stream, and one whose connection was lost continues where it was: there is a gap only when more was published on
 * a topic than is kept, or when the stream was created anew. It has `history`, `presence` and keys. Fails with a
 * `TopicError` when NATS can't be reached at the start, or has no JetStream.
 *
 * @category constructors
 * @since 0.2.0
 */
export const make = (options: Options = {}): Effect.Effect<BrokerConnection, TopicError, Scope.Scope> => {
  const {
    client = {},
    maxAge = "1 day",
    maxMessages = 1000,
    prefix = "effect-ws.topics.",
    stream = "effect-ws-topics"
  } = options
  const reason = prefixViolation(prefix) ?? streamViolation(prefix, stream)
  if (reason !== undefined) return Effect.fail(new TopicError({ reason }))
  return makeLink(
    jetStreamDriver({
      client,
      prefix,
      stream,
      maxMessages,
      maxAge: Duration.toMillis(Duration.fromInputUnsafe(maxAge))
    }),
    options
  )
}

/**
 * Provides the broker of `make` as a layer.
 *
 * @category layers
 * @since 0.2.0
 */
export const layer = (options: Options = {}): Layer.Layer<Broker, TopicError> => Layer.effect(Broker, make(options))
