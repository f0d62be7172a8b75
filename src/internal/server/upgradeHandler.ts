import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import type * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { IncomingMessage } from "node:http"
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2"
import type { Duplex } from "node:stream"
import { type HandshakeError, shuttingDown, tooManyConnections } from "../handshake/error.ts"
import type { Response } from "../handshake/model.ts"
import { reject, rejection } from "../handshake/server.ts"
import type { Timers } from "../connection/timers.ts"
import { ofUpgrade } from "../observability/attributes.ts"
import { type HandshakeReport, type Reporter, reporterOf } from "../observability/reporter.ts"
import { clockTimers } from "../socket/clockTimers.ts"
import { bytesOf } from "../socket/byteSize.ts"
import { compressionOf } from "../socket/compression.ts"
import { type Resolved, resolve } from "../socket/options.ts"
import { noDropOnError } from "../transport/duplex.ts"
import { Admission, nothingCounted } from "./admission.ts"
import { Budget } from "./budget.ts"
import { ServerConnection } from "./connection.ts"
import { ConnectionQueue } from "./connectionQueue.ts"
import { type Exchange, Http1Exchange } from "./exchange.ts"
import { Http2Exchange } from "./http2Exchange.ts"
import { Http2Sessions } from "./http2Sessions.ts"
import { evictions, rejections } from "./metrics.ts"
import type { Options } from "./model.ts"
import { type AcceptedRequest, type Route, type Settled, UpgradeAttempt, type UpgradeOwner } from "./upgradeAttempt.ts"
import type { ServerSettings } from "./options.ts"
import { supervise } from "./supervision.ts"

/** Handlers that may go on when their connections have closed. */
interface RunningHandlers {
  readonly ended: Effect.Effect<void>
  readonly interrupt: Effect.Effect<void>
}

/**
 * Turns upgrade requests into connections, or into rejections, for one server: it has the server's limits and its open
 * connections, whichever way requests come in. `UpgradeAttempt` decides about one request.
 */
export class UpgradeHandler<A, R> implements UpgradeOwner<A, R> {
  readonly options: Options<A, R>
  readonly settings: ServerSettings
  readonly timers: Timers
  readonly admission: Admission
  readonly live = new Set<ServerConnection<A>>()
  readonly queue = new ConnectionQueue<A>()
  readonly sessions: Http2Sessions
  /** The handlers that `run` started. */
  readonly handlers = new Set<RunningHandlers>()
  private readonly drainLatch = Latch.makeUnsafe(false)
  private phase: "accepting" | "draining" = "accepting"
  private readonly context: Context.Context<Exclude<R, Scope.Scope>>
  private readonly socketSettings: Resolved
  private readonly budget: Budget | undefined
  private readonly reporter: Reporter | undefined
  /** Scopes of connections that only this handler closes. */
  private readonly closing = new Set<Fiber.Fiber<void>>()
  private readonly whenEmpty = new Set<() => void>()

  constructor(options: Options<A, R>, settings: ServerSettings, context: Context.Context<Exclude<R, Scope.Scope>>) {
    this.options = options
    this.settings = settings
    this.context = context
    this.timers = clockTimers(context)
    this.admission = new Admission(options, this.timers)
    this.sessions = new Http2Sessions(this.admission, this.timers, settings.handshakeTimeout, this.live)
    this.socketSettings = resolve(options, context)
    this.budget =
      options.maxMemory === undefined
        ? undefined
        : new Budget(bytesOf(options.maxMemory, Infinity), this.timers, this.live, () => this.evicted("memory"))
    this.reporter = reporterOf("server", options, context)
  }

  // The ways in

  /** Handles an upgrade request of HTTP/1.1; the connection goes to `queue`. */
  readonly upgrade = (incoming: IncomingMessage, socket: Duplex, head: Buffer): void =>
    this.negotiate(new Http1Exchange(incoming, socket, head), this.enqueue)

  /** Handles an extended CONNECT of HTTP/2; the connection goes to `queue`. */
  readonly connect = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void =>
    this.negotiate(new Http2Exchange(stream, headers), this.enqueue)

  readonly enqueue: Settled<A> = (result) => {
    if (result._tag === "Success") this.queue.offer(result.success)
  }

  /** Handles a request whose connection goes to the caller. A refusal is written before `done` is called. */
  negotiate(exchange: Exchange, done: Settled<A>, route?: Route<A>): void {
    new UpgradeAttempt(this, exchange, this.report(exchange), done, route).begin()
  }

  /** `negotiate` as an effect; the end of the scope closes the connection, and then the scope that `authorize` ran in. */
  open(exchange: Exchange, route?: Route<A>): Effect.Effect<ServerConnection<A>, HandshakeError, Scope.Scope> {
    return Effect.map(
      Effect.acquireRelease(
        Effect.callback<readonly [ServerConnection<A>, Scope.Closeable | undefined], HandshakeError>((resume) => {
          const done = (result: Result.Result<ServerConnection<A>, HandshakeError>): void =>
            resume(Effect.map(Effect.fromResult(result), (connection) => [connection, connection.takeScope()] as const))
          this.negotiate(exchange, done, route)
        }),
        ([connection, scope], exit) =>
          Effect.andThen(connection.end(exit), scope === undefined ? Effect.void : Scope.close(scope, exit))
      ),
      ([connection]) => connection
    )
  }

  // What an attempt uses

  get isDraining(): boolean {
    return this.phase === "draining"
  }

  findPlace(session: object | undefined): HandshakeError | undefined {
    if (this.isDraining) return shuttingDown(this.admission.retryAfter)
    if (this.budget?.exhausted === true) {
      return tooManyConnections(this.live.size, this.admission.retryAfter)
    }
    return this.admission.findPlace(this.live.size, this.queue.size, session)
  }

  fork<X, E>(effect: Effect.Effect<X, E, R>, scope: Scope.Closeable, span: Tracer.Span | undefined): Fiber.Fiber<X, E> {
    // Together with the scope the context has all that the effect requires.
    const context = Context.add(this.context, Scope.Scope, scope) as Context.Context<unknown> as Context.Context<R>
    return Effect.runForkWith(context)(
      span === undefined ? effect : Effect.provideService(effect, Tracer.ParentSpan, span)
    )
  }

  log(effect: Effect.Effect<void>): void {
    Effect.runForkWith(this.context)(effect)
  }

  accept(accepted: AcceptedRequest<A>): ServerConnection<A> {
    const { agreed, context, exchange, head, report, request, scope, socketSettings, ticket } = accepted
    const { draft, extensions, protocol } = agreed
    const live = new ServerConnection<A>(
      {
        transport: exchange.open(agreed.response),
        role: "server",
        timers: this.timers,
        settings: socketSettings ?? this.socketSettings,
        draft,
        protocol,
        extensions,
        compression: compressionOf(extensions),
        counters: report?.counters,
        request,
        context
      },
      this.drainLatch.await,
      scope
    )
    this.live.add(live)
    this.budget?.watch()
    const release = this.watch(live)
    const ended = report?.accepted(live, agreed.response.status)
    const { session } = exchange
    if (session !== undefined) this.sessions.opened(session)
    const needsCleanup =
      ticket !== nothingCounted || release !== undefined || ended !== undefined || session !== undefined
    live.observeClose(
      needsCleanup
        ? () => {
            ended?.()
            ticket.leave()
            release?.()
            if (session !== undefined) this.sessions.closed(session)
            this.forget(live)
          }
        : this.forget
    )
    noDropOnError(exchange.duplex)
    // The bytes that followed the handshake are read like the rest, once the handler had its chance to read.
    if (head.length > 0) exchange.duplex.unshift(head)
    live.connection.start()
    return live
  }

  refuse(exchange: Exchange, error: HandshakeError): void {
    const { reason } = error
    rejections.updateUnsafe(reason._tag, this.context)
    if (reason._tag === "OriginRefused") this.logOrigin(reason.message)
    const { duplex } = exchange
    if (duplex.destroyed || !duplex.writable) return exchange.drop()
    exchange.refuse(this.refusalOn(exchange, error))
    // A route that was refused goes on with the connection, to respond by itself.
    if (!duplex.writableEnded) return
    const timer = this.timers.after(this.settings.handshakeTimeout, () => exchange.drop())
    duplex.once("close", () => timer.cancel())
  }

  /** RFC 8441 §5: over HTTP/2 every 2xx status opens the WebSocket, so that a rejection with one is answered with 500. */
  private refusalOn({ session }: Exchange, error: HandshakeError): Response {
    const response = rejection(error)
    if (response.status >= 300 || session === undefined) return response
    this.log(Effect.logError(`a request over HTTP/2 can't be rejected with status ${response.status}`))
    return rejection(reject({ status: 500 }))
  }

  closeScope(scope: Scope.Closeable | undefined, exit: Exit.Exit<unknown, unknown>): void {
    if (scope === undefined) return
    const logged = Effect.catchCause(Scope.close(scope, exit), (cause) =>
      Effect.logError("a finalizer of authorize failed", cause)
    )
    const fiber = Effect.runForkWith(this.context)(logged)
    if (fiber.pollUnsafe() !== undefined) return
    this.closing.add(fiber)
    fiber.addObserver(() => this.closing.delete(fiber))
  }

  // Draining

  /** Refuses requests from now on, and notifies the handlers. */
  beginDraining(): void {
    this.phase = "draining"
    this.drainLatch.openUnsafe()
  }

  /** Waits until no connection is open, every scope of one is closed, and every handler has ended. */
  readonly ended: Effect.Effect<void> = Effect.suspend(() =>
    Effect.andThen(
      this.empty,
      Effect.suspend(() =>
        Effect.andThen(
          Effect.forEach(this.closing, Fiber.await, { discard: true }),
          Effect.forEach(this.handlers, ({ ended }) => ended, { discard: true })
        )
      )
    )
  )

  private readonly empty = Effect.callback<void>((resume) => {
    if (this.live.size === 0) return resume(Effect.void)
    const wake = (): void => resume(Effect.void)
    this.whenEmpty.add(wake)
    return Effect.sync(() => this.whenEmpty.delete(wake))
  })

  /** Shared by all connections that need no cleanup. */
  private readonly forget = (socket: unknown): void => {
    const connection = socket as ServerConnection<A>
    this.live.delete(connection)
    this.queue.forget(connection)
    this.closeScope(connection.takeScope(), Exit.void)
    if (this.live.size > 0) return
    for (const wake of this.whenEmpty) wake()
    this.whenEmpty.clear()
  }

  private report(exchange: Exchange): HandshakeReport | undefined {
    const { reporter } = this
    if (reporter === undefined) return undefined
    const request = exchange.request(this.admission)
    const report = reporter.handshake(request.headers["traceparent"])
    report.describe(ofUpgrade(request))
    return report
  }

  /** Ends a connection that is idle or lives for too long, where there are such limits. */
  private watch(live: ServerConnection<A>): (() => void) | undefined {
    const { ages } = this.settings
    if (ages.idle === undefined && ages.lifetime === undefined) return undefined
    return supervise(live, ages, this.timers, (why) => this.evicted(why))
  }

  private evicted(why: "idle" | "lifetime" | "memory"): void {
    evictions.updateUnsafe(why, this.context)
  }

  /** What the policy "same" compares with is in the message; of a list it is logged, and not sent to the client. */
  private logOrigin(message: string): void {
    const { origins = "same" } = this.options
    const allowed = typeof origins === "string" ? origins : origins.map(String).join(", ")
    this.log(Effect.logDebug(`${message}; allowed: ${allowed}`))
  }
}
