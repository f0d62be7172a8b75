import * as Data from "effect/Data"

/** A topic name or a filter breaks the grammar, or is too long. */
export interface InvalidTopic {
  readonly _tag: "InvalidTopic"
  readonly message: string
  /** What was given, its first 64 characters. */
  readonly topic: string
}

/** The socket has as many subscriptions as one socket may have. */
export interface TooManySubscriptions {
  readonly _tag: "TooManySubscriptions"
  readonly message: string
  readonly limit: number
}

/** As many different filters have subscribers as may have at once. */
export interface TooManyFilters {
  readonly _tag: "TooManyFilters"
  readonly message: string
  readonly limit: number
}

/** The message is longer than topics take. Nobody got it. */
export interface MessageTooLarge {
  readonly _tag: "MessageTooLarge"
  readonly message: string
  /** In bytes. */
  readonly size: number
  /** In bytes. */
  readonly limit: number
}

/** The broker can't be reached, or the connection to it was lost. */
export interface BrokerUnavailable {
  readonly _tag: "BrokerUnavailable"
  readonly message: string
  /**
   * What became of what was to be published: `"not sent"` may be published again; `"unknown"` was under way when the
   * connection was lost, and nobody knows whether the broker has it.
   */
  readonly outcome: "not sent" | "unknown"
  readonly cause: unknown
}

/** The broker answered with an error: no permission, no such command, out of memory. */
export interface BrokerRefused {
  readonly _tag: "BrokerRefused"
  readonly message: string
  readonly cause: unknown
}

/** The history was asked for where none is kept: this broker keeps none, or `history` is off. */
export interface HistoryUnavailable {
  readonly _tag: "HistoryUnavailable"
  readonly message: string
}

/** A position is none that was given for these topics, or a number of messages is not a whole number from 0 on. */
export interface InvalidPosition {
  readonly _tag: "InvalidPosition"
  readonly message: string
  /** What was given, its first 64 characters. */
  readonly position: string
}

/** Who is present was asked of a broker that does not keep it, or the name of a member is empty or longer than 255 characters. */
export interface PresenceUnavailable {
  readonly _tag: "PresenceUnavailable"
  readonly message: string
}

/** `authorize` refused a socket. */
export interface NotAuthorized {
  readonly _tag: "NotAuthorized"
  readonly message: string
  readonly action: "subscribe" | "publish"
  /** The name or the filter. */
  readonly topic: string
}

/** A socket published more messages than `publishRate` allows. None of the call was published. */
export interface TooManyMessages {
  readonly _tag: "TooManyMessages"
  readonly message: string
  /** Messages within the time of `publishRate`. */
  readonly limit: number
  /** Milliseconds until the call would be taken; `undefined` when it has more messages than the limit, so that it never is. */
  readonly retryAfter: number | undefined
}

/** A key of a message is empty or longer than 255 characters, or this broker does not respect keys. */
export interface InvalidKey {
  readonly _tag: "InvalidKey"
  readonly message: string
}

/** Why a subscription or a message can't be had or sent. */
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

/** A subscription or a message can't be had or sent. `reason` says why. */
export class TopicError extends Data.TaggedError("TopicError")<{ readonly reason: TopicErrorReason }> {
  override get message(): string {
    return this.reason.message
  }
}
