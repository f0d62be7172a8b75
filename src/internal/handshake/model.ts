/** The nouns of the opening handshake. */
import type * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type { Extension, Negotiated as NegotiatedExtension } from "./extension.ts"
import type { Capabilities, Codec } from "../protocol/codec.ts"
import type { Origins } from "../protocol/opening/origin.ts"
import type { Fault } from "./error.ts"

export type { Origins } from "../protocol/opening/origin.ts"

/** Header fields by lower-case name, as `node:http` and `node:http2` give them: over HTTP/2 with `:authority` and the like. */
export interface HeaderFields {
  readonly [name: string]: string | ReadonlyArray<string> | undefined
}

/** Header fields to write: by name, or as pairs where a name may stand twice. */
export type HeadersInput = Readonly<Record<string, string>> | ReadonlyArray<Header>

/** One header field to write. */
export type Header = readonly [name: string, value: string]

/** A request to open a connection. An `IncomingMessage` is one. */
export interface Request {
  readonly method?: string | undefined
  /** The request target: a path with its query, or an absolute URL. */
  readonly url?: string | undefined
  /** Such as `1.1`, which an absent one counts as; `2.0` for HTTP/2. */
  readonly httpVersion?: string | undefined
  readonly headers: HeaderFields
  /** Whether the request came over TLS. Default `false`. */
  readonly secure?: boolean | undefined
  /** Hixie-76: the eight bytes after the head. */
  readonly key3?: Uint8Array | undefined
}

/** An HTTP response to write. */
export interface Response {
  readonly status: number
  readonly reason: string
  readonly headers: ReadonlyArray<Header>
  readonly body?: Uint8Array | undefined
}

/** A response that a client received. An `IncomingMessage` is not one: its status is `statusCode`. */
export interface ServerResponse {
  readonly status: number
  readonly headers: HeaderFields
  /** Hixie-76: the sixteen bytes after the head. Of a response that opens no connection, the body as far as it was read. */
  readonly body?: Uint8Array | undefined
}

/** What both sides settled on. */
export interface Negotiated {
  readonly draft: Draft
  /** The subprotocol, when one was chosen. */
  readonly protocol: string | undefined
  /** In the order of the response, which is the order in which a sender applies them. */
  readonly extensions: ReadonlyArray<NegotiatedExtension>
}

/** A request that a server agreed to. */
export interface Accepted extends Negotiated {
  /** The origin that the client named, when it named one. */
  readonly origin: string | undefined
  /** The answer that opens the connection. */
  readonly response: Response
}

/** What a server agrees to. */
export interface AcceptOptions {
  /** The drafts that are spoken. Default: versions 13, 8 and 7. */
  readonly drafts?: ReadonlyArray<Draft> | undefined
  /** Default `"same"`. */
  readonly origins?: Origins | undefined
  /**
   * The server's subprotocols, the preferred first: the first that the client asked for too is chosen, and without one
   * the connection has none. Or a function that chooses one of those asked for.
   */
  readonly protocols?:
    | ReadonlyArray<string>
    | ((offered: ReadonlyArray<string>, request: Request) => string | undefined)
    | undefined
  /** The extensions that are spoken. Default: none. */
  readonly extensions?: ReadonlyArray<Extension> | undefined
  /** Header fields to add to the answer. */
  readonly headers?: HeadersInput | undefined
  /** The only path that is served, without its query. Default: any. */
  readonly path?: string | undefined
}

/** How a client asks. */
export interface RequestOptions {
  /** Over which HTTP. Default `1.1`; `2.0` asks as RFC 8441 says, which no draft but RFC 6455 can. */
  readonly httpVersion?: ClientRequest["httpVersion"] | undefined
  /** Default: RFC 6455, version 13. */
  readonly draft?: Draft | undefined
  /** Subprotocols, the preferred first. */
  readonly protocols?: ReadonlyArray<string> | undefined
  /** Whether the connection fails when the server chooses none of the subprotocols. Default `false`. */
  readonly requireProtocol?: boolean | undefined
  /** Header fields to add. `Host`, `Origin` and `Authorization` take the place of ours. */
  readonly headers?: HeadersInput | undefined
  /** The origin to name. Hixie-76 demands one; there the default is the origin of the URL. */
  readonly origin?: string | undefined
  /** The extensions to offer. Default: none. */
  readonly extensions?: ReadonlyArray<Extension> | undefined
  /** The value of the `Host` header. Default: from the URL. */
  readonly host?: string | undefined
  /** User and password for basic authentication, `user:password`. Default: from the URL. */
  readonly auth?: string | undefined
}

/** A client's request, ready to be written to the transport that it names. */
export interface ClientRequest {
  readonly draft: Draft
  /** The URL without user and password. */
  readonly url: string
  /** Whether the transport is TLS. */
  readonly secure: boolean
  /** The host to connect to; an IPv6 address without its brackets. */
  readonly host: string
  /** The port to connect to. */
  readonly port: number
  /** The Unix socket to connect to, in place of host and port. */
  readonly socketPath: string | undefined
  readonly httpVersion: "1.1" | "2.0"
  /** `CONNECT` over HTTP/2. */
  readonly method: "GET" | "CONNECT"
  /** The request target: the path and the query. */
  readonly target: string
  /** Over HTTP/2 with the pseudo-header fields, `:method` and the like. */
  readonly headers: ReadonlyArray<Header>
  /** Hixie-76: the eight bytes after the head. */
  readonly body: Uint8Array | undefined
  /**
   * What the server must answer: the value of `Sec-WebSocket-Accept`; for Hixie-76 the body, one character a byte. Empty
   * over HTTP/2, which knows no challenge.
   */
  readonly expected: string
  readonly protocols: ReadonlyArray<string>
  readonly requireProtocol: boolean
  readonly extensions: ReadonlyArray<Extension>
}

/** A request that the schema of its draft let pass, reduced to what negotiation needs. */
export interface ValidRequest {
  /** The value of `Host`: an authority. */
  readonly host: string
  readonly target: string
  readonly origin: string | undefined
  /** The value of `Sec-WebSocket-Protocol`. */
  readonly protocols: string | undefined
  /** The value of `Sec-WebSocket-Extensions`. */
  readonly extensions: string | undefined
  /** The answer that opens the connection, without extensions and added header fields. */
  readonly respond: (protocol: string | undefined) => Response
}

/** What a draft writes into a client's request. */
export interface Question {
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

/** What a response that the schema of its draft let pass says. */
export interface ValidResponse {
  /** The value of `Sec-WebSocket-Protocol`. */
  readonly protocol: string | undefined
  /** The value of `Sec-WebSocket-Extensions`. */
  readonly extensions: string | undefined
}

/** How a draft opens a connection over one version of HTTP. */
export interface Opening {
  /** What a request must be. */
  readonly requestSchema: Schema.Codec<unknown, unknown>
  /** What a response that opens the connection must be, as far as it does not depend on the request. */
  readonly responseSchema: Schema.Codec<unknown, unknown>
  /** Server: validates a request. */
  readonly validate: (request: Request) => Result.Result<ValidRequest, Fault>
  /** Client: the header fields and the body of a request, with a fresh challenge, and the answer that it expects. */
  readonly ask: (question: Question) => Pick<ClientRequest, "headers" | "body" | "expected">
  /** Client: validates a response that opens the connection. */
  readonly confirm: (request: ClientRequest, response: ServerResponse) => Result.Result<ValidResponse, Fault>
}

/**
 * A version of the protocol, as a value: its schemas, its wire format, and what it can say. A server speaks the drafts
 * in its list, so that adding a draft is adding a value. Its own opening is that over HTTP/1.1.
 */
export interface Draft extends Opening {
  readonly id: "rfc6455" | "hybi-08" | "hybi-07" | "hixie-76"
  /** The value of `Sec-WebSocket-Version`; Hixie-76 has none. */
  readonly version: 13 | 8 | 7 | undefined
  /** How it opens over HTTP/2: RFC 8441. Absent where it has no way to. */
  readonly http2: Opening | undefined
  /** What can be said once the connection is open. */
  readonly capabilities: Capabilities
  /** Frames to bytes and back. */
  readonly codec: Codec
  /** The bytes of the handshake that follow the head: none, but for Hixie-76 8 of the request, 16 of the response. */
  readonly bodyLength: { readonly request: number; readonly response: number }
}
