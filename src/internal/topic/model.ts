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
 * What is wanted of a topic's history: the last messages, or those after a position.
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
  /** The oldest first. */
  readonly messages: ReadonlyArray<Kept>
  /** Up to where this reaches: `{ from: position }` goes on there. */
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
  /** Reads what is kept of a valid name. Fails with `InvalidPosition` for a position that it did not give. */
  readonly read: (topic: string, query: HistoryQuery) => Effect.Effect<History, TopicError>
  /** Whether one position is after another. */
  readonly isAfter: (position: Position, other: Position) => boolean
}

/**
 * A subscription with a `presence`, in whichever process.
 *
 * @category models
 * @since 0.2.0
 */
export interface Member {
  /** Of the subscription: unique among all processes. */
  readonly id: string
  /** What was given as `presence` when it was subscribed. */
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
  /** The members of all processes. */
  readonly list: (topic: string) => Effect.Effect<ReadonlyArray<Member>, TopicError>
}

/**
 * How a subscription was answered.
 *
 * @category models
 * @since 0.2.0
 */
export interface Subscribed {
  /**
   * Up to where the socket was sent the topic's history: `{ from: position }` goes on after it. `undefined` for a subscription without
   * history.
   */
  readonly position: Position | undefined
  /** `false` when messages after the position that was asked for were no longer kept; the socket was sent a gap for them. */
  readonly complete: boolean
}

/**
 * Messages are missing here, between those delivered before and after. `cause` says why:
 *
 * - `"disconnected"`: the connection to the broker was lost and is back.
 * - `"forgotten"`: the broker no longer has them.
 * - `"slow"`: this subscriber did not keep up.
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
   * Gives messages to the subscribers of every process, this one included. Done when the broker has them. Names are valid.
   * What failed is not published later: a failure says whether it can have been.
   */
  readonly publish: (messages: ReadonlyArray<Published>) => Effect.Effect<void, TopicError>
  /**
   * Has everything that is published on names of a valid filter delivered, until the scope ends. Done when nothing that is
   * published from now on is missed unsaid: while the broker is away that is at once, and a gap follows when it is back. Services
   * that share a broker may subscribe to the same filter at once, and each gets every message. A gap with the cause `"refused"` is the
   * last delivery.
   */
  readonly subscribe: (
    filter: string,
    deliver: (delivery: Delivery) => void
  ) => Effect.Effect<void, TopicError, Scope.Scope>
  /** Whether `publish` respects the keys of messages. Without it a message with a key fails with `InvalidKey`. */
  readonly idempotent?: boolean | undefined
  /** What was published before. Without it subscriptions can't start in the past. */
  readonly history?: BrokerHistory | undefined
  /** Who is present. Without it `presence` fails with `PresenceUnavailable`. */
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
 * Whether a broker can be reached.
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
 * What becomes of a subscriber that doesn't keep up: more than `queueSize` waits for it. As in `Socket.broadcast`: `"wait"`
 * makes publishers of this process wait, and closes with 1013 when sixteen times as much waits all the same, since
 * publishers elsewhere don't; `"drop"` has it miss the new message, `"close"` closes it with 1013. `"dropOldest"` has it
 * miss those that waited longest.
 *
 * @category models
 * @since 0.1.0
 */
export type SlowPolicy = BroadcastPolicy | "dropOldest"

/**
 * One subscription.
 *
 * @category options
 * @since 0.1.0
 */
export interface SubscribeOptions {
  /** Default: that of the topics. */
  readonly slow?: SlowPolicy | undefined
  /** Sends the socket so many of the last messages first. Only for a name, not for a pattern. */
  readonly last?: number | undefined
  /** Sends the socket what was published after this position first. Only for a name, not for a pattern. */
  readonly from?: Position | undefined
  /**
   * Under which name the socket is present on the topic, such as that of a user; at most 255 characters. Only for a name, not for a
   * pattern. Default: it is not.
   */
  readonly presence?: string | undefined
}

/**
 * Who publishes.
 *
 * @category options
 * @since 0.2.0
 */
export interface PublishAllOptions {
  /** The socket on whose behalf this is published: `authorize` and `publishRate` apply to it. Default: the program itself. */
  readonly from?: Socket | undefined
}

/**
 * One message to publish.
 *
 * @category options
 * @since 0.2.0
 */
export interface PublishOptions extends PublishAllOptions {
  /** See `Published.key`. */
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
  /** The position from which a subscription is to go on. */
  readonly from: Position | undefined
}

/**
 * How many messages a socket may publish.
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
 * How much of what was published is kept in memory.
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
 * How topics treat their subscribers: limits, and what becomes of slow ones.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** Default `"close"`. */
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
   * What a subscribed socket is sent where messages are missing, so that its peer can ask for the state anew. Default:
   * nothing.
   */
  readonly gapMessage?: ((gap: Gap) => Message | undefined) | undefined
  /**
   * What a subscribed socket is sent for a message, such as the message together with its topic and position. It is called once for all
   * sockets. Default: the message.
   */
  readonly format?: ((message: Delivered) => Message) | undefined
  /**
   * Whether a socket may subscribe to a filter, or publish on a name with `from`. It is called for each `subscribe`, `join` and `publish`, so
   * also when a client that was away resumes. `false` fails the call with `NotAuthorized`; so does a failure, with its own error.
   * Default: everything is allowed.
   */
  readonly authorize?: ((request: AuthorizeRequest) => Effect.Effect<boolean, TopicError>) | undefined
  /** How many messages a socket may publish with `from`. Beyond it: `TooManyMessages`. Default: no limit. */
  readonly publishRate?: PublishRate | undefined
  /** How much is kept without a broker; `false` for nothing. Over a broker that is the broker's. Default: see `HistoryOptions`. */
  readonly history?: HistoryOptions | false | undefined
}

/**
 * Publish and subscribe.
 *
 * @category models
 * @since 0.1.0
 */
export interface TopicsService {
  /**
   * Sends a message to the subscribers of a name. In memory it is done when it was given to each subscriber's connection,
   * or, for those with the policy `"wait"`, when there is room. Across processes it is done when the broker has it.
   */
  readonly publish: (topic: string, message: Message, options?: PublishOptions) => Effect.Effect<void, TopicError>
  /** Publishes several messages at once: one request to a broker. */
  readonly publishAll: (
    messages: ReadonlyArray<Published>,
    options?: PublishAllOptions
  ) => Effect.Effect<void, TopicError>
  /**
   * Has a socket sent what is published on a name, or on all names of a filter, until the scope ends or the socket closes. A
   * socket gets a message once for each of its filters that stands for the name, however often it was subscribed to that filter.
   *
   * With `last` or `from` the socket is sent a part of the topic's history first, and then what is published, in order, without a
   * message missing or twice. Where what follows `from` is no longer kept, it is sent a gap with the cause `"forgotten"` first. A socket
   * that is subscribed already is sent no history.
   *
   * Done when nothing that is published from now on is missing without a gap; over a cluster of NATS servers see `TopicNats.make`.
   */
  readonly subscribe: (
    socket: Socket,
    filter: string,
    options?: SubscribeOptions
  ) => Effect.Effect<Subscribed, TopicError, Scope.Scope>
  /** `subscribe` until `leave`, or until the socket closes. */
  readonly join: (socket: Socket, filter: string, options?: SubscribeOptions) => Effect.Effect<Subscribed, TopicError>
  /** What was published on a topic before, as far as it is kept. */
  readonly history: (topic: string, query: HistoryQuery) => Effect.Effect<History, TopicError>
  /** Takes back `join`. Does nothing when the socket hasn't joined. */
  readonly leave: (socket: Socket, filter: string) => Effect.Effect<void>
  /**
   * What is published on a name or on all names of a filter, for the program itself. A reader that is more than 1024
   * messages behind misses the newest, and a gap says how many.
   */
  readonly listen: (filter: string) => Stream.Stream<Delivery, TopicError>
  /**
   * Who is present on a topic: the subscriptions with a `presence`, in all processes. A process that vanished counts for at most 30
   * seconds.
   */
  readonly presence: (topic: string) => Effect.Effect<ReadonlyArray<Member>, TopicError>
  /** Who is present on a topic at first, as `Joined`, and then who joins and who leaves. */
  readonly presenceChanges: (topic: string) => Stream.Stream<PresenceChange, TopicError>
  /** How many sockets of this process are subscribed to exactly this filter. */
  readonly subscribers: (filter: string) => Effect.Effect<number>
  /** The filters that sockets of this process are subscribed to. */
  readonly filters: Effect.Effect<ReadonlyArray<string>>
}
