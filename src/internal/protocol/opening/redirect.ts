/** Redirects of the opening handshake: which ones a client follows, and which of its headers go with it. */
import { parseUrl } from "./url.ts"

/** Whether a status redirects, for one API's client. */
export type IsRedirect = (status: number) => boolean

/** The Effect API: the statuses of RFC 9110 §15.4 that name another place for the same request. */
export const strictRedirects: IsRedirect = (status) =>
  status === 301 || status === 302 || status === 303 || status === 307 || status === 308

/** The `ws` 8 API: as `ws`. */
export const ws8Redirects: IsRedirect = (status) => status >= 300 && status < 400

const isUnix = (url: URL): boolean => url.protocol === "ws+unix:"

/**
 * Returns the URL that the `Location` of a redirect leads to, with `ws` for `http`. `undefined` for none, and for a Unix socket: no
 * server decides which sockets of the client's machine are opened.
 */
export const redirectTarget = (location: unknown, from: string | URL): URL | undefined => {
  const url = typeof location === "string" ? parseUrl(location, from) : undefined
  if (url === undefined || isUnix(url)) return undefined
  if (url.protocol === "http:") url.protocol = "ws:"
  if (url.protocol === "https:") url.protocol = "wss:"
  return url
}

const isSecure = ({ protocol }: URL): boolean => protocol === "wss:" || protocol === "https:"

const credentials = ["authorization", "cookie", "proxy-authorization"] as const

/** The path of a Unix socket, or the host and the port. */
const placeOf = (url: URL): string => (isUnix(url) ? (url.pathname.split(":", 1)[0] ?? "") : url.host)

/**
 * Returns the headers, by lower-case name, that a redirect drops, and with them the caller's user and password: credentials
 * stay with their host and never leave TLS.
 */
export const droppedHeaders = (from: URL, to: URL): ReadonlyArray<string> => {
  const samePlace = isUnix(from) === isUnix(to) && placeOf(from) === placeOf(to)
  if (!samePlace) return [...credentials, "host"]
  return isSecure(from) && !isSecure(to) ? credentials : []
}
