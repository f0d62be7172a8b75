import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import type { LazyArg } from "effect/Function"
import * as Headers from "effect/http/Headers"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerError from "effect/http/HttpServerError"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as http from "node:http"
import type * as http2 from "node:http2"
import type * as https from "node:https"
import type { Duplex } from "node:stream"
import { handshakeError, type HandshakeError } from "../handshake/error.ts"
import type { Header } from "../handshake/model.ts"
import { pairsOf } from "../handshake/secret.ts"
import { safeHeaders } from "../protocol/opening/http.ts"
import { isReason } from "../protocol/opening/reason.ts"
import { drain } from "../server/acceptor.ts"
import { asksForWebSocket } from "../server/attachment.ts"
import { takeInTurn, type Waiting, whenLeft } from "../server/departure.ts"
import { type Exchange, Http1Exchange } from "../server/exchange.ts"
import { Http2Exchange } from "../server/http2Exchange.ts"
import type { Connection, Options } from "../server/model.ts"
import { settingsOf } from "../server/options.ts"
import { makeUpgradeHandler } from "../server/start.ts"
import type { Route } from "../server/upgradeAttempt.ts"
import type { UpgradeHandler } from "../server/upgradeHandler.ts"
import { SocketError } from "../socket/error.ts"
import { handshakeFailed } from "../socket/failure.ts"
import { resolve } from "../socket/options.ts"
import { dropOnError } from "../transport/duplex.ts"
import { ofConnect } from "./adapter.ts"
import { leavingRefusals, registerUpgrader, takeHttp2Response, takeResponse, type ContextOptions } from "./upgrade.ts"

/**
 * Options of the connections, and limits of the server, which count the connections of all routes together. The
 * routes decide which requests become connections.
 *
 * @category options
 * @since 0.1.0
 */
export interface WebSocketOptions extends Omit<Options, "authorize" | "headers" | "path"> {}

/**
 * Options of Effect's HTTP server, and of its WebSockets.
 *
 * @category options
 * @since 0.1.0
 */
export interface HttpServerOptions extends Omit<NodeHttpServer.Options, "websocket"> {
  /** Options of the connections, and limits of the server. */
  readonly websocket?: WebSocketOptions | undefined
}

/**
 * A server of Node that Effect's HTTP server can listen with.
 *
 * @category models
 * @since 0.2.0
 */
export type NodeServer = http.Server | https.Server | http2.Http2Server | http2.Http2SecureServer

type App = Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, HttpServerRequest | Scope.Scope>

/** A request for a WebSocket that waits for its answer: a response, or the handshake. */
interface Pending {
  /** The request's own method, which routes know, where it differs. */
  readonly method: "GET" | undefined
  /** Whether the handshake has the connection now, so that no response may be written to it. */
  readonly isTaken: () => boolean
  readonly isGone: () => boolean
  /** Has the request answered by a handshake, whose refusals are written or left to the route. */
  readonly begin: (refusals: "written" | "left") => Exchange
}

/**
 * Creates the server of `layerHttpServer`. Everything but the upgrades to WebSocket is Effect's own.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeHttpServer = (
  evaluate: LazyArg<NodeServer>,
  { websocket = {}, ...options }: HttpServerOptions
): Effect.Effect<HttpServer.HttpServer["Service"], HttpServerError.ServeError, Scope.Scope> =>
  Effect.gen(function* () {
    yield* Effect.mapError(
      Effect.fromResult(settingsOf(websocket)),
      (cause) => new HttpServerError.ServeError({ cause })
    )
    const server = evaluate()
    // RFC 8441 §3: no client sends an extended CONNECT before the server has said that it may.
    if ("updateSettings" in server) server.updateSettings({ enableConnectProtocol: true })
    const inner = yield* NodeHttpServer.make(() => server, options)
    return HttpServer.make({
      address: inner.address,
      serve: (app, middleware) =>
        Effect.gen(function* () {
          const earlier = new Set(server.listeners("upgrade"))
          yield* middleware === undefined ? inner.serve(app) : inner.serve(app, middleware)
          const theirs = server.listeners("upgrade").filter((listener) => !earlier.has(listener))
          const upgrades = new Upgrades(yield* Effect.orDie(makeUpgradeHandler<unknown, never>(websocket)))
          const scope = Scope.forkUnsafe(yield* Effect.scope, "parallel")
          const handle = yield* NodeHttpServer.makeHandler(upgrades.offer(app), { middleware, scope })
          const upgrade = (request: http.IncomingMessage, socket: Duplex, head: Buffer): void => {
            if (asksForWebSocket(request)) {
              upgrades.whenInTurn(socket, head, (whole) => handle(request, upgrades.add(request, socket, whole)))
            } else {
              for (const other of theirs) Reflect.apply(other, server, [request, socket, head])
            }
          }
          /** Node calls it with a CONNECT of either version of HTTP, and answers none itself when it is there. */
          const connect = (
            request: http.IncomingMessage | http2.Http2ServerRequest,
            response: Duplex | http2.Http2ServerResponse
          ): void => {
            if (!("stream" in request) || !("stream" in response)) {
              if ("destroy" in response) response.destroy()
            } else if (request.headers[":protocol"] === "websocket") {
              handle(request, upgrades.addStream(request, response))
            } else {
              response.writeHead(405).end()
            }
          }
          for (const other of theirs) server.off("upgrade", other as typeof upgrade)
          server.on("upgrade", upgrade)
          if ("updateSettings" in server) server.on("connect", connect)
          yield* Effect.addFinalizer(() => {
            server.off("upgrade", upgrade)
            server.off("connect", connect)
            return upgrades.close
          })
        })
    })
  })

/** The requests of one application for a WebSocket, and the connections that came of them. */
class Upgrades {
  private readonly handler: UpgradeHandler<unknown, never>
  private readonly pending = new WeakMap<object, Pending>()

  constructor(handler: UpgradeHandler<unknown, never>) {
    this.handler = handler
  }

  /** Calls `next` when the responses to earlier requests on the connection are written; a peer that leaves is dropped. */
  whenInTurn(socket: Duplex, head: Buffer, next: (head: Buffer) => void): void {
    const { settings, timers } = this.handler
    takeInTurn({ socket, timers, limit: settings.handshakeTimeout }, head, next)
  }

  /** Takes an upgrade request; returns the response for any other answer than the handshake. */
  add(request: http.IncomingMessage, socket: Duplex, head: Buffer): http.ServerResponse {
    const response = new http.ServerResponse(request)
    response.shouldKeepAlive = false
    // `assignSocket` writes to it and listens for its end; any duplex stream does for that.
    response.assignSocket(socket as Parameters<typeof response.assignSocket>[0])
    dropOnError(socket)
    // The end of the socket is the end of the response, and that interrupts the route.
    const watch = (): Waiting => whenLeft(socket, () => socket.destroy())
    let waiting = watch()
    let received = head
    response.once("finish", () => {
      waiting.stop()
      this.endAfterResponse(socket)
    })
    let taken = false
    const take = (): void => {
      taken = true
      takeResponse(response)
    }
    this.register(request, {
      method: undefined,
      isTaken: () => taken,
      isGone: () => socket.destroyed,
      begin: (refusals) => {
        received = Buffer.concat([received, waiting.stop()])
        const exchange = new Http1Exchange(request, socket, received)
        const refused = (): void => {
          waiting = watch()
        }
        if (refusals === "left") return leavingRefusals(exchange, { opening: take, refused, isInTurn: true })
        take()
        return exchange
      }
    })
    return response
  }

  /** The same for a request of HTTP/2. */
  addStream(request: http2.Http2ServerRequest, response: http2.Http2ServerResponse): http2.Http2ServerResponse {
    let taken = false
    const take = (): void => {
      taken = true
      takeHttp2Response(response)
    }
    this.register(request, {
      method: "GET",
      isTaken: () => taken,
      isGone: () => request.stream.destroyed,
      begin: (refusals) => {
        const exchange = new Http2Exchange(request.stream, request.headers)
        if (refusals === "left") return leavingRefusals(exchange, { opening: take })
        take()
        return exchange
      }
    })
    return response
  }

  /** Gives the requests that were added their `upgrade`. */
  offer(app: App): App {
    return Effect.flatMap(HttpServerRequest, (request) => {
      const pending = this.pending.get(request.source)
      if (pending === undefined) return app
      return Effect.map(Effect.provideService(app, HttpServerRequest, this.upgradable(request, pending)), (response) =>
        pending.isTaken() ? HttpServerResponse.empty({ status: 101 }) : response
      )
    })
  }

  /** Closes every connection with 1001, and waits. */
  get close(): Effect.Effect<void> {
    return drain(this.handler, this.handler.settings.drainGrace)
  }

  private register(request: object, pending: Pending): void {
    this.pending.set(request, pending)
    registerUpgrader(request, <A>(options: ContextOptions<A>) =>
      Effect.suspend(() => {
        if (pending.isTaken()) return Effect.die(new Error("the request was upgraded before"))
        // The connection's context is that of the route.
        const opened = this.handler.open(pending.begin("left"), this.routeOf(options))
        return opened as Effect.Effect<Connection<A>, HandshakeError, Scope.Scope>
      })
    )
  }

  /** The options of a route over those of the server. */
  private routeOf<A>({ context, ...options }: ContextOptions<A>): Route<unknown> {
    const { options: common, settings } = this.handler
    if (Object.keys(options).length === 0) return { accept: settings.accept, context }
    const merged = { ...common, ...options }
    const { accept } = Result.getOrThrow(settingsOf(merged))
    return { accept, socketSettings: resolve(merged), context }
  }

  /** Ends the socket after a response, and drops a peer that doesn't end its side. */
  private endAfterResponse(socket: Duplex): void {
    const { settings, timers } = this.handler
    const timer = timers.after(settings.handshakeTimeout, () => socket.destroy())
    socket.once("close", () => timer.cancel())
    socket.end()
    socket.resume()
  }

  private upgradable(request: HttpServerRequest, pending: Pending): HttpServerRequest {
    const upgradeWith: HttpServerRequest["upgradeWith"] = (options) =>
      Effect.suspend(() => {
        const headers = safeHeaders(Object.entries(Headers.fromInput(options.headers)))
        if (!isReason(headers)) return Effect.succeed(ofConnect(this.connect(pending, headers), "once"))
        const cause = handshakeError(headers)
        return Effect.fail(
          new HttpServerError.HttpServerError({
            reason: new HttpServerError.InternalError({ request, description: cause.message, cause })
          })
        )
      })
    return Object.create(request, {
      ...(pending.method === undefined ? {} : { method: { value: pending.method } }),
      upgrade: { value: upgradeWith({}) },
      upgradeWith: { value: upgradeWith },
      modify: {
        value: (changes: Parameters<HttpServerRequest["modify"]>[0]) =>
          this.upgradable(request.modify(changes), pending)
      }
    })
  }

  private connect(
    pending: Pending,
    headers: ReadonlyArray<Header>
  ): Effect.Effect<Connection, SocketError, Scope.Scope> {
    return Effect.suspend(() => {
      if (pending.isTaken() || pending.isGone()) return Effect.fail(gone)
      const { accept } = this.handler.settings
      const route = { accept: { ...accept, headers: [...pairsOf(accept.headers), ...headers] }, context: undefined }
      return Effect.mapError(this.handler.open(pending.begin("written"), route), handshakeFailed)
    })
  }
}

const gone = new SocketError({
  reason: { _tag: "OpenFailed", message: "the request was upgraded before, or its client is gone", cause: undefined }
})
