import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ServerConnection } from "./connection.ts"

type Handle<A> = (connection: ServerConnection<A>) => void

/**
 * The connections that were accepted and wait for a handler or for a reader of `connections`. One that closes while it
 * waits is forgotten.
 */
export class ConnectionQueue<A> {
  private readonly waiting = new Set<ServerConnection<A>>()
  private readonly readers = new Set<() => void>()
  private handle: Handle<A> | undefined = undefined

  /** How many connections wait. */
  get size(): number {
    return this.waiting.size
  }

  offer(connection: ServerConnection<A>): void {
    if (this.handle !== undefined) return this.handle(connection)
    this.waiting.add(connection)
    this.wakeOne()
  }

  /** Forgets a connection that has closed. */
  forget(connection: ServerConnection<A>): void {
    this.waiting.delete(connection)
  }

  /** Hands every connection to `handle` from now on, first those that wait. Returns how to stop. */
  handleEach(handle: Handle<A>): () => void {
    this.handle = handle
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const connection of waiting) handle(connection)
    return () => {
      if (this.handle === handle) this.handle = undefined
    }
  }

  /** Takes the connection that has waited longest, and suspends while there is none. */
  readonly take: Effect.Effect<ServerConnection<A>> = Effect.suspend(() => {
    const [connection] = this.waiting
    if (connection === undefined) return Effect.flatMap(this.arrival, () => this.take)
    this.waiting.delete(connection)
    return Effect.succeed(connection)
  })

  readonly stream: Stream.Stream<ServerConnection<A>> = Stream.fromPull(
    Effect.succeed(Effect.map(this.take, (connection) => [connection] as const))
  )

  /** A reader is woken and takes by itself, so that a reader that is interrupted meanwhile takes nothing along. */
  private readonly arrival = Effect.callback<void>((resume) => {
    const wake = (): void => resume(Effect.void)
    this.readers.add(wake)
    return Effect.sync(() => {
      if (!this.readers.delete(wake)) this.wakeOne()
    })
  })

  private wakeOne(): void {
    const [wake] = this.readers
    if (wake === undefined || this.waiting.size === 0) return
    this.readers.delete(wake)
    wake()
  }
}
