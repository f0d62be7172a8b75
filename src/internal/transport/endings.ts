import { setImmediate } from "node:timers"

type Handler<S> = (stream: S) => void

/**
 * Handles the ends and closes of streams, in their order: at once, or in a later turn of the event loop when they are too many. When a
 * proxy or a network fails, thousands of peers end at once, which the system reports in one turn: handling all of them there would
 * stall everything else.
 */
export class Endings<S> {
  private readonly perTurn: number
  private waiting: Array<readonly [Handler<S>, S]> = []
  /** The next one that waits. */
  private at = 0
  /** How many were handled in this turn. */
  private handled = 0

  constructor(perTurn: number) {
    this.perTurn = perTurn
  }

  /** Calls `handler` with the stream, after the calls that were asked for before. */
  handle(handler: Handler<S>, stream: S): void {
    if (this.handled === 0) setImmediate(this.nextTurn)
    else if (this.handled >= this.perTurn || this.at < this.waiting.length) {
      this.waiting.push([handler, stream])
      return
    }
    this.handled++
    handler(stream)
  }

  private readonly nextTurn = (): void => {
    const { perTurn, waiting } = this
    this.handled = Math.min(waiting.length - this.at, perTurn)
    // Before the calls, any of which may throw.
    if (this.handled > 0) {
      setImmediate(this.nextTurn)
    } else {
      this.waiting = []
      this.at = 0
    }
    for (let left = this.handled; left > 0; left--) {
      const next = waiting[this.at++]
      if (next !== undefined) next[0](next[1])
    }
  }
}
