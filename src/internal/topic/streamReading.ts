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
import type { Resumption, StreamCursor } from "./streamCursor.ts"

export interface StreamReadingOptions<Place> {
  readonly arrivals: Arrivals
  readonly cursor: StreamCursor<Place>
  readonly resumption: Resumption<Place>
  /** The last message of the stream. */
  readonly tip: Effect.Effect<Place, TopicError>
  /** Reads after the place of the cursor for as long as the connection lasts. */
  readonly read: (from: Place) => Effect.Effect<unknown, TopicError>
}

/** How one connection reads a stream that all topics are in: whole, from the first subscription on. */
export class StreamReading<Place> {
  private readonly options: StreamReadingOptions<Place>
  private readonly filters = new Filters<{ readonly filter: string }>()
  private readonly waiters = new Set<{ readonly isDone: () => boolean; readonly resume: () => void }>()
  private readonly failed = Deferred.makeUnsafe<TopicError>()
  private started = false

  constructor(options: StreamReadingOptions<Place>) {
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
      const { cursor, read, resumption, tip } = this.options
      // The first subscription of all gets what is published from now on, not since this process connected.
      const last = resumption.last ?? (yield* tip)
      // Another subscription may have begun meanwhile.
      if (this.started) return []
      this.started = true
      cursor.begin(last, resumption.run)
      Effect.runFork(read(last)).addObserver((exit) => {
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

  /** Passes on what was read at this place, unless it is of another program. */
  deliver(place: Place, topic: string, payload: Uint8Array | undefined, position: Position | undefined): void {
    this.options.cursor.advance(place)
    if (payload === undefined || nameViolation(topic) !== undefined) return
    const matching = this.filters.matching(topic)
    if (matching.length === 0) return
    const message = decodePayload(payload, "tagged")
    if (message === undefined) return
    for (const { filter } of matching) this.options.arrivals.message(filter, topic, message, position)
  }

  /**
   * Waits until what was added up to some place was read, so that what arrives later was published later. `reaches` is asked of the last
   * place after each `advance`.
   */
  until(reaches: (last: Place) => boolean): Effect.Effect<void> {
    const isDone = (): boolean => {
      const { reached } = this.options.cursor
      return reached !== undefined && reaches(reached.last)
    }
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
