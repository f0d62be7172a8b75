/** Cookies in the format of Netscape, as curl and browsers' exporters write it. */

interface Cookie {
  readonly domain: string
  readonly subdomains: boolean
  readonly path: string
  readonly secure: boolean
  /** Seconds since 1970; 0 lasts as long as a session. */
  readonly expires: number
  readonly name: string
  readonly value: string
}

const httpOnly = "#HttpOnly_"

const parseLine = (line: string): Cookie | undefined => {
  const text = line.startsWith(httpOnly) ? line.slice(httpOnly.length) : line
  if (text.startsWith("#")) return undefined
  const [domain, subdomains, path, secure, expires, name, value] = text.split("\t")
  if (domain === undefined || path === undefined || name === undefined || value === undefined) return undefined
  return {
    domain: domain.replace(/^\./, "").toLowerCase(),
    subdomains: subdomains === "TRUE",
    path,
    secure: secure === "TRUE",
    expires: Number(expires),
    name,
    value
  }
}

/** RFC 6265 §5.1.4. */
const pathMatches = (path: string, of: string): boolean =>
  path === of || (path.startsWith(of) && (of.endsWith("/") || path.charAt(of.length) === "/"))

/** The cookies of a file that belong to a URL, as `name=value`. `now` is in milliseconds since 1970. */
export const cookiesFor = (file: string, url: URL, now: number): ReadonlyArray<string> =>
  file.split(/\r?\n/).flatMap((line) => {
    const cookie = parseLine(line)
    if (cookie === undefined) return []
    const host = url.hostname.toLowerCase()
    const here = host === cookie.domain || (cookie.subdomains && host.endsWith(`.${cookie.domain}`))
    const secure = url.protocol === "wss:" || url.protocol === "https:"
    const alive = cookie.expires === 0 || cookie.expires * 1000 > now
    return here && alive && (secure || !cookie.secure) && pathMatches(url.pathname, cookie.path)
      ? [`${cookie.name}=${cookie.value}`]
      : []
  })
