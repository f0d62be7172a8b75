import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Socket } from "../socket/model.ts"
import { invalidOption, type RulesOf, string } from "../socket/optionRules.ts"
import { authorized } from "./authorized.ts"
import type { TopicError, TopicErrorReason } from "./error.ts"
import { fail } from "./failure.ts"
import { Group } from "./group.ts"
import { Groups } from "./groups.ts"
import { activeSubscriptions, missed, overruns, queuedBytes } from "./metrics.ts"
import { historyViolation, noHistory } from "./history.ts"
import { MemoryHistory } from "./memoryHistory.ts"
import type {
  BrokerHistory,
  BrokerService,
  Delivery,
  HistoryQuery,
  Options,
  SlowPolicy,
  Subscribed,
  SubscribeOptions,
  TopicsService
} from "./model.ts"
import { filterViolation, maxNameLength, nameViolation } from "./name.ts"
import { slow as slowRule, topicRules, validated } from "./optionRules.ts"
import { outletOf } from "./outlet.ts"
import { MemoryPresence, Presence, presenceName } from "./presence.ts"
import { Publisher } from "./publisher.ts"
import { Reader } from "./reader.ts"
import { replay } from "./replay.ts"
import { type Shared, Subscriber, Subscription } from "./subscriber.ts"

const defaults = {
  queueSize: 256 * 1024,
  maxSubscriptions: 1000,
  maxFilters: 100_000
} as const

/** The topics of this process: in memory, or over a broker. */
export class Topics implements TopicsService {
  private readonly context: Context.Context<never>
  private readonly options: Options
  private readonly slow: SlowPolicy
  private readonly maxSubscriptions: number
  private readonly shared: Shared
  /** What is kept, by the broker or in memory. */
  private readonly kept: BrokerHistory | undefined
  private readonly showsPositions: boolean
  private readonly members: Presence | undefined
  private readonly groups: Groups
  private readonly publisher: Publisher
  private readonly subscribersOf = new Map<Socket, Subscriber>()

  constructor(broker: BrokerService | undefined, options: Options, context: Context.Context<never>) {
    const { authorize, format, gapMessage, history, maxMessageSize, publishRate } = options
    this.options = options
    this.context = context
    this.slow = options.slow ?? "close"
    this.maxSubscriptions = options.maxSubscriptions ?? defaults.maxSubscriptions
    this.shared = {
      queueSize: options.queueSize ?? defaults.queueSize,
      gapMessage,
      onMissed: (count) => missed.updateUnsafe(count, context),
      onOverrun: () => overruns.updateUnsafe(1, context),
      onQueued: (change) => queuedBytes.modifyUnsafe(change, context)
    }
    const memory = broker === undefined && history !== false ? new MemoryHistory(history ?? {}) : undefined
    this.kept = memory ?? broker?.history
    this.showsPositions = broker !== undefined || typeof history === "object"
    const maxFilters = options.maxFilters ?? defaults.maxFilters
    const onRefused = (group: Group): void => this.endGroup(group)
    this.groups = new Groups({ broker, format, gapMessage, maxFilters, onRefused }, context)
    const { groups } = this
    this.publisher = new Publisher({ authorize, broker, groups, maxMessageSize, memory, publishRate }, context)
    const present = broker === undefined ? new MemoryPresence() : broker.presence
    const notify = (topic: string) => Effect.ignore(this.publish(presenceName(topic), "changed"))
    this.members = present === undefined ? undefined : new Presence(present, notify, context)
  }

  // Publishing

  readonly publish: TopicsService["publish"] = (topic, message, options) =>
    this.publisher.publishAll([{ topic, message, key: options?.key }], options)

  readonly publishAll: TopicsService["publishAll"] = (messages, options) => this.publisher.publishAll(messages, options)

  // Subscribing

  readonly subscribe: TopicsService["subscribe"] = (socket, filter, options) =>
    Effect.andThen(this.allowFilter(socket, filter, options), this.subscribeAllowed(socket, filter, options))

  readonly join: TopicsService["join"] = (socket, filter, options) =>
    Effect.andThen(this.allowFilter(socket, filter, options), this.joinAllowed(socket, filter, options))

  private allowFilter(socket: Socket, filter: string, options?: SubscribeOptions): Effect.Effect<void, TopicError> {
    return Effect.suspend(() => {
      const reason = filterViolation(filter)
      if (reason !== undefined) return fail(reason)
      return authorized(this.options.authorize, { action: "subscribe", socket, topic: filter, from: options?.from })
    })
  }

  private readonly subscribeAllowed: TopicsService["subscribe"] = (socket, filter, options) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        const subscription = this.find(socket, filter, options)
        if (subscription === undefined) return Effect.succeed(withoutHistory)
        if (!(subscription instanceof Subscription)) return fail(subscription)
        const letGo = subscription.hold()
        const release = Effect.sync(() => {
          letGo()
          this.releaseUnused(subscription)
        })
        return Effect.andThen(
          Effect.addFinalizer(() => release),
          Effect.onError(restore(this.start(subscription, options)), () => release)
        )
      })
    )

  private readonly joinAllowed: TopicsService["join"] = (socket, filter, options) =>
    Effect.suspend(() => {
      const subscription = this.find(socket, filter, options)
      if (subscription === undefined) return Effect.succeed(withoutHistory)
      if (!(subscription instanceof Subscription)) return fail(subscription)
      if (!subscription.join()) return Effect.as(this.groups.ready(subscription.group), withoutHistory)
      return Effect.onError(this.start(subscription, options), () => this.leave(socket, filter))
    })

  readonly leave: TopicsService["leave"] = (socket, filter) =>
    Effect.sync(() => {
      const subscription = this.subscribersOf.get(socket)?.subscriptions.get(filter)
      if (subscription === undefined) return
      subscription.leave()
      this.releaseUnused(subscription)
    })

  readonly listen: TopicsService["listen"] = (filter) => Stream.unwrap(this.listening(filter))

  /** Done when the broker delivers. */
  private listening(filter: string): Effect.Effect<Stream.Stream<Delivery, TopicError>, TopicError, Scope.Scope> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        const group = this.groups.open(filter)
        if (!(group instanceof Group)) return fail(group)
        const reader = new Reader(filter)
        const take = this.showsPositions ? reader.take : withoutPosition(reader.take)
        group.listeners.add(take)
        return Effect.addFinalizer(() =>
          Effect.sync(() => {
            group.listeners.delete(take)
            this.groups.dropUnused(group)
          })
        ).pipe(
          Effect.andThen(restore(this.groups.ready(group))),
          Effect.as(Stream.fromPull(Effect.succeed(reader.pull)))
        )
      })
    )
  }

  readonly subscribers: TopicsService["subscribers"] = (filter) =>
    Effect.sync(() => this.groups.get(filter)?.count ?? 0)

  readonly filters: TopicsService["filters"] = Effect.sync(() =>
    [...this.groups.values()].filter(({ count }) => count > 0).map(({ filter }) => filter)
  )

  readonly history: TopicsService["history"] = (topic, query) =>
    Effect.suspend(() => {
      const reason = historyViolation(topic, query)
      if (reason !== undefined) return fail(reason)
      return this.kept === undefined ? Effect.fail(noHistory) : this.kept.read(topic, query)
    })

  readonly presence: TopicsService["presence"] = (topic) =>
    Effect.suspend(() => {
      const reason = this.presenceViolation(topic)
      return reason !== undefined || this.members === undefined ? fail(reason ?? noPresence) : this.members.list(topic)
    })

  readonly presenceChanges: TopicsService["presenceChanges"] = (topic) =>
    Stream.suspend(() => {
      const reason = this.presenceViolation(topic)
      return reason !== undefined || this.members === undefined
        ? Stream.fromEffect(fail(reason ?? noPresence))
        : this.members.changes(topic, Stream.unwrap(this.signals(presenceName(topic))))
    })

  /** What is published on a name, after a first element once the broker delivers. */
  private signals(name: string): Effect.Effect<Stream.Stream<unknown, TopicError>, TopicError, Scope.Scope> {
    return Effect.map(this.listening(name), (deliveries) => Stream.concat(Stream.make(undefined), deliveries))
  }

  private presenceViolation(topic: string, name = "nobody"): TopicErrorReason | undefined {
    if (this.members === undefined) return noPresence
    if (name.length === 0 || name.length > maxNameLength) {
      const message = `unsupported presence of ${name.length} characters; allowed: 1 to ${maxNameLength}`
      return { _tag: "PresenceUnavailable", message }
    }
    return nameViolation(topic)
  }

  /** Puts those that are present again, for as long as it runs. */
  get renewal(): Effect.Effect<void> {
    return this.members?.renew ?? Effect.void
  }

  /** Takes back what was subscribed to at the broker. */
  readonly end: Effect.Effect<void> = Effect.suspend(() =>
    Effect.all([this.members?.end ?? Effect.void, this.groups.end], { concurrency: "unbounded", discard: true })
  )

  /** The subscription of a socket to a filter; none when the socket is closed. */
  private find(
    socket: Socket,
    filter: string,
    options: SubscribeOptions | undefined
  ): Subscription | TopicErrorReason | undefined {
    const known = this.subscribersOf.get(socket)
    const subscribed = known?.subscriptions.get(filter)
    if (subscribed !== undefined) return subscribed
    const invalid = options === undefined ? undefined : invalidOption(subscribeRules, options)
    if (invalid !== undefined) return { _tag: "InvalidOptions", ...invalid }
    const query = queryOf(options)
    if (query !== undefined) {
      const reason = historyViolation(filter, query)
      if (reason !== undefined) return reason
      if (this.kept === undefined) return noHistory.reason
    }
    const presence = options?.presence
    if (presence !== undefined) {
      const reason = this.presenceViolation(filter, presence)
      if (reason !== undefined) return reason
    }
    const limit = this.maxSubscriptions
    if (known !== undefined && known.subscriptions.size >= limit) return tooManySubscriptions(limit)
    const group = this.groups.open(filter)
    if (!(group instanceof Group)) return group
    const subscriber = known ?? this.admit(socket)
    if (!subscriber.outlet.isOpen) {
      this.groups.dropUnused(group)
      return undefined
    }
    const subscription = new Subscription(subscriber, group, options?.slow ?? this.slow, options?.presence)
    subscriber.subscriptions.set(filter, subscription)
    if (query === undefined) this.enter(subscription)
    else subscription.awaitHistory()
    return subscription
  }

  /** Done when a subscription was answered, after the part of the history that it starts with. */
  private start(
    subscription: Subscription,
    options: SubscribeOptions | undefined
  ): Effect.Effect<Subscribed, TopicError> {
    const { group, subscriber } = subscription
    const query = queryOf(options)
    const history = this.kept
    const ready = this.groups.ready(group)
    if (query === undefined || history === undefined || !subscription.beginHistory()) {
      return Effect.as(ready, withoutHistory)
    }
    return replay({
      subscription,
      history,
      query,
      ready,
      send: (delivered) => {
        const message = this.options.format?.(delivered) ?? delivered.message
        if (subscriber.outlet.takes(message)) subscriber.offer(subscription, message, undefined)
      },
      sendGap: (gap) => {
        const message = this.shared.gapMessage?.(gap)
        if (message !== undefined && subscriber.outlet.takes(message)) {
          subscriber.offerGap(subscription, gap, message, undefined)
        }
      },
      enter: () => {
        subscription.endHistory()
        if (subscriber.subscriptions.get(group.filter) === subscription) this.enter(subscription)
      }
    })
  }

  private admit(socket: Socket): Subscriber {
    const subscriber = new Subscriber(outletOf(socket), this.shared)
    this.subscribersOf.set(socket, subscriber)
    subscriber.outlet.whenLeaving(() => {
      this.subscribersOf.delete(socket)
      for (const subscription of subscriber.subscriptions.values()) {
        this.exit(subscription)
        this.groups.dropUnused(subscription.group)
      }
      subscriber.subscriptions.clear()
      subscriber.end()
    })
    return subscriber
  }

  private releaseUnused(subscription: Subscription): void {
    if (!subscription.isUnused) return
    const { group, subscriber } = subscription
    if (subscriber.subscriptions.get(group.filter) !== subscription) return
    subscriber.forget(subscription)
    subscriber.subscriptions.delete(group.filter)
    this.exit(subscription)
    this.groups.dropUnused(group)
  }

  private enter(subscription: Subscription): void {
    const { group, presence } = subscription
    group.add(subscription)
    if (presence !== undefined) subscription.becomeMember(this.members?.enter(group.filter, presence))
    activeSubscriptions.modifyUnsafe(1, this.context)
  }

  private exit(subscription: Subscription): void {
    const { group, member } = subscription
    if (member !== undefined) this.members?.leave(group.filter, member)
    if (group.delete(subscription)) activeSubscriptions.modifyUnsafe(-1, this.context)
  }

  /** The broker delivers nothing more for a filter: who subscribes to it next asks the broker again. */
  private endGroup(group: Group): void {
    for (const subscription of group.subscriptions) {
      subscription.subscriber.subscriptions.delete(group.filter)
      this.exit(subscription)
    }
    group.listeners.clear()
    this.groups.dropUnused(group)
  }
}

const withoutHistory: Subscribed = { position: undefined, complete: true }

const noPresence: TopicErrorReason = {
  _tag: "PresenceUnavailable",
  message: "this broker does not keep who is present"
}

/** Strings that can't be what they are for, and numbers, have reasons of their own. */
const subscribeRules = {
  slow: slowRule,
  from: string,
  presence: string
} satisfies RulesOf<Omit<SubscribeOptions, "last">>

const queryOf = (options: SubscribeOptions | undefined): HistoryQuery | undefined => {
  const { from, last } = options ?? {}
  if (from !== undefined) return { from }
  return last === undefined ? undefined : { last }
}

const withoutPosition =
  (take: (delivery: Delivery) => void) =>
  (delivery: Delivery): void => {
    if (delivery._tag === "Gap") return take(delivery)
    const { message, topic } = delivery
    take({ _tag: "Message", topic, message })
  }

const tooManySubscriptions = (limit: number): TopicErrorReason => ({
  _tag: "TooManySubscriptions",
  message: `a socket has at most ${limit} subscriptions`,
  limit
})

/** Topics that end with the scope. Fails with `InvalidOptions`. */
export const makeTopics = (
  broker: BrokerService | undefined,
  options: Options
): Effect.Effect<TopicsService, TopicError, Scope.Scope> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.acquireRelease(
      Effect.map(validated(topicRules, options), () => new Topics(broker, options, context)),
      ({ end }) => end
    ).pipe(Effect.tap(({ renewal }) => Effect.forkScoped(renewal)))
  )
