/** The messages of the opening handshake, and what a draft is. */
import type { Capabilities, Codec } from "../codec.ts"
import type { Header, HeaderFields } from "./fields.ts"
import type { InvalidField, Rule } from "./rules.ts"

/**
 * A request to open a connection. An `IncomingMessage` is one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  readonly method?: string | undefined
  /** The request target: a path with its query, or an absolute URL. */
  readonly url?: string | undefined
  /** Such as `1.1`, which an absent one counts as; `2.0` for HTTP/2. */
  readonly httpVersion?: string | undefined
  readonly headers: HeaderFields
  /** Whether the request came over TLS. Default `false`. */
  readonly secure?: boolean | undefined
  /**
   * The authority of the client's request where it is not the `Host` field: of a target in absolute form, or before a proxy
   * that changed it. The origin policy `"same"` compares with it.
   */
  readonly authority?: string | undefined
  /** Hixie-76: the eight bytes after the head. */
  readonly key3?: Uint8Array | undefined
}

/**
 * An HTTP response to write.
 *
 * @category models
 * @since 0.1.0
 */
export interface Response {
  readonly status: number
  readonly reason: string
  readonly headers: ReadonlyArray<Header>
  readonly body?: Uint8Array | undefined
}

/**
 * A response that a client received. An `IncomingMessage` is not one: its status is `statusCode`.
 *
 * @category client
 * @since 0.1.0
 */
export interface ServerResponse {
  readonly status: number
  readonly headers: HeaderFields
  /** Hixie-76: the sixteen bytes after the head. Of a response that opens no connection, the body as far as it was read. */
  readonly body?: Uint8Array | undefined
}

/**
 * A request that satisfies the rules of its draft, reduced to what negotiation needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface ValidRequest {
  /** The value of `Host`: an authority. */
  readonly host: string
  readonly target: string
  readonly origin: string | undefined
  /** The value of `Sec-WebSocket-Protocol`. */
  readonly protocols: string | undefined
  /** The value of `Sec-WebSocket-Extensions`. */
  readonly extensions: string | undefined
  /** Returns the response that opens the connection, without extensions and added header fields. */
  readonly respond: (protocol: string | undefined) => Response
}

/**
 * What a draft writes into a client's request.
 *
 * @category models
 * @since 0.2.0
 */
export interface RequestFields {
  readonly secure: boolean
  readonly host: string
  /** The path and the query. */
  readonly target: string
  readonly origin: string | undefined
  /** The value of `Sec-WebSocket-Protocol`. */
  readonly protocols: string | undefined
  /** The value of `Sec-WebSocket-Extensions`. */
  readonly extensions: string | undefined
}

/**
 * What a draft wrote: header fields and body with a fresh challenge.
 *
 * @category models
 * @since 0.2.0
 */
export interface BuiltRequest {
  /** Over HTTP/2 with the pseudo-header fields, `:method` and the like. */
  readonly headers: ReadonlyArray<Header>
  /** Hixie-76: the eight bytes after the head. */
  readonly body: Uint8Array | undefined
  /**
   * What the server must answer: the value of `Sec-WebSocket-Accept`; for Hixie-76 the body, one character a byte. Empty
   * over HTTP/2, which knows no challenge.
   */
  readonly expected: string
}

/**
 * A client's request, as far as a response is held against it.
 *
 * @category models
 * @since 0.2.0
 */
export interface SentRequest extends Pick<BuiltRequest, "headers" | "expected"> {
  readonly secure: boolean
  readonly target: string
  readonly protocols: ReadonlyArray<string>
}

/**
 * What a response says that satisfies the rules of its draft.
 *
 * @category models
 * @since 0.1.0
 */
export interface ValidResponse {
  /** The value of `Sec-WebSocket-Protocol`. */
  readonly protocol: string | undefined
  /** The value of `Sec-WebSocket-Extensions`. */
  readonly extensions: string | undefined
}

/**
 * How a draft opens a connection over one version of HTTP.
 *
 * @category drafts
 * @since 0.2.0
 */
export interface DraftOpening {
  /** What a request must be. */
  readonly requestRules: ReadonlyArray<Rule>
  /** What a response that opens the connection must be, as far as it does not depend on the request. */
  readonly responseRules: ReadonlyArray<Rule>
  /** Server: reads a request that satisfies `requestRules`. */
  readonly readRequest: (request: Request) => ValidRequest
  /** Client: composes a request with a fresh challenge. */
  readonly buildRequest: (fields: RequestFields) => BuiltRequest
  /** Client: checks a response, which satisfies `responseRules`, against the request that it answers. */
  readonly verifyProof: (request: SentRequest, response: ServerResponse) => InvalidField | undefined
}

/**
 * A version of the protocol, as a value: its rules, its wire format, and what it can express. A server supports the drafts in
 * its list, so that adding a draft is adding a value. Its own opening is that over HTTP/1.1.
 *
 * @category drafts
 * @since 0.2.0
 */
export interface OpeningDraft extends DraftOpening {
  readonly id: "rfc6455" | "hybi-08" | "hybi-07" | "hixie-76"
  /** The value of `Sec-WebSocket-Version`; Hixie-76 has none. */
  readonly version: 13 | 8 | 7 | undefined
  /** How it opens over HTTP/2: RFC 8441. Absent where it has no way to. */
  readonly http2: DraftOpening | undefined
  /** What can be sent once the connection is open. */
  readonly capabilities: Capabilities
  /** Frames to bytes and back. */
  readonly codec: Codec
  /** The bytes of the handshake that follow the head: none, but for Hixie-76 8 of the request, 16 of the response. */
  readonly bodyLength: { readonly request: number; readonly response: number }
}
