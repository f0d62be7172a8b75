import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { SlowPolicy as BroadcastPolicy } from "../socket/broadcast.ts"
import type { Message } from "../socket/receiveBuffer.ts"
import type { Socket } from "../socket/model.ts"
import type { TopicError } from "./error.ts"

/**
 * A message, and the name that it was published on.
 *
 * @category models
 * @since 0.1.0
 */
export interface Published {
  /** The name to publish on. */
  readonly topic: string
  /** The message. */
  readonly message: Message
  /**
   * Makes publishing idempotent: a message with a key that was published within the last two minutes is not published again, by whichever
   * process. At most 255 characters. A publish whose outcome is `"unknown"` can be repeated with its key.
   */
  readonly key?: string | undefined
}

/**
 * A place in what was published on a topic, as an opaque text. It is good for the topics of one broker, or, in memory, of one service.
 *
 * @category models
 * @since 0.2.0
 */
export type Position = string

/**
 * A message that was delivered.
 *
 * @category models
 * @since 0.1.0
 */
export interface Delivered {
  readonly _tag: "Message"
  /** The name on which the message was published. */
  readonly topic: string
  /** The message. */
  readonly message: Message
  /**
   * The position in the history of the topic. Only brokers with a history have it, and topics in memory when
   * `history` is set.
   */
  readonly position?: Position | undefined
}

/**
 * A message that is kept.
 *
 * @category models
 * @since 0.2.0
 */
export interface Kept {
  /** The name on which the message was published. */
  readonly topic: string
  /** The message. */
  readonly message: Message
  /** The position in the history of the topic. */
  readonly position: Position
}

/**
 * The part of a topic's history to read: the last messages, or those after a position.
 *
 * @category models
 * @since 0.2.0
 */
export type HistoryQuery =
  | { readonly last: number; readonly from?: undefined; readonly limit?: undefined }
  | {
      readonly from: Position
      /** Most messages that are read at once. Default 1000. */
      readonly limit?: number | undefined
      readonly last?: undefined
    }

/**
 * A part of a topic's history.
 *
 * @category models
 * @since 0.2.0
 */
export interface History {
  /** The messages, the oldest first. */
  readonly messages: ReadonlyArray<Kept>
  /** The position up to which the part reaches: `{ from: position }` continues after it. */
  readonly position: Position
  /** `false` when messages after the position that was asked for are no longer kept. */
  readonly complete: boolean
}

/**
 * The history of a broker, for `history` and for subscriptions that start in the past.
 *
 * @category models
 * @since 0.2.0
 */
export interface BrokerHistory {
  /** Reads the history of a valid name. Fails with `InvalidPosition` for a position that the broker did not give. */
  readonly read: (topic: string, query: HistoryQuery) => Effect.Effect<History, TopicError>
  /** Whether one position is after another. */
  readonly isAfter: (position: Position, other: Position) => boolean
}

/**
 * A subscription with a `presence`, in any process.
 *
 * @category models
 * @since 0.2.0
 */
export interface Member {
  /** The identifier of the subscription, unique among all processes. */
  readonly id: string
  /** The name that was given as `presence`. */
  readonly name: string
}

/**
 * A member joined a topic, or left it.
 *
 * @category models
 * @since 0.2.0
 */
export interface PresenceChange {
  readonly _tag: "Joined" | "Left"
  /** The member that joined or left. */
  readonly member: Member
}

/**
 * The presence of a broker, for `presence`.
 *
 * @category models
 * @since 0.2.0
 */
export interface BrokerPresence {
  /**
   * Adds members of this process to a topic and removes others; succeeds with whether that changed anything. Members that were put before
   * stay. A member that is not put again within 30 seconds is forgotten.
   */
  readonly put: (
    topic: string,
    members: ReadonlyArray<Member>,
    removed: ReadonlyArray<string>
  ) => Effect.Effect<boolean, TopicError>
  /** Returns the members of all processes. */
  readonly list: (topic: string) => Effect.Effect<ReadonlyArray<Member>, TopicError>
}

/**
 * The result of a subscription.
 *
 * @category models
 * @since 0.2.0
 */
export interface Subscribed {
  /**
   * The position up to which the socket was sent the topic's history: `{ from: position }` continues after it.
   * `undefined` for a subscription without history.
   */
  readonly position: Position | undefined
  /** `false` when messages after the position that was asked for were no longer kept; the socket was sent a gap for them. */
  readonly complete: boolean
}

/**
 * Messages that are missing between those delivered before and after.
 *
 * **Details**
 *
 * The `cause`:
 *
 * - `"disconnected"`: the connection to the broker was lost and is back.
 * - `"forgotten"`: the broker no longer has the messages.
 * - `"slow"`: the subscriber did not keep up.
 * - `"refused"`: the broker does not allow the filter, as it turned out after the subscription was answered. The subscription has ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface Gap {
  readonly _tag: "Gap"
  /** The filter of the subscription. */
  readonly filter: string
  /** Why messages are missing. */
  readonly cause: "disconnected" | "forgotten" | "slow" | "refused"
  /** How many are missing; `undefined` when the number is not known, and it may be none. */
  readonly missed: number | undefined
  /** Why the broker refused the filter; only with the cause `"refused"`. */
  readonly error?: TopicError | undefined
}

/**
 * A delivery to a subscription: a message, or a gap where messages are missing.
 *
 * @category models
 * @since 0.1.0
 */
export type Delivery = Delivered | Gap

/**
 * A broker, which carries messages between processes.
 *
 * **When to use**
 *
 * Implement it to use a broker for which there is no layer.
 *
 * **Details**
 *
 * A broker has to keep the order in which one process published on one name, to deliver nothing twice, and to say
 * where messages are missing.
 *
 * @category models
 * @since 0.1.0
 */
export interface BrokerService {
  /**
   * Sends messages to the subscribers of every process, this one included. Names are valid. Completes when the
   * broker has the messages. Messages that failed are not published later; the error says whether they may have
   * been.
   */
  readonly publish: (messages: ReadonlyArray<Published>) => Effect.Effect<void, TopicError>
  /**
   * Calls `deliver` with each message that is published on names of a valid filter, until the scope ends.
   *
   * Completes when no message that is published from then on can be missing without a gap: at once while the
   * broker is away, and then a gap follows when it is back. Services that share a broker may subscribe to the same
   * filter at the same time; each gets every message. A gap with the cause `"refused"` is the last delivery.
   */
  readonly subscribe: (
    filter: string,
    deliver: (delivery: Delivery) => void
  ) => Effect.Effect<void, TopicError, Scope.Scope>
  /** Whether `publish` respects the keys of messages. Without it a message with a key fails with `InvalidKey`. */
  readonly idempotent?: boolean | undefined
  /** The history of topics. Without it subscriptions can't start in the past. */
  readonly history?: BrokerHistory | undefined
  /** The presence on topics. Without it `presence` fails with `PresenceUnavailable`. */
  readonly presence?: BrokerPresence | undefined
  /** Whether the broker can be reached: the current state, then each change. Without it the broker counts as always up. */
  readonly state?: Stream.Stream<BrokerState> | undefined
}

/**
 * A broker of this library, which connects again by itself.
 *
 * @category models
 * @since 0.2.0
 */
export interface BrokerConnection extends BrokerService {
  /** The current state, then each change. */
  readonly state: Stream.Stream<BrokerState>
}

/**
 * The state of a broker.
 *
 * - `up`: connected, and all filters are subscribed to.
 * - `down`: there is no connection. `cause` says why; `final` says that no further attempt is made.
 * - `recovering`: an attempt to connect and to subscribe again is under way. `cause` says why the last connection ended.
 *
 * @category broker health
 * @since 0.2.0
 */
export type BrokerState =
  | { readonly _tag: "up" }
  | { readonly _tag: "recovering"; readonly cause: TopicError }
  | { readonly _tag: "down"; readonly cause: TopicError; readonly final: boolean }

/**
 * The policy for a subscriber that doesn't keep up: more than `queueSize` bytes wait for it.
 *
 * **Details**
 *
 * - `"wait"`: publishers of this process wait. Since publishers of other processes don't, the subscriber is closed with 1013 when sixteen times as much waits.
 * - `"drop"`: it misses the new message.
 * - `"dropOldest"`: it misses the messages that have waited longest.
 * - `"close"`: it is closed with 1013.
 *
 * @category models
 * @since 0.1.0
 */
export type SlowPolicy = BroadcastPolicy | "dropOldest"

/**
 * Options of a subscription.
 *
 * @category options
 * @since 0.1.0
 */
export interface SubscribeOptions {
  /** The policy when the socket doesn't keep up. Default: the one of the topics. */
  readonly slow?: SlowPolicy | undefined
  /** How many of the last messages the socket is sent first. Only for a name, not for a pattern. Default: none. */
  readonly last?: number | undefined
  /**
   * The position after which the socket is sent the history first. Only for a name, not for a pattern. Default:
   * none.
   */
  readonly from?: Position | undefined
  /**
   * The name under which the socket is present on the topic, such as that of a user: at most 255 characters. Only
   * for a name, not for a pattern. Default: it is not present.
   */
  readonly presence?: string | undefined
}

/**
 * Options of `publishAll`.
 *
 * @category options
 * @since 0.2.0
 */
export interface PublishAllOptions {
  /** The socket that publishes: `authorize` and `publishRate` apply to it. Default: the program itself. */
  readonly from?: Socket | undefined
}

/**
 * Options of `publish`.
 *
 * @category options
 * @since 0.2.0
 */
export interface PublishOptions extends PublishAllOptions {
  /** The key of the message, see `Published.key`. */
  readonly key?: string | undefined
}

/**
 * The request of a socket to subscribe or to publish.
 *
 * @category models
 * @since 0.2.0
 */
export interface AuthorizeRequest {
  /** What the socket asks for. */
  readonly action: "subscribe" | "publish"
  /** The socket. */
  readonly socket: Socket
  /** The name to publish on, or the filter to subscribe to. Both are valid. */
  readonly topic: string
  /** The position from which a subscription continues. */
  readonly from: Position | undefined
}

/**
 * The rate at which a socket may publish.
 *
 * @category options
 * @since 0.2.0
 */
export interface PublishRate {
  /** Most messages within the time, and at once; at least 1. */
  readonly messages: number
  /** The time over which as many again are allowed: above 0 and up to 24.8 days (2³¹ − 1 ms). */
  readonly per: Duration.Input
}

/**
 * Limits of the history in memory.
 *
 * @category options
 * @since 0.2.0
 */
export interface HistoryOptions {
  /** Most messages of each topic, from 0; `Infinity` for no limit. Default 100. */
  readonly maxMessages?: number | undefined
  /**
   * Most bytes of all topics, names and 64 bytes for each message included. Beyond it the topics that were silent longest are forgotten.
   * From 0; `Infinity` for no limit. Default 16 MiB.
   */
  readonly maxBytes?: number | undefined
}

/**
 * Options of topics: limits, and the policy for slow subscribers.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** The policy for subscribers that don't keep up. Default: `"close"`. */
  readonly slow?: SlowPolicy | undefined
  /**
   * Bytes that may wait for a subscriber beyond its socket's `writeBufferSize`, from 0; `Infinity` for no limit, as for the following.
   * Default 256 KiB.
   */
  readonly queueSize?: number | undefined
  /** Longest message in bytes, from 0. Default 1 MiB. */
  readonly maxMessageSize?: number | undefined
  /** Most filters that one socket may be subscribed to, from 0. Default 1000. */
  readonly maxSubscriptions?: number | undefined
  /** Most different filters with subscribers in this process, from 0. Default 100 000. */
  readonly maxFilters?: number | undefined
  /**
   * Returns the message that a subscribed socket is sent where messages are missing, so that its peer can request
   * the state. Default: none is sent.
   */
  readonly gapMessage?: ((gap: Gap) => Message | undefined) | undefined
  /**
   * Returns what a subscribed socket is sent for a message, such as the message with its topic and position. It is
   * called once for all sockets. Default: the message.
   */
  readonly format?: ((message: Delivered) => Message) | undefined
  /**
   * Decides whether a socket may subscribe to a filter, or publish on a name with `from`. It is called for each
   * `subscribe`, `join` and `publish`, so also when a client that was away resumes. `false` fails the call with
   * `NotAuthorized`; a failure fails it with its own error. Default: everything is allowed.
   */
  readonly authorize?: ((request: AuthorizeRequest) => Effect.Effect<boolean, TopicError>) | undefined
  /** The rate at which a socket may publish with `from`. More fails with `TooManyMessages`. Default: no limit. */
  readonly publishRate?: PublishRate | undefined
  /**
   * The history in memory; `false` for none. Over a broker the history is the broker's. Default: see
   * `HistoryOptions`.
   */
  readonly history?: HistoryOptions | false | undefined
}

/**
 * Publishes messages on topics, and subscribes sockets to them.
 *
 * @category models
 * @since 0.1.0
 */
export interface TopicsService {
  /**
   * Publishes a message on a name. In memory it completes when the message was given to each subscriber's
   * connection, or, for those with the policy `"wait"`, when there is room. Across processes it completes when the
   * broker has the message.
   */
  readonly publish: (topic: string, message: Message, options?: PublishOptions) => Effect.Effect<void, TopicError>
  /** Publishes several messages at once: one request to a broker. */
  readonly publishAll: (
    messages: ReadonlyArray<Published>,
    options?: PublishAllOptions
  ) => Effect.Effect<void, TopicError>
  /**
   * Subscribes a socket to a name, or to all names of a filter, until the scope ends or the socket closes. The
   * socket is sent each message once for each of its filters that matches the name, however often it was
   * subscribed to that filter.
   *
   * With `last` or `from` the socket is sent a part of the topic's history first, and then what is published, in
   * order, without a message missing or twice. Where the messages after `from` are no longer kept, it is sent a
   * gap with the cause `"forgotten"` first. A socket that is subscribed already is sent no history.
   *
   * Completes when no message that is published from then on can be missing without a gap; over a cluster of NATS
   * servers see `TopicNats.make`.
   */
  readonly subscribe: (
    socket: Socket,
    filter: string,
    options?: SubscribeOptions
  ) => Effect.Effect<Subscribed, TopicError, Scope.Scope>
  /** Subscribes a socket as `subscribe` does, until `leave`, or until the socket closes. */
  readonly join: (socket: Socket, filter: string, options?: SubscribeOptions) => Effect.Effect<Subscribed, TopicError>
  /** Returns a part of the history of a topic, as far as it is kept. */
  readonly history: (topic: string, query: HistoryQuery) => Effect.Effect<History, TopicError>
  /** Ends a `join`. Does nothing when the socket hasn't joined. */
  readonly leave: (socket: Socket, filter: string) => Effect.Effect<void>
  /**
   * Streams the messages of a name, or of all names of a filter, to the program itself. A reader that is more than
   * 1024 messages late misses the newest, and a gap says how many.
   */
  readonly listen: (filter: string) => Stream.Stream<Delivery, TopicError>
  /**
   * Returns the subscriptions of a topic with a `presence`, in all processes. A process that vanished counts for
   * at most 30 seconds.
   */
  readonly presence: (topic: string) => Effect.Effect<ReadonlyArray<Member>, TopicError>
  /** Streams the members of a topic, first those present as `Joined`, and then each that joins or leaves. */
  readonly presenceChanges: (topic: string) => Stream.Stream<PresenceChange, TopicError>
  /** Returns how many sockets of this process are subscribed to exactly this filter. */
  readonly subscribers: (filter: string) => Effect.Effect<number>
  /** The filters that sockets of this process are subscribed to. */
  readonly filters: Effect.Effect<ReadonlyArray<string>>
}
