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
  /** The drafts that are supported. Default: versions 13, 8 and 7. */
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
  /** The extensions that are supported. Default: none. */
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
  readonly auth?: Secret | undefined
}

/** A client's request, ready to be written to the transport that it names. */
export interface ClientRequest extends ComposedRequest {
  readonly draft: Draft
  readonly requireProtocol: boolean
  readonly extensions: ReadonlyArray<Extension>
}

/** How a draft opens a connection over one version of HTTP, with the schemas that its rules amount to. */
export interface Opening extends DraftOpening {
  /** What a request must be. */
  readonly requestSchema: Schema.Codec<unknown, unknown>
  /** What a response that opens the connection must be, as far as it does not depend on the request. */
  readonly responseSchema: Schema.Codec<unknown, unknown>
}

/**
 * A version of the protocol, as a value: its rules, its wire format, and what it can express. A server supports the drafts in
 * its list, so that adding a draft is adding a value. Its own opening is that over HTTP/1.1.
 */
export interface Draft extends OpeningDraft, Opening {
  /** How it opens over HTTP/2: RFC 8441. Absent where it has no way to. */
  readonly http2: Opening | undefined
}
