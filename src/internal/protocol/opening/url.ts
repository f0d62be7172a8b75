/** The URLs of WebSockets: RFC 6455 §3. The one place that reads them. */

/** Parses a URL without throwing, also where a program has replaced `URL` by one that lacks `URL.parse`. */
export const parseUrl = (text: string, base?: string | URL): URL | undefined => {
  try {
    return new URL(text, base)
  } catch {
    return undefined
  }
}

/**
 * The scheme and the host of a URL for a message, or `undefined` where it could show a user, a password or a token: where
 * the URL can't be parsed, has no host, or has an `@` after its host.
 */
export const shownUrl = (text: string): string | undefined => {
  const url = parseUrl(text)
  if (url === undefined || url.host === "" || /@|%40/i.test(url.pathname + url.search + url.hash)) return undefined
  return `${url.protocol}//${url.host}/`
}

/** Where a client connects to. */
export interface Destination {
  /** The URL without user and password. */
  readonly url: string
  /** Whether the transport is TLS. */
  readonly secure: boolean
  /** The host to connect to; an IPv6 address without its brackets. */
  readonly host: string
  readonly port: number
  /** The Unix socket to connect to, in place of host and port. */
  readonly socketPath: string | undefined
  /** The path and the query. */
  readonly target: string
  /** The value of `Host`. */
  readonly authority: string
  /** `user:password` from the URL, decoded. */
  readonly auth: string | undefined
}

/** A URL that no WebSocket can be opened at. */
export interface InvalidUrl {
  readonly _tag: "InvalidUrl"
  /** Why, for a message. */
  readonly message: string
}

const schemes = new Map([
  ["ws:", false],
  ["http:", false],
  ["wss:", true],
  ["https:", true],
  ["ws+unix:", false]
])

// oxlint-disable-next-line no-control-regex
const control = /[\0-\x1f\x7f]/

const decode = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

const invalid = (message: string): InvalidUrl => ({ _tag: "InvalidUrl", message })

/** Reads a URL, and takes user and password out of it. */
export const readUrl = (text: string): Destination | InvalidUrl => {
  // A URL parser drops these, and would continue with what the caller did not write.
  if (control.test(text)) return invalid("control characters are not allowed")
  const url = parseUrl(text)
  if (url === undefined) return invalid("not an absolute URL")
  const secure = schemes.get(url.protocol)
  if (secure === undefined) return invalid("the scheme must be ws, wss, http, https or ws+unix")
  if (url.href.includes("#")) return invalid("a fragment is not allowed")
  const username = decode(url.username)
  const password = decode(url.password)
  if (username === undefined || password === undefined) return invalid("user or password is not percent-encoded")
  const auth = username === "" && password === "" ? undefined : `${username}:${password}`
  url.username = ""
  url.password = ""
  return url.protocol === "ws+unix:" ? readUnix(url, auth) : readTcp(url, secure, auth)
}

const readUnix = (url: URL, auth: string | undefined): Destination | InvalidUrl => {
  const colon = url.pathname.indexOf(":")
  const socketPath = decode(colon === -1 ? url.pathname : url.pathname.slice(0, colon))
  const target = colon === -1 ? "" : url.pathname.slice(colon + 1)
  if (!socketPath || control.test(socketPath)) return invalid("the socket has no usable path")
  return {
    url: url.href,
    secure: false,
    host: "localhost",
    port: 80,
    socketPath,
    target: (target.startsWith("/") ? target : `/${target}`) + url.search,
    authority: "localhost",
    auth
  }
}

const readTcp = (url: URL, secure: boolean, auth: string | undefined): Destination => ({
  url: url.href,
  secure,
  host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
  port: url.port === "" ? (secure ? 443 : 80) : Number(url.port),
  socketPath: undefined,
  target: url.pathname + url.search,
  authority: url.host,
  auth
})
