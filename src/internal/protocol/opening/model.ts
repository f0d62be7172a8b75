/** The messages of the opening handshake, and what a draft is. */
import type { Capabilities, Codec } from "../codec.ts"
import type { Header, HeaderFields } from "./fields.ts"
import type { InvalidField, Rule } from "./rules.ts"

/**
 * A request to open a connection. An `IncomingMessage` of Node is one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  /** The HTTP method. */
  readonly method?: string | undefined
  /** The request target: a path with its query, or an absolute URL. */
  readonly url?: string | undefined
  /** The HTTP version, `2.0` for HTTP/2. Default: `1.1`. */
  readonly httpVersion?: string | undefined
  /** The header fields. */
  readonly headers: HeaderFields
  /** Whether the request came over TLS. Default `false`. */
  readonly secure?: boolean | undefined
  /**
   * The authority of the client's request where it is not the `Host` field: of a target in absolute form, or as it
   * was before a proxy changed it. The origin policy `"same"` compares with it.
   */
  readonly authority?: string | undefined
  /** The eight bytes after the head of a Hixie-76 request. */
  readonly key3?: Uint8Array | undefined
}

/**
 * An HTTP response to write.
 *
 * @category models
 * @since 0.1.0
 */
export interface Response {
  /** The HTTP status. */
  readonly status: number
  /** The reason phrase. */
  readonly reason: string
  /** The header fields. */
  readonly headers: ReadonlyArray<Header>
  /** The body, if there is one. */
  readonly body?: Uint8Array | undefined
}

/**
 * A response that a client received.
 *
 * **Gotchas**
 *
 * An `IncomingMessage` of Node is not one, since its status is called `statusCode`.
 *
 * @category client
 * @since 0.1.0
 */
export interface ServerResponse {
  /** The HTTP status. */
  readonly status: number
  /** The header fields. */
  readonly headers: HeaderFields
  /**
   * The sixteen bytes after the head of a Hixie-76 response. For a response that opens no connection, the body as
   * far as it was read.
   */
  readonly body?: Uint8Array | undefined
}

/**
 * The fields of a request that satisfies the rules of its draft, as far as negotiation needs them.
 *
 * @category models
 * @since 0.1.0
 */
export interface ValidRequest {
  /** The value of `Host`: an authority. */
  readonly host: string
  /** The path and the query. */
  readonly target: string
  /** The origin of the client, if it named one. */
  readonly origin: string | undefined
  /** The value of `Sec-WebSocket-Protocol`. */
  readonly protocols: string | undefined
  /** The value of `Sec-WebSocket-Extensions`. */
  readonly extensions: string | undefined
  /** Returns the response that opens the connection, without extensions and added header fields. */
  readonly respond: (protocol: string | undefined) => Response
}

/**
 * The fields that a draft writes into a client's request.
 *
 * @category models
 * @since 0.2.0
 */
export interface RequestFields {
  /** Whether the transport is TLS. */
  readonly secure: boolean
  /** The value of `Host`. */
  readonly host: string
  /** The path and the query. */
  readonly target: string
  /** The origin to send, if any. */
  readonly origin: string | undefined
  /** The value of `Sec-WebSocket-Protocol`. */
  readonly protocols: string | undefined
  /** The value of `Sec-WebSocket-Extensions`. */
  readonly extensions: string | undefined
}

/**
 * The header fields and the body of a request, with a fresh challenge.
 *
 * @category models
 * @since 0.2.0
 */
export interface BuiltRequest {
  /** The header fields; over HTTP/2 with the pseudo-header fields, such as `:method`. */
  readonly headers: ReadonlyArray<Header>
  /** The eight bytes after the head of a Hixie-76 request; `undefined` for the other drafts. */
  readonly body: Uint8Array | undefined
  /**
   * The response to the challenge: the value of `Sec-WebSocket-Accept`, or for Hixie-76 the body, one character a
   * byte. Empty over HTTP/2, which has no challenge.
   */
  readonly expected: string
}

/**
 * The part of a client's request that its response is verified against.
 *
 * @category models
 * @since 0.2.0
 */
export interface SentRequest extends Pick<BuiltRequest, "headers" | "expected"> {
  /** Whether the transport is TLS. */
  readonly secure: boolean
  /** The path and the query. */
  readonly target: string
  /** The subprotocols that were offered. */
  readonly protocols: ReadonlyArray<string>
}

/**
 * The fields of a response that satisfies the rules of its draft.
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
 * The opening handshake of a draft over one version of HTTP.
 *
 * @category drafts
 * @since 0.2.0
 */
export interface DraftOpening {
  /** The rules of a request. */
  readonly requestRules: ReadonlyArray<Rule>
  /** The rules of a response that opens the connection, as far as it doesn't depend on the request. */
  readonly responseRules: ReadonlyArray<Rule>
  /** Server: reads a request that satisfies `requestRules`. */
  readonly readRequest: (request: Request) => ValidRequest
  /** Client: composes a request with a fresh challenge. */
  readonly buildRequest: (fields: RequestFields) => BuiltRequest
  /** Client: verifies a response, which satisfies `responseRules`, against the request that it answers. */
  readonly verifyProof: (request: SentRequest, response: ServerResponse) => InvalidField | undefined
}

/**
 * A version of the protocol as a value, without the schemas of its opening handshake.
 *
 * @category drafts
 * @since 0.2.0
 */
export interface OpeningDraft extends DraftOpening {
  /** The name of the draft. */
  readonly id: "rfc6455" | "hybi-08" | "hybi-07" | "hixie-76"
  /** The value of `Sec-WebSocket-Version`. Hixie-76 has none. */
  readonly version: 13 | 8 | 7 | undefined
  /** The opening handshake over HTTP/2 (RFC 8441). `undefined` where the draft has none. */
  readonly http2: DraftOpening | undefined
  /** What can be sent once the connection is open. */
  readonly capabilities: Capabilities
  /** Encodes frames as bytes and decodes them. */
  readonly codec: Codec
  /** The bytes of the handshake after the head: none, except that a Hixie-76 request has 8 and its response 16. */
  readonly bodyLength: { readonly request: number; readonly response: number }
}
