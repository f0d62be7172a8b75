/**
 * Publish and subscribe over sockets. A message that is published on a name goes to every socket that is subscribed to it,
 * encoded and compressed once for all on which it is the same bytes. Within one process `layer` is all there is to it; across
 * processes and machines a `Broker` carries messages: `TopicRedis`, `TopicNats` and `TopicCluster` have layers for it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { TopicError } from "./internal/topic/errorSchema.ts"
import { livenessOf, readinessOf, statesOf } from "./internal/topic/health.ts"
import type { BrokerService, BrokerState, Options, TopicsService } from "./internal/topic/model.ts"
import { makeTopics } from "./internal/topic/topics.ts"
import { makeTyped, type TypedOptions, type TypedTopics } from "./internal/topic/typed.ts"

export * from "./internal/topic/error.ts"
export { TopicError } from "./internal/topic/errorSchema.ts"
export {
  activeFilters,
  activeSubscriptions,
  brokersUp,
  gaps,
  missed,
  overruns,
  queuedBytes
} from "./internal/topic/metrics.ts"
export type {
  AuthorizeRequest,
  BrokerConnection,
  BrokerHistory,
  BrokerPresence,
  BrokerService,
  BrokerState,
  Delivered,
  Delivery,
  Gap,
  History,
  HistoryOptions,
  HistoryQuery,
  Kept,
  Member,
  Options,
  Position,
  PresenceChange,
  PublishAllOptions,
  PublishOptions,
  PublishRate,
  Published,
  SlowPolicy,
  Subscribed,
  SubscribeOptions,
  TopicsService
} from "./internal/topic/model.ts"
export type {
  TypedDelivered,
  TypedHistory,
  TypedKept,
  TypedOptions,
  TypedPublished,
  TypedTopics
} from "./internal/topic/typed.ts"
export { matches, maxNameLength, maxSegments, segment } from "./internal/topic/name.ts"

/**
 * The service of topics: publish and subscribe.
 *
 * @category services
 * @since 0.1.0
 */
export class Topics extends Context.Service<Topics, TopicsService>()("effect-ws/Topic/Topics") {}

/**
 * The service of a broker, which carries messages between processes.
 *
 * @category services
 * @since 0.1.0
 */
export class Broker extends Context.Service<Broker, BrokerService>()("effect-ws/Topic/Broker") {}

/**
 * Creates topics within this process. Fails with `InvalidOptions` when an option has a value that isn't allowed.
 *
 * **Example** (Publishing to the subscribers of a topic)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Socket, Topic } from "effect-ws"
 * import assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const topics = yield* Topic.make()
 *   const [client, server] = yield* Socket.makePair()
 *   yield* topics.subscribe(server, "prices.EUR")
 *   yield* topics.publish("prices.EUR", "1.17")
 *   assert.strictEqual(yield* client.receive, "1.17")
 * })
 *
 * await Effect.runPromise(Effect.scoped(program))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<TopicsService, TopicError, Scope.Scope> =>
  makeTopics(undefined, options)

/**
 * Creates topics that a broker carries between processes. The end of the scope ends the subscriptions at the
 * broker.
 * Fails with `InvalidOptions` when an option has a value that isn't allowed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeOnBroker = (options: Options = {}): Effect.Effect<TopicsService, TopicError, Broker | Scope.Scope> =>
  Effect.flatMap(Broker, (broker) => makeTopics(broker, options))

/**
 * Provides the topics of `make` as a layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<Topics, TopicError> => Layer.effect(Topics, make(options))

/**
 * Provides the topics of `makeOnBroker` as a layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerOnBroker = (options: Options = {}): Layer.Layer<Topics, TopicError, Broker> =>
  Layer.effect(Topics, makeOnBroker(options))

/**
 * Makes the messages of topics values of a schema: `publish` takes them and encodes them once, sockets are sent the encoded messages, `listen`
 * and `history` give the values back. The topics are the same ones: other schemas may be used for other names of them.
 *
 * **Details**
 *
 * A schema that encodes to strings or to `Uint8Array`s is the message itself; every other travels as JSON text, as with `Socket.withSchema`. A
 * message that is no value of the schema fails `listen` and `history` with a `Socket.MessageError`, or is left out: see `TypedOptions`.
 *
 * **Example** (Prices)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Topic } from "effect-ws"
 *
 * const Price = Schema.Struct({ symbol: Schema.String, cents: Schema.Int })
 *
 * const program = Effect.gen(function* () {
 *   const prices = yield* Topic.Topics.pipe(Effect.map(Topic.withSchema(Price)))
 *   yield* prices.publish("prices.acme", { symbol: "ACME", cents: 1250 })
 *   const { messages } = yield* prices.history("prices.acme", { last: 1 })
 *   return messages.map(({ message }) => message.cents)
 * })
 *
 * Effect.runPromise(Effect.provide(program, Topic.layer()))
 * ```
 *
 * @category schemas
 * @since 0.2.0
 */
export const withSchema: {
  <A, RD = never, RE = never>(
    codec: Schema.Codec<A, unknown, RD, RE>,
    options?: TypedOptions
  ): (topics: TopicsService) => TypedTopics<A, RD, RE>
  <A, RD = never, RE = never>(
    topics: TopicsService,
    codec: Schema.Codec<A, unknown, RD, RE>,
    options?: TypedOptions
  ): TypedTopics<A, RD, RE>
} = dual((args) => !Schema.isSchema(args[0]), makeTyped)

/**
 * Streams the state of the broker: the current one, then each change. A broker without a state counts as always
 * up.
 *
 * @category broker health
 * @since 0.2.0
 */
export const brokerState: Stream.Stream<BrokerState, never, Broker> = Stream.unwrap(Effect.map(Broker, statesOf))

/**
 * Succeeds when the broker is up, and fails with the cause otherwise.
 *
 * **When to use**
 *
 * Use it in the route by which a load balancer asks whether this process can take connections.
 *
 * @category broker health
 * @since 0.2.0
 */
export const readiness: Effect.Effect<void, TopicError, Broker> = Effect.flatMap(Broker, readinessOf)

/**
 * Fails when the broker is down for good, since the schedule of `reconnect` has ended.
 *
 * **When to use**
 *
 * Use it in the route by which a supervisor asks whether this process has to be started again.
 *
 * @category broker health
 * @since 0.2.0
 */
export const liveness: Effect.Effect<void, TopicError, Broker> = Effect.flatMap(Broker, livenessOf)
