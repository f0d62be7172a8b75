import * as Data from "effect/Data"

/**
 * A topic name or a filter breaks the grammar, or is too long.
 *
 * @category errors
 * @since 0.1.0
 */
export interface InvalidTopic {
  readonly _tag: "InvalidTopic"
  /** The problem, in words. */
  readonly message: string
  /** The first 64 characters of the argument. */
  readonly topic: string
}

/**
 * The socket has as many subscriptions as one socket may have.
 *
 * @category errors
 * @since 0.1.0
 */
export interface TooManySubscriptions {
  readonly _tag: "TooManySubscriptions"
  /** The problem, in words. */
  readonly message: string
  /** The number of subscriptions that is allowed. */
  readonly limit: number
}

/**
 * As many different filters have subscribers as may have at once.
 *
 * @category errors
 * @since 0.1.0
 */
export interface TooManyFilters {
  readonly _tag: "TooManyFilters"
  /** The problem, in words. */
  readonly message: string
  /** The number of filters that is allowed. */
  readonly limit: number
}

/**
 * The message is longer than topics take. Nobody got it.
 *
 * @category errors
 * @since 0.1.0
 */
export interface MessageTooLarge {
  readonly _tag: "MessageTooLarge"
  /** The problem, in words. */
  readonly message: string
  /** In bytes. */
  readonly size: number
  /** In bytes. */
  readonly limit: number
}

/**
 * The broker can't be reached, or the connection to it was lost.
 *
 * @category errors
 * @since 0.1.0
 */
export interface BrokerUnavailable {
  readonly _tag: "BrokerUnavailable"
  /** The problem, in words. */
  readonly message: string
  /**
   * What became of what was to be published: `"not sent"` may be published again; `"unknown"` was under way when the
   * connection was lost, and nobody knows whether the broker has it.
   */
  readonly outcome: "not sent" | "unknown"
  /** The error of the broker or of its client. */
  readonly cause: unknown
}

/**
 * The broker answered with an error: no permission, no such command, out of memory.
 *
 * @category errors
 * @since 0.1.0
 */
export interface BrokerRefused {
  readonly _tag: "BrokerRefused"
  /** The problem, in words. */
  readonly message: string
  /** The error of the broker or of its client. */
  readonly cause: unknown
}

/**
 * The history was asked for where none is kept: this broker keeps none, or `history` is off.
 *
 * @category errors
 * @since 0.2.0
 */
export interface HistoryUnavailable {
  readonly _tag: "HistoryUnavailable"
  /** The problem, in words. */
  readonly message: string
}

/**
 * A position is none that was given for these topics, or a number of messages is not a whole number from 0 on.
 *
 * @category errors
 * @since 0.2.0
 */
export interface InvalidPosition {
  readonly _tag: "InvalidPosition"
  /** The problem, in words. */
  readonly message: string
  /** The first 64 characters of the argument. */
  readonly position: string
}

/**
 * Who is present was asked of a broker that does not keep it, or the name of a member is empty or longer than 255 characters.
 *
 * @category errors
 * @since 0.2.0
 */
export interface PresenceUnavailable {
  readonly _tag: "PresenceUnavailable"
  /** The problem, in words. */
  readonly message: string
}

/**
 * `authorize` refused a socket.
 *
 * @category errors
 * @since 0.2.0
 */
export interface NotAuthorized {
  readonly _tag: "NotAuthorized"
  /** The problem, in words. */
  readonly message: string
  /** What the socket asked for. */
  readonly action: "subscribe" | "publish"
  /** The name or the filter. */
  readonly topic: string
}

/**
 * A socket published more messages than `publishRate` allows. None of the call was published.
 *
 * @category errors
 * @since 0.2.0
 */
export interface TooManyMessages {
  readonly _tag: "TooManyMessages"
  /** The problem, in words. */
  readonly message: string
  /** Messages within the time of `publishRate`. */
  readonly limit: number
  /** Milliseconds until the call would be taken; `undefined` when it has more messages than the limit, so that it never is. */
  readonly retryAfter: number | undefined
}

/**
 * A key of a message is empty or longer than 255 characters, or this broker does not respect keys.
 *
 * @category errors
 * @since 0.2.0
 */
export interface InvalidKey {
  readonly _tag: "InvalidKey"
  /** The problem, in words. */
  readonly message: string
}

/**
 * An option has a value that topics or a broker can't work with. Found when they are made.
 *
 * @category errors
 * @since 0.2.0
 */
export interface InvalidOptions {
  readonly _tag: "InvalidOptions"
  /** Names the option, its value and the values that are allowed. */
  readonly message: string
  /** The option, such as `queueSize` or `history.maxAge`. */
  readonly option: string
  /** The values that are allowed, in words. */
  readonly allowed: string
}

/**
 * The reasons of a `TopicError`.
 *
 * @category errors
 * @since 0.1.0
 */
export type TopicErrorReason =
  | InvalidTopic
  | TooManySubscriptions
  | TooManyFilters
  | MessageTooLarge
  | BrokerUnavailable
  | BrokerRefused
  | HistoryUnavailable
  | InvalidPosition
  | PresenceUnavailable
  | NotAuthorized
  | TooManyMessages
  | InvalidKey
  | InvalidOptions

/**
 * The error of a subscription or of a message that can't be published. `reason` says why.
 *
 * **Details**
 *
 * `Effect.catchTag("TopicError", …)` catches it, `Effect.catchReason("TopicError", tag, …)` one reason of it.
 *
 * **Example** (Catching one reason)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Topic } from "effect-ws"
 * import assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const topics = yield* Topic.make()
 *   return yield* topics.publish("no names with spaces", "Hello").pipe(
 *     Effect.as("published"),
 *     Effect.catchReason("TopicError", "InvalidTopic", () => Effect.succeed("not a topic"))
 *   )
 * })
 *
 * assert.strictEqual(await Effect.runPromise(Effect.scoped(program)), "not a topic")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class TopicError extends Data.TaggedError("TopicError")<{ readonly reason: TopicErrorReason }> {
  /** The problem, in words. */
  override get message(): string {
    return this.reason.message
  }
}
