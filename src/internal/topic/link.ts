import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Message } from "../socket/receiveBuffer.ts"
import type { TopicError } from "./error.ts"
import { unavailable } from "./failure.ts"
import type { BrokerService, Delivery, Gap, Published } from "./model.ts"

/** One connection to a broker, from the time it is open until it is lost. */
export interface Wire {
  /** What became of what was published while there was no connection. `"kept"`: it is about to arrive. */
  readonly away: "kept" | Exclude<Gap["cause"], "slow">
  /** Done when the broker has them. */
  readonly publish: (messages: ReadonlyArray<Published>) => Effect.Effect<void, TopicError>
  /** Done when the broker delivers for these filters. Before the first call nothing arrives. */
  readonly subscribe: (filters: ReadonlyArray<string>) => Effect.Effect<void, TopicError>
  readonly unsubscribe: (filter: string) => Effect.Effect<void>
  /** Waits until the connection is lost; succeeds with why. */
  readonly lost: Effect.Effect<TopicError>
}

/** Where a connection puts what arrives for a filter. */
export interface Arrivals {
  readonly message: (filter: string, topic: string, message: Message) => void
  /** Messages are missing for all filters. */
  readonly gap: (cause: Gap["cause"], missed: number | undefined) => void
}

/** How to connect to a broker. */
export interface Driver {
  /** What the broker is called in messages. */
  readonly name: string
  readonly connect: (arrivals: Arrivals) => Effect.Effect<Wire, TopicError, Scope.Scope>
}

/** When a connection that was lost is opened again. */
export interface LinkOptions {
  /**
   * Waits between attempts to reach a broker that was lost; it starts anew each time. Where it ends, the topics stay cut off.
   * Default: 0.1, 0.2, 0.4, … 5 seconds for ever, each varied at random between a half and one and a half.
   */
  readonly reconnect?: Schedule.Schedule<unknown, TopicError> | undefined
}

const defaultSchedule = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")]).pipe(
  Schedule.modifyDelay(({ duration }) => Effect.map(Random.next, (random) => Duration.times(duration, 0.5 + random)))
)

/** One filter that is subscribed to. */
interface Entry {
  readonly deliver: (delivery: Delivery) => void
  /** Messages may be missing; it wasn't told yet. */
  behind: Gap["cause"] | undefined
}

/**
 * Keeps a connection to a broker up: subscribes again on each new one, and tells where messages are missing. What can't be
 * published at once fails, so that nothing is published twice.
 */
class Link implements BrokerService {
  private readonly name: string
  private readonly entries = new Map<string, Entry>()
  private wire: Wire | undefined = undefined
  private why: TopicError | undefined = undefined

  constructor(name: string) {
    this.name = name
  }

  readonly arrivals: Arrivals = {
    message: (filter, topic, message) => {
      const entry = this.entries.get(filter)
      if (entry === undefined) return
      this.catchUp(filter, entry)
      entry.deliver({ _tag: "Message", topic, message })
    },
    gap: (cause, missed) => {
      for (const [filter, { deliver }] of this.entries) deliver({ _tag: "Gap", filter, cause, missed })
    }
  }

  readonly publish: BrokerService["publish"] = (messages) =>
    Effect.suspend(() => {
      if (this.wire !== undefined) return this.wire.publish(messages)
      return Effect.fail(unavailable(this.name, "not sent", this.why ?? new Error("it is not connected")))
    })

  readonly subscribe: BrokerService["subscribe"] = (filter, deliver) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        const entry: Entry = { deliver, behind: this.wire === undefined ? "disconnected" : undefined }
        this.entries.set(filter, entry)
        const release = Effect.suspend(() => {
          if (this.entries.get(filter) !== entry) return Effect.void
          this.entries.delete(filter)
          return this.wire === undefined ? Effect.void : this.wire.unsubscribe(filter)
        })
        const subscribed = this.wire === undefined ? Effect.void : this.wire.subscribe([filter])
        return restore(subscribed).pipe(
          // A connection that is lost meanwhile is followed by one that subscribes to all filters.
          Effect.catchIf(isUnavailable, () => Effect.void),
          Effect.onError(() => release),
          Effect.andThen(Effect.addFinalizer(() => release))
        )
      })
    )

  /** Takes a new connection: subscribes to all there is, and tells what is missing. */
  up(wire: Wire): Effect.Effect<void, TopicError> {
    const { away } = wire
    for (const entry of this.entries.values()) {
      if (away === "kept") entry.behind = undefined
      else if (entry.behind !== undefined) entry.behind = away
    }
    return Effect.gen({ self: this }, function* () {
      const done = new Set<Entry>()
      let fresh = [...this.entries]
      do {
        for (const [, entry] of fresh) done.add(entry)
        yield* wire.subscribe(fresh.map(([filter]) => filter))
        // Others may have come meanwhile.
        fresh = [...this.entries].filter(([, entry]) => !done.has(entry))
      } while (fresh.length > 0)
      this.wire = wire
      for (const [filter, entry] of this.entries) this.catchUp(filter, entry)
    })
  }

  down(why: TopicError): void {
    this.wire = undefined
    this.why = why
    for (const entry of this.entries.values()) entry.behind ??= "disconnected"
  }

  private catchUp(filter: string, entry: Entry): void {
    const cause = entry.behind
    if (cause === undefined) return
    entry.behind = undefined
    entry.deliver({ _tag: "Gap", filter, cause, missed: undefined })
  }
}

const isUnavailable = (error: TopicError): boolean => error.reason._tag === "BrokerUnavailable"

/** Connects to a broker, and again whenever the connection is lost. Fails when the first attempt does. */
export const makeLink = (driver: Driver, options: LinkOptions): Effect.Effect<BrokerService, TopicError, Scope.Scope> =>
  Effect.gen(function* () {
    const { name } = driver
    const link = new Link(name)
    const opened = yield* Deferred.make<void, TopicError>()

    /** One connection; succeeds with why it was lost. */
    const life: Effect.Effect<TopicError, TopicError> = Effect.scoped(
      Effect.gen(function* () {
        const wire = yield* driver.connect(link.arrivals)
        yield* link.up(wire)
        if (!(yield* Deferred.succeed(opened, undefined))) yield* Effect.logInfo(`${name} is back`)
        return yield* wire.lost
      })
    )

    /** As `life`, after the waits of the schedule: the loss is the first of the failures that it is asked about. */
    const nextLife = (why: TopicError): Effect.Effect<TopicError, TopicError> => {
      let told = false
      const attempt = Effect.suspend(() => {
        if (told) return life
        told = true
        return Effect.fail(why)
      })
      return Effect.retry(attempt, options.reconnect ?? defaultSchedule)
    }

    const keepUp = Effect.gen(function* () {
      let why = yield* life
      while (true) {
        link.down(why)
        yield* Effect.logWarning(why.message)
        why = yield* nextLife(why)
      }
    })

    const giveUp = (cause: Cause.Cause<TopicError>): Effect.Effect<void> =>
      Effect.flatMap(Deferred.failCause(opened, cause), (first) =>
        first || Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError(`${name} is given up`, cause)
      )

    yield* Effect.forkScoped(Effect.catchCause(keepUp, giveUp))
    yield* Deferred.await(opened)
    return link
  })
