/**
 * Why an opening handshake fails, as plain values: each knows the HTTP status that answers it, the section of the
 * standard, and a sentence for a person that never goes on the wire.
 */
import { printable } from "../printable.ts"
import { namesOf, startOf, summarized, summaryPrototype } from "../summary.ts"
import type { Header, HeaderFields } from "./fields.ts"
import type { InvalidField } from "./rules.ts"
import { shownUrl } from "./url.ts"

interface Base<Tag extends string, Status extends number = number> {
  readonly _tag: Tag
  /** The HTTP status with which a server answers. */
  readonly status: Status
  /** The section of the standard, such as `RFC 6455 §4.2.1`. */
  readonly section: string
  /** What happened, for a person. Never sent on the wire. */
  readonly message: string
}

/**
 * The request's method is not GET, or over HTTP/2 not CONNECT.
 *
 * @category errors
 * @since 0.1.0
 */
export interface MethodNotAllowed extends Base<"MethodNotAllowed", 405> {
  /** The method of the request. */
  readonly method: string
  /** The method that is allowed. */
  readonly allowed: "GET" | "CONNECT"
}

/**
 * The request has an HTTP version over which no WebSocket opens.
 *
 * @category errors
 * @since 0.1.0
 */
export interface UnsupportedHttpVersion extends Base<"UnsupportedHttpVersion", 400> {
  /** The HTTP version of the request. */
  readonly httpVersion: string
}

/**
 * The request's target is neither a path nor an absolute URL.
 *
 * @category errors
 * @since 0.1.0
 */
export interface InvalidTarget extends Base<"InvalidTarget", 400> {}

/**
 * The request doesn't ask for an upgrade to WebSocket: `Upgrade` or `Connection` is missing or has another value.
 *
 * @category errors
 * @since 0.1.0
 */
export interface UpgradeRequired extends Base<"UpgradeRequired", 426> {
  /** The field that is wrong: `upgrade` or `connection`. */
  readonly header: string
  /** The versions that are supported. */
  readonly supported: ReadonlyArray<number>
}

/**
 * The request is for a version, or a draft without a version, that is not supported.
 *
 * **Details**
 *
 * Over HTTP/2 the status is 400, since 426 demands an `Upgrade` field, which HTTP/2 doesn't have.
 *
 * @category errors
 * @since 0.1.0
 */
export interface UnsupportedVersion extends Base<"UnsupportedVersion", 400 | 426> {
  /** The version that the client asked for: the value of `Sec-WebSocket-Version`, or `hixie-76`. */
  readonly version: string
  /** The versions that are supported. */
  readonly supported: ReadonlyArray<number>
}

/**
 * A header field of the peer is missing, or its value breaks a rule.
 *
 * @category errors
 * @since 0.1.0
 */
export interface InvalidHeader extends Base<"InvalidHeader", 400> {
  /** The name of the field, in lower case. */
  readonly header: string
}

/**
 * The bytes after the head are missing or wrong: the third key of Hixie-76, or the response to its challenge.
 *
 * @category errors
 * @since 0.1.0
 */
export interface InvalidBody extends Base<"InvalidBody", 400> {}

/**
 * The origin policy refuses the client's origin.
 *
 * @category errors
 * @since 0.1.0
 */
export interface OriginRefused extends Base<"OriginRefused", 403> {
  /** The origin of the client. */
  readonly origin: string
  /** The authority with which the policy `"same"` compared the origin. */
  readonly authority: string | undefined
}

/**
 * No WebSocket is served at this path.
 *
 * @category errors
 * @since 0.1.0
 */
export interface PathNotFound extends Base<"PathNotFound", 404> {
  /** The path of the request. */
  readonly path: string
}

/**
 * The caller's own authorization refused the request, with a response of its own.
 *
 * @category errors
 * @since 0.1.0
 */
export interface Rejected extends Base<"Rejected"> {
  /** The header fields of the response. */
  readonly headers: ReadonlyArray<Header>
  /** The body of the response, as text. */
  readonly body: string | undefined
}

/**
 * The peer did not finish its part of the handshake in time.
 *
 * @category errors
 * @since 0.1.0
 */
export interface Timeout extends Base<"Timeout", 408> {
  /** The limit in milliseconds. */
  readonly limit: number
}

/**
 * The client opened too many connections, or opens them too fast.
 *
 * @category errors
 * @since 0.1.0
 */
export interface TooManyRequests extends Base<"TooManyRequests", 429> {
  /** When to try again, in seconds. */
  readonly retryAfter: number | undefined
}

/**
 * The head is larger than the limit, or has too many fields.
 *
 * @category errors
 * @since 0.1.0
 */
export interface HeadersTooLarge extends Base<"HeadersTooLarge", 431> {
  /** The limit in bytes. */
  readonly limit: number
}

/**
 * The server has as many connections, or handshakes at once, as it may.
 *
 * @category errors
 * @since 0.1.0
 */
export interface TooManyConnections extends Base<"TooManyConnections", 503> {
  /** The number of connections, or of handshakes at once, that is allowed. */
  readonly limit: number
  /** When to try again, in seconds. */
  readonly retryAfter: number | undefined
}

/**
 * The server is shutting down.
 *
 * @category errors
 * @since 0.1.0
 */
export interface ShuttingDown extends Base<"ShuttingDown", 503> {
  /** When to try again, in seconds. */
  readonly retryAfter: number | undefined
}

/**
 * The status of the server's response is not 101, or over HTTP/2 not from 200 to 299.
 *
 * @category errors
 * @since 0.1.0
 */
export interface UnexpectedStatus extends Base<"UnexpectedStatus"> {
  /** The header fields of the response. */
  readonly headers: HeaderFields
  /**
   * The response's body as text, as far as it was read: `Socket.connect` reads at most 64 KiB, and waits at most one second for
   * them. `undefined` where no body was given to `verify`.
   */
  readonly body: string | undefined
}

/**
 * A subprotocol is not a token, is offered twice, was selected without having been offered, or is missing where it
 * is required.
 *
 * @category errors
 * @since 0.1.0
 */
export interface InvalidSubprotocol extends Base<"InvalidSubprotocol", 500> {
  /** The subprotocol, where there is one. */
  readonly protocol: string | undefined
}

/**
 * The server agreed to an extension that was not offered, or with parameters that the client can't follow.
 *
 * @category errors
 * @since 0.1.0
 */
export interface InvalidExtension extends Base<"InvalidExtension", 400> {
  /** The name of the extension. */
  readonly extension: string
}

/**
 * The URL to connect to is not one for a WebSocket.
 *
 * @category errors
 * @since 0.1.0
 */
export interface InvalidUrl extends Base<"InvalidUrl", 500> {
  /**
   * The URL's scheme and host. Empty where they may be a user, a password or a token, which no message shows: the
   * URL can't be parsed, or has an `@` after its host.
   */
  readonly url: string
}

/**
 * A header field of this side could change the meaning of the message: it has a forbidden character, or a name
 * that the handshake sets itself.
 *
 * @category errors
 * @since 0.1.0
 */
export interface UnsafeHeader extends Base<"UnsafeHeader", 500> {
  /** The name of the field. */
  readonly header: string
}

/**
 * The draft, or the other side, can't do what was asked for.
 *
 * @category errors
 * @since 0.1.0
 */
export interface Unsupported extends Base<"Unsupported", 501> {
  /** The feature that was asked for. */
  readonly feature: string
}

/**
 * Why an opening handshake failed.
 *
 * @category errors
 * @since 0.1.0
 */
export type Reason =
  | MethodNotAllowed
  | UnsupportedHttpVersion
  | InvalidTarget
  | UpgradeRequired
  | UnsupportedVersion
  | InvalidHeader
  | InvalidBody
  | OriginRefused
  | PathNotFound
  | Rejected
  | Timeout
  | TooManyRequests
  | HeadersTooLarge
  | TooManyConnections
  | ShuttingDown
  | UnexpectedStatus
  | InvalidSubprotocol
  | InvalidExtension
  | InvalidUrl
  | UnsafeHeader
  | Unsupported

/** Whether a result is the reason why there is none. */
export const isReason = <A extends object>(result: A | Reason): result is Reason => "_tag" in result

export const invalidHeader = ({ field, reason, section }: InvalidField): Reason => ({
  _tag: "InvalidHeader",
  status: 400,
  section,
  message: printable(`${field} must be ${reason}`),
  header: field
})

export const invalidBody = ({ reason, section }: InvalidField): Reason => ({
  _tag: "InvalidBody",
  status: 400,
  section,
  message: `the bytes after the head must be ${reason}`
})

export const methodNotAllowed = (method: string, allowed: "GET" | "CONNECT", section: string): Reason => ({
  _tag: "MethodNotAllowed",
  status: 405,
  section,
  message: `the method is ${printable(method)}, not ${allowed}`,
  method,
  allowed
})

export const unsupportedHttpVersion = (httpVersion: string, section: string): Reason => ({
  _tag: "UnsupportedHttpVersion",
  status: 400,
  section,
  message: `HTTP ${printable(httpVersion)} has no way to open a WebSocket`,
  httpVersion
})

export const invalidTarget = ({ reason, section }: InvalidField): Reason => ({
  _tag: "InvalidTarget",
  status: 400,
  section,
  message: `the request target must be ${reason}`
})

export const upgradeRequired = (
  { field, reason, section }: InvalidField,
  supported: ReadonlyArray<number>
): Reason => ({
  _tag: "UpgradeRequired",
  status: 426,
  section,
  message: `this is no request for a WebSocket: ${field} must be ${reason}`,
  header: field,
  supported
})

export const unsupportedVersion = (
  version: string,
  supported: ReadonlyArray<number>,
  status: UnsupportedVersion["status"]
): Reason => ({
  _tag: "UnsupportedVersion",
  status,
  section: "RFC 6455 §4.4",
  message: `unsupported WebSocket version ${printable(version)}; supported: ${supported.join(", ") || "none"}`,
  version,
  supported
})

export const originRefused = (origin: string, authority?: string): Reason => ({
  _tag: "OriginRefused",
  status: 403,
  section: "RFC 6455 §10.2",
  message:
    authority === undefined
      ? `connections from the origin ${printable(origin)} are not allowed`
      : `connections from the origin ${printable(origin)} are not allowed: the request was sent to ${printable(authority)}`,
  origin,
  authority
})

export const pathNotFound = (path: string): Reason => ({
  _tag: "PathNotFound",
  status: 404,
  section: "RFC 6455 §4.2.2",
  message: `nothing is served at ${printable(path)}`,
  path
})

export const rejected = (status: number, headers: ReadonlyArray<Header>, body: string | undefined): Reason =>
  summarized<Rejected>(withResponse, {
    _tag: "Rejected",
    status,
    section: "RFC 6455 §4.2.2",
    message: `the request was rejected with status ${status}`,
    headers,
    body
  })

/** A response's header fields may hold secrets, such as cookies, and its body may be long. */
const withResponse = summaryPrototype<Rejected | UnexpectedStatus>(({ body, headers, ...reason }) => ({
  ...reason,
  headers: namesOf(headers),
  body: startOf(body)
}))

/** The peer did not finish its part of the handshake within so many milliseconds. */
export const timeout = (limit: number): Reason => ({
  _tag: "Timeout",
  status: 408,
  section: "RFC 9110 §15.5.9",
  message: `the handshake took longer than ${limit} ms`,
  limit
})

/** The client opens connections too fast; it may try again in so many seconds. */
export const tooManyRequests = (retryAfter?: number): Reason => ({
  _tag: "TooManyRequests",
  status: 429,
  section: "RFC 6585 §4",
  message: "the client opens too many connections",
  retryAfter
})

/** The head of the peer's message is larger than so many bytes. */
export const headersTooLarge = (limit: number): Reason => ({
  _tag: "HeadersTooLarge",
  status: 431,
  section: "RFC 6585 §5",
  message: `the head is larger than ${limit} bytes`,
  limit
})

/** The server has so many connections, or handshakes under way, and takes no more; it may have room in so many seconds. */
export const tooManyConnections = (limit: number, retryAfter?: number): Reason => ({
  _tag: "TooManyConnections",
  status: 503,
  section: "RFC 9110 §15.6.4",
  message: `the limit of ${limit} connections is reached`,
  limit,
  retryAfter
})

/** The server takes no more connections; another one may in so many seconds. */
export const shuttingDown = (retryAfter?: number): Reason => ({
  _tag: "ShuttingDown",
  status: 503,
  section: "RFC 9110 §15.6.4",
  message: "the server is shutting down",
  retryAfter
})

export const unexpectedStatus = (
  status: number,
  expected: number,
  headers: HeaderFields,
  body: Uint8Array | undefined
): UnexpectedStatus =>
  summarized<UnexpectedStatus>(withResponse, {
    _tag: "UnexpectedStatus",
    status,
    section: expected === 101 ? "RFC 6455 §4.1" : "RFC 8441 §5",
    message: `the server answered ${status} where ${expected} opens the connection`,
    headers,
    body: body === undefined ? undefined : new TextDecoder().decode(body)
  })

/** Adds the body of the response to the reason for its status. */
export const withBody = (reason: UnexpectedStatus, body: Uint8Array): UnexpectedStatus =>
  summarized<UnexpectedStatus>(withResponse, { ...reason, body: new TextDecoder().decode(body) })

export const invalidSubprotocol = (protocol: string | undefined, message: string): Reason => ({
  _tag: "InvalidSubprotocol",
  status: 500,
  section: "RFC 6455 §4.1",
  message: printable(message),
  protocol
})

export const invalidExtension = (extension: string, message: string): Reason => ({
  _tag: "InvalidExtension",
  status: 400,
  section: "RFC 6455 §9.1",
  message: printable(`extension ${extension}: ${message}`),
  extension
})

/** `text` is the URL as the caller wrote it; of it no more is shown than `shownUrl` allows. */
export const invalidUrl = (text: string, problem: string): Reason => {
  const url = shownUrl(text)
  const message = `${url ?? "invalid URL"}: ${problem}`
  return { _tag: "InvalidUrl", status: 500, section: "RFC 6455 §3", message, url: url ?? "" }
}

export const unsafeHeader = (header: string, message: string): Reason => ({
  _tag: "UnsafeHeader",
  status: 500,
  section: "RFC 9110 §5.5",
  message: `header ${printable(header)}: ${message}`,
  header
})

/** The request is an extended CONNECT for another protocol than WebSocket. */
export const otherProtocol = (protocol: string): Reason => ({
  _tag: "Unsupported",
  status: 501,
  section: "RFC 8441 §4",
  message: `the request is for the protocol ${printable(protocol)}, not for websocket`,
  feature: protocol
})

/** The server doesn't let a WebSocket open over HTTP/2. */
export const noHttp2 = (feature: string, section: string): Reason => ({
  _tag: "Unsupported",
  status: 501,
  section,
  message: `the server has no ${feature}`,
  feature
})

export const unsupported = (feature: string, draft: string): Reason => ({
  _tag: "Unsupported",
  status: 501,
  section: draft,
  message: `${draft} has no ${feature}`,
  feature
})
