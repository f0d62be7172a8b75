import * as Effect from "effect/Effect"
import cluster from "node:cluster"
import * as http from "node:http"
import type * as http2 from "node:http2"
import * as https from "node:https"
import type * as net from "node:net"
import { defaults as defaultDrafts } from "../handshake/drafts.ts"
import { plainTls } from "../handshake/secret.ts"
import type { Draft } from "../handshake/model.ts"
import { maxDelay } from "../socket/optionRules.ts"
import type { HttpServer } from "./attachment.ts"
import type { ServerError } from "./error.ts"
import { tlsInvalid } from "./failure.ts"
import { makeHttp2Server } from "./http2Server.ts"
import { bind } from "./bind.ts"
import type { Address, ListenOptions } from "./model.ts"
import { type ProxyProtocol, readProxyHeaders } from "./proxyProtocol.ts"

/** A server of Node that listens for one server of this library. */
export interface Listener {
  readonly server: HttpServer
  /** Ends every connection at once. */
  readonly dropAll: () => void
  /** The connections of a server with TLS or the PROXY protocol, from before their handshakes and headers. */
  readonly connected: ReadonlySet<net.Socket>
  /** Resolves when the server has stopped listening and its last connection has ended. */
  readonly closed: Promise<void>
}

/** What a listener needs of the server that it listens for. */
export interface ListenerOptions extends ListenOptions {
  readonly drafts?: ReadonlyArray<Draft> | undefined
  /** Milliseconds for the head of a request and for a TLS handshake; `Infinity` for no limit. */
  readonly headTimeout: number
  readonly onSession: (session: http2.ServerHttp2Session, ownResponses: boolean) => void
  /** How headers of the PROXY protocol are read, when they are. */
  readonly proxyHeaders: ProxyProtocol | undefined
}

/** Creates Node's server. Fails when the options for TLS can't be used. */
export const makeListener = (options: ListenerOptions): Effect.Effect<Listener, ServerError> => {
  const { drafts = defaultDrafts, headTimeout, http2: settings = false, onRequest, onSession } = options
  const { proxyHeaders } = options
  const tls = options.tls === undefined ? undefined : plainTls(options.tls)
  // Before a server listens, nothing but its options for TLS can be wrong.
  const attempt = (make: () => Pick<Listener, "server" | "dropAll">): Effect.Effect<Listener, ServerError> =>
    Effect.map(Effect.try({ try: make, catch: tlsInvalid }), (made) => {
      const { server } = made
      if (proxyHeaders !== undefined) readProxyHeaders(server, proxyHeaders)
      return {
        ...made,
        connected: tls === undefined && proxyHeaders === undefined ? new Set() : connectedTo(server),
        closed: new Promise((resolve) => server.once("close", () => resolve()))
      }
    })
  // Node has 0 for no limit, and wants no more time for a head than for its request.
  const headersTimeout = headTimeout > maxDelay ? 0 : Math.ceil(headTimeout)
  const timing = {
    headersTimeout,
    requestTimeout: headersTimeout === 0 ? 0 : Math.max(defaultRequestTimeout, headersTimeout),
    connectionsCheckingInterval: 1000
  }
  const handshakeTimeout = Math.min(headTimeout, maxDelay)
  const answer = onRequest ?? noWebSocket(drafts)
  if (settings !== false) {
    const made = {
      tls,
      settings: settings === true ? {} : settings,
      timing,
      handshakeTimeout,
      onRequest: answer,
      onSession: (session: http2.ServerHttp2Session) => onSession(session, onRequest !== undefined)
    }
    // Loaded only where it is wanted: that takes 5 ms.
    return Effect.flatMap(
      Effect.promise(() => import("node:http2")),
      (module) => attempt(() => makeHttp2Server(module, made))
    )
  }
  return attempt(() => {
    const server =
      tls === undefined
        ? http.createServer(timing, answer)
        : https.createServer({ ...timing, handshakeTimeout, ...tls }, answer)
    return { server, dropAll: () => server.closeAllConnections() }
  })
}

/** Node's default for the time that a whole request may take, in milliseconds. */
const defaultRequestTimeout = 300_000

/** Listens until the scope ends. */
export const listen = ({ server }: Listener, options: ListenOptions): Effect.Effect<void, ServerError> =>
  bind(server, options)

/** Milliseconds for the last bytes to leave, before the connections that are still open are dropped. */
const lastBytesTime = 100

/**
 * Stops listening where other processes listen on the same port, so that they get the new connections. Anywhere else the
 * server goes on listening while it drains, to answer 503.
 */
export const yieldPort = ({ server }: Listener, { reusePort }: ListenOptions): Effect.Effect<void> =>
  Effect.sync(() => {
    const shared = reusePort === true || cluster.isWorker
    if (shared && server.listening) server.close()
  })

/** Stops listening, and ends every connection. */
export const stop = ({ closed, connected, dropAll, server }: Listener): Effect.Effect<void> =>
  Effect.promise(() => {
    // A session that was destroyed doesn't wait for its peer, as one does that `close` has closed.
    dropAll()
    // Nothing else knows a connection whose TLS handshake or header isn't complete.
    const late = setTimeout(() => {
      for (const socket of connected) socket.destroy()
    }, lastBytesTime)
    if (server.listening) server.close()
    return closed.finally(() => clearTimeout(late))
  })

const connectedTo = (server: HttpServer): ReadonlySet<net.Socket> => {
  const connected = new Set<net.Socket>()
  server.on("connection", (socket: net.Socket) => {
    connected.add(socket)
    socket.once("close", () => connected.delete(socket))
  })
  return connected
}

export const addressOf = ({ server }: Listener): Address => {
  const address = server.address()
  return typeof address === "string" || address === null
    ? { host: address ?? "", port: 0 }
    : { host: address.address, port: address.port }
}

/** The response to a request that asks for no WebSocket. */
const noWebSocket =
  (drafts: ReadonlyArray<Draft>): http.RequestListener =>
  (request, response) => {
    const type = { "content-type": "text/plain" }
    if (request.httpVersionMajor === 2) {
      // RFC 9110 §15.5.22: 426 demands an `Upgrade` field, which HTTP/2 has no place for.
      response.writeHead(405, { ...type, allow: "CONNECT" })
    } else {
      const versions = drafts.flatMap(({ version }) => (version === undefined ? [] : [version]))
      const upgrade = { connection: "close", upgrade: "websocket", "sec-websocket-version": versions.join(", ") }
      response.writeHead(426, { ...type, ...upgrade })
    }
    response.end("This is a WebSocket server.\n")
  }
