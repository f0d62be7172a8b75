import type { CloseCause } from "../protocol/closeFrame.ts"
import { Opcode } from "../protocol/opcode.ts"
import type { Tally } from "./counters.ts"
import type { Timer, Timers } from "./timers.ts"

export interface KeepAliveOptions {
  /** Milliseconds between pings. */
  readonly interval: number
  /** Milliseconds that the peer may stay silent after a ping. */
  readonly timeout: number
}

/** What is kept alive. */
export interface Watched {
  readonly timers: Timers
  /** Who is told how long answers take. */
  readonly tally: Tally | undefined
  /** We don't read at present, so an answer could not be seen. */
  readonly isPaused: boolean
  sendControl(opcode: number, payload: Uint8Array): boolean
  drop(cause: CloseCause): void
}

const nothing = new Uint8Array(0)

/**
 * When the deadline rings this many milliseconds late, the process had stood still, and what the peer answered
 * meanwhile is still to be read: it gets as long again.
 */
const grace = 1000

/**
 * Sends a ping at every interval, and drops a connection whose peer gives no sign of life within the timeout. Any
 * bytes received, and any progress of what we send, are a sign of life: an answer may stand behind a long message.
 */
export class KeepAlive {
  private readonly watched: Watched
  private readonly options: KeepAliveOptions
  private alive = true
  private stopped = false
  private next: Timer | undefined = undefined
  private deadline: Timer | undefined = undefined
  /** When the ping went out whose answer is to be timed. */
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

  /** A pong without a payload came, which is what our pings are answered with. */
  answered(): void {
    const { sentAt, watched } = this
    this.sentAt = undefined
    if (sentAt !== undefined) watched.tally?.roundTrip(watched.timers.now() - sentAt)
  }

  /** It is time for the next ping. */
  ring(): void {
    // The deadline first: where both delays are the same, it is over before the next ping.
    if (this.deadline === undefined) {
      this.alive = false
      this.await(this.options.timeout)
      if (this.watched.tally !== undefined) this.sentAt = this.watched.timers.now()
      this.watched.sendControl(Opcode.ping, nothing)
    }
    // The ping itself may have brought the end.
    if (!this.stopped) this.start()
  }

  private await(delay: number): void {
    const { timers } = this.watched
    const due = timers.now() + delay
    this.deadline = timers.after(delay, () => {
      this.deadline = undefined
      if (this.alive || this.watched.isPaused) return
      if (timers.now() - due >= grace) this.await(grace)
      else this.watched.drop({ _tag: "KeepAliveTimeout" })
    })
  }
}
