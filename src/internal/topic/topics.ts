import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Socket } from "../socket/model.ts"
import { TopicError, type TopicErrorReason } from "./error.ts"
import { Filters } from "./filters.ts"
import { Group } from "./group.ts"
import { activeFilters, activeSubscriptions, gaps, missed, overruns, queuedBytes } from "./metrics.ts"
import { historyViolation, noHistory } from "./history.ts"
import { MemoryHistory } from "./memoryHistory.ts"
import { keyViolation, PublishKeys } from "./publishKeys.ts"
import { PublishLimits } from "./publishLimits.ts"
import type {
  AuthorizeRequest,
  BrokerHistory,
  BrokerService,
  Delivery,
  HistoryQuery,
  Options,
  Position,
  Published,
  SlowPolicy,
  Subscribed,
  SubscribeOptions,
  TopicsService
} from "./model.ts"
import { filterViolation, maxNameLength, nameViolation } from "./name.ts"
import { outletOf } from "./outlet.ts"
import { isPresenceName, MemoryPresence, Presence, presenceName } from "./presence.ts"
import { Reader } from "./reader.ts"
import { replay } from "./replay.ts"
import { Source } from "./source.ts"
import { type Shared, Subscriber, Subscription } from "./subscriber.ts"

const defaults = {
  queueSize: 256 * 1024,
  maxMessageSize: 1024 * 1024,
  maxSubscriptions: 1000,
  maxFilters: 100_000
} as const

/** The topics of this process: in memory, or over a broker. */
export class Topics implements TopicsService {
  private readonly broker: BrokerService | undefined
  private readonly context: Context.Context<never>
  private readonly slow: SlowPolicy
  private readonly maxMessageSize: number
  private readonly maxSubscriptions: number
  private readonly maxFilters: number
  private readonly shared: Shared
  private readonly format: Options["format"]
  /** What is kept without a broker. */
  private readonly memory: MemoryHistory | undefined
  private readonly showsPositions: boolean
  private readonly authorize: Options["authorize"]
  private readonly limits: PublishLimits | undefined
  private readonly keys = new PublishKeys()
  private readonly members: Presence | undefined
  private readonly groups = new Filters<Group>()
  private readonly sources = new Map<Group, Source>()
  /** What is being taken back at the broker. */
  private readonly stopping = new Map<string, Fiber.Fiber<void>>()
  private readonly subscribersOf = new Map<Socket, Subscriber>()

  constructor(broker: BrokerService | undefined, options: Options, context: Context.Context<never>) {
    this.broker = broker
    this.context = context
    this.slow = options.slow ?? "close"
    this.maxMessageSize = options.maxMessageSize ?? defaults.maxMessageSize
    this.maxSubscriptions = options.maxSubscriptions ?? defaults.maxSubscriptions
    this.maxFilters = options.maxFilters ?? defaults.maxFilters
    this.format = options.format
    this.authorize = options.authorize
    this.limits = options.publishRate === undefined ? undefined : new PublishLimits(options.publishRate)
    const { history } = options
    this.memory = broker === undefined && history !== false ? new MemoryHistory(history ?? {}) : undefined
    const present = broker === undefined ? new MemoryPresence() : broker.presence
    this.members =
      present === undefined
        ? undefined
        : new Presence(present, (topic) => Effect.ignore(this.publish(presenceName(topic), "changed")), context)
    this.showsPositions = broker !== undefined || typeof history === "object"
    this.shared = {
      queueSize: options.queueSize ?? defaults.queueSize,
      gapMessage: options.gapMessage,
      onMissed: (count) => missed.updateUnsafe(count, context),
      onOverrun: () => overruns.updateUnsafe(1, context),
      onQueued: (change) => queuedBytes.modifyUnsafe(change, context)
    }
  }

  // Publishing

  readonly publish: TopicsService["publish"] = (topic, message, options) =>
    this.publishAll([{ topic, message, key: options?.key }], options)

  readonly publishAll: TopicsService["publishAll"] = (messages, options) =>
    Effect.suspend(() => {
      for (const published of messages) {
        const reason = this.violation(published)
        if (reason !== undefined) return fail(reason)
      }
      if (messages.length === 0) return Effect.void
      const from = options?.from
      if (from === undefined) return this.publishValid(messages)
      const reason = this.limits?.take(from, messages.length, this.now())
      if (reason !== undefined) return fail(reason)
      const topics = [...new Set(messages.map(({ topic }) => topic))]
      return Effect.andThen(
        Effect.forEach(topics, (topic) => this.allow("publish", from, topic), { discard: true }),
        Effect.suspend(() => this.publishValid(messages))
      )
    })

  /** Fails when `authorize` does not allow it. */
  private allow(
    action: AuthorizeRequest["action"],
    socket: Socket,
    topic: string,
    from?: Position
  ): Effect.Effect<void, TopicError> {
    const { authorize } = this
    if (authorize === undefined) return Effect.void
    return Effect.flatMap(authorize({ action, socket, topic, from }), (allowed) =>
      allowed
        ? Effect.void
        : fail({ _tag: "NotAuthorized", message: `not allowed: to ${action} ${topic}`, action, topic })
    )
  }

  private now(): number {
    return Context.get(this.context, Clock.Clock).currentTimeMillisUnsafe()
  }

  private publishValid(messages: ReadonlyArray<Published>): Effect.Effect<void, TopicError> {
    const crowded = this.crowdedBy(messages)
    if (crowded.size > 0)
      return Effect.andThen(
        whenRoom(crowded),
        Effect.suspend(() => this.publishValid(messages))
      )
    if (this.broker !== undefined) return this.broker.publish(messages)
    for (const { key, message, topic } of messages) {
      if (key !== undefined && !this.keys.admit(key, this.now())) continue
      const position = isPresenceName(topic) ? undefined : this.memory?.append({ topic, message })
      for (const group of this.groups.matching(topic)) {
        this.arrived(group, { _tag: "Message", topic, message, position })
      }
    }
    return Effect.void
  }

  private violation({ key, message, topic }: Published): TopicErrorReason | undefined {
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
    if (this.broker !== undefined && this.broker.idempotent !== true) {
      return { _tag: "InvalidKey", message: "this broker does not respect keys of messages" }
    }
    return keyViolation(key)
  }

  private crowdedBy(messages: ReadonlyArray<Published>): ReadonlySet<Subscriber> {
    let crowded: Set<Subscriber> | undefined
    for (const { topic } of messages) {
      for (const group of this.groups.matching(topic)) {
        for (const subscriber of group.crowded) (crowded ??= new Set()).add(subscriber)
      }
    }
    return crowded ?? nobody
  }

  // Subscribing

  readonly subscribe: TopicsService["subscribe"] = (socket, filter, options) =>
    Effect.andThen(this.allowFilter(socket, filter, options), this.subscribeAllowed(socket, filter, options))

  readonly join: TopicsService["join"] = (socket, filter, options) =>
    Effect.andThen(this.allowFilter(socket, filter, options), this.joinAllowed(socket, filter, options))

  private allowFilter(socket: Socket, filter: string, options?: SubscribeOptions): Effect.Effect<void, TopicError> {
    return Effect.suspend(() => {
      const reason = filterViolation(filter)
      return reason === undefined ? this.allow("subscribe", socket, filter, options?.from) : fail(reason)
    })
  }

  private readonly subscribeAllowed: TopicsService["subscribe"] = (socket, filter, options) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        const subscription = this.find(socket, filter, options)
        if (subscription === undefined) return Effect.succeed(withoutHistory)
        if (!(subscription instanceof Subscription)) return fail(subscription)
        subscription.holds++
        let held = true
        const release = Effect.sync(() => {
          if (!held) return
          held = false
          subscription.holds--
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
      if (subscription.joined) return Effect.as(this.ready(subscription.group), withoutHistory)
      subscription.joined = true
      return Effect.onError(this.start(subscription, options), () => this.leave(socket, filter))
    })

  readonly leave: TopicsService["leave"] = (socket, filter) =>
    Effect.sync(() => {
      const subscription = this.subscribersOf.get(socket)?.subscriptions.get(filter)
      if (subscription === undefined) return
      subscription.joined = false
      this.releaseUnused(subscription)
    })

  readonly listen: TopicsService["listen"] = (filter) => Stream.unwrap(this.listening(filter))

  /** Done when the broker delivers. */
  private listening(filter: string): Effect.Effect<Stream.Stream<Delivery, TopicError>, TopicError, Scope.Scope> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        const group = this.groupOf(filter)
        if (!(group instanceof Group)) return fail(group)
        const reader = new Reader(filter)
        const take = this.showsPositions ? reader.take : withoutPosition(reader.take)
        group.listeners.add(take)
        return Effect.addFinalizer(() =>
          Effect.sync(() => {
            group.listeners.delete(take)
            this.dropUnused(group)
          })
        ).pipe(Effect.andThen(restore(this.ready(group))), Effect.as(Stream.fromPull(Effect.succeed(reader.pull))))
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
  readonly end: Effect.Effect<void> = Effect.suspend(() => {
    const stops = [...this.sources.values()].map(({ stop }) => stop)
    const stopping = [...this.stopping.values()].map((fiber) => Fiber.await(fiber))
    return Effect.all([this.members?.end ?? Effect.void, ...stops, ...stopping], {
      concurrency: "unbounded",
      discard: true
    })
  })

  /** The subscription of a socket to a filter; none when the socket is closed. */
  private find(
    socket: Socket,
    filter: string,
    options: SubscribeOptions | undefined
  ): Subscription | TopicErrorReason | undefined {
    const known = this.subscribersOf.get(socket)
    const subscribed = known?.subscriptions.get(filter)
    if (subscribed !== undefined) return subscribed
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
    const group = this.groupOf(filter)
    if (!(group instanceof Group)) return group
    const subscriber = known ?? this.admit(socket)
    if (!subscriber.outlet.isOpen) {
      this.dropUnused(group)
      return undefined
    }
    const subscription = new Subscription(subscriber, group, options?.slow ?? this.slow, options?.presence)
    subscriber.subscriptions.set(filter, subscription)
    if (query === undefined) this.enter(subscription)
    else subscription.phase = "waiting"
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
    const ready = this.ready(group)
    if (subscription.phase !== "waiting" || query === undefined || history === undefined) {
      return Effect.as(ready, withoutHistory)
    }
    subscription.phase = "replaying"
    return replay({
      subscription,
      history,
      query,
      ready,
      send: (delivered) => {
        const message = this.format === undefined ? delivered.message : this.format(delivered)
        if (subscriber.outlet.takes(message)) subscriber.offer(subscription, message, undefined)
      },
      sendGap: (gap) => {
        const message = this.shared.gapMessage?.(gap)
        if (message !== undefined && subscriber.outlet.takes(message)) {
          subscriber.offerGap(subscription, gap, message, undefined)
        }
      },
      enter: () => {
        subscription.phase = "live"
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
        this.dropUnused(subscription.group)
      }
      subscriber.subscriptions.clear()
      subscriber.end()
    })
    return subscriber
  }

  private releaseUnused(subscription: Subscription): void {
    if (subscription.joined || subscription.holds > 0) return
    const { group, subscriber } = subscription
    if (subscriber.subscriptions.get(group.filter) !== subscription) return
    subscriber.forget(subscription)
    subscriber.subscriptions.delete(group.filter)
    this.exit(subscription)
    this.dropUnused(group)
  }

  private enter(subscription: Subscription): void {
    const { group, presence } = subscription
    group.add(subscription)
    if (presence !== undefined) subscription.member = this.members?.enter(group.filter, presence)
    activeSubscriptions.modifyUnsafe(1, this.context)
  }

  private exit(subscription: Subscription): void {
    const { group, member } = subscription
    if (member !== undefined) this.members?.leave(group.filter, member)
    if (group.delete(subscription)) activeSubscriptions.modifyUnsafe(-1, this.context)
  }

  private groupOf(filter: string): Group | TopicErrorReason {
    const known = this.groups.get(filter)
    if (known !== undefined) return known
    const reason = filterViolation(filter)
    if (reason !== undefined) return reason
    const limit = this.maxFilters
    if (this.groups.size >= limit) {
      return { _tag: "TooManyFilters", message: `at most ${limit} filters have subscribers at once`, limit }
    }
    const group = new Group(filter, this.format)
    this.groups.add(group)
    activeFilters.modifyUnsafe(1, this.context)
    const { broker } = this
    if (broker !== undefined) {
      const subscribed = broker.subscribe(filter, (delivery) => this.arrived(group, delivery))
      const stopping = this.stopping.get(filter)
      const subscribe = stopping === undefined ? subscribed : Effect.andThen(Fiber.await(stopping), subscribed)
      this.sources.set(group, new Source(subscribe, this.context))
    }
    return group
  }

  private dropUnused(group: Group): void {
    const { filter } = group
    if (!group.isEmpty || this.groups.get(filter) !== group) return
    this.groups.delete(group)
    activeFilters.modifyUnsafe(-1, this.context)
    const source = this.sources.get(group)
    if (source === undefined) return
    this.sources.delete(group)
    const fiber = Effect.runForkWith(this.context)(source.stop)
    this.stopping.set(filter, fiber)
    fiber.addObserver(() => {
      if (this.stopping.get(filter) === fiber) this.stopping.delete(filter)
    })
  }

  private get kept(): BrokerHistory | undefined {
    return this.memory ?? this.broker?.history
  }

  private ready(group: Group): Effect.Effect<void, TopicError> {
    return this.sources.get(group)?.ready ?? Effect.void
  }

  private arrived(group: Group, delivery: Delivery): void {
    if (delivery._tag === "Message") {
      if (!isPresenceName(delivery.topic) || delivery.topic === group.filter) group.deliver(delivery)
    } else {
      gaps.updateUnsafe(delivery.cause, this.context)
      group.gap(delivery, this.shared.gapMessage?.(delivery))
      if (delivery.cause === "refused") this.endGroup(group)
    }
  }

  /** The broker delivers nothing more for a filter: who subscribes to it next asks the broker again. */
  private endGroup(group: Group): void {
    for (const subscription of group.subscriptions) {
      subscription.subscriber.subscriptions.delete(group.filter)
      this.exit(subscription)
    }
    group.listeners.clear()
    this.dropUnused(group)
  }
}

const withoutHistory: Subscribed = { position: undefined, complete: true }

const noPresence: TopicErrorReason = {
  _tag: "PresenceUnavailable",
  message: "this broker does not keep who is present"
}

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

const nobody: ReadonlySet<Subscriber> = new Set()

const fail = (reason: TopicErrorReason): Effect.Effect<never, TopicError> => Effect.fail(new TopicError({ reason }))

const tooManySubscriptions = (limit: number): TopicErrorReason => ({
  _tag: "TooManySubscriptions",
  message: `a socket has at most ${limit} subscriptions`,
  limit
})

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

/** Topics that end with the scope. */
export const makeTopics = (
  broker: BrokerService | undefined,
  options: Options
): Effect.Effect<TopicsService, never, Scope.Scope> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.acquireRelease(
      Effect.sync(() => new Topics(broker, options, context)),
      ({ end }) => end
    ).pipe(Effect.tap(({ renewal }) => Effect.forkScoped(renewal)))
  )
