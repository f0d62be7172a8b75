/** The URLs of WebSockets: RFC 6455 §3. The one place that reads them. */

/**
 * Parses a URL without throwing, also where a program has replaced `URL` by one that lacks `URL.parse`. `Class` is the
 * class to parse with: Node's own where a program may have replaced the global one by one that doesn't parse at all.
 */
export const parseUrl = (text: string, base?: string | URL, Class: typeof URL = URL): URL | undefined => {
  try {
    return new Class(text, base)
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

/** A text that should be a URL, without what may be a user, a password or a token: what stands before an `@`, and the query. */
export const withoutSecrets = (text: string): string =>
  text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, "$1").replace(/[?#].*$/s, "")

/**
 * The destination of a client's connection.
 *
 * @category models
 * @since 0.2.0
 */
export interface Destination {
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
  readonly problem: "control" | "syntax" | "scheme" | "fragment" | "credentials" | "socket"
}

/** How one API reads a URL. */
export interface UrlPolicy {
  /** Returns the path of the Unix socket and the request's target. An empty path is invalid. */
  readonly splitUnix: (url: URL) => { readonly socketPath: string; readonly target: string }
  /** Decodes a user or a password; `undefined` is invalid. */
  readonly decode: (text: string) => string | undefined
  /** Whether a `#` with nothing after it is allowed. */
  readonly emptyFragment: boolean
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

const decodeStrictly = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** The Effect API and the `ws` 0.4 API. */
export const strictUrls: UrlPolicy = {
  splitUnix: ({ pathname, search }) => {
    const colon = pathname.indexOf(":")
    const socketPath = decodeStrictly(colon === -1 ? pathname : pathname.slice(0, colon))
    const target = colon === -1 ? "" : pathname.slice(colon + 1)
    return {
      socketPath: socketPath === undefined || control.test(socketPath) ? "" : socketPath,
      target: (target.startsWith("/") ? target : `/${target}`) + search
    }
  },
  decode: decodeStrictly,
  emptyFragment: false
}

const invalid = (problem: InvalidUrl["problem"]): InvalidUrl => ({ _tag: "InvalidUrl", problem })

/** Reads a parsed URL, and takes user and password out of it. */
export const destinationOf = (parsed: URL, policy: UrlPolicy): Destination | InvalidUrl => {
  const secure = schemes.get(parsed.protocol)
  if (secure === undefined) return invalid("scheme")
  if (policy.emptyFragment ? parsed.hash !== "" : parsed.href.includes("#")) return invalid("fragment")
  if (parsed.username === "" && parsed.password === "") return placeOf(parsed, secure, undefined, policy)
  const username = policy.decode(parsed.username)
  const password = policy.decode(parsed.password)
  if (username === undefined || password === undefined) return invalid("credentials")
  // A copy, by the class that parsed it.
  const url = new (parsed.constructor as typeof URL)(parsed.href)
  url.username = ""
  url.password = ""
  return placeOf(url, secure, `${username}:${password}`, policy)
}

/** Reads a URL without credentials; `auth` are those that it had. */
const placeOf = (url: URL, secure: boolean, auth: string | undefined, policy: UrlPolicy): Destination | InvalidUrl => {
  if (url.protocol !== "ws+unix:") {
    return {
      url: url.href,
      secure,
      host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: url.port === "" ? (secure ? 443 : 80) : Number(url.port),
      socketPath: undefined,
      target: url.pathname + url.search,
      authority: url.host,
      auth
    }
  }
  const { socketPath, target } = policy.splitUnix(url)
  if (socketPath === "") return invalid("socket")
  return { url: url.href, secure, host: "localhost", port: 80, socketPath, target, authority: "localhost", auth }
}

/** Reads a URL as the caller wrote it. */
export const readUrl = (text: string): Destination | InvalidUrl => {
  // A URL parser drops these, and would continue with what the caller did not write.
  if (control.test(text)) return invalid("control")
  const url = parseUrl(text)
  return url === undefined ? invalid("syntax") : destinationOf(url, strictUrls)
}
