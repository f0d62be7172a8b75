import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import type { ClientHttp2Session } from "node:http2"
import * as Handshake from "../../Handshake.ts"
import { ofClientRequest } from "../observability/attributes.ts"
import type { Meter } from "../observability/meter.ts"
import { failureOf, type HandshakeReport, type Reporter, reporterOf } from "../observability/reporter.ts"
import type { Tally } from "../connection/counters.ts"
import type { Transport } from "../transport/transport.ts"
import { clockTimers } from "../socket/clockTimers.ts"
import { compressionOf, extensionsOf } from "../socket/compression.ts"
import { dial, type DialOptions } from "./dial.ts"
import type { SocketError } from "../socket/error.ts"
import { exchange } from "./http1.ts"
import { handshakeFailed } from "../socket/failure.ts"
import { exchangeHttp2 } from "./http2.ts"
import { LiveSocket } from "../socket/webSocketConnection.ts"
import type { Scoped, Socket, SocketOptions } from "../socket/model.ts"
import { dropUnlessOpen } from "../socket/opened.ts"
import { openTimeout } from "./openTimeout.ts"
import { resolve } from "../socket/options.ts"

/** How a client connects. */
export interface ConnectOptions extends SocketOptions, Omit<Handshake.RequestOptions, "httpVersion">, DialOptions {
  /**
   * Connects over HTTP/2 (RFC 8441): as a stream of a session that all connections to the same host and port with the
   * same `tls`, `net` and `proxy` share, so far as the server allows it, and that is closed with the last of them. Or as
   * a stream of a session of the caller's own. Fails with a `HandshakeError` whose reason is `Unsupported` when the
   * server doesn't speak it; there is no way back to HTTP/1.1. Default `false`.
   */
  readonly http2?: boolean | ClientHttp2Session | undefined
  /** How long opening may take: name, transport, TLS and handshake, redirects included. Default 10 seconds. */
  readonly openTimeout?: Duration.Input | undefined
  /** How many redirects are followed. Default 0: a redirect is a failed handshake. */
  readonly maxRedirects?: number | undefined
  /**
   * Called with the request and the response of each opening handshake, those that are refused or redirected included;
   * for diagnosis. Must not throw.
   */
  readonly onHandshake?: ((request: Handshake.ClientRequest, response: Handshake.ServerResponse) => void) | undefined
}

/** Opens a connection; the end of the scope closes it. */
export const connect = (url: string | URL, options: ConnectOptions = {}): Scoped<Socket, SocketError> =>
  Effect.contextWith((context: Context.Context<Scope.Scope>) => {
    const reporter = reporterOf("client", options, context)
    const opening = openTimeout(
      open(String(url), options, options.maxRedirects ?? 0, context, reporter),
      options.openTimeout
    )
    const scope = Context.get(context, Scope.Scope)
    return Effect.uninterruptible(
      Effect.flatMap(
        dropUnlessOpen(reporter?.meter === undefined ? opening : Effect.onExit(opening, counted(reporter.meter))),
        (socket) => Effect.as(Scope.addFinalizerExit(scope, endOf(socket)), socket)
      )
    )
  })

/** Outside of `connect`, since as long as the connection lasts it keeps alive what it could see. */
const endOf =
  (socket: LiveSocket<undefined>) =>
  (exit: Exit.Exit<unknown, unknown>): Effect.Effect<unknown> =>
    socket.end(exit)

/** Counts what no attempt can tell of itself: that it took too long, or nobody wants it any more. */
const counted =
  (meter: Meter) =>
  (exit: Exit.Exit<unknown, SocketError>): Effect.Effect<void> =>
    Effect.sync(() => {
      if (Exit.isSuccess(exit)) return
      const failure = Cause.findErrorOption(exit.cause)
      if (failure._tag === "None") meter.handshake("Interrupted")
      else if (failure.value.reason._tag === "OpenTimeout") meter.handshake("OpenTimeout")
    })

/** What became of an attempt: a connection, or another place to look for one. */
type Attempted = LiveSocket<undefined> | { readonly url: string; readonly options: ConnectOptions }

const open = (
  url: string,
  options: ConnectOptions,
  redirects: number,
  context: Context.Context<never>,
  reporter: Reporter | undefined
): Effect.Effect<LiveSocket<undefined>, SocketError> =>
  Effect.flatMap(
    reporter === undefined
      ? attempt(url, options, redirects, context)
      : reported(url, options, redirects, context, reporter),
    (attempted) =>
      attempted instanceof LiveSocket
        ? Effect.succeed(attempted)
        : open(attempted.url, attempted.options, redirects - 1, context, reporter)
  )

const reported = (
  url: string,
  options: ConnectOptions,
  redirects: number,
  context: Context.Context<never>,
  reporter: Reporter
): Effect.Effect<Attempted, SocketError> =>
  Effect.suspend(() => {
    const report = reporter.handshake()
    return Effect.onExit(attempt(url, options, redirects, context, report), (exit) =>
      Effect.sync(() => {
        if (Exit.isSuccess(exit)) return
        const failure = Cause.findErrorOption(exit.cause)
        report.failed(exit, failure._tag === "None" ? undefined : failureOf(failure.value))
      })
    )
  })

const attempt = (
  url: string,
  options: ConnectOptions,
  redirects: number,
  context: Context.Context<never>,
  report?: HandshakeReport
): Effect.Effect<Attempted, SocketError> =>
  Effect.suspend(() => {
    const extensions = [...extensionsOf(options.compression), ...(options.extensions ?? [])]
    const { http2 = false } = options
    const headers = report === undefined ? options.headers : report.headers(options.headers)
    const httpVersion = http2 === false ? "1.1" : "2.0"
    const composed = Handshake.requestResult(url, { ...options, headers, extensions, httpVersion })
    if (Result.isFailure(composed)) return Effect.fail(handshakeFailed(composed.failure))
    const request = composed.success
    report?.describe(ofClientRequest(request))
    const answered =
      http2 === false
        ? Effect.flatMap(dial(request, options), (socket) => {
            report?.describe({ "network.peer.address": socket.remoteAddress, "network.peer.port": socket.remotePort })
            return exchange(socket, request)
          })
        : exchangeHttp2(request, http2, options)
    return Effect.flatMap(answered, ({ response, transport }): Effect.Effect<Attempted, SocketError> => {
      const negotiated = Handshake.verifyResult(request, response)
      options.onHandshake?.(request, response)
      if (Result.isFailure(negotiated)) {
        transport.destroy()
        const next = redirects > 0 ? redirectOf(url, request, options, negotiated.failure) : undefined
        const error = handshakeFailed(negotiated.failure)
        if (next === undefined) return Effect.fail(error)
        report?.failed(Exit.fail(negotiated.failure), failureOf(error))
        return Effect.succeed(next)
      }
      const live = socketOf(transport, request, negotiated.success, options, context, report?.tally)
      live.onGone = report?.accepted(live, response.status)
      live.connection.start()
      return Effect.succeed(live)
    })
  })

const socketOf = (
  transport: Transport,
  request: Handshake.ClientRequest,
  { draft, extensions, protocol }: Handshake.Negotiated,
  options: ConnectOptions,
  context: Context.Context<never>,
  tally: Tally | undefined
): LiveSocket<undefined> =>
  new LiveSocket({
    transport,
    role: "client",
    timers: clockTimers(context),
    settings: resolve(options),
    draft,
    protocol,
    extensions,
    compression: compressionOf(extensions),
    tally,
    request,
    context: undefined
  })

/** Where a refusal redirects to, with what may be told there: credentials stay with their host, and never leave TLS. */
const redirectOf = (
  url: string,
  request: Handshake.ClientRequest,
  options: ConnectOptions,
  { reason }: Handshake.HandshakeError
): { readonly url: string; readonly options: ConnectOptions } | undefined => {
  if (reason._tag !== "UnexpectedStatus" || reason.status < 301 || reason.status > 308) return undefined
  const { location } = reason.headers
  if (typeof location !== "string" || !URL.canParse(location, url)) return undefined
  const next = new URL(location, url)
  // No server decides which sockets of our own machine are opened.
  if (next.protocol === "ws+unix:" && request.socketPath === undefined) return undefined
  if (next.protocol === "http:") next.protocol = "ws:"
  if (next.protocol === "https:") next.protocol = "wss:"
  const sameHost = next.host === new URL(request.url).host && request.socketPath === undefined
  if (sameHost && (next.protocol === "wss:" || !request.secure)) return { url: next.href, options }
  const headers = Object.entries(
    Array.isArray(options.headers) ? Object.fromEntries(options.headers) : (options.headers ?? {})
  )
  const kept = headers.filter(([name]) => !["authorization", "cookie", "host"].includes(name.toLowerCase()))
  return {
    url: next.href,
    options: {
      ...options,
      // A session of the caller's leads to its own server alone.
      http2: options.http2 !== undefined && options.http2 !== false,
      auth: undefined,
      host: undefined,
      headers: kept.map(([name, value]) => [name, String(value)] as const)
    }
  }
}
