import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { TopicError } from "./error.ts"
import { Filters } from "./filters.ts"
import type { Arrivals, Refusal } from "./link.ts"
import type { Position } from "./model.ts"
import { nameViolation } from "./name.ts"
import { decodePayload } from "./payload.ts"

export interface StreamReadingOptions {
  readonly arrivals: Arrivals
  /** Succeeds with what sets the place from which is read: not before the first subscription. */
  readonly begin: Effect.Effect<() => void, TopicError>
  /** Reads for as long as the connection lasts. */
  readonly read: Effect.Effect<unknown, TopicError>
}

/** How one connection reads a stream that all topics are in: whole, from the first subscription on. */
export class StreamReading {
  private readonly options: StreamReadingOptions
  private readonly filters = new Filters<{ readonly filter: string }>()
  private readonly waiters = new Set<{ readonly isDone: () => boolean; readonly resume: () => void }>()
  private readonly failed = Deferred.makeUnsafe<TopicError>()
  private started = false

  constructor(options: StreamReadingOptions) {
    this.options = options
  }

  /** Waits until reading failed; succeeds with why. */
  get failure(): Effect.Effect<TopicError> {
    return Deferred.await(this.failed)
  }

  subscribe(added: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Refusal>, TopicError> {
    return Effect.gen({ self: this }, function* () {
      for (const filter of added) this.filters.add({ filter })
      if (this.started) return []
      const { begin, read } = this.options
      const setPlace = yield* begin
      // Another subscription may have begun meanwhile.
      if (this.started) return []
      this.started = true
      setPlace()
      Effect.runFork(read).addObserver((exit) => {
        const error = Exit.findErrorOption(exit)
        if (Option.isSome(error)) Deferred.doneUnsafe(this.failed, Effect.succeed(error.value))
      })
      return []
    })
  }

  unsubscribe(filter: string): Effect.Effect<void> {
    return Effect.sync(() => {
      const known = this.filters.get(filter)
      if (known !== undefined) this.filters.delete(known)
    })
  }

  /** Passes on what was read, unless it is of another program. */
  deliver(topic: string, payload: Uint8Array | undefined, position: Position | undefined): void {
    if (payload === undefined || nameViolation(topic) !== undefined) return
    const matching = this.filters.matching(topic)
    if (matching.length === 0) return
    const message = decodePayload(payload, "tagged")
    if (message === undefined) return
    for (const { filter } of matching) this.options.arrivals.message(filter, topic, message, position)
  }

  /**
   * Waits until what was added up to some place was read, so that what arrives later was published later. `isDone` is asked
   * after each `advance`.
   */
  until(isDone: () => boolean): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (!this.started || isDone()) return resume(Effect.void)
      const waiter = { isDone, resume: () => resume(Effect.void) }
      this.waiters.add(waiter)
      return Effect.sync(() => this.waiters.delete(waiter))
    })
  }

  /** Says that more was read; `isAll` when nothing is left to read. */
  advance(isAll: boolean): void {
    for (const waiter of this.waiters) {
      if (!isAll && !waiter.isDone()) continue
      this.waiters.delete(waiter)
      waiter.resume()
    }
  }
}
