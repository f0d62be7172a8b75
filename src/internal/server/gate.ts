import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Tracer from "effect/Tracer"
import type { IncomingMessage } from "node:http"
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2"
import type { Duplex } from "node:stream"
import * as Handshake from "../../Handshake.ts"
import { acceptAs } from "../handshake/server.ts"
import { ofUpgrade } from "../observability/attributes.ts"
import { failureOf, type HandshakeReport, type Reporter, reporterOf } from "../observability/reporter.ts"
import { dropOnError, noDropOnError } from "../transport/duplex.ts"
import { clockTimers } from "../socket/clockTimers.ts"
import { compressionOf, extensionsOf } from "../socket/compression.ts"
import { readExactly } from "../transport/readExactly.ts"
import { LiveSocket } from "../socket/webSocketConnection.ts"
import { defaults, type Resolved, resolve } from "../socket/options.ts"
import type { Timers } from "../connection/timers.ts"
import { Admission, nothingCounted, type Ticket } from "./admission.ts"
import { Budget } from "./budget.ts"
import { whenLeft } from "./departure.ts"
import { type Exchange, Http1Exchange } from "./exchange.ts"
import { Http2Exchange } from "./http2Exchange.ts"
import { evictions, refusals } from "./metrics.ts"
import type { Options, UpgradeRequest } from "./model.ts"
import { type Ages, supervise } from "./supervision.ts"

/** A live socket that a server accepted. */
export type Accepted<A> = LiveSocket<A, UpgradeRequest>

const defaultMaxHandshakes = 1024

/**
 * Turns upgrade requests into sockets, or into refusals. Knows how many connections and handshakes there are; what
 * becomes of an accepted socket is `onConnection`'s to say.
 */
export class Gate<A, R> {
  readonly live = new Set<Accepted<A>>()
  /** Refuses everybody from now on. */
  draining = false
  /** Called when the last connection is gone. */
  onEmpty: (() => void) | undefined = undefined
  readonly timers: Timers
  readonly handshakeTimeout: number
  readonly shutdownTimeout: number
  private readonly options: Options<A, R>
  private readonly accept: Handshake.AcceptOptions
  private readonly settings: Resolved
  private readonly fork: <X, E>(effect: Effect.Effect<X, E, R>) => Fiber.Fiber<X, E>
  private readonly context: Context.Context<R>
  private readonly admission: Admission
  private readonly ages: Ages
  private readonly budget: Budget | undefined
  private readonly reporter: Reporter | undefined
  private handshakes = 0
  private onConnection: ((socket: Accepted<A>) => void) | undefined = undefined
  private waiting: Array<Accepted<A>> = []

  constructor(options: Options<A, R>, context: Context.Context<R>) {
    this.options = options
    this.accept = { ...options, extensions: [...extensionsOf(options.compression), ...(options.extensions ?? [])] }
    this.settings = resolve(options, context)
    this.handshakeTimeout = Duration.toMillis(options.handshakeTimeout ?? defaults.timeout)
    this.shutdownTimeout = Duration.toMillis(options.shutdownTimeout ?? defaults.timeout)
    this.timers = clockTimers(context)
    this.fork = Effect.runForkWith(context)
    this.context = context
    this.admission = new Admission(options, this.timers)
    this.ages = { idle: millis(options.idleTimeout), lifetime: millis(options.maxLifetime) }
    this.budget =
      options.maxMemory === undefined
        ? undefined
        : new Budget(options.maxMemory, this.timers, this.live, () => this.evicted("memory"))
    this.reporter = reporterOf("server", options, context)
  }

  /** Takes every connection from now on, those that wait first. Answers how to stop. */
  onEach(take: (socket: Accepted<A>) => void): () => void {
    this.onConnection = take
    const { waiting } = this
    this.waiting = []
    for (const socket of waiting) take(socket)
    return () => {
      if (this.onConnection === take) this.onConnection = undefined
    }
  }

  /** Handles an upgrade request of HTTP/1.1; accepted sockets go to `onEach`. */
  readonly upgrade = (incoming: IncomingMessage, socket: Duplex, head: Buffer): void =>
    this.negotiate(new Http1Exchange(incoming, socket, head), this.settled)

  /** Handles an extended CONNECT of HTTP/2. */
  readonly connect = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void =>
    this.negotiate(new Http2Exchange(stream, headers), this.settled)

  private readonly settled = (result: Result.Result<Accepted<A>, Handshake.HandshakeError>): void => {
    if (Result.isFailure(result)) return
    if (this.onConnection === undefined) this.waiting.push(result.success)
    else this.onConnection(result.success)
  }

  /** Handles a request: a refusal is written before `done` hears of it. */
  negotiate(exchange: Exchange, done: (result: Result.Result<Accepted<A>, Handshake.HandshakeError>) => void): void {
    const { duplex } = exchange
    dropOnError(duplex)
    let ticket: Ticket | undefined
    const report = this.reporter === undefined ? undefined : this.report(this.reporter, exchange)
    const refuse = (error: Handshake.HandshakeError): void => {
      ticket?.leave()
      this.refuse(exchange, error)
      report?.failed(Exit.fail(error), failureOf(error))
      done(Result.fail(error))
    }
    const left = (): void => {
      ticket?.leave()
      exchange.drop()
      const error = Handshake.timeout(this.handshakeTimeout)
      report?.failed(Exit.fail(error), { type: "ClientLeft", status: undefined })
      done(Result.fail(error))
    }
    const { maxConnections = Infinity, maxHandshakes = defaultMaxHandshakes } = this.options
    const { admission, budget } = this
    if (exchange.isGone) return left()
    if (this.draining) return refuse(Handshake.shuttingDown())
    const full = (limit: number): void => refuse(Handshake.tooManyConnections(limit, admission.retryAfter))
    if (this.live.size + this.handshakes >= maxConnections) return full(maxConnections)
    if (this.handshakes >= maxHandshakes) return full(maxHandshakes)
    if (budget?.exhausted === true) return full(this.live.size)
    const request = exchange.request(admission)
    const entered = admission.enter(request.clientAddress)
    if (entered instanceof Handshake.HandshakeError) return refuse(entered)
    ticket = entered
    const selected = Handshake.selectDraft(request, this.options.drafts)
    if (Result.isFailure(selected)) return refuse(selected.failure)
    const draft = selected.success
    const decide = (whole: UpgradeRequest, rest: Buffer): void => {
      const accepted = acceptAs(draft, whole, this.accept)
      if (Result.isFailure(accepted)) return refuse(accepted.failure)
      this.authorize(whole, duplex, rest, report, (context, head) => {
        if (exchange.isGone) return left()
        if (Result.isFailure(context)) return refuse(context.failure)
        if (this.draining) return refuse(Handshake.shuttingDown())
        done(Result.succeed(this.open(exchange, whole, head, accepted.success, context.success, entered, report)))
      })
    }
    const size = draft.bodyLength.request
    if (size === 0) return decide(request, exchange.head)
    this.readBody(duplex, exchange.head, size, (bytes) =>
      bytes === undefined
        ? refuse(Handshake.timeout(this.handshakeTimeout))
        : decide({ ...request, key3: bytes.subarray(0, size) }, bytes.subarray(size))
    )
  }

  private readBody(socket: Duplex, head: Buffer, size: number, done: (bytes: Buffer | undefined) => void): void {
    this.handshakes++
    const settle = (bytes: Buffer | undefined): void => {
      timer.cancel()
      this.handshakes--
      done(bytes)
    }
    const timer = this.timers.after(this.handshakeTimeout, () => {
      stop()
      settle(undefined)
    })
    const stop = readExactly(socket, head, size, settle)
  }

  /** Asks whether a request may connect, and gives that up when the client leaves. `done` gets the head with what came behind it. */
  private authorize(
    request: UpgradeRequest,
    socket: Duplex,
    head: Buffer,
    report: HandshakeReport | undefined,
    done: (context: Result.Result<A, Handshake.HandshakeError>, head: Buffer) => void
  ): void {
    const { authorize } = this.options
    // Without `authorize` the connection's context is `undefined`, as its type then says.
    if (authorize === undefined) return done(Result.succeed(undefined as A), head)
    this.handshakes++
    const bounded = Effect.timeoutOrElse(
      Effect.suspend(() => authorize(request)),
      {
        duration: Duration.millis(this.handshakeTimeout),
        orElse: () => Effect.fail(Handshake.timeout(this.handshakeTimeout))
      }
    )
    const span = report?.span
    const fiber = this.fork(span === undefined ? bounded : Effect.provideService(bounded, Tracer.ParentSpan, span))
    const leave = (): void => {
      socket.destroy()
      fiber.interruptUnsafe()
    }
    const waiting = fiber.pollUnsafe() === undefined ? whenLeft(socket, leave) : undefined
    fiber.addObserver((exit) => {
      this.handshakes--
      const whole = waiting === undefined ? head : Buffer.concat([head, waiting.stop()])
      if (Exit.isSuccess(exit)) return done(Result.succeed(exit.value), whole)
      const failure = Cause.findErrorOption(exit.cause)
      if (failure._tag === "Some") return done(Result.fail(failure.value), whole)
      if (!socket.destroyed || !Cause.hasInterruptsOnly(exit.cause)) {
        this.fork(Effect.logError("authorize failed", exit.cause) as Effect.Effect<void, never, R>)
      }
      done(Result.fail(Handshake.rejected({ status: 500 })), whole)
    })
  }

  private open(
    exchange: Exchange,
    request: UpgradeRequest,
    head: Buffer,
    accepted: Handshake.Accepted,
    context: A,
    ticket: Ticket,
    report: HandshakeReport | undefined
  ): Accepted<A> {
    const { draft, extensions, protocol } = accepted
    const { duplex } = exchange
    const live: Accepted<A> = new LiveSocket({
      transport: exchange.open(accepted.response),
      role: "server",
      timers: this.timers,
      settings: this.settings,
      draft,
      protocol,
      extensions,
      compression: compressionOf(extensions),
      tally: report?.tally,
      request,
      context
    })
    this.live.add(live)
    this.budget?.watch()
    const release = this.watch(live)
    const gone = report?.accepted(live, accepted.response.status)
    live.onGone =
      ticket === nothingCounted && release === undefined && gone === undefined
        ? this.gone
        : () => {
            gone?.()
            ticket.leave()
            release?.()
            this.gone(live)
          }
    noDropOnError(duplex)
    // What came behind the handshake is read like the rest, once the handler had its chance to read it.
    if (head.length > 0) duplex.unshift(head)
    live.connection.start()
    return live
  }

  /** Shared by all connections of which nothing more is to be told. */
  private readonly gone = (socket: LiveSocket<unknown>): void => {
    this.live.delete(socket as Accepted<A>)
    if (this.live.size === 0) this.onEmpty?.()
  }

  private report(reporter: Reporter, exchange: Exchange): HandshakeReport {
    const request = exchange.request(this.admission)
    const report = reporter.handshake(request.headers["traceparent"])
    report.describe(ofUpgrade(request))
    return report
  }

  /** Ends it when it is idle or lives too long, where there are such limits. */
  private watch(live: Accepted<A>): (() => void) | undefined {
    const { ages } = this
    if (ages.idle === undefined && ages.lifetime === undefined) return undefined
    return supervise(live, ages, this.timers, (why) => this.evicted(why))
  }

  private evicted(why: "idle" | "lifetime" | "memory"): void {
    evictions.updateUnsafe(why, this.context)
  }

  /** Answers, and sees to it that a peer that never goes away is dropped. */
  private refuse(exchange: Exchange, error: Handshake.HandshakeError): void {
    refusals.updateUnsafe(error.reason._tag, this.context)
    const { duplex } = exchange
    if (duplex.destroyed || !duplex.writable) return exchange.drop()
    const timer = this.timers.after(this.handshakeTimeout, () => exchange.drop())
    duplex.once("close", () => timer.cancel())
    exchange.refuse(Handshake.refusal(error))
  }
}

const millis = (duration: Duration.Input | undefined): number | undefined =>
  duration === undefined ? undefined : Duration.toMillis(duration)
