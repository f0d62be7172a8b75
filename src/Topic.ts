/**
 * Publish and subscribe over sockets. A message that is published on a name goes to every socket that is subscribed to it,
 * encoded and compressed once for all on which it is the same bytes. Within one process `layer` is all there is to it; across
 * processes and machines a `Broker` carries messages: `TopicRedis`, `TopicNats` and `TopicCluster` have layers for it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { BrokerService, Options, TopicsService } from "./internal/topic/model.ts"
import { makeTopics } from "./internal/topic/topics.ts"

export * from "./internal/topic/error.ts"
export { gaps, missed, overruns } from "./internal/topic/metrics.ts"
export type {
  BrokerConnection,
  BrokerService,
  BrokerState,
  Delivered,
  Delivery,
  Gap,
  Options,
  Published,
  SlowPolicy,
  SubscribeOptions,
  TopicsService
} from "./internal/topic/model.ts"
export { matches, maxNameLength, maxSegments, segment } from "./internal/topic/name.ts"

/** Publish and subscribe, as a service. */
export class Topics extends Context.Service<Topics, TopicsService>()("effect-ws/Topic/Topics") {}

/** What carries messages between processes, as a service. */
export class Broker extends Context.Service<Broker, BrokerService>()("effect-ws/Topic/Broker") {}

/** Topics within this process. */
export const make = (options: Options = {}): Effect.Effect<TopicsService, never, Scope.Scope> =>
  makeTopics(undefined, options)

/** Topics that a broker carries between processes. The end of the scope ends what was subscribed to at the broker. */
export const makeOnBroker = (options: Options = {}): Effect.Effect<TopicsService, never, Broker | Scope.Scope> =>
  Effect.flatMap(Broker, (broker) => makeTopics(broker, options))

/** `make` as a layer. */
export const layer = (options: Options = {}): Layer.Layer<Topics> => Layer.effect(Topics, make(options))

/** `makeOnBroker` as a layer. */
export const layerOnBroker = (options: Options = {}): Layer.Layer<Topics, never, Broker> =>
  Layer.effect(Topics, makeOnBroker(options))
