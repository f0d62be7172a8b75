import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { spanOf } from "../observability/reporter.ts"
import { SocketError } from "../socket/error.ts"
import { annotating } from "./annotations.ts"
import type { ServerConnection } from "./connection.ts"
import type { Connection } from "./model.ts"

/**
 * The handlers of a server's connections, each in a fiber of its own and in its connection's scope. As with `Effect.scoped`,
 * the fibers that a handler forked live until the scope is closed. The fiber's observer, and not the fiber, closes the
 * connection: a connection that waits keeps nothing for it.
 */
export class Handlers<A, X, E, R> {
  private readonly handler: (socket: Connection<A>) => Effect.Effect<X, E, R>
  private readonly context: Context.Context<Exclude<R, Scope.Scope>>
  private readonly server: { readonly isDraining: boolean }
  /** Whether there is another tracer than the default one, whose spans can't be seen. */
  private readonly isTraced: boolean
  private readonly logAnnotations: ReturnType<typeof annotating>
  private readonly spanAnnotations: ReturnType<typeof annotating>
  private readonly fibers = new Set<Fiber.Fiber<X, E>>()

  constructor(
    handler: (socket: Connection<A>) => Effect.Effect<X, E, R>,
    context: Context.Context<Exclude<R, Scope.Scope>>,
    server: { readonly isDraining: boolean }
  ) {
    this.handler = handler
    // In one map: each connection adds to it, and a context with many additions would be copied each time.
    this.context = Context.makeUnsafe(new Map(context.mapUnsafe))
    this.isTraced = Context.get(context, Tracer.Tracer) !== Context.get(Context.empty(), Tracer.Tracer)
    this.logAnnotations = annotating(Context.get(context, References.CurrentLogAnnotations))
    this.spanAnnotations = annotating(Context.get(context, References.TracerSpanAnnotations))
    this.server = server
  }

  /** Runs the handler for a connection, which is closed when the handler has ended and the scope is closed. */
  readonly handle = (socket: ServerConnection<A>): void => {
    const scope = socket.takeScope() ?? Scope.makeUnsafe()
    // Together with the scope the context has all that the handler requires.
    const logged = Context.add(this.context, References.CurrentLogAnnotations, this.logAnnotations(socket))
    const traceable = this.isTraced
      ? Context.add(logged, References.TracerSpanAnnotations, this.spanAnnotations(socket))
      : logged
    const context = Context.add(traceable, Scope.Scope, scope) as Context.Context<unknown> as Context.Context<R>
    const handling = new Handling(this.handler, socket)
    const span = spanOf(socket)
    const traced = span === undefined ? handling : Effect.provideService(handling, Tracer.ParentSpan, span)
    const fiber = Effect.runForkWith(context)(Effect.onExit(traced, closeScope))
    this.fibers.add(fiber)
    fiber.addObserver((exit) => {
      this.fibers.delete(fiber)
      this.end(socket, exit)
    })
  }

  /** Waits for all of them. */
  readonly ended: Effect.Effect<void> = Effect.suspend(() => Effect.asVoid(Fiber.awaitAll(this.fibers)))

  /** Interrupts all of them, and waits. */
  readonly interrupt: Effect.Effect<void> = Effect.suspend(() => Fiber.interruptAll(this.fibers))

  private end(socket: ServerConnection<A>, exit: Exit.Exit<X, E>): void {
    if (Exit.isSuccess(exit) && this.server.isDraining) socket.beginClose(1001, "")
    else socket.beginEnd(exit)
    if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return
    // A peer that goes away, or breaks the protocol, is no failure of the handler's.
    const ofPeer = exit.cause.reasons.every((reason) => reason._tag === "Fail" && reason.error instanceof SocketError)
    // Thousands of peers may disconnect at once: unless the level is enabled, each would cost a fiber for nothing.
    const minimum = Context.get(this.context, References.MinimumLogLevel)
    if (ofPeer && !LogLevel.isLessThanOrEqualTo(minimum, "Debug")) return
    const log = ofPeer
      ? Effect.logDebug("a connection failed", exit.cause)
      : Effect.logError("a connection's handler failed", exit.cause)
    Effect.runForkWith(this.context)(Effect.annotateLogs(log, this.logAnnotations(socket)))
  }
}

/** What a handler does with a connection: its fiber keeps it, and so it is an object in place of closures. */
class Handling<A, X, E, R> extends Effectable.Class<X, E, R> {
  private readonly handler: (socket: Connection<A>) => Effect.Effect<X, E, R>
  private readonly socket: Connection<A>

  constructor(handler: (socket: Connection<A>) => Effect.Effect<X, E, R>, socket: Connection<A>) {
    super()
    this.handler = handler
    this.socket = socket
  }

  override asEffect(): Effect.Effect<X, E, R> {
    return this.handler(this.socket)
  }
}

/** Closes the scope of the handler that ends. All handlers share it: it finds the scope where they find it. */
const closeScope = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Scope.close(Context.get(context as Context.Context<Scope.Scope>, Scope.Scope) as Scope.Closeable, exit)
  )
