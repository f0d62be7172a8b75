/** The origin of a request (RFC 6455 §10.2): the one place that compares it. */

/**
 * The origins from which clients may connect.
 *
 * **Details**
 *
 * With `"same"` the origin's host and port must be those of the `Host` header, and over TLS its scheme must be
 * `https`. A list has whole origins (`https://example.com`) and patterns. A request without an origin doesn't come
 * from a page, and passes.
 *
 * @category server
 * @since 0.1.0
 */
export type Origins = "same" | "any" | ReadonlyArray<string | RegExp>

const serialized = /^(https?):\/\/(.+)$/i
const port = /:([0-9]*)$/

/** A host with its port, which the scheme gives when it is not written. */
const withPort = (authority: string, secure: boolean): string => {
  const written = port.exec(authority)?.[1]
  const host = authority.replace(port, "").toLowerCase()
  return `${host}:${written === undefined || written === "" ? (secure ? 443 : 80) : Number(written)}`
}

/**
 * Whether an origin is that of the server. A request that did not come over TLS may come from a proxy that took it over
 * TLS, so that there the origin's own scheme gives both default ports.
 */
const isSame = (origin: string, host: string, secure: boolean): boolean => {
  const match = serialized.exec(origin)
  // No browser writes an origin without its scheme; clients of 2012 do. `null` is what a browser writes for none.
  if (match === null) return origin !== "null" && origin.toLowerCase() === host.toLowerCase()
  const [, scheme = "", authority = ""] = match
  const originSecure = scheme.toLowerCase() === "https"
  return (originSecure || !secure) && withPort(authority, originSecure) === withPort(host, originSecure)
}

/** Applies a policy to the origin that a client named, RFC 6455 §10.2. */
export const isAllowed = (origins: Origins, origin: string, host: string, secure: boolean): boolean => {
  if (origins === "any") return true
  if (origins === "same") return isSame(origin, host, secure)
  // `search` ignores the state that a global or sticky pattern keeps.
  return origins.some((allowed) =>
    typeof allowed === "string" ? allowed.toLowerCase() === origin.toLowerCase() : origin.search(allowed) !== -1
  )
}
