/**
 * Topics over NATS, by the package `@nats-io/transport-node`, which the program that imports this module installs.
 */
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { TopicError } from "./internal/topic/error.ts"
import { type LinkOptions, makeBroker } from "./internal/topic/keepLinked.ts"
import type { BrokerConnection } from "./internal/topic/model.ts"
import { natsDriver } from "./internal/topic/nats.ts"
import type { ClientOptions, Connection } from "./internal/topic/natsClient.ts"
import { natsRules } from "./internal/topic/optionRules.ts"
import type { PayloadFormat } from "./internal/topic/payload.ts"
import { Broker } from "./Topic.ts"

export type { LinkOptions } from "./internal/topic/keepLinked.ts"
export type { ClientOptions, Connection } from "./internal/topic/natsClient.ts"
export type { PayloadFormat } from "./internal/topic/payload.ts"

/**
 * Options of a broker over NATS.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options extends LinkOptions {
  /**
   * As `connect` takes it, such as `{ servers: "nats://localhost:4222" }`, which is the default. `reconnect` and `noEcho` are set
   * here. Pings go every 10 seconds where `pingInterval` isn't given.
   */
  readonly client?: ClientOptions | undefined
  /**
   * A connection that exists, in place of one of this module's own. It stays open when the scope ends, and is its owner's to close; once
   * it is closed, the topics are cut off. While it connects again by itself, the broker is `down`; `reconnect` says how often that is looked
   * at. It must not have `noEcho`. With `client` in addition, the other servers of its cluster are reached by that; without it
   * `subscribe` is confirmed by the server of the connection alone. Default: none.
   *
   * @since 0.2.0
   */
  readonly connection?: Connection | undefined
  /**
   * Stands before each name to make it a subject, such as `"app."`: at most 255 characters, segments without white space, `*` and `>`,
   * each followed by a dot. Default `""`.
   */
  readonly prefix?: string | undefined
  /** The form of messages. Default: `"tagged"`. */
  readonly payload?: PayloadFormat | undefined
}

/**
 * Creates a broker over NATS' publish and subscribe. A `publish` completes when the server answered a ping that
 * was sent after the messages.
 *
 * **Details**
 *
 * Messages that are published while a process has no connection to NATS never reach it; each of its subscriptions
 * gets a gap. Fails with a `TopicError` when NATS can't be reached at the start.
 *
 * In a cluster of NATS servers the ping speaks for the server that this process is connected to. So a subscription
 * is confirmed through the other servers, too, to which this process connects for that by the addresses that the
 * cluster announces. A server that can't be reached so, or doesn't respond within 2 seconds, is left out: a
 * message that another process publishes through it right after `subscribe` completed may be missing without a
 * gap, until that server knows the subscription.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<BrokerConnection, TopicError, Scope.Scope> =>
  makeBroker(options, natsRules, ({ client, connection, payload = "tagged", prefix = "" }) =>
    natsDriver({ client: connection === undefined ? (client ?? {}) : client, connection, prefix, format: payload })
  )

/**
 * Provides the broker of `make` as a layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<Broker, TopicError> => Layer.effect(Broker, make(options))
