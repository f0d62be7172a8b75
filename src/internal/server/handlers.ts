import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { spanOf } from "../observability/reporter.ts"
import { SocketError } from "../socket/error.ts"
import type { Accepted } from "./gate.ts"
import type { Connection } from "./model.ts"

/**
 * The handlers of a server's connections, each in a fiber and a scope of its own. What happens at the end of a handler is
 * told to its fiber's observer, and not left to the fiber: a connection that waits keeps nothing for it.
 */
export class Handlers<A, X, E, R> {
  private readonly handler: (socket: Connection<A>) => Effect.Effect<X, E, R>
  private readonly context: Context.Context<Exclude<R, Scope.Scope>>
  /** Handlers that run, and scopes that close. */
  private readonly fibers = new Set<Fiber.Fiber<unknown, unknown>>()

  constructor(
    handler: (socket: Connection<A>) => Effect.Effect<X, E, R>,
    context: Context.Context<Exclude<R, Scope.Scope>>
  ) {
    this.handler = handler
    this.context = context
  }

  /** Has a connection handled. It is closed when its handler has ended and its scope is closed. */
  readonly handle = (socket: Accepted<A>): void => {
    const scope = Scope.makeUnsafe()
    // Together with the scope the context has all that the handler requires.
    const context = Context.add(this.context, Scope.Scope, scope) as Context.Context<unknown> as Context.Context<R>
    const handled = Effect.suspend(() => this.handler(socket))
    const span = spanOf(socket)
    const fork = Effect.runForkWith(context)
    const fiber = fork(span === undefined ? handled : Effect.provideService(handled, Tracer.ParentSpan, span))
    this.fibers.add(fiber)
    fiber.addObserver((exit) => {
      this.fibers.delete(fiber)
      this.leave(socket, scope, exit)
    })
  }

  /** Waits for all of them. */
  readonly ended: Effect.Effect<void> = Effect.suspend(() =>
    this.fibers.size === 0 ? Effect.void : Effect.flatMap(Fiber.awaitAll(this.fibers), () => this.ended)
  )

  /** Interrupts all of them, and waits. */
  readonly interrupt: Effect.Effect<void> = Effect.suspend(() =>
    this.fibers.size === 0 ? Effect.void : Effect.flatMap(Fiber.interruptAll(this.fibers), () => this.interrupt)
  )

  private leave(socket: Accepted<A>, scope: Scope.Closeable, exit: Exit.Exit<X, E>): void {
    const closing = Scope.closeUnsafe(scope, exit)
    if (closing === undefined) return this.end(socket, exit)
    const fiber = Effect.runForkWith(this.context)(closing, { uninterruptible: true })
    this.fibers.add(fiber)
    fiber.addObserver((closed) => {
      this.fibers.delete(fiber)
      this.end(socket, both(exit, closed))
    })
  }

  private end(socket: Accepted<A>, exit: Exit.Exit<unknown, unknown>): void {
    socket.beginEnd(exit)
    if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return
    // A peer that goes away, or breaks the protocol, is no failure of the handler's.
    const ofPeer = exit.cause.reasons.every((reason) => reason._tag === "Fail" && reason.error instanceof SocketError)
    Effect.runForkWith(this.context)(
      ofPeer
        ? Effect.logDebug("a connection failed", exit.cause)
        : Effect.logError("a connection's handler failed", exit.cause)
    )
  }
}

/** How a handler ended whose scope was closed: what its finalizers failed with counts too. */
const both = <X, E>(exit: Exit.Exit<X, E>, closed: Exit.Exit<void>): Exit.Exit<unknown, unknown> => {
  if (Exit.isSuccess(closed)) return exit
  return Exit.isSuccess(exit) ? closed : Exit.failCause(Cause.combine(exit.cause, closed.cause))
}
