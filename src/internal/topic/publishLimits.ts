import * as Duration from "effect/Duration"
import type { Socket } from "../socket/model.ts"
import type { TooManyMessages } from "./error.ts"
import type { PublishRate } from "./model.ts"

/** How many messages each socket may publish: as many as the limit at once, and one more whenever its part of the time has passed. */
export class PublishLimits {
  private readonly limit: number
  private readonly perMessage: number
  /** When each socket has its whole limit again. */
  private readonly fullAt = new WeakMap<Socket, number>()

  constructor({ messages, per }: PublishRate) {
    this.limit = messages
    this.perMessage = Duration.toMillis(Duration.fromInputUnsafe(per)) / messages
  }

  /** Takes messages of a socket, or returns why not; then it takes none. */
  take(socket: Socket, count: number, now: number): TooManyMessages | undefined {
    const { limit, perMessage } = this
    const fullAt = Math.max(now, this.fullAt.get(socket) ?? now) + count * perMessage
    const wait = fullAt - now - limit * perMessage
    if (wait <= 0) {
      this.fullAt.set(socket, fullAt)
      return undefined
    }
    return {
      _tag: "TooManyMessages",
      message: `a socket publishes at most ${limit} messages within ${Math.round(perMessage * limit)} ms`,
      limit,
      retryAfter: count > limit ? undefined : Math.ceil(wait)
    }
  }
}
