import type { CloseCause } from "../protocol/closeHandshake.ts"
import type { Counters } from "./counters.ts"
import type { Timer, Timers } from "./timers.ts"

export interface KeepAliveOptions {
  /** Milliseconds between pings. */
  readonly interval: number
  /** Milliseconds that the peer may stay silent after a ping. */
  readonly timeout: number
}

/** A connection that is kept alive. */
export interface Watched {
  readonly timers: Timers
  /** Where round trips are counted. */
  readonly counters: Counters | undefined
  ping(): void
  /** Lets the answer arrive though the reader has paused reading. Returns whether it can. */
  peek(): boolean
  drop(cause: CloseCause): void
}

/**
 * When the deadline rings this many milliseconds late, the process was suspended, and what the peer answered meanwhile is
 * still to be read: the peer gets as long again.
 */
const grace = 1000

/**
 * Sends a ping at every interval, and drops a connection whose peer gives no sign of life within the timeout. Any received
 * bytes are a sign of life, since a pong may come after a long message, and so is any progress of what is sent. While the
 * reader has paused reading, each ping lets one more read arrive, up to `maxPeeked` bytes in all: so a peer that closed or
 * vanished is noticed although nothing is read. Beyond that the peer counts as alive until reading goes on.
 */
export class KeepAlive {
  private readonly watched: Watched
  private readonly options: KeepAliveOptions
  private alive = true
  private stopped = false
  private next: Timer | undefined = undefined
  private deadline: Timer | undefined = undefined
  /** When the ping was sent whose round trip is measured. */
  private sentAt: number | undefined = undefined

  constructor(watched: Watched, options: KeepAliveOptions) {
    this.watched = watched
    this.options = options
  }

  start(): void {
    this.next = this.watched.timers.after(this.options.interval, this)
  }

  stop(): void {
    this.stopped = true
    this.next?.cancel()
    this.deadline?.cancel()
    this.next = this.deadline = undefined
  }

  /** The peer gave a sign of life. */
  noticed(): void {
    this.alive = true
  }

  /** A pong without a payload came: the answer to one of these pings. */
  answered(): void {
    const { sentAt, watched } = this
    this.sentAt = undefined
    if (sentAt !== undefined) watched.counters?.roundTrip(watched.timers.now() - sentAt)
  }

  /** It is time for the next ping. */
  ring(): void {
    // Where both delays are the same, the deadline comes first.
    if (this.deadline === undefined) {
      this.alive = false
      this.awaitAnswer(this.options.timeout)
      if (this.watched.counters !== undefined) this.sentAt = this.watched.timers.now()
      this.watched.ping()
    }
    // The ping itself may have ended the connection.
    if (!this.stopped) this.start()
  }

  private awaitAnswer(delay: number): void {
    const { timers } = this.watched
    const due = timers.now() + delay
    const canAnswer = this.watched.peek()
    this.deadline = timers.after(delay, () => {
      this.deadline = undefined
      if (this.alive || !canAnswer) return
      if (timers.now() - due >= grace) this.awaitAnswer(grace)
      else this.watched.drop({ _tag: "KeepAliveTimeout" })
    })
  }
}
