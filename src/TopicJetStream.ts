/**
 * Topics over NATS' JetStream, by the packages `@nats-io/transport-node` and `@nats-io/jetstream`, which the program that imports this
 * module installs. Messages are kept in a stream, so that a connection that was lost goes on where it was.
 */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { TopicError } from "./internal/topic/error.ts"
import { type LinkOptions, makeBroker, timeoutOf } from "./internal/topic/keepLinked.ts"
import type { BrokerConnection } from "./internal/topic/model.ts"
import type { ClientOptions, Connection } from "./internal/topic/natsClient.ts"
import { jetStreamDriver } from "./internal/topic/natsJetStream.ts"
import { jetStreamRules } from "./internal/topic/optionRules.ts"
import { maxDelay } from "./internal/socket/optionRules.ts"
import { Broker } from "./Topic.ts"

export type { LinkOptions } from "./internal/topic/keepLinked.ts"
export type { ClientOptions, Connection } from "./internal/topic/natsClient.ts"

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
   * A connection that exists, as `TopicNats.Options` has it; `client` has no effect then.
   *
   * @since 0.2.0
   */
  readonly connection?: Connection | undefined
  /** Stands before each name to make it a subject of the stream; not empty, otherwise as `TopicNats.Options` has it. Default `"effect-ws.topics."`. */
  readonly prefix?: string | undefined
  /** The name of the stream, which is made where it isn't there: 1 to 200 letters, digits, `-` and `_`. Default `"effect-ws-topics"`. */
  readonly stream?: string | undefined
  /**
   * Most messages of each topic, for `history` and for processes that connect again or were held up: what exceeds it is replaced by a gap.
   * At least 1. Default 1000.
   */
  readonly maxMessages?: number | undefined
  /** How long a message is kept: from 100 ms to 36 500 days. Default 1 day. */
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
 * `TopicError` when NATS can't be reached at the start, or has no JetStream. Fails with `InvalidOptions` when an option has a value that isn't allowed.
 *
 * @category constructors
 * @since 0.2.0
 */
export const make = (options: Options = {}): Effect.Effect<BrokerConnection, TopicError, Scope.Scope> =>
  makeBroker(
    options,
    jetStreamRules,
    ({
      client,
      connection,
      maxAge = "1 day",
      maxMessages = 1000,
      prefix = "effect-ws.topics.",
      stream = "effect-ws-topics"
    }) =>
      jetStreamDriver({
        client,
        connection,
        prefix,
        stream,
        maxMessages,
        maxAge: Duration.toMillis(maxAge),
        requestTimeout: Math.min(Duration.toMillis(timeoutOf(options)) + 1000, maxDelay)
      })
  )

/**
 * Provides the broker of `make` as a layer.
 *
 * @category layers
 * @since 0.2.0
 */
export const layer = (options: Options = {}): Layer.Layer<Broker, TopicError> => Layer.effect(Broker, make(options))
