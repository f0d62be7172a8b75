import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { Message } from "../socket/receiveBuffer.ts"
import { TopicError } from "./error.ts"
import { unavailable } from "./failure.ts"
import { noHistory } from "./history.ts"
import type { BrokerHistory, BrokerPresence, BrokerService, Delivery, Gap, Position, Published } from "./model.ts"
import { Outgoing } from "./outgoing.ts"

/** A filter that the broker does not allow. */
export interface Refusal {
  readonly filter: string
  readonly error: TopicError
}

/** One connection to a broker, from the time it is open until it is lost. */
export interface Wire {
  /** What became of what was published while there was no connection. `"kept"`: it is about to arrive. */
  readonly away: "kept" | Exclude<Gap["cause"], "slow" | "refused">
  /** Done when the broker has them. */
  readonly publish: (messages: ReadonlyArray<Published>) => Effect.Effect<void, TopicError>
  /**
   * Done when the broker delivers for these filters; succeeds with those that it refused, of which nothing is left. Before the
   * first call nothing arrives.
   */
  readonly subscribe: (filters: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Refusal>, TopicError>
  readonly unsubscribe: (filter: string) => Effect.Effect<void>
  /** Reads what the broker keeps; only of a driver with `isAfter`. */
  readonly readHistory?: BrokerHistory["read"] | undefined
  /** Keeps who is present; only of a driver with `hasPresence`. */
  readonly presence?: BrokerPresence | undefined
  /** Waits until the connection is lost; succeeds with why. */
  readonly lost: Effect.Effect<TopicError>
}

/** Where a connection puts what arrives for a filter. */
export interface Arrivals {
  readonly message: (filter: string, topic: string, message: Message, position?: Position) => void
  /** Messages are missing for all filters. */
  readonly gap: (cause: Gap["cause"], missed: number | undefined) => void
  /** The broker withdrew a filter that it had confirmed. */
  readonly refused: (refusal: Refusal) => void
}

/** How to connect to a broker. */
export interface Driver {
  /** What the broker is called in messages. */
  readonly name: string
  /** Whether `publish` respects the keys of messages. */
  readonly idempotent?: boolean | undefined
  /** Whether the broker keeps who is present. */
  readonly hasPresence?: boolean | undefined
  /** How positions compare; only of a broker that keeps a history. */
  readonly isAfter?: BrokerHistory["isAfter"] | undefined
  readonly connect: (arrivals: Arrivals) => Effect.Effect<Wire, TopicError, Scope.Scope>
}

/** One filter that is subscribed to, by one or more subscribers of this process. */
interface Entry {
  readonly filter: string
  readonly subscribers: Set<Subscriber>
  /** Done when the broker confirmed the filter or refused it, or when there is no connection. */
  readonly ready: Deferred.Deferred<void, TopicError>
  /** Messages may be missing, and the subscribers have not been notified yet. */
  stale: Gap["cause"] | undefined
}

interface Subscriber {
  readonly deliver: (delivery: Delivery) => void
}

/** Whether there is a connection. */
type State =
  | { readonly _tag: "Away"; readonly why: unknown }
  | { readonly _tag: "Up"; readonly wire: Wire; readonly outgoing: Outgoing; readonly fail: (why: TopicError) => void }

export interface Limits {
  readonly timeout: Duration.Duration
  readonly publishBufferSize: number
}

/**
 * The subscriptions of this process at one broker, over one connection after another. It subscribes again on each new one, and says
 * where messages are missing. What can't be published at once fails, so that nothing is published twice.
 */
export class Link implements Pick<BrokerService, "publish" | "subscribe"> {
  private readonly name: string
  private readonly limits: Limits
  private readonly context: Context.Context<never>
  private readonly entries = new Map<string, Entry>()
  private state: State = { _tag: "Away", why: new Error("it is not connected") }

  constructor(name: string, limits: Limits, context: Context.Context<never>) {
    this.name = name
    this.limits = limits
    this.context = context
  }

  readonly arrivals: Arrivals = {
    message: (filter, topic, message, position) => {
      const entry = this.entries.get(filter)
      if (entry === undefined) return
      this.catchUp(entry)
      deliver(entry, { _tag: "Message", topic, message, ...(position === undefined ? {} : { position }) })
    },
    gap: (cause, missed) => {
      for (const entry of this.entries.values()) deliver(entry, gapIn(entry, cause, missed))
    },
    refused: (refusal) => this.refuse(refusal)
  }

  readonly publish: BrokerService["publish"] = (messages) =>
    Effect.suspend(() => {
      const { state } = this
      return state._tag === "Up"
        ? state.outgoing.publish(messages)
        : Effect.fail(unavailable(this.name, "not sent", state.why))
    })

  readonly subscribe: BrokerService["subscribe"] = (filter, deliver) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        const entry = this.entries.get(filter) ?? this.open(filter)
        const subscriber: Subscriber = { deliver }
        entry.subscribers.add(subscriber)
        const release = Effect.suspend(() => this.release(entry, subscriber))
        return restore(Deferred.await(entry.ready)).pipe(
          Effect.onError(() => release),
          Effect.andThen(Effect.addFinalizer(() => release))
        )
      })
    )

  readonly readHistory: BrokerHistory["read"] = (topic, query) =>
    this.request(({ readHistory }) => readHistory?.(topic, query) ?? Effect.fail(noHistory))

  readonly presence: BrokerPresence = {
    put: (topic, members, removed) =>
      this.request(({ presence }) => presence?.put(topic, members, removed) ?? Effect.succeed(false)),
    list: (topic) => this.request(({ presence }) => presence?.list(topic) ?? Effect.succeed([]))
  }

  /** Runs a request on the connection, if there is one, with a time limit. */
  private request<A>(make: (wire: Wire) => Effect.Effect<A, TopicError>): Effect.Effect<A, TopicError> {
    return Effect.suspend(() => {
      const { state } = this
      if (state._tag === "Away") return Effect.fail(unavailable(this.name, "not sent", state.why))
      return Effect.timeoutOrElse(make(state.wire), {
        duration: this.limits.timeout,
        orElse: () => Effect.fail(unavailable(this.name, "unknown", new Error("it does not answer")))
      })
    })
  }

  /** Takes a new connection, which lasts for the scope: subscribes to all there is, and says what is missing. */
  up(wire: Wire, fail: (why: TopicError) => void): Effect.Effect<void, TopicError, Scope.Scope> {
    const { away } = wire
    for (const entry of this.entries.values()) {
      if (away === "kept") entry.stale = undefined
      else if (entry.stale !== undefined) entry.stale = away
    }
    return Effect.gen({ self: this }, function* () {
      const done = new Set<Entry>()
      let fresh = [...this.entries.values()]
      do {
        for (const entry of fresh) done.add(entry)
        for (const refusal of yield* this.subscribeAt(
          wire,
          fresh.map(({ filter }) => filter)
        )) {
          this.refuse(refusal)
        }
        // Others may have come meanwhile.
        fresh = [...this.entries.values()].filter((entry) => !done.has(entry))
      } while (fresh.length > 0)
      const { publishBufferSize, timeout } = this.limits
      const outgoing = new Outgoing(
        { name: this.name, send: wire.publish, timeout, bufferSize: publishBufferSize, onSilence: fail },
        this.context
      )
      yield* Effect.forkScoped(outgoing.watch)
      this.state = { _tag: "Up", wire, outgoing, fail }
      for (const entry of this.entries.values()) this.catchUp(entry)
    })
  }

  /** The connection is lost, or was never made. */
  down(why: TopicError): void {
    const { state } = this
    this.state = { _tag: "Away", why }
    if (state._tag === "Up") state.outgoing.close(why)
    for (const entry of this.entries.values()) {
      entry.stale ??= "disconnected"
      // A subscription that the broker did not confirm starts once the broker is back, after a gap.
      Deferred.doneUnsafe(entry.ready, Exit.void)
    }
  }

  private open(filter: string): Entry {
    const { state } = this
    const entry: Entry = { filter, subscribers: new Set(), ready: Deferred.makeUnsafe(), stale: undefined }
    this.entries.set(filter, entry)
    if (state._tag === "Away") {
      entry.stale = "disconnected"
      Deferred.doneUnsafe(entry.ready, Exit.void)
      return entry
    }
    Effect.runForkWith(this.context)(this.subscribeAt(state.wire, [filter])).addObserver((exit) => {
      if (Exit.isSuccess(exit)) {
        for (const refusal of exit.value) if (this.entries.get(filter) === entry) this.refuse(refusal)
        Deferred.doneUnsafe(entry.ready, Exit.void)
      } else {
        const error = Cause.squash(exit.cause)
        state.fail(error instanceof TopicError ? error : unavailable(this.name, "unknown", error))
      }
    })
    return entry
  }

  private release(entry: Entry, subscriber: Subscriber): Effect.Effect<void> {
    const { filter, subscribers } = entry
    subscribers.delete(subscriber)
    if (subscribers.size > 0 || this.entries.get(filter) !== entry) return Effect.void
    this.entries.delete(filter)
    const { state } = this
    return state._tag === "Up"
      ? Effect.asVoid(Effect.timeoutOption(state.wire.unsubscribe(filter), this.limits.timeout))
      : Effect.void
  }

  /** No answer in time is a lost connection. */
  private subscribeAt(wire: Wire, filters: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Refusal>, TopicError> {
    return Effect.timeoutOrElse(wire.subscribe(filters), {
      duration: this.limits.timeout,
      orElse: () => Effect.fail(unavailable(this.name, "unknown", new Error("it does not answer")))
    })
  }

  /** Ends the subscription to a filter: those that wait for it fail, and those that were answered get a last gap. */
  private refuse({ error, filter }: Refusal): void {
    const entry = this.entries.get(filter)
    if (entry === undefined) return
    this.entries.delete(filter)
    if (Deferred.doneUnsafe(entry.ready, Exit.fail(error))) return
    Effect.runForkWith(this.context)(Effect.logWarning(`the subscription to ${filter} has ended: ${error.message}`))
    deliver(entry, { ...gapIn(entry, "refused", undefined), error })
  }

  private catchUp(entry: Entry): void {
    const cause = entry.stale
    if (cause === undefined) return
    entry.stale = undefined
    deliver(entry, gapIn(entry, cause, undefined))
  }
}

const deliver = ({ subscribers }: Entry, delivery: Delivery): void => {
  for (const subscriber of subscribers) subscriber.deliver(delivery)
}

const gapIn = ({ filter }: Entry, cause: Gap["cause"], missed: number | undefined): Gap => ({
  _tag: "Gap",
  filter,
  cause,
  missed
})
