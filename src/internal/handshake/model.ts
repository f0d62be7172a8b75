/** The nouns of the opening handshake. */
import type * as Schema from "effect/Schema"
import type { ComposedRequest } from "../protocol/opening/client.ts"
import type { HeadersInput, Secret } from "./secret.ts"
import type { DraftOpening, OpeningDraft, Request, Response } from "../protocol/opening/model.ts"
import type { Origins } from "../protocol/opening/origin.ts"
import type { Extension, Negotiated as NegotiatedExtension } from "./extension.ts"

export type { HeadersInput, Secret } from "./secret.ts"
export type { ComposedRequest } from "../protocol/opening/client.ts"
export type { Destination } from "../protocol/opening/url.ts"
export type { Header, HeaderFields } from "../protocol/opening/fields.ts"
export type {
  BuiltRequest,
  DraftOpening,
  OpeningDraft,
  Request,
  RequestFields,
  Response,
  SentRequest,
  ServerResponse,
  ValidRequest,
  ValidResponse
} from "../protocol/opening/model.ts"
export type { Origins } from "../protocol/opening/origin.ts"
export type { Check, HandshakeMessage, InvalidField, Part, Rule } from "../protocol/opening/rules.ts"

/**
 * The result of an opening handshake, for both sides.
 *
 * @category models
 * @since 0.1.0
 */
export interface Negotiated {
  /** The draft of the connection. */
  readonly draft: Draft
  /** The subprotocol that the server selected, if it selected one. */
  readonly protocol: string | undefined
  /** The extensions in the order of the response, which is the order in which a sender applies them. */
  readonly extensions: ReadonlyArray<NegotiatedExtension>
}

/**
 * A request that a server accepted.
 *
 * @category server
 * @since 0.1.0
 */
export interface Accepted extends Negotiated {
  /** The origin of the client, if it named one. */
  readonly origin: string | undefined
  /** The response that opens the connection. */
  readonly response: Response
}

/**
 * Options of a server's handshakes.
 *
 * @category server
 * @since 0.1.0
 */
export interface AcceptOptions {
  /** The drafts that are supported. Default: versions 13, 8 and 7. */
  readonly drafts?: ReadonlyArray<Draft> | undefined
  /** The origins from which clients may connect. A request of another one is refused with 403. Default: `"same"`. */
  readonly origins?: Origins | undefined
  /**
   * The subprotocols of the server, the preferred one first. It selects the first that the client offered too, and
   * none when there is none. Or a function that selects one of those offered.
   */
  readonly protocols?:
    | ReadonlyArray<string>
    | ((offered: ReadonlyArray<string>, request: Request) => string | undefined)
    | undefined
  /** The extensions that are supported. Default: none. */
  readonly extensions?: ReadonlyArray<Extension> | undefined
  /** Header fields to add to the response. Default: none. */
  readonly headers?: HeadersInput | undefined
  /**
   * The only path that is served, without its query. A request for another one is refused with 404. Default: every
   * path.
   */
  readonly path?: string | undefined
}

/**
 * Options of a client's handshake.
 *
 * @category client
 * @since 0.1.0
 */
export interface RequestOptions {
  /** The HTTP version. Default: `1.1`. `2.0` composes a request of RFC 8441, which only the draft RFC 6455 has. */
  readonly httpVersion?: ClientRequest["httpVersion"] | undefined
  /** The draft. Default: RFC 6455, which is version 13. */
  readonly draft?: Draft | undefined
  /** The subprotocols to offer, the preferred one first. Default: none. */
  readonly protocols?: ReadonlyArray<string> | undefined
  /** Whether the handshake fails when the server selects none of the subprotocols. Default: `false`. */
  readonly requireProtocol?: boolean | undefined
  /**
   * Header fields to add. `Host`, `Origin` and `Authorization` replace those that the handshake would send.
   * Default: none.
   */
  readonly headers?: HeadersInput | undefined
  /** The origin to send. Default: none; for Hixie-76, which demands one, the origin of the URL. */
  readonly origin?: string | undefined
  /** The extensions to offer. Default: none. */
  readonly extensions?: ReadonlyArray<Extension> | undefined
  /** The value of the `Host` header. Default: from the URL. */
  readonly host?: string | undefined
  /** User and password for basic authentication, `user:password`. Default: from the URL. */
  readonly auth?: Secret | undefined
}

/**
 * A client's request, ready to be written to the transport that it names.
 *
 * @category client
 * @since 0.1.0
 */
export interface ClientRequest extends ComposedRequest {
  /** The draft of the request. */
  readonly draft: Draft
  /** Whether the handshake fails when the server selects no subprotocol. */
  readonly requireProtocol: boolean
  /** The extensions that the request offers. */
  readonly extensions: ReadonlyArray<Extension>
}

/**
 * The opening handshake of a draft over one version of HTTP, with the schemas that are built from its rules.
 *
 * @category drafts
 * @since 0.1.0
 */
export interface Opening extends DraftOpening {
  /** The schema of a request. */
  readonly requestSchema: Schema.Codec<unknown, unknown>
  /** The schema of a response that opens the connection, as far as it doesn't depend on the request. */
  readonly responseSchema: Schema.Codec<unknown, unknown>
}

/**
 * A version of the protocol as a value: its rules, its wire format, and what it can express. A server supports the
 * drafts in its list.
 *
 * @category drafts
 * @since 0.1.0
 */
export interface Draft extends OpeningDraft, Opening {
  /** The opening handshake over HTTP/2 (RFC 8441). `undefined` where the draft has none. */
  readonly http2: Opening | undefined
}
