import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { LazyArg } from "effect/Function"
import * as Headers from "effect/http/Headers"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerError from "effect/http/HttpServerError"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as http from "node:http"
import type * as https from "node:https"
import type { Duplex } from "node:stream"
import type { HandshakeError } from "../handshake/error.ts"
import type { HeadersInput } from "../handshake/model.ts"
import type { Connection, Options } from "../server/model.ts"
import { dropOnError, noDropOnError } from "../transport/duplex.ts"
import { handshakeError } from "../handshake/error.ts"
import { safeHeaders } from "../protocol/opening/http.ts"
import { isReason } from "../protocol/opening/reason.ts"
import { drain } from "../server/acceptor.ts"
import { earlierResponseOn, type Waiting, whenInTurn, whenLeft } from "../server/departure.ts"
import { Http1Exchange } from "../server/exchange.ts"
import { settingsOf } from "../server/options.ts"
import { makeUpgradeHandler } from "../server/start.ts"
import type { UpgradeHandler } from "../server/upgradeHandler.ts"
import { SocketError } from "../socket/error.ts"
import { ofConnect } from "./adapter.ts"

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

type App = Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, HttpServerRequest | Scope.Scope>

/** An upgrade request that waits for its answer: a response, or the handshake. */
interface Pending {
  readonly request: http.IncomingMessage
  readonly response: http.ServerResponse
  readonly socket: Duplex
  readonly head: Buffer
  readonly waiting: Waiting
  /** Whether the handshake has the socket now, so that no response may be written to it. */
  taken: boolean
}

/**
 * Creates the server of `layerHttpServer`. Everything but the upgrades to WebSocket is Effect's own.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeHttpServer = (
  evaluate: LazyArg<http.Server | https.Server>,
  { websocket = {}, ...options }: HttpServerOptions
): Effect.Effect<HttpServer.HttpServer["Service"], HttpServerError.ServeError, Scope.Scope> =>
  Effect.gen(function* () {
    yield* Effect.mapError(
      Effect.fromResult(settingsOf(websocket)),
      (cause) => new HttpServerError.ServeError({ cause })
    )
    const server = evaluate()
    const inner = yield* NodeHttpServer.make(() => server, options)
    return HttpServer.make({
      address: inner.address,
      serve: (app, middleware) =>
        Effect.gen(function* () {
          const earlier = new Set(server.listeners("upgrade"))
          yield* middleware === undefined ? inner.serve(app) : inner.serve(app, middleware)
          const theirs = server.listeners("upgrade").filter((listener) => !earlier.has(listener))
          const upgrades = new Upgrades(yield* Effect.orDie(makeUpgradeHandler<undefined, never>(websocket)))
          const scope = Scope.forkUnsafe(yield* Effect.scope, "parallel")
          const handle = yield* NodeHttpServer.makeHandler(upgrades.offer(app), { middleware, scope })
          const listener = (request: http.IncomingMessage, socket: Duplex, head: Buffer): void => {
            if (request.headers.upgrade?.toLowerCase() === "websocket") {
              upgrades.whenInTurn(socket, head, (whole) => handle(request, upgrades.add(request, socket, whole)))
            } else {
              for (const other of theirs) Reflect.apply(other, server, [request, socket, head])
            }
          }
          for (const other of theirs) server.off("upgrade", other as typeof listener)
          server.on("upgrade", listener)
          yield* Effect.addFinalizer(() => {
            server.off("upgrade", listener)
            return upgrades.close
          })
        })
    })
  })

/** The upgrade requests of one application, and the connections that came of them. */
class Upgrades {
  private readonly handler: UpgradeHandler<undefined, never>
  private readonly pending = new WeakMap<object, Pending>()

  constructor(handler: UpgradeHandler<undefined, never>) {
    this.handler = handler
  }

  /** Calls `next` when the responses to earlier requests on the connection are written; a peer that leaves is dropped. */
  whenInTurn(socket: Duplex, head: Buffer, next: (head: Buffer) => void): void {
    const { settings, timers } = this.handler
    if (earlierResponseOn(socket) === undefined) return next(head)
    dropOnError(socket)
    whenInTurn(
      { socket, timers, limit: settings.handshakeTimeout },
      (bytes) => {
        noDropOnError(socket)
        next(Buffer.concat([head, bytes]))
      },
      () => socket.destroy()
    )
  }

  /** Takes an upgrade request; returns the response for any other answer than the handshake. */
  add(request: http.IncomingMessage, socket: Duplex, head: Buffer): http.ServerResponse {
    const response = new http.ServerResponse(request)
    response.shouldKeepAlive = false
    // `assignSocket` writes to it and listens for its end; any duplex stream does for that.
    response.assignSocket(socket as Parameters<typeof response.assignSocket>[0])
    dropOnError(socket)
    // The end of the socket is the end of the response, and that interrupts the route.
    const waiting = whenLeft(socket, () => socket.destroy())
    response.once("finish", () => {
      waiting.stop()
      this.endAfterResponse(socket)
    })
    this.pending.set(request, { request, response, socket, head, waiting, taken: false })
    return response
  }

  /** Gives the requests that were added their `upgrade`. */
  offer(app: App): App {
    return Effect.flatMap(HttpServerRequest, (request) => {
      const pending = this.pending.get(request.source)
      if (pending === undefined) return app
      return Effect.map(Effect.provideService(app, HttpServerRequest, this.upgradable(request, pending)), (response) =>
        pending.taken ? HttpServerResponse.empty({ status: 101 }) : response
      )
    })
  }

  /** Closes every connection with 1001, and waits. */
  get close(): Effect.Effect<void> {
    return drain(this.handler, this.handler.settings.drainGrace)
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
      upgrade: { value: upgradeWith({}) },
      upgradeWith: { value: upgradeWith },
      modify: {
        value: (changes: Parameters<HttpServerRequest["modify"]>[0]) =>
          this.upgradable(request.modify(changes), pending)
      }
    })
  }

  private connect(pending: Pending, headers: HeadersInput): Effect.Effect<Connection, SocketError, Scope.Scope> {
    return Effect.suspend(() => {
      const { request, response, socket } = pending
      if (pending.taken || socket.destroyed) return Effect.fail(gone)
      pending.taken = true
      const head = Buffer.concat([pending.head, pending.waiting.stop()])
      response.detachSocket(socket as Parameters<typeof response.detachSocket>[0])
      // Says to whoever would answer the request that it has its answer.
      response.end()
      return Effect.mapError(this.handler.open(new Http1Exchange(request, socket, head), headers), handshakeFailed)
    })
  }
}

const gone = new SocketError({
  reason: { _tag: "OpenFailed", message: "the request was upgraded before, or its client is gone", cause: undefined }
})

const handshakeFailed = (error: HandshakeError): SocketError =>
  new SocketError({ reason: { _tag: "HandshakeFailed", message: `the handshake failed: ${error.message}`, error } })
