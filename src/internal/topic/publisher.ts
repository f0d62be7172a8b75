import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { authorized } from "./authorized.ts"
import type { TopicError, TopicErrorReason } from "./error.ts"
import { fail } from "./failure.ts"
import type { Groups } from "./groups.ts"
import type { MemoryHistory } from "./memoryHistory.ts"
import type { BrokerService, Options, Published, TopicsService } from "./model.ts"
import { nameViolation } from "./name.ts"
import { isPresenceName } from "./presence.ts"
import { keyViolation, PublishKeys } from "./publishKeys.ts"
import { PublishLimits } from "./publishLimits.ts"
import type { Subscriber } from "./subscriber.ts"

const defaultMaxMessageSize = 1024 * 1024

export interface PublisherOptions extends Pick<Options, "authorize" | "maxMessageSize" | "publishRate"> {
  readonly broker: BrokerService | undefined
  readonly groups: Groups
  /** What is kept without a broker. */
  readonly memory: MemoryHistory | undefined
}

/** Publishes: to the broker, or without one to the groups of this process. */
export class Publisher {
  private readonly options: PublisherOptions
  private readonly context: Context.Context<never>
  private readonly maxMessageSize: number
  private readonly limits: PublishLimits | undefined
  private readonly keys = new PublishKeys()

  constructor(options: PublisherOptions, context: Context.Context<never>) {
    this.options = options
    this.context = context
    this.maxMessageSize = options.maxMessageSize ?? defaultMaxMessageSize
    this.limits = options.publishRate === undefined ? undefined : new PublishLimits(options.publishRate)
  }

  readonly publishAll: TopicsService["publishAll"] = (messages, options) =>
    Effect.suspend(() => {
      for (const published of messages) {
        const reason = this.invalidField(published)
        if (reason !== undefined) return fail(reason)
      }
      if (messages.length === 0) return Effect.void
      const from = options?.from
      if (from === undefined) return this.publishValid(messages)
      const reason = this.limits?.take(from, messages.length, this.now())
      if (reason !== undefined) return fail(reason)
      const topics = [...new Set(messages.map(({ topic }) => topic))]
      const { authorize } = this.options
      return Effect.andThen(
        Effect.forEach(
          topics,
          (topic) => authorized(authorize, { action: "publish", socket: from, topic, from: undefined }),
          { discard: true }
        ),
        Effect.suspend(() => this.publishValid(messages))
      )
    })

  private publishValid(messages: ReadonlyArray<Published>): Effect.Effect<void, TopicError> {
    const crowded = this.crowdedBy(messages)
    if (crowded.size > 0)
      return Effect.andThen(
        whenRoom(crowded),
        Effect.suspend(() => this.publishValid(messages))
      )
    const { broker, groups, memory } = this.options
    if (broker !== undefined) return broker.publish(messages)
    for (const { key, message, topic } of messages) {
      if (key !== undefined && !this.keys.admit(key, this.now())) continue
      const position = isPresenceName(topic) ? undefined : memory?.append({ topic, message })
      for (const group of groups.matching(topic)) {
        groups.deliver(group, { _tag: "Message", topic, message, position })
      }
    }
    return Effect.void
  }

  private invalidField({ key, message, topic }: Published): TopicErrorReason | undefined {
    const reason = nameViolation(topic) ?? (key === undefined ? undefined : this.keyViolation(key))
    if (reason !== undefined) return reason
    const limit = this.maxMessageSize
    // A character is at most three bytes.
    if (message.length * 3 <= limit) return undefined
    const size = Buffer.byteLength(message)
    if (size <= limit) return undefined
    return { _tag: "MessageTooLarge", message: `the message has ${size} bytes, of at most ${limit}`, size, limit }
  }

  private keyViolation(key: string): TopicErrorReason | undefined {
    const { broker } = this.options
    if (broker !== undefined && broker.idempotent !== true) {
      return { _tag: "InvalidKey", message: "this broker does not respect keys of messages" }
    }
    return keyViolation(key)
  }

  private crowdedBy(messages: ReadonlyArray<Published>): ReadonlySet<Subscriber> {
    let crowded: Set<Subscriber> | undefined
    for (const { topic } of messages) {
      for (const group of this.options.groups.matching(topic)) {
        for (const subscriber of group.crowded) (crowded ??= new Set()).add(subscriber)
      }
    }
    return crowded ?? noSubscribers
  }

  private now(): number {
    return Context.get(this.context, Clock.Clock).currentTimeMillisUnsafe()
  }
}

const noSubscribers: ReadonlySet<Subscriber> = new Set()

/** Waits until there is room for each of them. */
const whenRoom = (subscribers: ReadonlySet<Subscriber>): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    let left = subscribers.size
    const task = (): void => {
      if (--left === 0) resume(Effect.void)
    }
    for (const subscriber of subscribers) subscriber.whenRoom(task)
    return Effect.sync(() => {
      for (const subscriber of subscribers) subscriber.forgetRoom(task)
    })
  })
