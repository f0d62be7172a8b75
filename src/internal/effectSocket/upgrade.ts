/** The upgrade of a request of Effect's HTTP server to a connection of this library, from within a route. */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Effect from "effect/Effect"
import * as ErrorReporter from "effect/ErrorReporter"
import type * as Scope from "effect/Scope"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerRespondable from "effect/http/HttpServerRespondable"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as http from "node:http"
import { Http2ServerRequest, type Http2ServerResponse } from "node:http2"
import { HandshakeError } from "../handshake/error.ts"
import type { AcceptOptions } from "../handshake/model.ts"
import { rejection } from "../handshake/server.ts"
import { upgradeRequired } from "../protocol/opening/reason.ts"
import type { InvalidField } from "../protocol/opening/rules.ts"
import { type Exchange, Http1Exchange } from "../server/exchange.ts"
import { Http2Exchange } from "../server/http2Exchange.ts"
import type { Connection } from "../server/model.ts"
import { open } from "../server/start.ts"
import type { SocketOptions } from "../socket/model.ts"
import { noDropOnError } from "../transport/duplex.ts"

/**
 * How a route upgrades its request. What the routes of a server share, such as limits, are options of the server.
 *
 * @category options
 * @since 0.2.0
 */
export interface UpgradeOptions extends SocketOptions, Omit<AcceptOptions, "path"> {}

/** The same, with the connection's `context`: what the route knows of the client. */
export interface ContextOptions<A> extends UpgradeOptions {
  readonly context: A
}

/** Opens the connection of a request, with the options of a route. A rejection is not written. */
export type Upgrader = <A>(options: ContextOptions<A>) => Effect.Effect<Connection<A>, HandshakeError, Scope.Scope>

const upgraders = new WeakMap<object, Upgrader>()

/** Lets `upgrade` open the connection of a request of Node's. */
export const registerUpgrader = (request: object, upgrader: Upgrader): void => void upgraders.set(request, upgrader)

export const upgradeWith = <A>(
  options: ContextOptions<A>
): Effect.Effect<Connection<A>, HandshakeError, HttpServerRequest | Scope.Scope> =>
  Effect.flatMap(HttpServerRequest, (request) => {
    const registered = upgraders.get(request.source)
    const opened = registered === undefined ? openPlain(request, options) : registered(options)
    return Effect.mapError(opened, ({ reason }) => new RefusedUpgrade({ reason }))
  })

const openPlain = <A>(
  request: HttpServerRequest,
  { context, ...options }: ContextOptions<A>
): Effect.Effect<Connection<A>, HandshakeError, Scope.Scope> =>
  open<A, never>(exchangeOf(request), { ...options, authorize: () => Effect.succeed(context) })

/** A rejection that becomes the response of a route that doesn't handle it. */
class RefusedUpgrade extends HandshakeError implements HttpServerRespondable.Respondable {
  override readonly [ErrorReporter.ignore] = true;

  [HttpServerRespondable.symbol](): Effect.Effect<HttpServerResponse.HttpServerResponse> {
    const { body, headers, status } = rejection(this)
    // The server sets the others.
    const fields = headers.filter(([name]) => !/^(?:content-length|connection)$/i.test(name))
    const connection = status === 426 ? { connection: "upgrade" } : {}
    const all = { ...Object.fromEntries(fields.map(([name, value]) => [name.toLowerCase(), value])), ...connection }
    return Effect.succeed(
      body === undefined
        ? HttpServerResponse.empty({ status, headers: all })
        : HttpServerResponse.uint8Array(body, { status, headers: all })
    )
  }
}

/** The exchange of a request of `NodeHttpServer.layer`, of which Effect has the response and the bytes after the head. */
const exchangeOf = (request: HttpServerRequest): Exchange => {
  const source = NodeHttpServerRequest.toIncomingMessage(request)
  // Effect's server answers every CONNECT itself, so this is another method, and refused.
  if (source instanceof Http2ServerRequest) return leavingRefusals(new Http2Exchange(source.stream, source.headers), {})
  const exchange = new Http1Exchange(source, source.socket, Buffer.alloc(0))
  const { upgrade } = source as { readonly upgrade?: boolean | null }
  return leavingRefusals(exchange, {
    opening: () => takeResponse(NodeHttpServerRequest.toServerResponse(request) as http.ServerResponse),
    // The response on the connection of a request for no upgrade is its own.
    isInTurn: upgrade === true ? undefined : true,
    invalid: upgrade === true ? undefined : upgradeRequired(noUpgrade, [])
  })
}

const noUpgrade: InvalidField = {
  field: "upgrade",
  reason: "a list with `websocket` in it",
  section: "RFC 6455 §4.2.1"
}

/** What the caller of a route's exchange decides. */
interface RouteExchange {
  /** Called before the response that opens the connection is written. */
  readonly opening?: () => void
  /** Called in place of writing a rejection. */
  readonly refused?: () => void
  readonly isInTurn?: Exchange["isInTurn"] | undefined
  readonly invalid?: Exchange["invalid"]
}

/** An exchange whose rejections are left to the caller. */
export const leavingRefusals = (exchange: Exchange, route: RouteExchange): Exchange => {
  const { invalid = exchange.invalid, isInTurn } = route
  return Object.create(exchange, {
    invalid: { value: invalid },
    ...(isInTurn === undefined ? {} : { isInTurn: { value: isInTurn } }),
    open: {
      value: (response: Parameters<Exchange["open"]>[0]) => {
        route.opening?.()
        return exchange.open(response)
      }
    },
    refuse: {
      value: () => {
        noDropOnError(exchange.duplex)
        route.refused?.()
      }
    }
  })
}

/** Takes the connection from a response, so that nothing is written to it any more. */
export const takeResponse = (response: http.ServerResponse): void => {
  if (response.socket !== null) response.detachSocket(response.socket)
  // Without a connection this writes nothing, and says to the route's server that there is nothing to answer.
  response.end()
}

/** The same for a stream of HTTP/2, which a response can't be taken from. */
export const takeHttp2Response = (response: Http2ServerResponse): void => {
  Object.defineProperty(response, "writableEnded", { value: true })
}
