import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { MessageError } from "../socket/messageError.ts"
import { invalidOption, oneOf, type RulesOf } from "../socket/optionRules.ts"
import { schemaRules } from "../socket/typed.ts"
import { decoderOf, encoderOf, type WireOptions } from "../socket/wire.ts"
import type { Socket } from "../socket/model.ts"
import { TopicError } from "./error.ts"
import type {
  Delivered,
  Delivery,
  Gap,
  History,
  HistoryQuery,
  Kept,
  PublishAllOptions,
  Published,
  PublishOptions,
  Subscribed,
  SubscribeOptions,
  TopicsService
} from "./model.ts"

/**
 * How the messages of topics become values. An option with another value makes the constructor throw a `TopicError` with reason
 * `InvalidOptions`.
 *
 * @category models
 * @since 0.2.0
 */
export interface TypedOptions extends WireOptions {
  /**
   * What `listen` and `history` do with a message that is no value of the schema, since another program published it: `"fail"` with the
   * `MessageError`, the default, or `"skip"` it and log a warning. Sockets are sent every message as it is.
   */
  readonly onInvalid?: "fail" | "skip" | undefined
}

/**
 * A value to publish, and the name to publish it on.
 *
 * @category models
 * @since 0.2.0
 */
export interface TypedPublished<out A> extends Omit<Published, "message"> {
  /** The message, as a value of the schema. */
  readonly message: A
}

/**
 * A value that arrived.
 *
 * @category models
 * @since 0.2.0
 */
export interface TypedDelivered<out A> extends Omit<Delivered, "message"> {
  /** The message, as a value of the schema. */
  readonly message: A
}

/**
 * A value that is kept.
 *
 * @category models
 * @since 0.2.0
 */
export interface TypedKept<out A> extends Omit<Kept, "message"> {
  /** The message, as a value of the schema. */
  readonly message: A
}

/**
 * A part of a topic's history, as values.
 *
 * @category models
 * @since 0.2.0
 */
export interface TypedHistory<out A> extends Omit<History, "messages"> {
  /** The messages, as values of the schema. */
  readonly messages: ReadonlyArray<TypedKept<A>>
}

/**
 * Topics whose messages are values of a schema. One value is one message.
 *
 * @category models
 * @since 0.2.0
 */
export interface TypedTopics<in out A, out RD = never, out RE = never> extends Pick<
  TopicsService,
  "leave" | "presence" | "presenceChanges" | "subscribers" | "filters"
> {
  /** Publishes a value as one message. A value that the schema refuses is not published. */
  readonly publish: (
    topic: string,
    value: A,
    options?: PublishOptions
  ) => Effect.Effect<void, TopicError | Schema.SchemaError, RE>
  /** Publishes several values at once; none when the schema refuses one. */
  readonly publishAll: (
    values: ReadonlyArray<TypedPublished<A>>,
    options?: PublishAllOptions
  ) => Effect.Effect<void, TopicError | Schema.SchemaError, RE>
  /** Has a socket sent the values as they were encoded when they were published, its part of the history included. */
  readonly subscribe: (
    socket: Socket,
    filter: string,
    options?: SubscribeOptions
  ) => Effect.Effect<Subscribed, TopicError, Scope.Scope>
  /** `subscribe` until `leave`, or until the socket closes. */
  readonly join: (socket: Socket, filter: string, options?: SubscribeOptions) => Effect.Effect<Subscribed, TopicError>
  /** The values that are published on the names of a filter, and gaps, for the program itself. */
  readonly listen: (filter: string) => Stream.Stream<TypedDelivered<A> | Gap, TopicError | MessageError, RD>
  /** The values that were published on a topic before, as far as they are kept. */
  readonly history: (
    topic: string,
    query: HistoryQuery
  ) => Effect.Effect<TypedHistory<A>, TopicError | MessageError, RD>
}

/** The rules of the options of typed topics. */
export const typedRules = { ...schemaRules, onInvalid: oneOf("fail", "skip") } satisfies RulesOf<TypedOptions>

/** Topics whose messages are values of a schema. */
export const makeTyped = <A, RD, RE>(
  topics: TopicsService,
  codec: Schema.Codec<A, unknown, RD, RE>,
  { onInvalid = "fail", ...options }: TypedOptions = {}
): TypedTopics<A, RD, RE> => {
  const invalid = invalidOption(typedRules, { onInvalid, ...options })
  if (invalid !== undefined) throw new TopicError({ reason: { _tag: "InvalidOptions", ...invalid } })
  const encode = encoderOf(codec, options)
  const decode = decoderOf(codec, options)

  /** The value of a message; none when it is left out. */
  const valuesOf = ({ message, topic }: Published): Effect.Effect<ReadonlyArray<A>, MessageError, RD> => {
    const decoded = Effect.map(decode(message), (value) => [value])
    if (onInvalid === "fail") return decoded
    return Effect.catch(decoded, (error) =>
      Effect.as(Effect.logWarning(`an invalid message on ${topic} skipped: ${error.message}`), [])
    )
  }

  const decodeKept = (kept: Kept) =>
    Effect.map(valuesOf(kept), (values) => values.map((message): TypedKept<A> => ({ ...kept, message })))

  const decodeDelivery = (
    delivery: Delivery
  ): Effect.Effect<ReadonlyArray<TypedDelivered<A> | Gap>, MessageError, RD> =>
    delivery._tag === "Gap"
      ? Effect.succeed([delivery])
      : Effect.map(valuesOf(delivery), (values) => values.map((message) => ({ ...delivery, message })))

  const { filters, join, leave, presence, presenceChanges, subscribe, subscribers } = topics
  return {
    filters,
    join,
    leave,
    presence,
    presenceChanges,
    subscribe,
    subscribers,
    publish: (topic, value, options) =>
      Effect.flatMap(encode(value), (message) => topics.publish(topic, message, options)),
    publishAll: (values, options) =>
      Effect.flatMap(
        Effect.forEach(values, (one) => Effect.map(encode(one.message), (message) => ({ ...one, message }))),
        (messages) => topics.publishAll(messages, options)
      ),
    listen: (filter) => topics.listen(filter).pipe(Stream.mapEffect(decodeDelivery), Stream.flattenIterable),
    history: (topic, query) =>
      Effect.flatMap(topics.history(topic, query), (found) =>
        Effect.map(Effect.forEach(found.messages, decodeKept), (messages) => ({ ...found, messages: messages.flat() }))
      )
  }
}
