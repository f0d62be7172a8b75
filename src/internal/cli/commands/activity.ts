import * as Effect from "effect/Effect"
import { performance } from "node:perf_hooks"

/** What happened on the connections of one run so far. */
export class Activity {
  /** Messages received, on all connections. */
  received = 0
  /** When the connection opened, by the clock of `performance`; `undefined` before. */
  openedAt: number | undefined = undefined
  /** When the last message was shown; `Infinity` while the output has no room for one. */
  private shownAt = -Infinity

  opened(): void {
    this.openedAt = performance.now()
  }

  /** A batch of messages begins; `shown` is to follow. */
  receive(count: number): void {
    this.received += count
    this.shownAt = Infinity
  }

  shown(): void {
    this.shownAt = performance.now()
  }

  /** Waits until no message has come for so many milliseconds, from now on. */
  silence(milliseconds: number): Effect.Effect<void> {
    const since = performance.now()
    const rest = (): number => milliseconds - (performance.now() - Math.max(since, this.shownAt))
    const wait: Effect.Effect<void> = Effect.suspend(() => {
      const left = rest()
      return left <= 0 ? Effect.void : Effect.andThen(Effect.sleep(Math.min(left, milliseconds)), wait)
    })
    return wait
  }
}
