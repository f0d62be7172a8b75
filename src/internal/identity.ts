import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"

/** What is equal to itself alone, and keeps its hash while it changes: Effect's sets and maps may hold it. */
export abstract class Identity {
  [Equal.symbol](that: unknown): boolean {
    return this === that
  }

  [Hash.symbol](): number {
    return Hash.random(this)
  }
}
