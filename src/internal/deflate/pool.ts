import type { Context } from "./context.ts"

/**
 * Contexts that serve one message and then another, of whatever connection: without context takeover (RFC 7692
 * §7.1.1) nothing is kept between messages. Holds at most `capacity` idle contexts of all kinds together, and closes
 * the one that was not used for longest.
 */
export class Pool {
  readonly capacity: number
  /** Idle contexts, the last used at the end. */
  private readonly idle: Array<Context> = []

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** Idle contexts now. */
  get size(): number {
    return this.idle.length
  }

  /** An idle context of the kind, which is the caller's until it gives it back or closes it. */
  take(key: number): Context | undefined {
    for (let index = this.idle.length - 1; index >= 0; index--) {
      const context = this.idle[index]
      if (context !== undefined && context.key === key) {
        if (index === this.idle.length - 1) this.idle.pop()
        else this.idle.splice(index, 1)
        return context
      }
    }
    return undefined
  }

  /** Takes an idle context back, to serve again or to be closed. */
  give(context: Context): void {
    if (context.dead || context.key === undefined) {
      context.close()
      return
    }
    context.reset()
    this.idle.push(context)
    if (this.idle.length > this.capacity) this.idle.shift()?.close()
  }

  /** Closes all idle contexts. */
  clear(): void {
    for (const context of this.idle) context.close()
    this.idle.length = 0
  }
}
