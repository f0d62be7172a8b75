/**
 * Extensions of the protocol: the grammar of `Sec-WebSocket-Extensions` (RFC 6455 §9.1), the point where an extension
 * plugs into the handshake, and the parameters of permessage-deflate (RFC 7692 §7.1).
 *
 * An extension is negotiated here and applied by the connection: this module knows parameters, not payloads.
 */
import { Data, type Result } from "effect"

/** One parameter: its name, and its value or `true` when it has none. */
export type Param = readonly [name: string, value: string | true]

/** Parameters in the order of the header. A name may stand twice: what that means is the extension's to say. */
export type Params = ReadonlyArray<Param>

/** One element of the header: an offer in a request, an acceptance in a response. */
export interface Offer {
  readonly name: string
  readonly params: Params
}

/** What an extension settled on. */
export interface Agreement<out Settings = unknown> {
  /** The parameters that stand in the response. */
  readonly params: Params
  /** What the connection needs to know, from the view of the side that we are. */
  readonly settings: Settings
}

/** An extension that both sides agreed on. */
export interface Negotiated<out Settings = unknown> extends Offer, Agreement<Settings> {
  /** The reserved bits that it uses: RSV1 is 4, RSV2 is 2, RSV3 is 1. */
  readonly rsv: number
}

/**
 * An extension, as the handshake sees it. The same value serves as server and as client.
 *
 * Of two extensions that claim the same reserved bit, a server agrees to the one that stands first in its list.
 */
export interface Extension<out Settings = unknown> {
  /** The registered name, a token. */
  readonly name: string
  /** The reserved bits that it claims: RSV1 is 4, RSV2 is 2, RSV3 is 1. */
  readonly rsv: number
  /** Client: the parameters of each offer, the preferred first. */
  readonly offer: () => ReadonlyArray<Params>
  /** Server: chooses among the client's offers of this extension, in their order; `undefined` declines them all. */
  readonly accept: (offers: ReadonlyArray<Params>) => Agreement<Settings> | undefined
  /** Client: checks what the server agreed to; a failure says what is wrong with it, and the connection fails. */
  readonly confirm: (params: Params) => Result.Result<Agreement<Settings>, string>
}

/** The header does not follow the grammar of RFC 6455 §9.1. */
export class SyntaxError extends Data.TaggedError("SyntaxError")<{
  /** Where reading stopped, in characters from the start. */
  readonly position: number
  readonly message: string
}> {}

/** Number of bits of an LZ77 window: 8 is 256 bytes, 15 is 32 KiB. */
export type WindowBits = 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15

/** Options of permessage-deflate. */
export interface DeflateOptions {
  /** The server forgets its window after each message. Default `true`. */
  readonly serverNoContextTakeover?: boolean | undefined
  /** The client forgets its window after each message. Default `true`. */
  readonly clientNoContextTakeover?: boolean | undefined
  /** Largest window of the server's compressor. Default 15. */
  readonly serverMaxWindowBits?: WindowBits | undefined
  /** Largest window of the client's compressor. Default 15. */
  readonly clientMaxWindowBits?: WindowBits | undefined
  /** Messages shorter than this many bytes are sent as they are. Default 1024. */
  readonly threshold?: number | undefined
  /** Compression level of zlib, 0 to 9, or -1 for its default. Default -1. */
  readonly level?: number | undefined
  /** Memory level of zlib's compressor, 1 to 9. Default 8. */
  readonly memLevel?: number | undefined
}

/** One direction of permessage-deflate. */
export interface DeflateDirection {
  /** Window, in bits, as zlib takes it: 9 to 15. */
  readonly windowBits: number
  /** Whether the window is kept from one message to the next. */
  readonly takeover: boolean
}

/** What was agreed for permessage-deflate, from the view of the side that we are. */
export interface DeflateSettings {
  readonly _tag: "PermessageDeflate"
  /** What we send. */
  readonly deflate: DeflateDirection
  /** What we receive. */
  readonly inflate: DeflateDirection
  /** Messages shorter than this many bytes are sent as they are; `Infinity` when we must never compress. */
  readonly threshold: number
  readonly level: number
  readonly memLevel: number
}
