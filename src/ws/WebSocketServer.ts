import { EventEmitter } from "node:events"
import type { IncomingMessage, OutgoingHttpHeaders, RequestListener, Server } from "node:http"
import type { Duplex } from "node:stream"
import { systemTimers } from "../internal/connection/timers.ts"
import { takeInTurn } from "../internal/server/departure.ts"
import { isAttached } from "../internal/transport/duplex.ts"
import type { OpeningDraft, ValidRequest } from "../internal/protocol/opening/model.ts"
import { type Refusal, ws8 } from "../internal/protocol/opening/policy.ts"
import { invalidHeader, isReason } from "../internal/protocol/opening/reason.ts"
import { validateRequest } from "../internal/protocol/opening/server.ts"
import { isFieldValue, isToken } from "../internal/protocol/opening/token.ts"
import * as Extension from "./extension.ts"
import { http } from "./internal/http.ts"
import { offersOf } from "./internal/offers.ts"
import { closeTimeout, commonDefaults } from "./internal/opening.ts"
import { PerMessageDeflate } from "./PerMessageDeflate.ts"
import type { Extensions } from "./Sender.ts"
import * as Subprotocol from "./subprotocol.ts"
import type * as Types from "./types.ts"
import { WebSocket } from "./WebSocket.ts"

const deflateName = PerMessageDeflate.extensionName

function destroySocket(this: Duplex): void {
  this.destroy()
}

/** Answers that a request gets no connection, and destroys the socket. */
const refuse = (
  socket: Duplex,
  status: number,
  message: string | undefined,
  headers: OutgoingHttpHeaders | undefined
): void => {
  const phrase = http.STATUS_CODES[status]
  const body = message || String(phrase)
  const fields = {
    Connection: "close",
    "Content-Type": "text/html",
    "Content-Length": Buffer.byteLength(body),
    ...headers
  }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${String(value)}\r\n`)
  // A header that would begin a second one is not written; nor is the answer that it belongs to.
  if (!Object.entries(fields).every(([name, value]) => isToken(name) && isFieldValue(String(value)))) {
    return refuse(socket, 500, undefined, undefined)
  }
  socket.once("finish", destroySocket)
  socket.end(`HTTP/1.1 ${status} ${phrase}\r\n${lines.join("")}\r\n${body}`)
}

/** Tells a plain request that this server wants an upgrade. */
const answerPlain: RequestListener = (_, response) => {
  const body = http.STATUS_CODES[426] ?? ""
  response.writeHead(426, { "Content-Length": body.length, "Content-Type": "text/plain" })
  response.end(body)
}

/** A valid request on its way to a connection. */
interface Upgrade<Request> {
  readonly request: Request
  readonly socket: Duplex
  readonly head: Buffer
  readonly valid: ValidRequest
  readonly protocols: Set<string>
  readonly extensions: Extensions
}

/**
 * Accepts WebSocket connections, with the API of `ws` 8: on an HTTP server of its own, on one that is given, or by hand.
 * Emits `listening`, `connection`, `headers`, `wsClientError`, `error` and `close`.
 *
 * @category classes
 * @since 0.1.0
 */
// oxlint-disable-next-line typescript/no-unsafe-declaration-merging
export class WebSocketServer<
  T extends Types.WebSocketClass = typeof WebSocket,
  U extends typeof IncomingMessage = typeof IncomingMessage
> extends EventEmitter {
  /** The options, defaults filled in. */
  readonly options: Types.ResolvedServerOptions<T, U>
  /** Never set: declared because `@types/ws` does. The path is in `options`. */
  declare readonly path: string
  /** The open connections, unless `clientTracking` is `false`. */
  declare clients: Set<InstanceType<T>>
  _server: Server | null | undefined = undefined
  private _state: "running" | "closing" | "closed" = "running"
  private _removeListeners: (() => void) | undefined = undefined
  /** `close` is emitted when the last client is gone. */
  private _closesWhenEmpty = false

  constructor(options?: Types.ServerOptions<T, U>, callback?: () => void) {
    super()
    const resolved = {
      ...commonDefaults,
      perMessageDeflate: false,
      handleProtocols: null,
      clientTracking: true,
      closeTimeout,
      verifyClient: null,
      noServer: false,
      backlog: null,
      server: null,
      host: null,
      path: null,
      port: null,
      WebSocket: WebSocket as Types.WebSocketClass as T,
      ...options
    }
    const given = [resolved.port != null, Boolean(resolved.server), Boolean(resolved.noServer)]
    if (given.filter(Boolean).length !== 1) {
      throw new TypeError('One and only one of the "port", "server", or "noServer" options must be specified')
    }
    if (resolved.perMessageDeflate === true) resolved.perMessageDeflate = {}
    if (resolved.port != null) {
      this._server = http.createServer(answerPlain)
      this._server.listen(resolved.port, resolved.host ?? undefined, resolved.backlog ?? undefined, callback)
    } else if (resolved.server) {
      this._server = resolved.server as Server
    }
    if (this._server) this._removeListeners = this._attach(this._server)
    if (resolved.clientTracking) this.clients = new Set()
    this.options = resolved as Types.ResolvedServerOptions<T, U>
  }

  /** Where the server listens: the path of a pipe or Unix socket, `null` when it doesn't. Throws without a server. */
  address(): Types.AddressInfo | string | null {
    if (this.options.noServer) throw new Error('The server is operating in "noServer" mode')
    return this._server ? this._server.address() : null
  }

  /**
   * Accepts no more, and emits `close` once all clients are gone; it closes none of them. The callback is called then,
   * or with an error when the server is closed already.
   */
  close(callback?: (error?: Error) => void): void {
    if (this._state === "closed") {
      if (callback) this.once("close", () => callback(new Error("The server is not running")))
      process.nextTick(emitClose, this)
      return
    }
    if (callback) this.once("close", callback)
    if (this._state === "closing") return
    this._state = "closing"
    const server = this._server
    this._removeListeners?.()
    this._removeListeners = undefined
    this._server = null
    if (server && !this.options.server) {
      // Its `close` event comes after the last connection, too.
      server.close(() => emitClose(this))
    } else if (this.clients !== undefined && this.clients.size > 0) {
      this._closesWhenEmpty = true
    } else {
      process.nextTick(emitClose, this)
    }
  }

  /** Whether a request is for this server: by its path. */
  shouldHandle(request: InstanceType<U>): boolean | Promise<boolean> {
    const { path } = this.options
    if (!path) return true
    const url = request.url ?? ""
    const query = url.indexOf("?")
    return (query === -1 ? url : url.slice(0, query)) === path
  }

  /**
   * Answers one upgrade request, and gives the connection to `callback` when it is granted: in turn, when the responses to
   * the requests before it on the connection are written (RFC 9112 §9.3.2). Throws when it is called twice for one socket.
   */
  handleUpgrade(
    request: InstanceType<U>,
    socket: Duplex,
    head: Buffer,
    callback: (client: InstanceType<T>, request: InstanceType<U>) => void
  ): void {
    takeInTurn({ socket, request, timers: systemTimers, limit: Infinity }, head, (whole) =>
      this._answer(request, socket, whole, callback)
    )
  }

  private _answer(
    request: InstanceType<U>,
    socket: Duplex,
    head: Buffer,
    callback: (client: InstanceType<T>, request: InstanceType<U>) => void
  ): void {
    socket.on("error", destroySocket)
    const draft = draftOf(request)
    const valid = validateRequest(ws8, draft, request, ws8.drafts)
    if (isReason(valid)) return this._reject(request, socket, ws8.refusal(valid))
    if (!this.shouldHandle(request)) return refuse(socket, 400, undefined, undefined)
    let protocols = new Set<string>()
    let extensions: Extensions = {}
    let field = "sec-websocket-protocol"
    try {
      if (valid.protocols !== undefined) protocols = Subprotocol.parse(valid.protocols)
      field = "sec-websocket-extensions"
      extensions = this._agree(valid.extensions)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      return this._reject(request, socket, ws8.refusal(invalidHeader({ field, reason, section: "RFC 6455 §4.2.1" })))
    }

    const upgrade = { request, socket, head, valid, protocols, extensions }
    const { verifyClient } = this.options
    if (!verifyClient) return this._complete(upgrade, callback)
    const info = {
      // Absent for most that are no browsers, whatever the type says.
      origin: request.headers[draft.version === 8 ? "sec-websocket-origin" : "origin"] as string,
      secure: isSecure(request.socket),
      req: request
    }
    if (verifyClient.length === 2) {
      const verify = verifyClient as Types.VerifyClientCallbackAsync<InstanceType<U>>
      verify(info, (verified, status, message, fields) => {
        if (verified) this._complete(upgrade, callback)
        else refuse(socket, status || 401, message, fields)
      })
    } else if ((verifyClient as Types.VerifyClientCallbackSync<InstanceType<U>>)(info)) {
      this._complete(upgrade, callback)
    } else {
      refuse(socket, 401, undefined, undefined)
    }
  }

  private _attach(server: Server): () => void {
    const listening = (): boolean => this.emit("listening")
    const failed = (error: Error): boolean => this.emit("error", error)
    const connected = (client: InstanceType<T>, request: InstanceType<U>): boolean =>
      this.emit("connection", client, request)
    const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void =>
      this.handleUpgrade(request as InstanceType<U>, socket, head, connected)
    server.on("listening", listening)
    server.on("error", failed)
    server.on("upgrade", upgrade)
    return () => {
      server.removeListener("listening", listening)
      server.removeListener("error", failed)
      server.removeListener("upgrade", upgrade)
    }
  }

  /** Chooses among the extensions that a client offers. Throws for a header that is broken or can't be agreed to. */
  private _agree(header: string | undefined): Extensions {
    const { maxPayload, perMessageDeflate } = this.options
    if (!perMessageDeflate || header === undefined) return {}
    const offers = offersOf(header).filter(({ name }) => name === deflateName)
    if (offers.length === 0) return {}
    const deflate = new PerMessageDeflate({
      ...(perMessageDeflate === true ? undefined : perMessageDeflate),
      isServer: true,
      maxPayload
    })
    deflate._negotiate(offers.map(({ params }) => params))
    return { [deflateName]: deflate }
  }

  private _complete(
    { extensions, head, protocols, request, socket, valid }: Upgrade<InstanceType<U>>,
    callback: (client: InstanceType<T>, request: InstanceType<U>) => void
  ): void {
    // The client has gone away.
    if (!socket.readable || !socket.writable) {
      socket.destroy()
      return
    }
    if (isAttached(socket)) {
      throw new Error(
        "server.handleUpgrade() was called more than once with the same socket, possibly due to a misconfiguration"
      )
    }
    if (this._state !== "running") return refuse(socket, 503, undefined, undefined)

    const { handleProtocols, WebSocket: Client = WebSocket } = this.options
    const client = new Client(null, undefined, this.options) as InstanceType<T> & WebSocket
    let protocol: string | false | undefined
    if (protocols.size > 0) {
      const [first] = protocols
      protocol = handleProtocols ? handleProtocols(protocols, request) : first
      if (protocol && !isFieldValue(String(protocol))) return refuse(socket, 500, undefined, undefined)
      if (protocol) client._protocol = protocol
    }
    const response = valid.respond(protocol || undefined)
    const lines = [`HTTP/1.1 ${response.status} ${response.reason}`]
    for (const [name, value] of response.headers) lines.push(`${name}: ${value}`)
    const params = extensions[deflateName]?.params
    if (params) {
      lines.push(`Sec-WebSocket-Extensions: ${Extension.format({ [deflateName]: { ...params } })}`)
      client._extensions = extensions
    }
    // Listeners may change them.
    this.emit("headers", lines, request)
    socket.write(`${lines.join("\r\n")}\r\n\r\n`)
    socket.removeListener("error", destroySocket)
    client.setSocket(socket, head, this.options)
    if (this.clients !== undefined) {
      this.clients.add(client)
      client._server = this
      client.on("close", forget)
    }
    callback(client, request)
  }

  /** Answers a request that breaks a rule, unless a `wsClientError` listener does. */
  private _reject(request: InstanceType<U>, socket: Duplex, { headers, status, text }: Refusal): void {
    if (this.listenerCount("wsClientError") > 0) this.emit("wsClientError", new Error(text), socket, request)
    else refuse(socket, status, text, Object.fromEntries(headers))
  }

  _forget(client: WebSocket): void {
    this.clients.delete(client as InstanceType<T>)
    if (this._closesWhenEmpty && this.clients.size === 0) process.nextTick(emitClose, this)
  }

  _closed(): void {
    this._state = "closed"
    this.emit("close")
  }
}

/** The draft of a request's version, read as `ws` reads it. */
const draftOf = ({ headers }: IncomingMessage): OpeningDraft => {
  const wanted = Number(headers["sec-websocket-version"])
  return ws8.drafts.find(({ version }) => version === wanted) ?? ws8.drafts[0]
}

/** Shared by all clients, so that none costs a closure. */
function forget(this: WebSocket): void {
  this._server?._forget(this)
}

const emitClose = (server: { _closed(): void }): void => server._closed()

const isSecure = (socket: Duplex): boolean =>
  ("authorized" in socket && Boolean(socket.authorized)) || ("encrypted" in socket && Boolean(socket.encrypted))

/** The events of a server, with their arguments. */
interface Events<T extends Types.WebSocketClass, U extends typeof IncomingMessage> {
  close: []
  connection: [client: InstanceType<T>, request: InstanceType<U>]
  error: [error: Error]
  headers: [headers: Array<string>, request: InstanceType<U>]
  listening: []
  wsClientError: [error: Error, socket: Duplex, request: InstanceType<U>]
}

type Listener<
  T extends Types.WebSocketClass,
  U extends typeof IncomingMessage,
  K extends keyof Events<typeof WebSocket, typeof IncomingMessage>
> = (this: WebSocketServer<T>, ...args: Events<T, U>[K]) => void

/** Of other events than those above nothing is known. */
type AnyListener<T extends Types.WebSocketClass> = (
  this: WebSocketServer<T>,
  // oxlint-disable-next-line typescript/no-explicit-any
  ...args: Array<any>
) => void

type EventName = keyof Events<typeof WebSocket, typeof IncomingMessage>

/** Listeners are added and removed as on every `EventEmitter`. Merged with the class for the sake of the types of `this`. */
export interface WebSocketServer<T extends Types.WebSocketClass, U extends typeof IncomingMessage> {
  on<K extends EventName>(event: K, listener: Listener<T, U, K>): this
  on(event: string | symbol, listener: AnyListener<T>): this
  once<K extends EventName>(event: K, listener: Listener<T, U, K>): this
  once(event: string | symbol, listener: AnyListener<T>): this
  off<K extends EventName>(event: K, listener: Listener<T, U, K>): this
  off(event: string | symbol, listener: AnyListener<T>): this
  addListener<K extends EventName>(event: K, listener: Listener<T, U, K>): this
  addListener(event: string | symbol, listener: AnyListener<T>): this
  removeListener<K extends EventName>(event: K, listener: Listener<T, U, K>): this
  removeListener(event: string | symbol, listener: AnyListener<T>): this
  prependListener<K extends EventName>(event: K, listener: Listener<T, U, K>): this
  prependListener(event: string | symbol, listener: AnyListener<T>): this
  prependOnceListener<K extends EventName>(event: K, listener: Listener<T, U, K>): this
  prependOnceListener(event: string | symbol, listener: AnyListener<T>): this
}
