import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Handshake from "../../Handshake.ts"
import { handshakeError } from "../handshake/error.ts"
import { acceptAs } from "../handshake/server.ts"
import { failureOf, type HandshakeReport } from "../observability/reporter.ts"
import { isPairs } from "../protocol/opening/http.ts"
import { invalidSubprotocol } from "../protocol/opening/reason.ts"
import { dropOnError } from "../transport/duplex.ts"
import { readExactly } from "../transport/readExactly.ts"
import { nothingCounted, type Ticket } from "./admission.ts"
import { Acceptance } from "./authorization.ts"
import type { ServerConnection } from "./connection.ts"
import { type Waiting, whenInTurn, whenLeft } from "./departure.ts"
import type { Exchange } from "./exchange.ts"
import type { UpgradeRequest } from "./model.ts"
import type { UpgradeHandler } from "./upgradeHandler.ts"

/** Called once with the connection, or with the refusal that was written. */
export type Settled<A> = (result: Result.Result<ServerConnection<A>, Handshake.HandshakeError>) => void

/**
 * One request on its way to a connection. Its steps stand below in their order: turn, target, limits, draft, rules,
 * `authorize`, answer. Each calls the next one, or ends the attempt with `refuse` or `clientLeft`.
 */
export class UpgradeAttempt<A, R> {
  private readonly handler: UpgradeHandler<A, R>
  private readonly exchange: Exchange
  private readonly report: HandshakeReport | undefined
  private readonly done: Settled<A>
  /** Header fields of the answer, after those of the server's options. */
  private readonly headers: Handshake.HeadersInput | undefined
  private ticket: Ticket = nothingCounted
  private scope: Scope.Closeable | undefined = undefined
  /** The HTTP/2 session, while the request is being decided. */
  private session: object | undefined = undefined

  constructor(
    handler: UpgradeHandler<A, R>,
    exchange: Exchange,
    report: HandshakeReport | undefined,
    done: Settled<A>,
    headers: Handshake.HeadersInput | undefined
  ) {
    this.handler = handler
    this.exchange = exchange
    this.report = report
    this.done = done
    this.headers = headers
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
    const { admission, queue, settings, timers } = this.handler
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
    const { exchange, handler } = this
    const { session } = exchange
    const full = handler.findPlace(session)
    if (full !== undefined) return this.refuse(full)
    const request = exchange.request(handler.admission)
    const ticket = handler.admission.enter(request.clientAddress, session)
    if (ticket instanceof Handshake.HandshakeError) return this.refuse(ticket)
    this.ticket = ticket
    if (session !== undefined) handler.sessions.began(session)
    this.session = session
    this.selectDraft(request, head)
  }

  /** Draft: the request's version says whether bytes belong to it that follow the head, as Hixie-76 has them. */
  private selectDraft(request: UpgradeRequest, head: Buffer): void {
    const selected = Handshake.selectDraft(request, this.handler.options.drafts)
    if (Result.isFailure(selected)) return this.refuse(selected.failure)
    const draft = selected.success
    const size = draft.bodyLength.request
    if (size === 0) return this.checkRules(draft, request, head)
    const { admission, settings, timers } = this.handler
    admission.beginHandshake()
    const end = (bytes: Buffer | undefined): void => {
      timer.cancel()
      admission.endHandshake()
      if (bytes === undefined) this.refuse(Handshake.timeout(settings.handshakeTimeout))
      else this.checkRules(draft, { ...request, key3: bytes.subarray(0, size) }, bytes.subarray(size))
    }
    const timer = timers.after(settings.handshakeTimeout, () => {
      stop()
      end(undefined)
    })
    const stop = readExactly(this.exchange.duplex, head, size, end)
  }

  private checkRules(draft: Handshake.Draft, request: UpgradeRequest, head: Buffer): void {
    const { accept } = this.handler.settings
    const { headers } = this
    const agreed = this.negotiate(
      draft,
      request,
      headers === undefined ? accept : { ...accept, headers: [...pairsOf(accept.headers), ...pairsOf(headers)] }
    )
    if (agreed !== undefined) this.authorize(request, head, agreed)
  }

  /** Applies the rules of the request's draft; after a refusal there is no result. */
  private negotiate(
    draft: Handshake.Draft,
    request: UpgradeRequest,
    options: Handshake.AcceptOptions
  ): Handshake.Accepted | undefined {
    try {
      const agreed = acceptAs(draft, request, options)
      if (Result.isSuccess(agreed)) return agreed.success
      this.refuse(agreed.failure)
    } catch (cause) {
      // The caller's own code runs here: `protocols`, and extensions.
      this.handler.log(Effect.logError("protocols or an extension threw", cause))
      this.refuse(Handshake.rejected({ status: 500 }))
    }
    return undefined
  }

  /** Runs the caller's `authorize` in the connection's scope, and interrupts it when the client leaves. */
  private authorize(request: UpgradeRequest, head: Buffer, agreed: Handshake.Accepted): void {
    const { exchange, handler, report } = this
    const { authorize } = handler.options
    // Without `authorize` the connection's context is `undefined`, as its type then says.
    if (authorize === undefined) return this.answer(request, head, agreed, undefined as A)
    const { admission, settings } = handler
    const limit = settings.handshakeTimeout
    const bounded = Effect.timeoutOrElse(
      Effect.suspend(() => authorize(request)),
      { duration: Duration.millis(limit), orElse: () => Effect.fail(Handshake.timeout(limit)) }
    )
    admission.beginHandshake()
    const scope = Scope.makeUnsafe()
    this.scope = scope
    const fiber = handler.fork(bounded, scope, report?.span)
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
      if (handler.isDraining) return this.refuse(Handshake.shuttingDown(admission.retryAfter))
      const { value } = exit
      if (value instanceof Acceptance) this.adapt(request, whole, agreed, value)
      else this.answer(request, whole, agreed, value)
    })
  }

  private refuseFor(cause: Cause.Cause<Handshake.HandshakeError>): void {
    const failure = Cause.findErrorOption(cause)
    if (failure._tag === "Some") return this.refuse(failure.value)
    this.handler.log(Effect.logError("authorize failed", cause))
    this.refuse(Handshake.rejected({ status: 500 }))
  }

  /** Composes the answer anew, with the header fields and the subprotocol that `authorize` chose. */
  private adapt(request: UpgradeRequest, head: Buffer, before: Handshake.Accepted, acceptance: Acceptance<A>): void {
    const { accept } = this.handler.settings
    const protocol = acceptance.protocol ?? before.protocol
    const agreed = this.negotiate(before.draft, request, {
      ...accept,
      protocols: () => protocol,
      headers: [...pairsOf(accept.headers), ...pairsOf(this.headers), ...pairsOf(acceptance.headers)]
    })
    if (agreed === undefined) return
    if (agreed.protocol === protocol) return this.answer(request, head, agreed, acceptance.context)
    const message = "the server chose a subprotocol that the client did not offer"
    this.refuse(handshakeError(invalidSubprotocol(protocol, message)))
  }

  private answer(request: UpgradeRequest, head: Buffer, agreed: Handshake.Accepted, context: A): void {
    const { exchange, handler, report, scope, session, ticket } = this
    if (session !== undefined) handler.sessions.decided(session)
    const connection = handler.accept({ exchange, request, head, agreed, context, ticket, scope, report })
    this.done(Result.succeed(connection))
  }

  // The other ends of an attempt

  private refuse(error: Handshake.HandshakeError): void {
    this.release(Exit.fail(error))
    this.handler.refuse(this.exchange, error)
    this.report?.failed(Exit.fail(error), failureOf(error))
    this.done(Result.fail(error))
  }

  private clientLeft(): void {
    const error = Handshake.timeout(this.handler.settings.handshakeTimeout)
    this.release(Exit.fail(error))
    this.exchange.drop()
    this.report?.failed(Exit.fail(error), { type: "ClientLeft", status: undefined })
    this.done(Result.fail(error))
  }

  private release(exit: Exit.Exit<never, Handshake.HandshakeError>): void {
    this.ticket.leave()
    if (this.session !== undefined) this.handler.sessions.decided(this.session)
    this.handler.closeScope(this.scope, exit)
  }
}

const pairsOf = (headers: Handshake.HeadersInput = []): ReadonlyArray<Handshake.Header> =>
  isPairs(headers) ? headers : Object.entries(headers)
