/**
 * Topics over NATS, by the package `@nats-io/transport-node`, which the program that imports this module installs.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { TopicError } from "./internal/topic/error.ts"
import { type LinkOptions, makeLink } from "./internal/topic/keepLinked.ts"
import type { BrokerConnection } from "./internal/topic/model.ts"
import { natsDriver } from "./internal/topic/nats.ts"
import { type ClientOptions, prefixViolation } from "./internal/topic/natsClient.ts"
import type { PayloadFormat } from "./internal/topic/payload.ts"
import { Broker } from "./Topic.ts"

export type { LinkOptions } from "./internal/topic/keepLinked.ts"
export type { ClientOptions } from "./internal/topic/natsClient.ts"
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
   * The text before each name, which makes it a subject, such as `"app."`: at most 255 characters, segments
   * without white space, `*` and `>`, each followed by a dot. Anything else fails with `InvalidTopic` when the
   * broker is made. Default: `""`.
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
export const make = (options: Options = {}): Effect.Effect<BrokerConnection, TopicError, Scope.Scope> => {
  const { client = {}, payload = "tagged", prefix = "" } = options
  const reason = prefixViolation(prefix)
  if (reason !== undefined) return Effect.fail(new TopicError({ reason }))
  return makeLink(natsDriver({ client, prefix, format: payload }), options)
}

/**
 * Provides the broker of `make` as a layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<Broker, TopicError> => Layer.effect(Broker, make(options))
