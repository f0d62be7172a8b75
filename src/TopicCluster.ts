/**
 * Topics across the workers of a `node:cluster`, which share a port on one machine. The primary passes messages on between them:
 * `relay` in the primary, `layer` in the workers.
 */
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { clusterDriver } from "./internal/topic/clusterWorker.ts"
import { relay as relayMessages } from "./internal/topic/clusterRelay.ts"
import type { TopicError } from "./internal/topic/error.ts"
import { type LinkOptions, makeBroker } from "./internal/topic/keepLinked.ts"
import type { BrokerConnection } from "./internal/topic/model.ts"
import { Broker } from "./Topic.ts"

export type { LinkOptions } from "./internal/topic/keepLinked.ts"

/**
 * Relays messages between the workers of this process, until the scope ends.
 *
 * **When to use**
 *
 * Run it in the primary, before workers are forked.
 *
 * **Details**
 *
 * A worker for which more than 16 MiB wait misses messages, and its subscriptions get a gap.
 *
 * @category running
 * @since 0.1.0
 */
export const relay: Effect.Effect<void, never, Scope.Scope> = relayMessages

/**
 * Creates a broker through the primary of the cluster. A `publish` completes when the primary has relayed the
 * messages.
 *
 * **Details**
 *
 * Fails with a `TopicError` when this process is not a worker, and when the primary doesn't respond within
 * `timeout`, since it has no `relay`. Fails with `InvalidOptions` when an option has a value that isn't allowed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: LinkOptions = {}): Effect.Effect<BrokerConnection, TopicError, Scope.Scope> =>
  makeBroker(options, {}, () => clusterDriver)

/**
 * Provides the broker of `make` as a layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: LinkOptions = {}): Layer.Layer<Broker, TopicError> => Layer.effect(Broker, make(options))
