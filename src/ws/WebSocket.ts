import { EventEmitter } from "node:events"
import type { ClientRequest, ClientRequestArgs, IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import type { CloseFrame } from "../internal/protocol/closeFrame.ts"
import { Connection } from "../internal/connection/connection.ts"
import { DuplexTransport } from "../internal/transport/duplex.ts"
import { Opcode } from "../internal/protocol/opcode.ts"
import { referenceSize } from "../internal/protocol/outputBuffer.ts"
import { systemTimers } from "../internal/connection/timers.ts"
import type { Written } from "../internal/protocol/outputBuffer.ts"
import { type BinaryType, isBinaryType, isBlob, nothing, sizeOf, toBytes } from "./internal/data.ts"
import * as EventTarget from "./internal/eventTarget.ts"
import { closeTimeout, Opening } from "./internal/opening.ts"
import { WebSocketIncoming } from "./internal/webSocketIncoming.ts"
import type * as Extension from "./extension.ts"
import {
  limitOf,
  type PerMessageDeflate,
  type PerMessageDeflateOptions as DeflateOptions
} from "./PerMessageDeflate.ts"
import { closePayload, codecFor, type Extensions, type GenerateMask, maxControlSize, Sender } from "./Sender.ts"
import type { Receiver } from "./Receiver.ts"
import type { createWebSocketStream } from "./stream.ts"
import type * as Subprotocol from "./subprotocol.ts"
import type * as Types from "./types.ts"
import type { WebSocketServer as ServerClass } from "./WebSocketServer.ts"

const CONNECTING = 0
const OPEN = 1
const CLOSING = 2
const CLOSED = 3

/** The states of a connection, by number. */
type ReadyState = typeof CONNECTING | typeof OPEN | typeof CLOSING | typeof CLOSED

const stateNames = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"] as const

/** Bytes that are gathered before they are written without waiting for the end of the tick. */
const writeHighWaterMark = 64 * 1024

/** How a socket that is open reads and writes. */
export interface SocketSettings {
  readonly allowSynchronousEvents?: boolean | undefined
  readonly generateMask?: GenerateMask | undefined
  readonly maxBufferedChunks?: number | undefined
  readonly maxFragments?: number | undefined
  readonly maxPayload?: number | undefined
  readonly skipUTF8Validation?: boolean | undefined
}

const noExtensions: Extensions = Object.freeze({})

/** How a connection was closed. */
interface ClosedAs {
  readonly code: number
  readonly reason: Buffer
}

/** How a connection ends: by the peer's close frame, or without one. */
interface Ending {
  readonly close: ClosedAs
  /** Whether an `error` event is due, which has to come before `close`, or was emitted: there is at most one. */
  readonly error: "none" | "due" | "emitted"
}

/** No close frame came. */
const abnormal: Ending = { close: { code: 1006, reason: nothing }, error: "none" }

/** State that most sockets never need. */
class Rare {
  /** What was asked for before the connection was open. */
  binaryType: BinaryType = "nodebuffer"
  receiver: Receiver | undefined = undefined
  sender: Sender | undefined = undefined
  /** Bytes that were given to be sent when it was too late. */
  unsent = 0
  /** Answers to pings that wait to be written. */
  pongs = 0
  readonly pongWritten: Written = () => {
    this.pongs--
  }

  senderOf(webSocket: WebSocket, connection: Connection): Sender {
    if (this.sender === undefined) {
      this.sender = new Sender(webSocket._socket as Duplex, webSocket._extensions, undefined, connection)
      // oxlint-disable-next-line unicorn/prefer-add-event-listener
      this.sender.onerror = (error) => webSocket._fail(error)
    }
    return this.sender
  }
}

const emitClose = (webSocket: WebSocket): void => webSocket.emitClose()

/** What `addEventListener` knows, and how each type makes its event objects. */
const events: { readonly [type: string]: EventTarget.MakeEvent<WebSocket> | undefined } = {
  open: (target) => new EventTarget.Event("open", target),
  message: (target, data, isBinary) => new EventTarget.MessageEvent(target, isBinary === true ? data : String(data)),
  close: (target, code, reason) =>
    new EventTarget.CloseEvent(
      target,
      Number(code),
      String(reason),
      target._closeFrameReceived && target._closeFrameSent
    ),
  error: (target, error) => new EventTarget.ErrorEvent(target, error as Error)
}

/**
 * A WebSocket connection, with the API of `ws` 8: a client when it is made with an address; servers make their own.
 * Emits `open`, `message`, `ping`, `pong`, `close`, `error`, and as a client `upgrade`, `redirect` and `unexpected-response`.
 *
 * @category classes
 * @since 0.1.0
 */
// oxlint-disable-next-line typescript/no-unsafe-declaration-merging
export class WebSocket extends EventEmitter {
  /** The opening handshake is under way. */
  declare static readonly CONNECTING: 0
  /** Messages can be sent. */
  declare static readonly OPEN: 1
  /** The closing handshake is under way, or the connection is breaking up. */
  declare static readonly CLOSING: 2
  /** The connection is gone, or was never there. */
  declare static readonly CLOSED: 3
  /** The function of the same name. */
  declare static createWebSocketStream: typeof createWebSocketStream
  /** The module of the same name. */
  declare static extension: typeof Extension
  /** The class of the same name. */
  declare static PerMessageDeflate: typeof PerMessageDeflate
  /** The class of the same name. */
  declare static Receiver: typeof Receiver
  /** The class of the same name. */
  declare static Sender: typeof Sender
  /** The class `WebSocketServer`. */
  declare static Server: typeof ServerClass
  /** The module of the same name. */
  declare static subprotocol: typeof Subprotocol
  /** This class. */
  declare static WebSocket: typeof WebSocket
  /** The class of the same name. */
  declare static WebSocketServer: typeof ServerClass
  declare readonly CONNECTING: 0
  declare readonly OPEN: 1
  declare readonly CLOSING: 2
  declare readonly CLOSED: 3

  /** The transport, once the connection is open. For programs that use the transport directly. */
  _socket: Duplex | null = null
  _protocol = ""
  _extensions: Extensions = noExtensions
  readonly _isServer: boolean
  declare _url: string
  /** Of a client: the request of the opening handshake while it is under way. */
  declare _req: ClientRequest | null
  /** The server that keeps it among its clients. */
  _server: { _forget(client: WebSocket): void } | undefined = undefined
  private _state: ReadyState = CONNECTING
  /** The opening handshake while it is under way, then what the connection delivers to. */
  private _link: Opening | WebSocketIncoming | undefined = undefined
  private _ending: Ending = abnormal
  private readonly _options: Types.CommonOptions
  private _rare: Rare | undefined = undefined

  constructor(address: null, protocols?: undefined, options?: Types.CommonOptions)
  constructor(address: string | URL, options?: Types.ClientOptions | ClientRequestArgs)
  constructor(
    address: string | URL,
    protocols?: string | Array<string>,
    options?: Types.ClientOptions | ClientRequestArgs
  )
  constructor(
    address: string | URL | null,
    protocols?: string | Array<string> | Types.ClientOptions | ClientRequestArgs,
    options?: Types.CommonOptions | Types.ClientOptions | ClientRequestArgs
  ) {
    super()
    this._isServer = address === null
    if (address === null) {
      this._options = (options ?? {}) as Types.CommonOptions
    } else {
      const opening = new Opening(this, protocols, options)
      this._options = opening.options
      this._link = opening
      this._req = null
      opening.start(address)
    }
  }

  /**
   * How bytes are given to `message` listeners: `nodebuffer`, the default, `arraybuffer`, `fragments` or `blob`, which
   * is missing from the type of what is read, as it is in `@types/ws`.
   */
  get binaryType(): Exclude<BinaryType, "blob"> {
    return this._currentBinaryType as Exclude<BinaryType, "blob">
  }

  set binaryType(type: BinaryType) {
    if (!isBinaryType(type)) return
    const { _link: link } = this
    if (link instanceof WebSocketIncoming) link.binaryType = type
    else this._getRare().binaryType = type
  }

  /**
   * Bytes that wait to be written, framing included: 0 when the system has taken all of them, or will at the end of the
   * tick. Messages that are compressed count with their own size until they are written.
   */
  get bufferedAmount(): number {
    const outbound = this._connection?.outbound
    return (outbound === undefined ? 0 : outbound.stuck + outbound.compressed) + (this._rare?.unsent ?? 0)
  }

  /** The names of the extensions in use, with commas between. */
  get extensions(): string {
    return Object.keys(this._extensions).join(",")
  }

  /** Whether `pause` was called, and not `resume`. */
  get isPaused(): boolean {
    return this._connection?.inbound.isPaused ?? false
  }

  /** The subprotocol, or the empty string. */
  get protocol(): string {
    return this._protocol
  }

  /** `CONNECTING`, `OPEN`, `CLOSING` or `CLOSED`. */
  get readyState(): ReadyState {
    return this._state === OPEN && this._connection?.isOpen === false ? CLOSING : this._state
  }

  /** The URL, of a client. */
  get url(): string {
    return this._url
  }

  // What programs look for in a connection of `ws`, besides its documented members.

  get _readyState(): ReadyState {
    return this.readyState
  }

  get _closeCode(): number {
    return this._ending.close.code
  }

  /** Frames and writes in order; `null` before the connection is open. */
  get _sender(): Sender | null {
    const connection = this._connection
    return connection === undefined ? null : this._getRare().senderOf(this, connection)
  }

  /** Reads frames and emits them; `null` before the connection is open. */
  get _receiver(): Receiver | null {
    const { _link: link } = this
    if (!(link instanceof WebSocketIncoming)) return null
    return (this._getRare().receiver ??= link.makeReceiver())
  }

  get _closeFrameSent(): boolean {
    return this._connection?.closeSent !== undefined
  }

  get _closeFrameReceived(): boolean {
    return this._connection?.closeReceived !== undefined
  }

  /** Takes over a socket on which the opening handshake is done; `head` is what came behind it. */
  setSocket(socket: Duplex, head: Buffer, settings: SocketSettings): void {
    const incoming = new WebSocketIncoming(this, this._currentBinaryType, settings)
    const connection = new Connection(incoming, {
      transport: new DuplexTransport(socket),
      codec: codecFor(settings.generateMask),
      role: this._isServer ? "server" : "client",
      timers: systemTimers,
      maxMessageSize: limitOf(settings.maxPayload),
      maxFragments: limitOf(settings.maxFragments),
      maxChunks: limitOf(settings.maxBufferedChunks),
      minimalLength: false,
      skipUtf8Validation: settings.skipUTF8Validation,
      writeHighWaterMark,
      closeTimeout: this._options.closeTimeout ?? closeTimeout,
      compression: this._extensions["permessage-deflate"]?.makeCompression(),
      autoPong: false,
      echoReason: true,
      clientEnds: true
    })
    incoming.attach(connection)
    this._link = incoming
    this._socket = socket
    quiet(socket)
    if (head.length > 0) socket.unshift(head)
    connection.start()
    this._state = OPEN
    this.emit("open")
  }

  /** The connection is over: emits `close`. */
  emitClose(): void {
    this._state = CLOSED
    this.emit("close", this._ending.close.code, this._ending.close.reason)
  }

  /**
   * Starts the closing handshake, RFC 6455 §7.1.2; while the connection is being opened, gives that up. `code` is 1000 to
   * 1014 without 1004 to 1006, or 3000 to 4999; `reason` at most 123 bytes.
   */
  close(code?: number, reason?: string | Buffer): void {
    if (this._state === CONNECTING) {
      this._abort()
    } else if (this._state === OPEN && this._connection?.isOpen === true) {
      const payload = closePayload(code, reason)
      const frame: CloseFrame = { code, reason: String(reason ?? "") }
      this._connection.close(frame, payload)
    }
  }

  /** Drops the connection at once. */
  terminate(): void {
    if (this._state === CONNECTING) {
      this._abort()
    } else if (this._state !== CLOSED) {
      // What was sent before goes out as far as the system takes it, and what was read before is told.
      this._connection?.outbound.flush()
      this._state = CLOSING
      this._socket?.destroy()
    }
  }

  /** Stops reading. What was read before is still delivered. */
  pause(): void {
    if (this._state !== CLOSED) this._connection?.inbound.pause()
  }

  /** Goes on reading. */
  resume(): void {
    if (this._state !== CLOSED) this._connection?.inbound.resume()
  }

  /** Sends a ping with at most 125 bytes. */
  ping(data?: unknown, mask?: boolean, callback?: (error: Error) => void): void
  ping(data: unknown, callback: (error: Error) => void): void
  ping(callback: (error: Error) => void): void
  ping(data?: unknown, mask?: unknown, callback?: unknown): void {
    this._control(Opcode.ping, data, mask, callback)
  }

  /** Sends a pong with at most 125 bytes. */
  pong(data?: unknown, mask?: boolean, callback?: (error: Error) => void): void
  pong(data: unknown, callback: (error: Error) => void): void
  pong(callback: (error: Error) => void): void
  pong(data?: unknown, mask?: unknown, callback?: unknown): void {
    this._control(Opcode.pong, data, mask, callback)
  }

  /** Sends a message, or a part of one. The callback hears when it was written, or why it wasn't. */
  send(data: Types.BufferLike, callback?: (error?: Error) => void): void
  send(data: Types.BufferLike, options: Types.SendOptions | undefined, callback?: (error?: Error) => void): void
  send(data: unknown, options?: unknown, callback?: unknown): void {
    const connection = this._connection
    if (connection === undefined && this._state === CONNECTING) throw notOpen(CONNECTING)
    let written = callback
    let given: Types.SendOptions | undefined
    if (typeof options === "function") written = options
    else if (typeof options === "object" && options !== null) given = options
    const message = typeof data === "number" ? data.toString() : data
    if (connection === undefined || this._state !== OPEN || !connection.isOpen) {
      this._tooLate(message, written)
      return
    }
    let binary = typeof message !== "string"
    let compress = true
    if (given !== undefined) {
      // As when they were spread over the defaults: an undefined value counts as one.
      if ("binary" in given) binary = Boolean(given.binary)
      if ("compress" in given) compress = Boolean(given.compress)
      if (("fin" in given && !given.fin) || ("mask" in given && Boolean(given.mask) === this._isServer)) {
        this._sendPart(connection, message, given, binary, compress, written)
        return
      }
    }
    if (this._rare?.sender?._firstFragment === false || isBlob(message)) {
      this._sendPart(connection, message, given ?? {}, binary, compress, written)
      return
    }
    const whenWritten = asWritten(written)
    if (typeof message === "string" && !binary) {
      connection.outbound.message(message, compress, whenWritten)
      return
    }
    const payload =
      typeof message === "string"
        ? Buffer.from(message)
        : message instanceof Uint8Array
          ? message
          : toBytes(message || nothing)
    connection.outbound.message(payload, compress, whenWritten, binary ? Opcode.binary : Opcode.text)
    // It is written by reference: the caller may change it as soon as it is taken.
    if (payload.length >= referenceSize) connection.outbound.flush()
  }

  /** Adds a listener of a browser's kind, which gets an event. */
  addEventListener<K extends keyof WebSocket.WebSocketEventMap>(
    type: K,
    listener: EventTarget.Handler<WebSocket.WebSocketEventMap[K]>,
    options: WebSocket.EventListenerOptions = {}
  ): void {
    EventTarget.addEventListener(this, type, listener, events[type], options.once === true)
  }

  /** Removes a listener of a browser's kind. */
  removeEventListener<K extends keyof WebSocket.WebSocketEventMap>(
    type: K,
    listener: EventTarget.Handler<WebSocket.WebSocketEventMap[K]>
  ): void {
    EventTarget.removeEventListener(this, type, listener)
  }

  // What the opening handshake and the connection tell.

  /** The opening handshake failed. */
  _openingFailed(error: Error): void {
    this._state = CLOSING
    this._ending = { ...this._ending, error: "emitted" }
    this.emit("error", error)
    this.emitClose()
  }

  /** The opening handshake is being given up. */
  _leaving(): void {
    this._state = CLOSING
  }

  _answerPing(data: Buffer): void {
    const { autoPong, maxPendingAutoPongs } = this._options
    if (autoPong === false || autoPong === undefined || this.readyState !== OPEN) return
    const most = limitOf(maxPendingAutoPongs)
    const rare = this._getRare()
    if (rare.pongs >= most) {
      this.terminate()
      return
    }
    rare.pongs++
    // Programs override it.
    this.pong(data, !this._isServer, rare.pongWritten)
  }

  _concluded(code: number, reason: Buffer): void {
    this._ending = { ...this._ending, close: { code, reason } }
    // Programs override it.
    if (code === 1005) this.close()
    else this.close(code, reason)
  }

  /** The peer broke the protocol: an `error` event will follow, before `close`. */
  _violated(): void {
    if (this._ending.error === "none") this._ending = { ...this._ending, error: "due" }
  }

  _fail(error: Error): void {
    if (this._ending.error === "emitted") return
    this._ending = { ...this._ending, error: "emitted" }
    this.emit("error", error)
  }

  _socketClosed(): void {
    this._state = CLOSING
    if (this._ending.error === "due") process.nextTick(emitClose, this)
    else this.emitClose()
  }

  private get _connection(): Connection | undefined {
    const { _link: link } = this
    return link instanceof WebSocketIncoming ? link.connection : undefined
  }

  private get _currentBinaryType(): BinaryType {
    const { _link: link } = this
    return link instanceof WebSocketIncoming ? link.binaryType : (this._rare?.binaryType ?? "nodebuffer")
  }

  private _getRare(): Rare {
    return (this._rare ??= new Rare())
  }

  private _abort(): void {
    if (this._link instanceof Opening) this._link.abort("WebSocket was closed before the connection was established")
  }

  private _control(opcode: number, given: unknown, second: unknown, third: unknown): void {
    const connection = this._connection
    if (connection === undefined && this._state === CONNECTING) throw notOpen(CONNECTING)
    const [value, mask, callback] = controlArguments(given, second, third)
    const data = typeof value === "number" ? value.toString() : value
    if (connection === undefined || this._state !== OPEN || !connection.isOpen) {
      this._tooLate(data, callback)
      return
    }
    const masked = mask === undefined ? !this._isServer : Boolean(mask)
    if (isBlob(data) || masked === this._isServer) {
      const sender = this._getRare().senderOf(this, connection)
      Reflect.apply(opcode === Opcode.ping ? sender.ping : sender.pong, sender, [data || nothing, masked, callback])
      return
    }
    const payload = typeof data === "string" ? Buffer.from(data) : toBytes(data || nothing)
    if (payload.length > maxControlSize) throw new RangeError("The data size must not be greater than 125 bytes")
    connection.outbound.frame(opcode, true, payload, { written: asWritten(callback) })
  }

  private _sendPart(
    connection: Connection,
    message: unknown,
    options: Types.SendOptions,
    binary: boolean,
    compress: boolean,
    written: unknown
  ): void {
    const fin = "fin" in options ? Boolean(options.fin) : true
    const mask = "mask" in options ? Boolean(options.mask) : !this._isServer
    const sender = this._getRare().senderOf(this, connection)
    sender.send(message || nothing, { binary, compress, fin, mask }, asWritten(written))
  }

  /** Something was to be sent after the connection began to close. */
  private _tooLate(data: unknown, callback: unknown): void {
    if (data) this._getRare().unsent += sizeOf(data)
    // What was sent before is heard of before.
    this._connection?.outbound.flush()
    if (typeof callback === "function") process.nextTick(callback as Written, notOpen(this.readyState))
  }
}

const asWritten = (callback: unknown): Written | undefined =>
  typeof callback === "function" ? (callback as Written) : undefined

/** The data, the mask and the callback among the arguments of `ping` and `pong`, each of which may be left out. */
const controlArguments = (data: unknown, mask: unknown, callback: unknown): readonly [unknown, unknown, unknown] =>
  typeof data === "function"
    ? [undefined, undefined, data]
    : typeof mask === "function"
      ? [data, undefined, mask]
      : [data, mask, callback]

const notOpen = (state: ReadyState): Error =>
  new Error(`WebSocket is not open: readyState ${state} (${stateNames[state]})`)

/** Node's own delays and timeouts off: the engine has its own. */
const quiet = (socket: Duplex): void => {
  if ("setTimeout" in socket && typeof socket.setTimeout === "function") socket.setTimeout(0)
  if ("setNoDelay" in socket && typeof socket.setNoDelay === "function") socket.setNoDelay()
}

/** What `for … in` lists of a connection, in the order of `ws`. */
const enumerable = [
  "binaryType bufferedAmount extensions isPaused onclose onerror onopen onmessage protocol readyState url",
  `${stateNames.join(" ")} addEventListener removeEventListener`
].flatMap((names) => names.split(" "))

const attributeOf = (type: string, make: EventTarget.MakeEvent<WebSocket>): PropertyDescriptor => ({
  configurable: true,
  get(this: WebSocket) {
    return EventTarget.getAttribute(this, type)
  },
  set(this: WebSocket, handler: unknown) {
    EventTarget.setAttribute(this, type, handler, make)
  }
})

for (const [value, name] of stateNames.entries()) Object.defineProperty(WebSocket, name, { enumerable: true, value })

for (const name of enumerable) {
  const make = name.startsWith("on") ? events[name.slice(2)] : undefined
  const state = stateNames.findIndex((other) => other === name)
  const descriptor =
    make !== undefined
      ? attributeOf(name.slice(2), make)
      : state >= 0
        ? { value: state }
        : Object.getOwnPropertyDescriptor(WebSocket.prototype, name)
  // Deleted first, so that it stands after the one before.
  Reflect.deleteProperty(WebSocket.prototype, name)
  Object.defineProperty(WebSocket.prototype, name, { ...descriptor, enumerable: true })
}

/** The events of a socket, with their arguments. */
interface Events {
  open: []
  message: [data: Types.RawData, isBinary: boolean]
  ping: [data: Buffer]
  pong: [data: Buffer]
  close: [code: number, reason: Buffer]
  error: [error: Error]
  upgrade: [response: IncomingMessage]
  redirect: [url: string, request: ClientRequest]
  "unexpected-response": [request: ClientRequest, response: IncomingMessage]
}

type Listener<K extends keyof Events> = (this: WebSocket, ...args: Events[K]) => void

/** Of other events than those above nothing is known. */
// oxlint-disable-next-line typescript/no-explicit-any
type AnyListener = (this: WebSocket, ...args: Array<any>) => void

/** Listeners are added and removed as on every `EventEmitter`. Merged with the class for the sake of the types of `this`. */
export interface WebSocket {
  /** The listener for the connection being open. */
  get onopen(): ((event: unknown) => void) | null
  set onopen(listener: ((event: WebSocket.Event) => void) | null)
  /** The listener for messages. */
  get onmessage(): ((event: unknown) => void) | null
  set onmessage(listener: ((event: WebSocket.MessageEvent) => void) | null)
  /** The listener for the end of the connection. */
  get onclose(): ((event: unknown) => void) | null
  set onclose(listener: ((event: WebSocket.CloseEvent) => void) | null)
  /** The listener for failures. */
  get onerror(): ((event: unknown) => void) | null
  set onerror(listener: ((event: WebSocket.ErrorEvent) => void) | null)
  on<K extends keyof Events>(event: K, listener: Listener<K>): this
  on(event: string | symbol, listener: AnyListener): this
  once<K extends keyof Events>(event: K, listener: Listener<K>): this
  once(event: string | symbol, listener: AnyListener): this
  off<K extends keyof Events>(event: K, listener: Listener<K>): this
  off(event: string | symbol, listener: AnyListener): this
  addListener<K extends keyof Events>(event: K, listener: Listener<K>): this
  addListener(event: string | symbol, listener: AnyListener): this
  removeListener<K extends keyof Events>(event: K, listener: Listener<K>): this
  removeListener(event: string | symbol, listener: AnyListener): this
  prependListener<K extends keyof Events>(event: K, listener: Listener<K>): this
  prependListener(event: string | symbol, listener: AnyListener): this
  prependOnceListener<K extends keyof Events>(event: K, listener: Listener<K>): this
  prependOnceListener(event: string | symbol, listener: AnyListener): this
}

type Instance = WebSocket

/** The types that programs name as members of the class. */
export declare namespace WebSocket {
  export type AddressInfo = Types.AddressInfo
  export type BufferLike = Types.BufferLike
  export type CertMeta = Types.CertMeta
  export type ClientOptions = Types.ClientOptions
  export type Data = Types.Data
  export type FinishRequestCallback = Types.FinishRequestCallback
  export type PerMessageDeflateOptions = DeflateOptions
  export type RawData = Types.RawData
  export type SendOptions = Types.SendOptions
  export type ServerOptions<
    U extends Types.WebSocketClass = typeof WebSocket,
    V extends typeof IncomingMessage = typeof IncomingMessage
  > = Types.ServerOptions<U, V>
  export type VerifyClientCallbackAsync<Request extends IncomingMessage = IncomingMessage> =
    Types.VerifyClientCallbackAsync<Request>
  export type VerifyClientCallbackSync<Request extends IncomingMessage = IncomingMessage> =
    Types.VerifyClientCallbackSync<Request>

  export type Event = Types.Event
  export type MessageEvent = Types.MessageEvent
  export type CloseEvent = Types.CloseEvent
  export type ErrorEvent = Types.ErrorEvent
  export type WebSocketEventMap = Types.WebSocketEventMap
  export type EventListenerOptions = Types.EventListenerOptions
  /** The class of a server. */
  export type Server<
    T extends Types.WebSocketClass = typeof WebSocket,
    U extends typeof IncomingMessage = typeof IncomingMessage
  > = ServerClass<T, U>
  /** An interface, which a program may augment by `declare module`. */
  export interface WebSocket extends Instance {}
  export type WebSocketServer<
    T extends Types.WebSocketClass = typeof WebSocket,
    U extends typeof IncomingMessage = typeof IncomingMessage
  > = ServerClass<T, U>
}
