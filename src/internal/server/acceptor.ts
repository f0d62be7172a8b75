import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Gate } from "./gate.ts"
import { Handlers } from "./handlers.ts"
import type { Acceptor, Connection } from "./model.ts"

/** The two ways to take connections from a gate. */
export const acceptorOf = <A, R>(gate: Gate<A, R>): Acceptor<A> => ({
  connections: Stream.callback<Connection<A>>((queue) =>
    Effect.acquireRelease(
      Effect.sync(() => gate.onEach((socket) => Queue.offerUnsafe(queue, socket))),
      (stop) => Effect.sync(stop)
    )
  ),
  run: (handler) => run(gate, handler)
})

const run = <A, G, X, E, R>(
  gate: Gate<A, G>,
  handler: (socket: Connection<A>) => Effect.Effect<X, E, R>
): Effect.Effect<never, never, Exclude<R, Scope.Scope>> =>
  Effect.contextWith((context: Context.Context<Exclude<R, Scope.Scope>>) =>
    Effect.callback<never>(() => {
      const handlers = new Handlers(handler, context)
      gate.onEach(handlers.handle)
      return drain(gate, handlers)
    })
  )

/** Who uses connections, and may go on when they have gone. */
interface Users {
  readonly ended: Effect.Effect<void>
  readonly interrupt: Effect.Effect<void>
}

const nobody: Users = { ended: Effect.void, interrupt: Effect.void }

/**
 * Lets a gate's connections end: refuses new ones, starts the closing handshake with 1001 on all, waits for them and
 * for their handlers, and drops what is left at the deadline.
 */
export const drain = <A, R>(gate: Gate<A, R>, users = nobody): Effect.Effect<void> =>
  Effect.suspend(() => {
    gate.draining = true
    for (const socket of gate.live) socket.retire(1001, "", gate.shutdownTimeout)
    const gone = Effect.callback<void>((resume) => {
      if (gate.live.size === 0) return resume(Effect.void)
      gate.onEmpty = () => resume(Effect.void)
      return undefined
    })
    return Effect.timeoutOrElse(Effect.andThen(gone, users.ended), {
      duration: Duration.millis(gate.shutdownTimeout),
      orElse: () =>
        Effect.suspend(() => {
          for (const socket of gate.live) socket.connection.terminate()
          return users.interrupt
        })
    })
  })
