/** What programs written for `ws` 0.4 give and get. */
import type { Agent, IncomingMessage, OutgoingHttpHeaders, Server as HttpServer } from "node:http"
import type { Server as HttpsServer } from "node:https"
import type { Readable } from "node:stream"
import type { TlsOptions } from "node:tls"

/**
 * A version of the protocol: a number from HyBi on, a name before.
 *
 * @category models
 * @since 0.1.0
 */
export type ProtocolVersion = 13 | 8 | 7 | "hixie-76"

/**
 * The states of a connection, as `CONNECTING`, `OPEN`, `CLOSING` and `CLOSED` name them.
 *
 * @category models
 * @since 0.1.0
 */
export type ReadyState = 0 | 1 | 2 | 3

/**
 * What a listener of `message` learns besides the data. Hixie-76 gives nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Flags {
  /** Whether the frames were masked: always from a client, never from a server. */
  readonly masked?: boolean | undefined
  /** The payload, text as UTF-8. */
  readonly buffer?: Buffer | undefined
  /** `true` when the data are bytes; absent for text. */
  readonly binary?: boolean | undefined
}

/**
 * What a listener of `ping` and `pong` learns besides the payload.
 *
 * @category models
 * @since 0.1.0
 */
export interface ControlFlags {
  /** As `Flags.masked`. */
  readonly masked: boolean
  /** As `Flags.binary`. */
  readonly binary: boolean
}

/**
 * How a message or a control frame is sent.
 *
 * @category options
 * @since 0.1.0
 */
export interface SendOptions {
  /** Whether it is sent as bytes. Default: whether the data are a buffer or a typed array. */
  readonly binary?: boolean | undefined
  /** Whether its frames are masked. Default: on a client. RFC 6455 §5.1 demands the default. */
  readonly mask?: boolean | undefined
}

/**
 * Hears, once, what became of what was sent: an error, or `null` or nothing when the system took it.
 *
 * @category models
 * @since 0.1.0
 */
export type Sent = (error?: Error | null) => void

/**
 * What can be sent: strings, buffers and typed arrays, whatever `String` makes text of, and a stream, whose pieces
 * become the fragments of one message.
 *
 * @category models
 * @since 0.1.0
 */
export type Data =
  | string
  | number
  | boolean
  | null
  | undefined
  | ArrayBuffer
  | ArrayBufferView
  | ReadonlyArray<number>
  | Readable
  | object

/**
 * Takes the next piece of a message; `final` says that it is the last.
 *
 * @category models
 * @since 0.1.0
 */
export type SendPiece = (data: Data, final?: boolean) => void

/**
 * How a client connects. `null` stands for the default everywhere.
 *
 * @category options
 * @since 0.1.0
 */
export interface ClientOptions {
  /** The subprotocols to ask for, separated by commas. The server has to choose one of them. */
  readonly protocol?: string | null | undefined
  /** Default 13. `ws` 0.4 knew 13 and 8; 7 and `"hixie-76"` are additions. */
  readonly protocolVersion?: ProtocolVersion | "13" | "8" | "7" | null | undefined
  /** The origin to name. */
  readonly origin?: string | null | undefined
  /** The value of the `Host` header. Default: from the URL. */
  readonly host?: string | null | undefined
  /** Further headers of the request, which take the place of ours of the same name. */
  readonly headers?: OutgoingHttpHeaders | null | undefined
  /** The agent to take the connection from. Default: a connection of its own. */
  readonly agent?: Agent | null | undefined
  /** TLS: certificate and key in one, as `node:tls` takes it. */
  readonly pfx?: TlsOptions["pfx"] | null | undefined
  /** TLS: the client's key. */
  readonly key?: TlsOptions["key"] | null | undefined
  /** TLS: the passphrase of the key. */
  readonly passphrase?: string | null | undefined
  /** TLS: the client's certificate. */
  readonly cert?: TlsOptions["cert"] | null | undefined
  /** TLS: the certificates of the authorities that are trusted. */
  readonly ca?: TlsOptions["ca"] | null | undefined
  /** TLS: the ciphers that are allowed. */
  readonly ciphers?: string | null | undefined
  /** Whether a certificate that can't be verified is refused. Default `true`. */
  readonly rejectUnauthorized?: boolean | null | undefined
  /** Addition: longest message in bytes. Default 100 MiB. Beyond it the connection closes with 1009. */
  readonly maxPayload?: number | null | undefined
  /** Addition: milliseconds that opening may take. Default: no limit. */
  readonly handshakeTimeout?: number | null | undefined
}

/**
 * What a server's side of a connection is made with.
 *
 * @category options
 * @since 0.1.0
 */
export interface AcceptedOptions {
  /** The version that was agreed on. Default 13. */
  readonly protocolVersion?: ClientOptions["protocolVersion"]
  /** The subprotocol that was agreed on. */
  readonly protocol?: string | null | undefined
  /** The longest message in bytes. */
  readonly maxPayload?: number | null | undefined
}

/**
 * A function that is called with these arguments. It may name them more narrowly than they are, as the programs of the
 * time do: a listener of `message` that takes a `string` trusts that no bytes come.
 *
 * @category models
 * @since 0.1.0
 */
export type Loose<Args extends Array<unknown>> = { call(...args: Args): void }["call"]

/**
 * What `verifyClient` decides about.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClientInfo {
  /** The origin that the client named; most that are no browsers name none. */
  readonly origin: string | undefined
  /** Whether the request came over TLS. */
  readonly secure: boolean
  /** The request. */
  readonly req: IncomingMessage
}

/**
 * Says whether a client is welcome. With one parameter, or none, it answers at once, and a refusal is 401. With two it
 * calls back, when it likes; `code` and `name` are the status of a refusal: default 401 and the phrase of the code.
 *
 * @category models
 * @since 0.1.0
 */
export type VerifyClient = {
  call(info: ClientInfo, callback: (result: unknown, code?: number, name?: string) => void): unknown
}["call"]

/**
 * Chooses the subprotocol. It has to call back before it returns, otherwise the answer is 501; a refusal is 404. The list
 * of a client that asks for none holds one empty string.
 *
 * @category models
 * @since 0.1.0
 */
export type HandleProtocols = (protocols: Array<string>, callback: (result: unknown, protocol?: string) => void) => void

/**
 * How a server accepts. `null` stands for the default everywhere.
 *
 * @category options
 * @since 0.1.0
 */
export interface ServerOptions {
  /** The address to listen on. Default `0.0.0.0`. */
  readonly host?: string | null | undefined
  /** Makes an HTTP server on this port; 0 picks one. */
  readonly port?: number | string | null | undefined
  /** The HTTP server whose upgrades are served. */
  readonly server?: HttpServer | HttpsServer | null | undefined
  /** Whether there is no server: the caller gives requests to `handleUpgrade`. */
  readonly noServer?: boolean | null | undefined
  /** The only path that is served. Default: every one. */
  readonly path?: string | null | undefined
  /** Called with one parameter or with two, as many as it names. Default: everybody is welcome. */
  readonly verifyClient?: VerifyClient | null | undefined
  /** Default: the first subprotocol that the client asks for. */
  readonly handleProtocols?: HandleProtocols | null | undefined
  /** Whether Hixie-76 is refused. Default `false`. */
  readonly disableHixie?: boolean | null | undefined
  /** Whether `clients` is kept. Default `true`. */
  readonly clientTracking?: boolean | null | undefined
  /** Addition: longest message in bytes. Default 100 MiB. Beyond it the connection closes with 1009. */
  readonly maxPayload?: number | null | undefined
  /** Addition: milliseconds that a client may take for its part of the handshake, and a refused one to go. Default 10 000. */
  readonly handshakeTimeout?: number | null | undefined
}

/**
 * The options of a server, defaults filled in.
 *
 * @category options
 * @since 0.1.0
 */
export interface ResolvedServerOptions {
  /** The address to bind. */
  readonly host: string
  /** The port to listen on. */
  readonly port: number | string | null
  /** The HTTP server to attach to. */
  readonly server: HttpServer | HttpsServer | null
  /** Whether there is no HTTP server. */
  readonly noServer: boolean
  /** The path that is served. */
  readonly path: string | null
  /** The function that decides whether a client may connect. */
  readonly verifyClient: VerifyClient | null
  /** The function that selects the subprotocol. */
  readonly handleProtocols: HandleProtocols | null
  /** Whether Hixie-76 is refused. */
  readonly disableHixie: boolean
  /** Whether `clients` is kept. */
  readonly clientTracking: boolean
  /** The longest message in bytes. */
  readonly maxPayload: number
  /** Milliseconds that a handshake may take. */
  readonly handshakeTimeout: number
}
