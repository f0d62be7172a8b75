import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { spanOf } from "../observability/reporter.ts"
import { SocketError } from "../socket/error.ts"
import type { Accepted, Gate } from "./gate.ts"
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
  Effect.contextWith((context) =>
    Effect.callback<never>(() => {
      const fork = Effect.runForkWith(context)
      const fibers = new Set<Fiber.Fiber<unknown>>()
      gate.onEach((socket) => {
        const fiber = fork(handle(socket, handler))
        if (fiber.pollUnsafe() !== undefined) return
        fibers.add(fiber)
        fiber.addObserver(() => fibers.delete(fiber))
      })
      return drain(gate, fibers)
    })
  )

const handle = <A, X, E, R>(
  socket: Accepted<A>,
  handler: (socket: Connection<A>) => Effect.Effect<X, E, R>
): Effect.Effect<unknown, never, Exclude<R, Scope.Scope>> =>
  Effect.catchCause(
    Effect.onExit(
      Effect.scoped(
        within(
          socket,
          Effect.suspend(() => handler(socket))
        )
      ),
      (exit) => socket.end(exit)
    ),
    (cause) => {
      if (Cause.hasInterruptsOnly(cause)) return Effect.void
      // A peer that goes away, or breaks the protocol, is no failure of the handler's.
      return cause.reasons.every((reason) => reason._tag === "Fail" && reason.error instanceof SocketError)
        ? Effect.logDebug("a connection failed", cause)
        : Effect.logError("a connection's handler failed", cause)
    }
  )

/** In the span of the connection, when it is traced. */
const within = <A, X, E, R>(socket: Accepted<A>, effect: Effect.Effect<X, E, R>): Effect.Effect<X, E, R> => {
  const span = spanOf(socket)
  return span === undefined ? effect : Effect.provideService(effect, Tracer.ParentSpan, span)
}

/**
 * Lets a gate's connections end: refuses new ones, starts the closing handshake with 1001 on all, waits for them and
 * for their handlers, and drops what is left at the deadline.
 */
export const drain = <A, R>(gate: Gate<A, R>, fibers: ReadonlySet<Fiber.Fiber<unknown>>): Effect.Effect<void> =>
  Effect.suspend(() => {
    gate.draining = true
    for (const socket of gate.live) socket.retire(1001, "", gate.shutdownTimeout)
    const ended = Effect.andThen(
      Effect.callback<void>((resume) => {
        if (gate.live.size === 0) return resume(Effect.void)
        gate.onEmpty = () => resume(Effect.void)
        return undefined
      }),
      Effect.suspend(() => Fiber.awaitAll(fibers))
    )
    return Effect.timeoutOrElse(Effect.asVoid(ended), {
      duration: Duration.millis(gate.shutdownTimeout),
      orElse: () =>
        Effect.suspend(() => {
          for (const socket of gate.live) socket.connection.terminate()
          return Fiber.interruptAll(fibers)
        })
    })
  })

/** What a failed or interrupted owner of a gate leaves. */
export const closeAll = <A, R>(gate: Gate<A, R>): Effect.Effect<void> => drain(gate, new Set())
