import { setImmediate } from "node:timers"
import type { ClientRequest, IncomingMessage } from "node:http"
import type { Socket } from "node:net"
import { type Duplex, Readable } from "node:stream"
import type { OpeningDraft as Draft } from "../../internal/protocol/opening/model.ts"
import { encodeClose } from "../../internal/protocol/closeFrame.ts"
import { Opcode } from "../../internal/protocol/opcode.ts"
import { closeFault } from "./closing.ts"
import { draftOf, versionOf } from "./drafts.ts"
import { emitterOf } from "./emitter.ts"
import {
  addEventListener,
  type CloseEvent,
  getListener,
  type MessageEvent,
  type OpenEvent,
  setListener
} from "./events.ts"
import { defaultMaxPayload, Link } from "./link.ts"
import { Opening } from "./opening.ts"
import { bytesOf } from "./payload.ts"
import { notOpened, pipeMessage, refusePiece, sendControl, sendMessage, streamMessage } from "./sending.ts"
import type {
  AcceptedOptions,
  ClientOptions,
  ControlFlags,
  Data,
  Flags,
  Loose,
  ProtocolVersion,
  ReadyState,
  SendOptions,
  SendPiece,
  Sent
} from "./types.ts"

/** What is emitted, and with which arguments. */
export interface WebSocketEvents {
  open: []
  /** Text as a string, bytes as a buffer. */
  message: [data: string | Buffer, flags: Flags]
  /** `null` for a ping without a payload. */
  ping: [data: Buffer | null, flags: ControlFlags]
  pong: [data: Buffer | null, flags: ControlFlags]
  /** The code of the side that closed first; 1000 when there was none. The last event. */
  close: [code: number, message: string | Uint8Array]
  /** An error, or in a few words how the peer broke the protocol; then with the close code that answered it. */
  error: [error: Error | string, closeCode?: number]
  /** The server's answer is not 101. Without a listener it is an `error`. */
  "unexpected-response": [request: ClientRequest, response: IncomingMessage]
}

/** What a server's side is made of: the request, its transport, and what came behind the head. */
export type Upgraded = readonly [request: IncomingMessage, socket: Duplex, head?: Buffer | null | undefined]

const states = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const

const fresh = { readyState: null } as const
const closed = { readyState: states.CLOSED } as const

type Phase = typeof fresh | Opening | Link | typeof closed

/** How far a connection is. */
export const phase = Symbol("effect-ws/phase")

/** The list of a server that the connection stands in while it is open. */
export const tracked = Symbol("effect-ws/tracked")

const speaksBinary = Object.freeze({ binary: true })
const speaksText = Object.freeze({ binary: false })

/**
 * A connection, with the API of `ws` 0.4: `new WebSocket(url, options?)` opens one, and a `Server` emits those of its
 * clients. Emits `open`, `message`, `ping`, `pong`, `close`, `error` and `unexpected-response`.
 */
export class WebSocket extends emitterOf<WebSocketEvents>() {
  static readonly CONNECTING = 0
  static readonly OPEN = 1
  static readonly CLOSING = 2
  static readonly CLOSED = 3
  declare readonly CONNECTING: 0
  declare readonly OPEN: 1
  declare readonly CLOSING: 2
  declare readonly CLOSED: 3

  /** Bytes that came over the transport since the handshake. */
  declare bytesReceived: number
  /** What the protocol's version can say: `binary` is `false` for Hixie-76. */
  declare supports: { readonly binary: boolean }
  /** The version that is spoken. */
  declare protocolVersion: ProtocolVersion
  /** The subprotocol, when there is one. */
  declare protocol: string | null | undefined
  /** Client: the URL, as it was given. */
  declare url: string | undefined
  /** Server: the request that opened the connection. */
  declare upgradeReq: IncomingMessage | undefined
  /** The transport, while there is one. */
  declare _socket: Duplex | null
  declare [phase]: Phase
  declare [tracked]: Array<WebSocket> | undefined

  /**
   * Opens a connection. `protocols` is taken and not sent, as in `ws` 0.4: the option `protocol` is. Throws for a URL that
   * is none, a version that isn't spoken, and what no header may hold; whatever happens later is an `error`.
   */
  constructor(address: string | URL, options?: ClientOptions | null)
  constructor(
    address: string | URL,
    protocols: string | ReadonlyArray<string> | null | undefined,
    options?: ClientOptions | null
  )
  /** The server's side of a connection whose handshake is done. */
  constructor(address: Upgraded, options?: AcceptedOptions | null)
  constructor(
    address: string | URL | Upgraded,
    protocols?: string | ReadonlyArray<string> | ClientOptions | AcceptedOptions | null,
    options?: ClientOptions | AcceptedOptions | null
  )
  constructor(
    address: string | URL | Upgraded,
    protocols?: string | ReadonlyArray<string> | ClientOptions | AcceptedOptions | null,
    options?: ClientOptions | AcceptedOptions | null
  ) {
    super()
    initialise(this, address, protocols, options)
  }

  /** `CONNECTING`, `OPEN`, `CLOSING` or `CLOSED`. */
  get readyState(): ReadyState | null {
    return this[phase].readyState
  }

  /** Bytes that wait for the transport. */
  get bufferedAmount(): number {
    const { [phase]: link } = this
    return link instanceof Link && link.readyState !== states.CLOSED ? link.connection.outbound.stuck : 0
  }

  /**
   * Sends one message. `cb` hears that it was written, or why it wasn't. Without `cb`, what is known at once is thrown:
   * `not opened`, and what Hixie-76 has no way to say. A message sent while another is on its way in pieces waits for it.
   */
  send(data: Data, cb?: Sent): void
  send(data: Data, options: SendOptions | null | undefined, cb?: Sent): void
  send(data: Data, options?: SendOptions | Sent | null, cb?: Sent): void {
    const sent = typeof options === "function" ? options : cb
    const how = typeof options === "function" ? {} : (options ?? {})
    const link = openLink(this)
    if (link === undefined) return fail(notOpened(), sent)
    if (data instanceof Readable) {
      pipeMessage(link, data, how, (error) => {
        if (sent !== undefined) sent(error)
        else if (error) report(this, error, undefined)
      })
      return
    }
    let later = false
    sendMessage(link, data, how, sent, (error) => {
      if (later) report(this, error, sent)
      else fail(error, sent)
    })
    later = true
  }

  /**
   * Sends one message in pieces: `cb` is called with a function that takes the next piece, on a later tick for each, until
   * a piece is the last. On failure `cb` gets the error.
   */
  stream(cb: (error: Error | null, send: SendPiece) => void): void
  stream(options: SendOptions | null | undefined, cb: (error: Error | null, send: SendPiece) => void): void
  stream(
    options: SendOptions | ((error: Error | null, send: SendPiece) => void) | null | undefined,
    cb?: (error: Error | null, send: SendPiece) => void
  ): void {
    const next = typeof options === "function" ? options : cb
    const how = typeof options === "function" ? {} : (options ?? {})
    if (typeof next !== "function") throw new Error("callback must be provided")
    const link = openLink(this)
    if (link === undefined) return next(notOpened(), refusePiece)
    streamMessage(link, how, next)
  }

  /** Sends a ping of at most 125 bytes. Throws `not opened`, unless the third argument is `true`. */
  ping(data?: Data, options?: SendOptions | null, dontFailWhenClosed?: boolean): void {
    control(this, Opcode.ping, data, options, dontFailWhenClosed)
  }

  /** Sends a pong of at most 125 bytes; pings are answered without it. Throws as `ping` does. */
  pong(data?: Data, options?: SendOptions | null, dontFailWhenClosed?: boolean): void {
    control(this, Opcode.pong, data, options, dontFailWhenClosed)
  }

  /** Stops reading; what was read already is still told. Throws `not opened`. */
  pause(): Duplex | null {
    const link = openLink(this)
    if (link === undefined) throw notOpened()
    link.connection.inbound.pause()
    return this._socket
  }

  /** Reads on. Throws `not opened`. */
  resume(): Duplex | null {
    const link = openLink(this)
    if (link === undefined) throw notOpened()
    link.connection.inbound.resume()
    return this._socket
  }

  /**
   * Starts the closing handshake with a code, 1000 by default, and a reason of at most 123 bytes; the peer has 30 seconds
   * for its part. A code or reason that can't be sent is an `error`, and the connection ends without them. While it is
   * still opening, it is given up.
   */
  close(code?: number, data?: string | Uint8Array): void {
    const { [phase]: link } = this
    if (link instanceof Opening) {
      this[phase] = closed
      if (link.abort()) setImmediate(emitAborted, this)
      return
    }
    if (!(link instanceof Link) || link.readyState !== states.OPEN) return
    const { connection } = link
    const { closeCode } = link.draft.capabilities
    const reason = Buffer.from(bytesOf(data)).toString("utf8")
    const fault = closeCode ? closeFault(code, reason) : undefined
    link.closesWith(typeof code === "number" ? code : undefined, data ?? "")
    if (fault === undefined) {
      const frame = { code: code ?? 1000, reason }
      connection.close(frame, encodeClose(frame))
    } else {
      connection.end()
    }
    // What nobody reads must not keep the peer's answer from arriving.
    connection.inbound.resume()
    if (fault !== undefined) this.emit("error", fault)
  }

  /** Ends the connection without a closing handshake; a peer that doesn't end its side is dropped after 30 seconds. */
  terminate(): void {
    const { [phase]: link } = this
    if (link instanceof Opening) {
      this[phase] = closed
      const aborted = link.abort()
      this.removeAllListeners()
      // Listeners that are added from now on still get `close`.
      if (aborted) setImmediate(emitAborted, this)
    } else if (link instanceof Link) {
      link.connection.end()
      link.connection.inbound.resume()
    }
  }

  /**
   * Adds a listener that gets one event object, as the W3C's interface has it, for `open`, `message`, `close` and `error`;
   * for other types as `on` does.
   */
  addEventListener<E extends keyof EventObjects>(type: E, listener: Loose<[event: EventObjects[E]]>): void
  addEventListener(type: string, listener: Loose<Array<unknown>>): void
  addEventListener(type: string, listener: unknown): void {
    addEventListener(this, type, listener)
  }

  /** The first listener of `open`. Setting it takes the place of all of them. */
  get onopen(): Function | undefined {
    return getListener(this, "open")
  }
  set onopen(listener: Loose<[event: OpenEvent<WebSocket>]> | null | undefined) {
    setListener(this, "open", listener)
  }

  /** The first listener of `message`. Setting it takes the place of all of them. */
  get onmessage(): Function | undefined {
    return getListener(this, "message")
  }
  set onmessage(listener: Loose<[event: MessageEvent<WebSocket>]> | null | undefined) {
    setListener(this, "message", listener)
  }

  /** The first listener of `close`. Setting it takes the place of all of them. */
  get onclose(): Function | undefined {
    return getListener(this, "close")
  }
  set onclose(listener: Loose<[event: CloseEvent<WebSocket>]> | null | undefined) {
    setListener(this, "close", listener)
  }

  /** The first listener of `error`. Setting it takes the place of all of them. */
  get onerror(): Function | undefined {
    return getListener(this, "error")
  }
  set onerror(listener: Loose<[error: Error | string]> | null | undefined) {
    setListener(this, "error", listener)
  }

  override on<E extends keyof WebSocketEvents>(event: E, listener: Loose<WebSocketEvents[E]>): this
  override on(event: string | symbol, listener: Loose<Array<unknown>>): this
  override on(event: string | symbol, listener: (...args: Array<unknown>) => void): this {
    super.on(event, listener)
    return noticed(this, event)
  }

  override addListener<E extends keyof WebSocketEvents>(event: E, listener: Loose<WebSocketEvents[E]>): this
  override addListener(event: string | symbol, listener: Loose<Array<unknown>>): this
  override addListener(event: string | symbol, listener: (...args: Array<unknown>) => void): this {
    super.addListener(event, listener)
    return noticed(this, event)
  }

  override prependListener<E extends keyof WebSocketEvents>(event: E, listener: Loose<WebSocketEvents[E]>): this
  override prependListener(event: string | symbol, listener: Loose<Array<unknown>>): this
  override prependListener(event: string | symbol, listener: (...args: Array<unknown>) => void): this {
    super.prependListener(event, listener)
    return noticed(this, event)
  }

  /** @internal */
  linkReceived(count: number): void {
    this.bytesReceived += count
  }

  /** @internal */
  linkClosed(code: number, message: string | Uint8Array): void {
    const { [tracked]: list } = this
    const at = list?.indexOf(this) ?? -1
    if (at >= 0) list?.splice(at, 1)
    try {
      this.emit("close", code, message)
    } finally {
      this[phase] = closed
      this._socket = null
      this.removeAllListeners()
    }
  }
}

Object.assign(WebSocket.prototype, states)

/** The event objects of the W3C's interface. */
interface EventObjects {
  open: OpenEvent<WebSocket>
  message: MessageEvent<WebSocket>
  close: CloseEvent<WebSocket>
  error: Error | string
}

const isOptions = <O>(value: string | ReadonlyArray<string> | O | null | undefined): value is O =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isUpgraded = (address: string | URL | Upgraded): address is Upgraded => Array.isArray(address)

/** All that the constructor does. */
export const initialise = (
  self: WebSocket,
  address: string | URL | Upgraded,
  protocols?: string | ReadonlyArray<string> | ClientOptions | AcceptedOptions | null,
  options?: ClientOptions | AcceptedOptions | null
): void => {
  const given = (isOptions(protocols) ? protocols : options) ?? {}
  self._socket = null
  self.bytesReceived = 0
  self[phase] = fresh
  self[tracked] = undefined
  if (isUpgraded(address)) accept(self, address, given)
  else connect(self, address, given)
}

const accept = (self: WebSocket, [request, socket, head]: Upgraded, options: AcceptedOptions): void => {
  const draft = draftOf(options.protocolVersion)
  self.upgradeReq = request
  self.protocol = "protocol" in options ? options.protocol : null
  establish(self, socket, head, "server", draft, options.maxPayload)
}

const connect = (self: WebSocket, address: string | URL, options: ClientOptions): void => {
  self.url = String(address)
  const opening = new Opening(
    {
      opened: (socket, head, { protocol }) => {
        self.protocol = protocol
        establish(self, socket, head, "client", opening.draft, options.maxPayload)
      },
      unexpected: (request, response) => {
        if (!self.emit("unexpected-response", request, response)) return false
        giveUp(self)
        return true
      },
      failed: (error) => {
        try {
          self.emit("error", error)
        } finally {
          giveUp(self)
        }
      }
    },
    self.url,
    options
  )
  speak(self, opening.draft)
  self[phase] = opening
}

/** The connection never opened: nothing more is told. */
const giveUp = (self: WebSocket): void => {
  self[phase] = closed
  self.removeAllListeners()
}

const establish = (
  self: WebSocket,
  socket: Duplex,
  head: Buffer | null | undefined,
  role: "client" | "server",
  draft: Draft,
  maxPayload: number | null | undefined
): void => {
  quiet(socket)
  const link = new Link(self, socket, { role, draft, maxPayload: maxPayload ?? defaultMaxPayload })
  speak(self, draft)
  self._socket = socket
  self[phase] = link
  // What came behind the handshake is read like the rest, once everybody had a chance to listen.
  if (head && head.length > 0) socket.unshift(head)
  link.connection.start()
  self.emit("open")
}

const speak = (self: WebSocket, draft: Draft): void => {
  self.protocolVersion = versionOf(draft)
  self.supports = draft.capabilities.binary ? speaksBinary : speaksText
}

/** Node's own timers and delays off: the engine has its own. */
const quiet = (socket: Duplex & Partial<Pick<Socket, "setNoDelay" | "setTimeout">>): void => {
  socket.setNoDelay?.(true)
  socket.setTimeout?.(0)
}

const openLink = ({ [phase]: link }: WebSocket): Link | undefined =>
  link instanceof Link && link.connection.isOpen ? link : undefined

/** Reports an error to the caller at once. */
const fail = (error: Error, sent: Sent | undefined): void => {
  if (typeof sent !== "function") throw error
  sent(error)
}

/** Reports an error when the call has returned; `error` is emitted only where there is a listener. */
const report = (self: WebSocket, error: Error, sent: Sent | undefined): void => {
  if (sent !== undefined) sent(error)
  else if (self.listenerCount("error") > 0) self.emit("error", error)
}

const control = (
  self: WebSocket,
  opcode: number,
  data: Data,
  options: SendOptions | null | undefined,
  dontFail: boolean | undefined
): void => {
  const link = openLink(self)
  const error = link === undefined ? notOpened() : sendControl(link, opcode, data, options ?? {})
  if (error !== undefined && dontFail !== true) throw error
}

const emitAborted = (self: WebSocket): void => {
  try {
    self.emit("close")
  } finally {
    self.removeAllListeners()
  }
}

const noticed = <W extends WebSocket>(self: W, event: string | symbol): W => {
  const { [phase]: link } = self
  if (event === "message" && link instanceof Link) link.listened()
  return self
}
