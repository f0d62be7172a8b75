import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Tracer from "effect/Tracer"
import type { Closed } from "../protocol/closeHandshake.ts"
import type { Role } from "../protocol/codec.ts"
import type { HandshakeError } from "../handshake/error.ts"
import type { HeadersInput } from "../handshake/model.ts"
import { pairsOf } from "../handshake/secret.ts"
import type { SocketError } from "../socket/error.ts"
import type { WebSocketConnection } from "../socket/webSocketConnection.ts"
import type { Counters } from "../connection/counters.ts"
import { type Attributes, ofClosed, ofSocket } from "./attributes.ts"
import { type Meter, meterOf } from "./meter.ts"
import type { ObservabilityOptions, TracingOptions } from "./options.ts"
import { formatTraceparent, parseTraceparent } from "./traceContext.ts"

type Propagation = NonNullable<TracingOptions["propagation"]>

const spans = new WeakMap<object, Tracer.Span>()

/** The span of a connection that is traced. */
export const spanOf = (socket: object): Tracer.Span | undefined => spans.get(socket)

/** What reports handshakes and connections of one side; `undefined` when nothing was asked for. */
export const reporterOf = (
  role: Role,
  options: ObservabilityOptions | undefined,
  context: Context.Context<never>
): Reporter | undefined => {
  const { metrics = false, tracing = false } = options ?? {}
  if (!metrics && tracing === false) return undefined
  const propagation = tracing === false ? undefined : ((tracing === true ? {} : tracing).propagation ?? "continue")
  return new Reporter(role, metrics ? meterOf(role, context) : undefined, propagation, context)
}

/** Tells metrics and tracer of handshakes and connections. */
export class Reporter {
  readonly meter: Meter | undefined
  private readonly role: Role
  /** Absent when nothing is traced. */
  private readonly propagation: Propagation | undefined
  private readonly context: Context.Context<never>
  private readonly clock: Clock.Clock

  constructor(
    role: Role,
    meter: Meter | undefined,
    propagation: Propagation | undefined,
    context: Context.Context<never>
  ) {
    this.role = role
    this.meter = meter
    this.propagation = propagation
    this.context = context
    this.clock = Context.get(context, Clock.Clock)
  }

  /** A handshake begins; `traceparent` is what a server was sent. */
  handshake(traceparent?: string | ReadonlyArray<string>): HandshakeReport {
    const remote =
      this.propagation === undefined || this.propagation === "off" ? undefined : parseTraceparent(traceparent)
    return new HandshakeReport(this, remote, this.span("websocket.handshake", remote, []))
  }

  /** A span of this side, when it is traced. A server's has no other parent than the client's, whatever the server runs in. */
  span(
    name: string,
    remote: Tracer.AnySpan | undefined,
    related: ReadonlyArray<Tracer.AnySpan>
  ): Tracer.Span | undefined {
    if (this.propagation === undefined) return undefined
    const parent = this.propagation === "continue" ? remote : undefined
    const linked = remote === undefined || parent !== undefined ? related : [remote, ...related]
    const options: Tracer.SpanOptionsNoTrace = {
      kind: this.role,
      links: linked.map((span) => ({ span, attributes: {} })),
      ...(parent === undefined ? { root: this.role === "server" } : { parent })
    }
    return Effect.runSyncWith(this.context)(Effect.makeSpan(name, options))
  }

  end(span: Tracer.Span | undefined, exit: Exit.Exit<unknown, unknown>): void {
    span?.end(this.clock.currentTimeNanosUnsafe(), exit)
  }

  /** The headers of a request with the one that lets the server continue a span, unless the caller has set it. */
  headers(input: HeadersInput | undefined, span: Tracer.Span | undefined): HeadersInput | undefined {
    const value = span === undefined || this.propagation === "off" ? undefined : formatTraceparent(span)
    if (value === undefined) return input
    const given = pairsOf(input)
    return given.some(([name]) => name.toLowerCase() === "traceparent") ? given : [...given, ["traceparent", value]]
  }
}

const annotate = (span: Tracer.Span | undefined, attributes: Attributes): void => {
  if (span === undefined) return
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) span.attribute(name, value)
}

/** One handshake, and the connection that comes of it. */
export class HandshakeReport {
  /** The span of the handshake. */
  readonly span: Tracer.Span | undefined
  private readonly reporter: Reporter
  private readonly remote: Tracer.AnySpan | undefined
  private attributes: Attributes = {}

  constructor(reporter: Reporter, remote: Tracer.AnySpan | undefined, span: Tracer.Span | undefined) {
    this.reporter = reporter
    this.remote = remote
    this.span = span
  }

  /** Says where the peer is, and what was asked for; the connection's span says so too. */
  describe(attributes: Attributes): void {
    this.attributes = { ...this.attributes, ...attributes }
    annotate(this.span, attributes)
  }

  /** Where the connection that comes of it counts what it does. */
  get counters(): Counters | undefined {
    return this.reporter.meter?.counters
  }

  headers(input: HeadersInput | undefined): HeadersInput | undefined {
    return this.reporter.headers(input, this.span)
  }

  /** The handshake failed; without a reason when it was given up, which is counted by whoever knows why. */
  failed(exit: Exit.Exit<unknown, unknown>, reason: HandshakeFailure | undefined): void {
    if (reason !== undefined) this.reporter.meter?.handshake(reason.type)
    annotate(this.span, { "error.type": reason?.type, "http.response.status_code": reason?.status })
    this.reporter.end(this.span, exit)
  }

  /** The connection is open. The answer is to be called when it is gone. */
  accepted(socket: WebSocketConnection<unknown>, status: number): () => void {
    const { attributes, remote, reporter, span } = this
    const { meter } = reporter
    const agreed = ofSocket(socket)
    meter?.handshake("accepted")
    annotate(span, { ...agreed, "http.response.status_code": status })
    reporter.end(span, Exit.void)
    const connection = reporter.span("websocket.connection", remote, span === undefined ? [] : [span])
    annotate(connection, { ...attributes, ...agreed })
    if (connection !== undefined) spans.set(socket, connection)
    meter?.opened(socket)
    return () => {
      const closed = socket.connection.closedAs
      if (closed === undefined) return
      meter?.closed(socket, closed)
      annotate(connection, ofClosed(closed))
      if (isFailure(closed)) annotate(connection, { "error.type": closed.cause._tag })
      reporter.end(connection, isFailure(closed) ? socket.messagesEnd() : Exit.void)
    }
  }
}

/** Whether a connection ended as neither side wanted. */
const isFailure = ({ cause }: Closed): boolean => cause._tag !== "Handshake" && cause._tag !== "Terminated"

/** Why a handshake failed. */
export interface HandshakeFailure {
  /** The tag of a reason. */
  readonly type: string
  /** The status that was sent or received. */
  readonly status: number | undefined
}

/** What is told of an error that ends a handshake. */
export const failureOf = (error: HandshakeError | SocketError): HandshakeFailure => {
  if (error._tag === "HandshakeError") return { type: error.reason._tag, status: error.reason.status }
  const { reason } = error
  if (reason._tag !== "HandshakeFailed") return { type: reason._tag, status: undefined }
  const inner = reason.error.reason
  return { type: inner._tag, status: inner._tag === "UnexpectedStatus" ? inner.status : undefined }
}
