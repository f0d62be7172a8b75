import type { Blob } from "node:buffer"
import type * as http from "node:http"
import type * as https from "node:https"
import type * as net from "node:net"
import type { PerMessageDeflateOptions } from "./PerMessageDeflate.ts"
import type { GenerateMask } from "./Sender.ts"
import type { WebSocket } from "./WebSocket.ts"

/** A message as a `message` listener gets it: what `binaryType` says for bytes, a `Buffer` for text. */
export type RawData = Buffer | ArrayBuffer | Array<Buffer>

/** A message as a `MessageEvent` carries it: as `RawData`, but text is a string. */
export type Data = string | RawData

/** What can be sent: text as a string; bytes; anything else that `Buffer.from` takes. A number is sent as its digits. */
export type BufferLike =
  | string
  | number
  | Buffer
  | NodeJS.ArrayBufferView
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

/** How a message is sent. */
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

/** What servers and clients have in common. */
export interface CommonOptions {
  /** Whether several `message`, `ping` and `pong` events may be emitted in one tick. Default `true`. */
  readonly allowSynchronousEvents?: boolean | undefined
  /** Whether pings are answered. Default `true`. */
  readonly autoPong?: boolean | undefined
  /** Milliseconds that the closing handshake may take before the socket is destroyed. Default 30 000. */
  readonly closeTimeout?: number | undefined
  /** Most chunks in which the payload of one frame may arrive; 0 for no limit. Default 262 144. */
  readonly maxBufferedChunks?: number | undefined
  /** Most frames of one message; 0 for no limit. Default 16 384. */
  readonly maxFragments?: number | undefined
  /** Longest message in bytes, inflated; 0 for no limit. Default 104 857 600 (100 MiB). */
  readonly maxPayload?: number | undefined
  /** Most answers to pings that may wait to be written before the socket is terminated; 0 for no limit. Default 60. */
  readonly maxPendingAutoPongs?: number | undefined
  /** Whether text and close reasons may be anything but UTF-8. Default `false`. */
  readonly skipUTF8Validation?: boolean | undefined
}

/** Changes a request before it is sent; it has to call `request.end()`. */
export type FinishRequestCallback = (request: http.ClientRequest, websocket: WebSocket) => void

/**
 * How a client connects. Besides its own, every option of `http.request` and `https.request` but those that follow from
 * the URL.
 */
export interface ClientOptions extends CommonOptions, Omit<https.RequestOptions, "createConnection"> {
  readonly finishRequest?: FinishRequestCallback | undefined
  /** Whether redirects are followed. Default `false`. */
  readonly followRedirects?: boolean | undefined
  /** Default: masking keys from the system's secure source. */
  readonly generateMask?: GenerateMask | undefined
  /** Milliseconds that the opening handshake may take; each redirect starts anew. Default: no limit. */
  readonly handshakeTimeout?: number | undefined
  /** Default 10. */
  readonly maxRedirects?: number | undefined
  /** The value of the `Origin` header, or of `Sec-WebSocket-Origin` below version 13. */
  readonly origin?: string | undefined
  /** permessage-deflate: whether it is offered, and how. Default `true`. */
  readonly perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined
  /** Subprotocols, when the argument before the options is left out. */
  readonly protocols?: string | Array<string> | undefined
  /** 8 or 13, the default. */
  readonly protocolVersion?: number | undefined
  readonly createConnection?: typeof net.createConnection | https.RequestOptions["createConnection"] | undefined
}

/** What is known of a client when it is verified. */
export interface VerifyInfo<Request extends http.IncomingMessage = http.IncomingMessage> {
  /** The value of the origin header. */
  readonly origin: string
  /** Whether the connection is TLS. */
  readonly secure: boolean
  readonly req: Request
}

/** Decides at once whether a client may connect. */
export type VerifyClientCallbackSync<Request extends http.IncomingMessage = http.IncomingMessage> = (
  info: VerifyInfo<Request>
) => boolean

/** Decides later; a refusal has a status (401 when left out), a body, and header fields. */
export type VerifyClientCallbackAsync<Request extends http.IncomingMessage = http.IncomingMessage> = (
  info: VerifyInfo<Request>,
  callback: (result: boolean, code?: number, message?: string, headers?: http.OutgoingHttpHeaders) => void
) => void

/** How a server accepts. Exactly one of `port`, `server` and `noServer` has to be given. */
export interface ServerOptions<
  U extends typeof WebSocket = typeof WebSocket,
  V extends typeof http.IncomingMessage = typeof http.IncomingMessage
> extends CommonOptions {
  /** Most connections that wait to be accepted by the process. Default: the system's. */
  readonly backlog?: number | null | undefined
  /** Whether `clients` is kept. Default `true`. */
  readonly clientTracking?: boolean | undefined
  /** Chooses a subprotocol among those offered, or `false` for none. Default: the first. */
  readonly handleProtocols?: ((protocols: Set<string>, request: InstanceType<V>) => string | false) | null | undefined
  /** The address to listen on. Default: all. */
  readonly host?: string | null | undefined
  /** Whether requests come by `handleUpgrade` alone. Default `false`. */
  readonly noServer?: boolean | undefined
  /** The only path that is served. Default: any. */
  readonly path?: string | null | undefined
  /** permessage-deflate: whether it is accepted, and how. Default `false`. */
  readonly perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined
  /** The port to listen on, on an HTTP server of its own; 0 picks a free one. */
  readonly port?: number | null | undefined
  /** A server whose upgrade requests are served. */
  readonly server?: http.Server<V> | https.Server<V> | null | undefined
  readonly verifyClient?:
    | VerifyClientCallbackAsync<InstanceType<V>>
    | VerifyClientCallbackSync<InstanceType<V>>
    | null
    | undefined
  /** The class of the server's sockets. Default `WebSocket`. */
  readonly WebSocket?: U | undefined
}

/** Where a server listens. */
export type AddressInfo = net.AddressInfo

/** What a listener of `open` gets that was added as in a browser. */
export interface Event {
  readonly type: string
  readonly target: WebSocket
}

/** What such a listener of `message` gets. */
export interface MessageEvent extends Event {
  readonly data: Data
}

/** What such a listener of `close` gets. */
export interface CloseEvent extends Event {
  /** The peer's close code; 1005 when its close frame had none, 1006 when none came. */
  readonly code: number
  readonly reason: string
  /** Whether both close frames travelled. */
  readonly wasClean: boolean
}

/** What such a listener of `error` gets. */
export interface ErrorEvent extends Event {
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly error: any
  readonly message: string
}

/** The event objects by type. */
export interface WebSocketEventMap {
  open: Event
  message: MessageEvent
  close: CloseEvent
  error: ErrorEvent
}

/** How `addEventListener` adds a listener. */
export interface EventListenerOptions {
  /** Whether the listener hears of one event only. */
  readonly once?: boolean | undefined
}
