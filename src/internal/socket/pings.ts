import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Connection } from "../connection/connection.ts"
import type { SocketError } from "./error.ts"

/** A ping whose pong has not come. */
export interface PendingPing {
  readonly payload: Uint8Array
  readonly sentAt: number
  readonly settle: (result: Effect.Effect<Duration.Duration, SocketError>) => void
}

/** The pings of a connection that wait for their pongs. */
export class Pings {
  private pending: Array<PendingPing> = []
  private count = 0

  /** A payload that no other pending ping has. */
  nextPayload(): Uint8Array {
    const payload = Buffer.alloc(4)
    payload.writeUInt32BE(this.count++ >>> 0)
    return payload
  }

  add(ping: PendingPing): void {
    this.pending.push(ping)
  }

  delete(ping: PendingPing): void {
    this.pending = this.pending.filter((other) => other !== ping)
  }

  /** A pong came. It may stand for earlier pings too (RFC 6455 §5.5.3). */
  answered(payload: Buffer, { counters, timers }: Connection): void {
    const at = this.pending.findIndex((ping) => payload.equals(ping.payload))
    const now = timers.now()
    for (const { sentAt, settle } of this.pending.splice(0, at + 1)) {
      counters?.roundTrip(now - sentAt)
      settle(Effect.succeed(Duration.millis(now - sentAt)))
    }
  }

  /** The connection is closed. */
  fail(error: SocketError): void {
    const { pending } = this
    this.pending = []
    for (const { settle } of pending) settle(Effect.fail(error))
  }
}
