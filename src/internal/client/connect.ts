import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import type { ClientHttp2Session } from "node:http2"
import type { Readable } from "node:stream"
import { request as requestOf, verify } from "../handshake/client.ts"
import type { HandshakeError } from "../handshake/error.ts"
import type * as Handshake from "../handshake/model.ts"
import { withBody } from "../handshake/error.ts"
import { ofClientRequest } from "../observability/attributes.ts"
import type { Meter } from "../observability/meter.ts"
import { failureOf, type HandshakeReport, type Reporter, reporterOf } from "../observability/reporter.ts"
import type { Counters } from "../connection/counters.ts"
import type { Transport } from "../transport/transport.ts"
import { clockTimers } from "../socket/clockTimers.ts"
import { compressionOf, extensionsOf } from "../socket/compression.ts"
import { dial, type DialOptions, dialRules } from "./dial.ts"
import type { SocketError } from "../socket/error.ts"
import { type Answer, exchange as exchangeHttp1 } from "./http1.ts"
import { handshakeFailed, invalidOptions } from "../socket/failure.ts"
import { exchangeHttp2 } from "./http2.ts"
import { WebSocketConnection } from "../socket/webSocketConnection.ts"
import type { Scoped, Socket, SocketOptions } from "../socket/model.ts"
import { dropUnlessOpen } from "../socket/opened.ts"
import { openTimeout } from "./openTimeout.ts"
import { type Redirect, redirectOf } from "./redirects.ts"
import { readRefusedBody } from "./refusedBody.ts"
import {
  boolean,
  callback,
  count,
  draft,
  duration,
  extensions,
  invalidOption,
  isObject,
  type RulesOf,
  string,
  subprotocols
} from "../socket/optionRules.ts"
import { headerFields, secret, socketRules } from "../socket/socketRules.ts"
import { resolve } from "../socket/options.ts"

/**
 * Options of `connect`.
 *
 * @category options
 * @since 0.1.0
 */
export interface ConnectOptions extends SocketOptions, Omit<Handshake.RequestOptions, "httpVersion">, DialOptions {
  /**
   * Whether to connect over HTTP/2 (RFC 8441), or an HTTP/2 session to connect through. Default: `false`.
   *
   * With `true` all connections to the same host and port with the same `tls`, `net` and `proxy` share a session,
   * as far as the server allows it; it is closed with the last of them. Fails with reason `HandshakeFailed`, whose
   * error has the reason `Unsupported`, when the server doesn't support it: there is no fallback to HTTP/1.1.
   */
  readonly http2?: boolean | ClientHttp2Session | undefined
  /**
   * How long opening may take: name, transport, TLS and handshake, redirects included. From 0 to 2 147 483 647 ms,
   * or `Infinity`. Default: 10 seconds.
   */
  readonly openTimeout?: Duration.Input | undefined
  /**
   * How many redirects (301, 302, 303, 307, 308) are followed. None leads to a Unix socket, and credentials stay with their host
   * and never leave TLS: as with `fetch`, `Authorization`, `Cookie` and `Proxy-Authorization` aren't sent to another host or port,
   * and every other field is, such as `X-Api-Key`. Default 0: a redirect is a failed handshake.
   */
  readonly maxRedirects?: number | undefined
  /**
   * Called with the request and the response of each opening handshake, also of those that are refused or
   * redirected. For diagnosis; it must not throw.
   */
  readonly onHandshake?: ((request: Handshake.ClientRequest, response: Handshake.ServerResponse) => void) | undefined
}

/** The rules of the options of a client. */
export const connectRules = {
  ...socketRules,
  ...dialRules,
  draft,
  protocols: subprotocols,
  requireProtocol: boolean,
  headers: headerFields,
  origin: string,
  extensions,
  host: string,
  auth: secret,
  http2: {
    allowed: "true, false or a session of node:http2",
    check: (value) =>
      typeof value === "boolean" || (isObject(value) && typeof Reflect.get(value, "request") === "function")
  },
  openTimeout: duration,
  maxRedirects: count,
  onHandshake: callback
} satisfies RulesOf<ConnectOptions>

/** Sends a request, and waits for the response. */
export type Exchange = (
  request: Handshake.ClientRequest,
  options: ConnectOptions,
  report: HandshakeReport | undefined
) => Effect.Effect<Answer, SocketError>

/**
 * Connects to a server. The connection is closed when the scope ends.
 *
 * **Details**
 *
 * The scope's end closes with code 1000, with 1001 when it was interrupted, with 1011 after a failure (RFC 6455
 * §7.4.1), and waits for the closing handshake for at most `closeTimeout`. Fails with a `SocketError`: reason
 * `InvalidOptions` for an option that is not allowed, `OpenFailed` without a transport, `OpenTimeout` after
 * `openTimeout`, `HandshakeFailed` when the server refuses.
 *
 * **Example** (Sending a message and receiving the response)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Server, Socket } from "effect-ws"
 * import assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const server = yield* Server.make({ port: 0 })
 *   yield* Effect.forkScoped(server.run((socket) => Stream.runForEach(socket.messages, socket.send)))
 *
 *   const socket = yield* Socket.connect(`ws://localhost:${server.address.port}`)
 *   yield* socket.send("Hello")
 *   assert.strictEqual(yield* socket.receive, "Hello")
 * })
 *
 * await Effect.runPromise(Effect.scoped(program))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const connect = (url: string | URL, options: ConnectOptions = {}): Scoped<Socket, SocketError> =>
  connectThrough(overNetwork, url, options)

/** `connect` by another way to the server than the network. */
export const connectThrough = (
  exchange: Exchange,
  url: string | URL,
  options: ConnectOptions
): Scoped<Socket, SocketError> =>
  Effect.contextWith((context: Context.Context<Scope.Scope>) => {
    const invalid = invalidOption(connectRules, options)
    if (invalid !== undefined) return Effect.fail(invalidOptions(invalid))
    const reporter = reporterOf("client", options, context)
    const opening = openTimeout(
      open(exchange, String(url), options, options.maxRedirects ?? 0, context, reporter),
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
  (socket: WebSocketConnection<undefined>) =>
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

/** A connection, or the redirect to follow for one. */
type Attempted = WebSocketConnection<undefined> | Redirect<ConnectOptions>

const open = (
  exchange: Exchange,
  url: string,
  options: ConnectOptions,
  redirects: number,
  context: Context.Context<never>,
  reporter: Reporter | undefined
): Effect.Effect<WebSocketConnection<undefined>, SocketError> =>
  Effect.flatMap(
    reporter === undefined
      ? attempt(exchange, url, options, redirects, context)
      : reported(exchange, url, options, redirects, context, reporter),
    (attempted) =>
      attempted instanceof WebSocketConnection
        ? Effect.succeed(attempted)
        : open(exchange, attempted.url, attempted.options, redirects - 1, context, reporter)
  )

const reported = (
  exchange: Exchange,
  url: string,
  options: ConnectOptions,
  redirects: number,
  context: Context.Context<never>,
  reporter: Reporter
): Effect.Effect<Attempted, SocketError> =>
  Effect.suspend(() => {
    const report = reporter.handshake()
    return Effect.onExit(attempt(exchange, url, options, redirects, context, report), (exit) =>
      Effect.sync(() => {
        if (Exit.isSuccess(exit)) return
        const failure = Cause.findErrorOption(exit.cause)
        report.failed(exit, failure._tag === "None" ? undefined : failureOf(failure.value))
      })
    )
  })

const attempt = (
  exchange: Exchange,
  url: string,
  options: ConnectOptions,
  redirects: number,
  context: Context.Context<never>,
  report?: HandshakeReport
): Effect.Effect<Attempted, SocketError> =>
  Effect.suspend(() => {
    const extensions = [...extensionsOf(options.compression), ...(options.extensions ?? [])]
    const headers = report === undefined ? options.headers : report.headers(options.headers)
    const httpVersion = (options.http2 ?? false) === false ? "1.1" : "2.0"
    const composed = requestOf(url, { ...options, headers, extensions, httpVersion })
    if (Result.isFailure(composed)) return Effect.fail(handshakeFailed(composed.failure))
    const request = composed.success
    report?.describe(ofClientRequest(request))
    const answered = exchange(request, options, report)
    return Effect.flatMap(answered, ({ body, response, transport }): Effect.Effect<Attempted, SocketError> => {
      const negotiated = verify(request, response)
      options.onHandshake?.(request, response)
      if (Result.isFailure(negotiated)) {
        const { failure } = negotiated
        const next = redirects > 0 ? redirectOf(url, request, options, failure) : undefined
        if (next === undefined) return refused(failure, transport, body)
        transport.destroy()
        report?.failed(Exit.fail(failure), failureOf(failure))
        return Effect.succeed(next)
      }
      const live = socketOf(transport, request, negotiated.success, options, context, report?.counters)
      live.observeClose(report?.accepted(live, response.status))
      live.connection.start()
      return Effect.succeed(live)
    })
  })

const overNetwork: Exchange = (request, options, report) => {
  const { http2 = false } = options
  if (http2 !== false) return exchangeHttp2(request, http2, options)
  return Effect.flatMap(dial(request, options), (socket) => {
    report?.describe({ "network.peer.address": socket.remoteAddress, "network.peer.port": socket.remotePort })
    return exchangeHttp1(socket, request)
  })
}

const refused = (
  failure: HandshakeError,
  transport: Transport,
  body: Readable | undefined
): Effect.Effect<never, SocketError> =>
  Effect.flatMap(body === undefined ? Effect.undefined : readRefusedBody(body), (bytes) => {
    transport.destroy()
    return Effect.fail(handshakeFailed(bytes === undefined ? failure : withBody(failure, bytes)))
  })

const socketOf = (
  transport: Transport,
  request: Handshake.ClientRequest,
  { draft, extensions, protocol }: Handshake.Negotiated,
  options: ConnectOptions,
  context: Context.Context<never>,
  counters: Counters | undefined
): WebSocketConnection<undefined> =>
  new WebSocketConnection({
    transport,
    role: "client",
    timers: clockTimers(context),
    settings: resolve(options, context),
    draft,
    protocol,
    extensions,
    compression: compressionOf(extensions),
    counters,
    request,
    context: undefined
  })
