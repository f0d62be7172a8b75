import type * as http from "node:http"
import type { Duplex } from "node:stream"
import { systemTimers } from "../../internal/connection/timers.ts"
import { attachHandler } from "../../internal/server/attachment.ts"
import { takeInTurn } from "../../internal/server/departure.ts"
import * as node from "../internal/http.ts"
import { versionOf } from "./drafts.ts"
import { emitterOf } from "./emitter.ts"
import { defaultMaxPayload } from "./link.ts"
import type { ResolvedServerOptions, ServerOptions } from "./types.ts"
import { type Gate, type Granted, Upgrade } from "./upgrade.ts"
import { tracked, WebSocket } from "./WebSocket.ts"

/** What is emitted, and with which arguments. */
export interface ServerEvents {
  /** A client connected. Before it, the same is emitted as `connection` with the request's target behind it. */
  connection: [client: WebSocket]
  /** The lines of the head that answers a client, HyBi only; they may be changed. */
  headers: [lines: Array<string>]
  /** The HTTP server listens. */
  listening: []
  /** The HTTP server's errors. */
  error: [error: Error]
}

const defaults: ResolvedServerOptions = {
  host: "0.0.0.0",
  port: null,
  server: null,
  verifyClient: null,
  handleProtocols: null,
  path: null,
  noServer: false,
  disableHixie: false,
  clientTracking: true,
  maxPayload: defaultMaxPayload,
  handshakeTimeout: 10_000
}

/** Options that are known and given. */
const resolve = (options: ServerOptions): ResolvedServerOptions =>
  Object.freeze({
    ...defaults,
    ...Object.fromEntries(Object.entries(options).filter(([name, value]) => name in defaults && value != null))
  })

/** What a `Server` keeps to itself. */
interface Inside extends Gate {
  isClosed: boolean
  readonly detach: () => void
}

const inside = Symbol("effect-ws/inside")

const answerPlain: http.RequestListener = (_, response) => {
  response.writeHead(200, { "Content-Type": "text/plain" })
  response.end("Not implemented")
}

/**
 * Accepts connections, with the API of `ws` 0.4: on an HTTP server of its own, on one that is given, or by hand. Emits
 * `connection`, `headers`, `listening` and `error`.
 */
export class WebSocketServer extends emitterOf<ServerEvents>() {
  /** The options, defaults filled in. */
  declare options: ResolvedServerOptions
  /** The only path that is served. */
  declare path: string | null
  /** The open connections, unless `clientTracking` is `false`. */
  declare clients: Array<WebSocket>
  /** The HTTP server, until `close`. */
  declare _server: http.Server | undefined
  declare [inside]: Inside

  /**
   * `callback` hears that the server listens; it is used with `port` alone. Throws a `TypeError` without `port`, `server` and
   * `noServer`, and an `Error` where another server has the same path of the same HTTP server.
   */
  constructor(options?: ServerOptions | null, callback?: () => void) {
    super()
    initialiseServer(this, options, callback)
  }

  /** Ends every connection, and the HTTP server if `port` made it. Later calls do nothing. */
  close(): void {
    const { [inside]: state, _server: server } = this
    if (state.isClosed) return
    state.isClosed = true
    this._server = undefined
    state.detach()
    if (this.options.port !== null) server?.close()
    for (const client of this.clients) client.terminate()
  }

  /**
   * Answers one request for an upgrade, and gives the connection to `cb` when it is granted: in turn, when the responses to the
   * requests before it on the connection are written (RFC 9112 §9.3.2).
   */
  handleUpgrade(
    request: http.IncomingMessage,
    socket: Duplex,
    upgradeHead: Buffer,
    cb: (client: WebSocket) => void
  ): void {
    const granted = ({ draft, protocol, rest }: Granted): void => {
      const client = new WebSocket([request, socket, rest], {
        protocolVersion: versionOf(draft),
        protocol,
        maxPayload: this.options.maxPayload
      })
      if (this.options.clientTracking) {
        client[tracked] = this.clients
        this.clients.push(client)
      }
      cb(client)
    }
    const pipelined = { socket, request, timers: systemTimers, limit: this.options.handshakeTimeout }
    takeInTurn(pipelined, upgradeHead, (head) => new Upgrade(this[inside], request, socket, head, granted).begin())
  }
}

/** All that the constructor does. */
export const initialiseServer = (self: WebSocketServer, given?: ServerOptions | null, callback?: () => void): void => {
  const options = resolve(given ?? {})
  if (options.port === null && options.server === null && !options.noServer) {
    throw new TypeError("`port` or a `server` must be provided")
  }
  const server = options.port === null ? (options.server ?? undefined) : node.http.createServer(answerPlain)
  self.options = options
  self.path = options.path
  self.clients = []
  self._server = server
  self[inside] = {
    options,
    isClosed: false,
    showHeaders: (lines) => self.emit("headers", lines),
    spoilt: (error) => {
      if (self.listenerCount("error") > 0) self.emit("error", error)
    },
    detach: server === undefined ? () => {} : attach(self, server)
  }
  if (options.port !== null) listen(server, options.port, options.host, callback)
}

/** A port, or the path of a Unix socket. */
const listen = (
  server: http.Server | undefined,
  port: number | string,
  host: string,
  callback: (() => void) | undefined
): void => {
  if (typeof port === "string" && Number.isNaN(Number(port))) server?.listen(port, callback)
  else server?.listen(Number(port), host, callback)
}

/** Takes a server's upgrades; answers how to let go of them. */
const attach = (self: WebSocketServer, server: http.Server): (() => void) => {
  const release = takePath(self, server)
  const listening = (): boolean => self.emit("listening")
  const failed = (error: Error): boolean => self.emit("error", error)
  server.once("listening", listening)
  server.on("error", failed)
  return () => {
    release()
    server.off("listening", listening)
    server.off("error", failed)
  }
}

/** An HTTP server, on which `ws` 0.4 notes the paths that are taken. */
interface PathsServer extends http.Server {
  _webSocketPaths?: { readonly [path: string]: 1 }
}

const takePath = (self: WebSocketServer, server: PathsServer): (() => void) => {
  let detach: () => void
  try {
    detach = attachHandler(server, self.path ?? undefined, {
      isShared: true,
      upgrade: (request, socket, head) =>
        self.handleUpgrade(request, socket, head, (client) => {
          self.emit(`connection${request.url}`, client)
          self.emit("connection", client)
        })
    })
  } catch (cause) {
    throw new Error("two instances of WebSocketServer cannot listen on the same http server path", { cause })
  }
  const { path } = self
  if (path === null) return detach
  server._webSocketPaths = { ...server._webSocketPaths, [path]: 1 }
  return () => {
    detach()
    const { [path]: _, ...rest } = server._webSocketPaths ?? {}
    if (Object.keys(rest).length > 0) server._webSocketPaths = rest
    else delete server._webSocketPaths
  }
}
