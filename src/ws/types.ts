import type { Blob } from "node:buffer"
import type { EventEmitter } from "node:events"
import type * as http from "node:http"
import type * as https from "node:https"
import type * as net from "node:net"
import type { DetailedPeerCertificate } from "node:tls"
import type { PerMessageDeflateOptions } from "./PerMessageDeflate.ts"
import type { GenerateMask } from "./Sender.ts"
import type { WebSocket } from "./WebSocket.ts"

/**
 * A message as a `message` listener gets it: what `binaryType` says for bytes, a `Buffer` for text.
 *
 * @category models
 * @since 0.1.0
 */
export type RawData = Buffer | ArrayBuffer | Array<Buffer>

/**
 * A message as a `MessageEvent` carries it: as `RawData`, but text is a string.
 *
 * @category models
 * @since 0.1.0
 */
export type Data = string | RawData

/**
 * What can be sent: text as a string; bytes; anything else that `Buffer.from` takes. A number is sent as its digits.
 *
 * @category models
 * @since 0.1.0
 */
export type BufferLike =
  | string
  | number
  | Buffer
  | ArrayBufferView
  | ArrayBuffer
  | SharedArrayBuffer
  | Blob
  | globalThis.Blob
  | ReadonlyArray<unknown>
  | { valueOf(): ArrayBuffer }
  | { valueOf(): SharedArrayBuffer }
  | { valueOf(): Uint8Array }
  | { valueOf(): ReadonlyArray<number> }
  | { valueOf(): string }
  | { [Symbol.toPrimitive](hint: string): string }

/**
 * How a message is sent.
 *
 * @category options
 * @since 0.1.0
 */
export interface SendOptions {
  /** Whether it is a binary message. Default: for everything but strings. */
  readonly binary?: boolean | undefined
  /** Whether it is compressed, where permessage-deflate was negotiated. Default `true`. */
  readonly compress?: boolean | undefined
  /** Whether it is the last part of its message. Default `true`. */
  readonly fin?: boolean | undefined
  /** Whether it is masked. Default: by clients, as the standard wants it. */
  readonly mask?: boolean | undefined
}

/**
 * What servers and clients have in common.
 *
 * @category options
 * @since 0.1.0
 */
export interface CommonOptions {
  /** Whether several `message`, `ping` and `pong` events may be emitted in one tick. Default `true`. */
  allowSynchronousEvents?: boolean | undefined
  /** Whether pings are answered. Default `true`. */
  autoPong?: boolean | undefined
  /** Milliseconds that the closing handshake may take before the socket is destroyed. Default 30 000. */
  closeTimeout?: number | undefined
  /** Most chunks in which the payload of one frame may arrive; 0 for no limit. Default 262 144. */
  maxBufferedChunks?: number | undefined
  /** Most frames of one message; 0 for no limit. Default 16 384. */
  maxFragments?: number | undefined
  /** Longest message in bytes, inflated; 0 for no limit. Default 104 857 600 (100 MiB). */
  maxPayload?: number | undefined
  /** Most answers to pings that may wait to be written before the socket is terminated; 0 for no limit. Default 60. */
  maxPendingAutoPongs?: number | undefined
  /** Whether text and close reasons may be anything but UTF-8. Default `false`. */
  skipUTF8Validation?: boolean | undefined
}

/**
 * What `@types/ws` says that a certificate is.
 *
 * @category models
 * @since 0.1.0
 */
export type CertMeta = string | Array<string> | Buffer | Array<Buffer>

/**
 * Changes a request before it is sent; it has to call `request.end()`.
 *
 * @category models
 * @since 0.1.0
 */
export type FinishRequestCallback = (request: http.ClientRequest, websocket: WebSocket) => void

/**
 * How a client connects. Besides its own, every option of `http.request` and `https.request` but those that follow from
 * the URL.
 *
 * @category options
 * @since 0.1.0
 */
export interface ClientOptions
  extends CommonOptions, Omit<https.RequestOptions, "checkServerIdentity" | "createConnection"> {
  /** As in `tls.connect`: what it returns refuses. `@types/ws` wants a boolean, of which `true` refuses. */
  checkServerIdentity?:
    | ((servername: string, certificate: DetailedPeerCertificate & CertMeta) => Error | boolean | undefined)
    | undefined
  /** Called with the request instead of ending it; the function ends it itself. */
  finishRequest?: FinishRequestCallback | undefined
  /** Whether redirects are followed. Default `false`. */
  followRedirects?: boolean | undefined
  /** Default: masking keys from the system's secure source. */
  generateMask?: GenerateMask | undefined
  /** Milliseconds that the opening handshake may take; each redirect starts anew. Default: no limit. */
  handshakeTimeout?: number | undefined
  /** Default 10. */
  maxRedirects?: number | undefined
  /** The value of the `Origin` header, or of `Sec-WebSocket-Origin` below version 13. */
  origin?: string | undefined
  /** permessage-deflate: whether it is offered, and how. Default `true`. */
  perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined
  /** Subprotocols, when the argument before the options is left out. */
  protocols?: string | Array<string> | undefined
  /** 8 or 13, the default. */
  protocolVersion?: number | undefined
  /** Creates the transport, as `http.request` uses it. Default: by `node:net` or `node:tls`. */
  createConnection?: typeof net.createConnection | https.RequestOptions["createConnection"] | undefined
}

/**
 * What is known of a client when it is verified.
 *
 * @category models
 * @since 0.1.0
 */
export interface VerifyInfo<Request extends http.IncomingMessage = http.IncomingMessage> {
  /** The value of the origin header. */
  readonly origin: string
  /** Whether the connection is TLS. */
  readonly secure: boolean
  /** The request. */
  readonly req: Request
}

/**
 * Decides at once whether a client may connect.
 *
 * @category models
 * @since 0.1.0
 */
export type VerifyClientCallbackSync<Request extends http.IncomingMessage = http.IncomingMessage> = (
  info: VerifyInfo<Request>
) => boolean

/**
 * Decides later; a refusal has a status (401 when left out), a body, and header fields.
 *
 * @category models
 * @since 0.1.0
 */
export type VerifyClientCallbackAsync<Request extends http.IncomingMessage = http.IncomingMessage> = (
  info: VerifyInfo<Request>,
  callback: (result: boolean, code?: number, message?: string, headers?: http.OutgoingHttpHeaders) => void
) => void

/**
 * What a `WebSocket` of this library and one of `ws` have in common, as far as servers and streams are concerned.
 *
 * @category models
 * @since 0.1.0
 */
export interface WebSocketLike
  extends
    EventEmitter,
    Pick<
      WebSocket,
      | "addEventListener"
      | "binaryType"
      | "bufferedAmount"
      | "close"
      | "CLOSED"
      | "CLOSING"
      | "CONNECTING"
      | "extensions"
      | "isPaused"
      | "OPEN"
      | "pause"
      | "protocol"
      | "readyState"
      | "removeEventListener"
      | "resume"
      | "send"
      | "terminate"
      | "url"
    > {
  /** Sends a ping. */
  ping(data?: unknown, mask?: boolean, callback?: (error: Error) => void): void
  /** Sends a pong. */
  pong(data?: unknown, mask?: boolean, callback?: (error: Error) => void): void
}

/**
 * A class of which a server can make its sockets: `WebSocket`, or one that extends it; those of `ws` serve, too.
 *
 * @category models
 * @since 0.1.0
 */
export type WebSocketClass = new (address: null, protocols?: undefined, options?: CommonOptions) => WebSocketLike

/**
 * How a server accepts. Exactly one of `port`, `server` and `noServer` has to be given.
 *
 * @category options
 * @since 0.1.0
 */
export interface ServerOptions<
  U extends WebSocketClass = typeof WebSocket,
  V extends typeof http.IncomingMessage = typeof http.IncomingMessage
> extends CommonOptions {
  /** Most connections that wait to be accepted by the process. Default: the system's. */
  backlog?: number | undefined
  /** Whether `clients` is kept. Default `true`. */
  clientTracking?: boolean | undefined
  /** Chooses a subprotocol among those offered, or `false` for none. Default: the first. */
  handleProtocols?: ((protocols: Set<string>, request: InstanceType<V>) => string | false) | undefined
  /** The address to listen on. Default: all. */
  host?: string | undefined
  /** Whether requests come by `handleUpgrade` alone. Default `false`. */
  noServer?: boolean | undefined
  /** The only path that is served. Default: any. */
  path?: string | undefined
  /** permessage-deflate: whether it is accepted, and how. Default `false`. */
  perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined
  /** The port to listen on, on an HTTP server of its own; 0 picks a free one. */
  port?: number | undefined
  /** A server whose upgrade requests are served. */
  server?: http.Server<V> | https.Server<V> | undefined
  /** Decides whether a client may connect. Default: every client may. */
  verifyClient?: VerifyClientCallbackAsync<InstanceType<V>> | VerifyClientCallbackSync<InstanceType<V>> | undefined
  /** The class of the server's sockets. Default `WebSocket`. */
  WebSocket?: U | undefined
}

/**
 * What a server knows of its compression: as `PerMessageDeflateOptions`, but what `@types/ws` has as numbers are numbers.
 *
 * @category options
 * @since 0.1.0
 */
export interface ResolvedDeflateOptions extends PerMessageDeflateOptions {
  /** The largest window of the server's compressor, or whether the client may choose it. */
  serverMaxWindowBits?: number | undefined
  /** The largest window of the client's compressor, or whether the client may choose it. */
  clientMaxWindowBits?: number | undefined
}

/**
 * The options of a server, defaults filled in. They go wherever the options of a server of `@types/ws` are expected.
 *
 * @category options
 * @since 0.1.0
 */
export interface ResolvedServerOptions<
  U extends WebSocketClass = typeof WebSocket,
  V extends typeof http.IncomingMessage = typeof http.IncomingMessage
> extends ServerOptions<U, V> {
  /** The function that selects the subprotocol. */
  handleProtocols?: (protocols: Set<string>, request: InstanceType<V>) => string | false
  /** Whether the server has no HTTP server. */
  noServer: boolean
  /** The options of permessage-deflate, or whether it is on. */
  perMessageDeflate: boolean | ResolvedDeflateOptions
}

/**
 * Where a server listens.
 *
 * @category models
 * @since 0.1.0
 */
export type AddressInfo = net.AddressInfo

/**
 * What a listener of `open` gets that was added as in a browser.
 *
 * @category events
 * @since 0.1.0
 */
export interface Event {
  /** The name of the event. */
  readonly type: string
  /** The socket. */
  readonly target: WebSocket
}

/**
 * What such a listener of `message` gets.
 *
 * @category events
 * @since 0.1.0
 */
export interface MessageEvent extends Event {
  /** The message, as `binaryType` has it. */
  readonly data: Data
}

/**
 * What such a listener of `close` gets.
 *
 * @category events
 * @since 0.1.0
 */
export interface CloseEvent extends Event {
  /** The peer's close code; 1005 when its close frame had none, 1006 when none came. */
  readonly code: number
  /** The reason of the peer's close frame. */
  readonly reason: string
  /** Whether both close frames travelled. */
  readonly wasClean: boolean
}

/**
 * What such a listener of `error` gets.
 *
 * @category events
 * @since 0.1.0
 */
export interface ErrorEvent extends Event {
  /** The error. */
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly error: any
  /** The message of the error. */
  readonly message: string
}

/**
 * The event objects by type.
 *
 * @category events
 * @since 0.1.0
 */
export interface WebSocketEventMap {
  /** The connection is open. */
  open: Event
  /** A message arrived. */
  message: MessageEvent
  /** The connection is closed. */
  close: CloseEvent
  /** The connection failed. */
  error: ErrorEvent
}

/**
 * How `addEventListener` adds a listener.
 *
 * @category options
 * @since 0.1.0
 */
export interface EventListenerOptions {
  /** Whether the listener is called for one event only. */
  readonly once?: boolean | undefined
}
