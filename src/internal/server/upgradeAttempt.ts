import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import type { Timers } from "../connection/timers.ts"
import type { Accepted, AcceptOptions, Draft } from "../handshake/model.ts"
import { HandshakeError, handshakeError, shuttingDown, timeout } from "../handshake/error.ts"
import { acceptAs, reject, selectDraft } from "../handshake/server.ts"
import { pairsOf } from "../handshake/secret.ts"
import { failureOf, type HandshakeReport } from "../observability/reporter.ts"
import { invalidSubprotocol } from "../protocol/opening/reason.ts"
import type { Resolved } from "../socket/options.ts"
import { dropOnError } from "../transport/duplex.ts"
import { readExactly } from "../transport/readExactly.ts"
import { type Admission, nothingCounted, type Ticket } from "./admission.ts"
import { Acceptance } from "./authorization.ts"
import type { ServerConnection } from "./connection.ts"
import { type Waiting, whenInTurn, whenLeft } from "./departure.ts"
import type { Exchange } from "./exchange.ts"
import type { Http2Sessions } from "./http2Sessions.ts"
import type { Options, UpgradeRequest } from "./model.ts"
import type { ServerSettings } from "./options.ts"
import { ReceivedRequest } from "./request.ts"

/** Called once with the connection, or with the refusal that was written. */
export type Settled<A> = (result: Result.Result<ServerConnection<A>, HandshakeError>) => void

/** What the caller decided about a request before it hands it over, in place of the server's options. */
export interface Route<out A> {
  readonly accept: AcceptOptions
  /** The connection's settings. Default: the server's. */
  readonly socketSettings?: Resolved
  readonly context: A
}

/** A request that was accepted, and all that its connection is made of. */
export interface AcceptedRequest<A> {
  readonly exchange: Exchange
  readonly request: UpgradeRequest
  /** The bytes that followed the handshake. */
  readonly head: Buffer
  readonly agreed: Accepted
  readonly context: A
  /** The connection's settings, where they aren't the server's. */
  readonly socketSettings: Resolved | undefined
  readonly ticket: Ticket
  /** The scope that `authorize` ran in. */
  readonly scope: Scope.Closeable | undefined
  readonly report: HandshakeReport | undefined
}

/** What an attempt uses of the server that it is made for. */
export interface UpgradeOwner<A, R> {
  readonly options: Options<A, R>
  readonly settings: ServerSettings
  readonly timers: Timers
  readonly admission: Admission
  readonly sessions: Http2Sessions
  /** The connections that wait for a owner. */
  readonly queue: { readonly size: number }
  /** Whether requests are refused because the server drains. */
  readonly isDraining: boolean
  /** Returns why there is no place for one more connection, if there is none. */
  readonly findPlace: (session: object | undefined) => HandshakeError | undefined
  /** Runs `authorize` in a scope, as a child of the handshake's span. */
  readonly fork: <X, E>(
    effect: Effect.Effect<X, E, R>,
    scope: Scope.Closeable,
    span: Tracer.Span | undefined
  ) => Fiber.Fiber<X, E>
  readonly log: (effect: Effect.Effect<void>) => void
  /** Opens the connection of a request that was accepted. */
  readonly accept: (accepted: AcceptedRequest<A>) => ServerConnection<A>
  /** Writes a refusal, and drops a peer that doesn't leave then. */
  readonly refuse: (exchange: Exchange, error: HandshakeError) => void
  /** Closes the scope of a request that was refused, or of a connection without a handler. */
  readonly closeScope: (scope: Scope.Closeable | undefined, exit: Exit.Exit<unknown, unknown>) => void
}

/**
 * One request on its way to a connection. Its steps stand below in their order: turn, target, limits, draft, rules,
 * `authorize`, answer. Each calls the next one, or ends the attempt with `refuse` or `clientLeft`.
 */
export class UpgradeAttempt<A, R> {
  private readonly owner: UpgradeOwner<A, R>
  private readonly exchange: Exchange
  private readonly report: HandshakeReport | undefined
  private readonly done: Settled<A>
  private readonly route: Route<A> | undefined
  private ticket: Ticket = nothingCounted
  private scope: Scope.Closeable | undefined = undefined
  /** The HTTP/2 session, while the request is being decided. */
  private session: object | undefined = undefined

  constructor(
    owner: UpgradeOwner<A, R>,
    exchange: Exchange,
    report: HandshakeReport | undefined,
    done: Settled<A>,
    route: Route<A> | undefined
  ) {
    this.owner = owner
    this.exchange = exchange
    this.report = report
    this.done = done
    this.route = route
  }

  private get accept(): AcceptOptions {
    return this.route?.accept ?? this.owner.settings.accept
  }

  /** Turn: a request that was sent behind another waits for that one's response (RFC 9112 §9.3.2). */
  begin(): void {
    const { exchange } = this
    dropOnError(exchange.duplex)
    if (exchange.isGone) return this.clientLeft()
    if (exchange.isInTurn) this.checkTarget(exchange.head)
    else this.awaitTurn()
  }

  private awaitTurn(): void {
    const { admission, queue, settings, timers } = this.owner
    const { duplex, head } = this.exchange
    // Before its turn a request can't be refused, since that is a response too.
    if (admission.handshakesFull(queue.size)) return this.clientLeft()
    admission.beginHandshake()
    whenInTurn(
      { socket: duplex, timers, limit: settings.handshakeTimeout },
      (bytes) => {
        admission.endHandshake()
        if (this.exchange.isGone) this.clientLeft()
        else this.checkTarget(Buffer.concat([head, bytes]))
      },
      () => {
        admission.endHandshake()
        this.clientLeft()
      }
    )
  }

  private checkTarget(head: Buffer): void {
    const { invalid } = this.exchange
    if (invalid === undefined) this.checkLimits(head)
    else this.refuse(handshakeError(invalid))
  }

  private checkLimits(head: Buffer): void {
    const { exchange, owner } = this
    const { session } = exchange
    const full = owner.findPlace(session)
    if (full !== undefined) return this.refuse(full)
    const request = exchange.request(owner.admission)
    const ticket = owner.admission.enter(request.clientAddress, session)
    if (ticket instanceof HandshakeError) return this.refuse(ticket)
    this.ticket = ticket
    if (session !== undefined) owner.sessions.began(session)
    this.session = session
    this.selectDraft(request, head)
  }

  /** Draft: the request's version says whether bytes belong to it that follow the head, as Hixie-76 has them. */
  private selectDraft(request: UpgradeRequest, head: Buffer): void {
    const selected = selectDraft(request, this.accept.drafts)
    if (Result.isFailure(selected)) return this.refuse(selected.failure)
    const draft = selected.success
    const size = draft.bodyLength.request
    if (size === 0) return this.checkRules(draft, request, head)
    const { admission, settings, timers } = this.owner
    admission.beginHandshake()
    const end = (bytes: Buffer | undefined): void => {
      timer.cancel()
      admission.endHandshake()
      if (bytes === undefined) this.refuse(timeout(settings.handshakeTimeout))
      else
        this.checkRules(draft, new ReceivedRequest({ ...request, key3: bytes.subarray(0, size) }), bytes.subarray(size))
    }
    const timer = timers.after(settings.handshakeTimeout, () => {
      stop()
      end(undefined)
    })
    const stop = readExactly(this.exchange.duplex, head, size, end)
  }

  private checkRules(draft: Draft, request: UpgradeRequest, head: Buffer): void {
    const agreed = this.negotiate(draft, request, this.accept)
    if (agreed !== undefined) this.authorize(request, head, agreed)
  }

  /** Applies the rules of the request's draft; after a refusal there is no result. */
  private negotiate(draft: Draft, request: UpgradeRequest, options: AcceptOptions): Accepted | undefined {
    try {
      const agreed = acceptAs(draft, request, options)
      if (Result.isSuccess(agreed)) return agreed.success
      this.refuse(agreed.failure)
    } catch (cause) {
      // The caller's own code runs here: `protocols`, and extensions.
      this.owner.log(Effect.logError("protocols or an extension threw", cause))
      this.refuse(reject({ status: 500 }))
    }
    return undefined
  }

  /** Runs the caller's `authorize` in the connection's scope, and interrupts it when the client leaves. */
  private authorize(request: UpgradeRequest, head: Buffer, agreed: Accepted): void {
    const { exchange, owner, report } = this
    const { authorize } = owner.options
    // Without `authorize` and a route the connection's context is `undefined`, as its type then says.
    if (authorize === undefined) return this.answer(request, head, agreed, this.route?.context as A)
    const { admission, settings } = owner
    const limit = settings.handshakeTimeout
    const bounded = Effect.timeoutOrElse(
      Effect.suspend(() => authorize(request)),
      { duration: Duration.millis(limit), orElse: () => Effect.fail(timeout(limit)) }
    )
    admission.beginHandshake()
    const scope = Scope.makeUnsafe()
    this.scope = scope
    const fiber = owner.fork(bounded, scope, report?.span)
    const leave = (): void => {
      exchange.drop()
      fiber.interruptUnsafe()
    }
    const waiting: Waiting | undefined = fiber.pollUnsafe() === undefined ? whenLeft(exchange.duplex, leave) : undefined
    fiber.addObserver((exit) => {
      admission.endHandshake()
      const whole = waiting === undefined ? head : Buffer.concat([head, waiting.stop()])
      if (exchange.isGone) return this.clientLeft()
      if (Exit.isFailure(exit)) return this.refuseFor(exit.cause)
      const { value } = exit
      if (value instanceof Acceptance) this.adapt(request, whole, agreed, value)
      else this.answer(request, whole, agreed, value)
    })
  }

  private refuseFor(cause: Cause.Cause<HandshakeError>): void {
    const failure = Cause.findErrorOption(cause)
    // A caller without types may fail with anything.
    if (failure._tag === "Some" && failure.value instanceof HandshakeError) return this.refuse(failure.value)
    this.owner.log(Effect.logError("authorize failed", cause))
    this.refuse(reject({ status: 500 }))
  }

  /** Composes the answer anew, with the header fields and the subprotocol that `authorize` chose. */
  private adapt(request: UpgradeRequest, head: Buffer, before: Accepted, acceptance: Acceptance<A>): void {
    const { accept } = this
    const protocol = acceptance.protocol ?? before.protocol
    const agreed = this.negotiate(before.draft, request, {
      ...accept,
      protocols: () => protocol,
      headers: [...pairsOf(accept.headers), ...pairsOf(acceptance.headers)]
    })
    if (agreed === undefined) return
    if (agreed.protocol === protocol) return this.answer(request, head, agreed, acceptance.context)
    const message = "the server chose a subprotocol that the client did not offer"
    this.refuse(handshakeError(invalidSubprotocol(protocol, message)))
  }

  private answer(request: UpgradeRequest, head: Buffer, agreed: Accepted, context: A): void {
    const { exchange, owner, report, scope, session, ticket } = this
    if (owner.isDraining) return this.refuse(shuttingDown(owner.admission.retryAfter))
    if (session !== undefined) owner.sessions.decided(session)
    const socketSettings = this.route?.socketSettings
    const connection = owner.accept({ exchange, request, head, agreed, context, socketSettings, ticket, scope, report })
    this.done(Result.succeed(connection))
  }

  // The other ends of an attempt

  private refuse(error: HandshakeError): void {
    this.release(Exit.fail(error))
    this.owner.refuse(this.exchange, error)
    this.report?.failed(Exit.fail(error), failureOf(error))
    this.done(Result.fail(error))
  }

  private clientLeft(): void {
    const error = timeout(this.owner.settings.handshakeTimeout)
    this.release(Exit.fail(error))
    this.exchange.drop()
    this.report?.failed(Exit.fail(error), { type: "ClientLeft", status: undefined })
    this.done(Result.fail(error))
  }

  private release(exit: Exit.Exit<never, HandshakeError>): void {
    this.ticket.leave()
    if (this.session !== undefined) this.owner.sessions.decided(this.session)
    this.owner.closeScope(this.scope, exit)
  }
}
