/** A client's part of the opening handshake: RFC 6455 §4.1. */
import { authorityPattern, originPattern } from "./checks.ts"
import { areTokens, formatExtensions, type Offer } from "./extensions.ts"
import { headerValue, safeHeaders } from "./http.ts"
import { isHttp2, openingOf } from "./http2.ts"
import { type Header, type HeadersInput, textOf } from "./fields.ts"
import {
  type BuiltRequest,
  type DraftOpening,
  type OpeningDraft,
  type SentRequest,
  type ServerResponse,
  type ValidResponse
} from "./model.ts"
import type { OpeningPolicy } from "./policy.ts"
import * as Reason from "./reason.ts"
import { invalidField } from "./rules.ts"
import { checkChosenProtocol, checkProtocols } from "./subprotocol.ts"
import { type Destination, readUrl } from "./url.ts"

/** What a client asks for. */
export interface RequestSettings {
  readonly draft: OpeningDraft
  readonly httpVersion: "1.1" | "2.0"
  readonly protocols: ReadonlyArray<string>
  readonly headers: HeadersInput
  readonly origin: string | undefined
  readonly host: string | undefined
  readonly auth: string | undefined
  readonly extensions: ReadonlyArray<Offer>
}

/**
 * A request ready to be written, and its destination.
 *
 * @category models
 * @since 0.2.0
 */
export interface ComposedRequest extends Omit<Destination, "auth" | "authority">, BuiltRequest {
  /** The HTTP version of the request. */
  readonly httpVersion: "1.1" | "2.0"
  /** The method: `CONNECT` over HTTP/2, else `GET`. */
  readonly method: "GET" | "CONNECT"
  /** The subprotocols that the request offers. */
  readonly protocols: ReadonlyArray<string>
}

const oursUnlessGiven = new Set(["host", "origin"])

const checkNames = (host: string, origin: string | undefined): Reason.Reason | undefined => {
  if (!authorityPattern.test(host)) return Reason.unsafeHeader("Host", "its value is not a host with an optional port")
  return origin === undefined || originPattern.test(origin)
    ? undefined
    : Reason.unsafeHeader("Origin", "its value has other characters than visible ASCII")
}

const checkDraft = ({ draft, extensions, httpVersion }: RequestSettings): Reason.Reason | undefined => {
  if (extensions.length > 0 && !draft.capabilities.extensions) return Reason.unsupported("extensions", draft.id)
  if (isHttp2(httpVersion) && draft.http2 === undefined) return Reason.unsupported("opening over HTTP/2", draft.id)
  return areTokens(extensions)
    ? undefined
    : Reason.unsafeHeader("Sec-WebSocket-Extensions", "a name or a value is not a token")
}

const urlProblems = {
  control: "control characters are not allowed",
  syntax: "not an absolute URL",
  scheme: "the scheme must be ws, wss, http, https or ws+unix",
  fragment: "a fragment is not allowed",
  credentials: "user or password is not percent-encoded",
  socket: "the socket has no usable path"
} as const

/** Composes the request that asks the server of a URL for a connection. Each call draws a fresh challenge. */
export const composeRequest = (url: string, settings: RequestSettings): ComposedRequest | Reason.Reason => {
  const { draft, extensions, httpVersion, protocols } = settings
  const read = readUrl(url)
  if ("_tag" in read) return Reason.invalidUrl(url, urlProblems[read.problem])
  const given = safeHeaders(settings.headers)
  if (Reason.isReason(given)) return given
  const { auth, authority, ...destination } = read
  const host = settings.host ?? headerValue(given, "host") ?? authority
  const origin = settings.origin ?? headerValue(given, "origin")
  const invalid = checkProtocols(protocols) ?? checkNames(host, origin) ?? checkDraft(settings)
  if (invalid !== undefined) return invalid
  const built = openingOf(draft, httpVersion).buildRequest({
    secure: destination.secure,
    host,
    target: destination.target,
    origin,
    protocols: protocols.length > 0 ? protocols.join(", ") : undefined,
    extensions: extensions.length > 0 ? formatExtensions(extensions) : undefined
  })
  const headers: Array<Header> = [...built.headers]
  const credentials = settings.auth ?? auth
  if (credentials !== undefined && headerValue(given, "authorization") === undefined) {
    headers.push(["Authorization", `Basic ${Buffer.from(credentials).toString("base64")}`])
  }
  headers.push(...given.filter(([name]) => !oursUnlessGiven.has(name.toLowerCase())))
  const method = isHttp2(httpVersion) ? "CONNECT" : "GET"
  return { ...destination, ...built, httpVersion, method, headers, protocols }
}

/** A request as far as a response is verified against it. */
export interface VerifiedRequest extends SentRequest {
  readonly draft: OpeningDraft
  readonly httpVersion: "1.1" | "2.0"
  readonly requireProtocol: boolean
}

/** Checks a server's response against the request that it answers; extensions are the caller's to check. */
export const verifyResponse = (
  { responseRules }: Pick<OpeningPolicy, "responseRules">,
  request: VerifiedRequest,
  response: ServerResponse
): ValidResponse | Reason.Reason => {
  const { draft, httpVersion } = request
  const { status } = response
  const http2 = isHttp2(httpVersion)
  if (http2 ? status < 200 || status > 299 : status !== 101) {
    return Reason.unexpectedStatus(status, http2 ? 200 : 101, response.headers, response.body)
  }
  const opening = openingOf<DraftOpening>(draft, httpVersion)
  const invalid = invalidField(responseRules(opening), response) ?? opening.verifyProof(request, response)
  if (invalid !== undefined) {
    return invalid.field === "body" ? Reason.invalidBody(invalid) : Reason.invalidHeader(invalid)
  }
  const protocol = textOf(response, "sec-websocket-protocol")
  return (
    checkChosenProtocol(protocol, request.protocols, request.requireProtocol) ?? {
      protocol,
      extensions: draft.capabilities.extensions ? textOf(response, "sec-websocket-extensions") : undefined
    }
  )
}
