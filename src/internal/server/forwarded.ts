/** The header fields in which proxies pass on where a request came from: `X-Forwarded-*`, and `Forwarded` of RFC 7239. */
import type { HeaderFields } from "../handshake/model.ts"

/** The header in which the proxies note addresses; the other header is written by the client. */
export type ForwardedHeader = "x-forwarded-for" | "forwarded"

/** The addresses that proxies noted, the nearest proxy's last. An entry that is no address stops the search at a caller. */
export const forwardedFor = (header: ForwardedHeader, headers: HeaderFields): ReadonlyArray<string> =>
  header === "forwarded"
    ? elementsOf(headers).map((element) => element.get("for") ?? "")
    : listOf(headers["x-forwarded-for"])

/** The host and the scheme of the client's request, as the proxies noted them. */
export interface ForwardedTarget {
  readonly host: string | undefined
  readonly scheme: string | undefined
}

/**
 * The host and the scheme that the farthest of `hops` trusted proxies noted. A proxy that overwrites the field of the one
 * before it leaves one entry, which counts for all of them.
 */
export const forwardedTarget = (header: ForwardedHeader, headers: HeaderFields, hops: number): ForwardedTarget => {
  if (header === "forwarded") {
    const element = entryOf(elementsOf(headers), hops)
    return { host: element?.get("host"), scheme: element?.get("proto") }
  }
  const host = entryOf(listOf(headers["x-forwarded-host"]), hops)?.trim()
  const port = entryOf(listOf(headers["x-forwarded-port"]), hops)?.trim()
  const hasPort = host === undefined || host === "" || /:[0-9]*$/.test(host)
  return {
    host: !hasPort && port !== undefined && /^[0-9]{1,5}$/.test(port) ? `${host}:${port}` : host,
    scheme: entryOf(listOf(headers["x-forwarded-proto"]), hops)?.trim()
  }
}

const entryOf = <A>(entries: ReadonlyArray<A>, hops: number): A | undefined =>
  entries.at(-Math.min(Math.max(hops, 1), entries.length))

const textOf = (value: string | ReadonlyArray<string> | undefined): string =>
  value === undefined ? "" : typeof value === "string" ? value : value.join(",")

const listOf = (value: string | ReadonlyArray<string> | undefined): ReadonlyArray<string> => {
  const text = textOf(value)
  return text === "" ? [] : text.split(",")
}

/** One proxy's parameters, by lower-case name. */
type Element = ReadonlyMap<string, string>

/** Commas that one element may have inside of its quoted strings. */
const maxCommas = 64

/**
 * The elements of the `Forwarded` field, from the end of the field as far as they are well-formed. Every proxy adds its
 * element behind what it received, which the client may have begun with an unmatched quote. Read from the end, a comma
 * inside of a quoted string is told by what follows it: an odd number of quotes, which no element has.
 */
const elementsOf = (headers: HeaderFields): ReadonlyArray<Element> => {
  const elements: Array<Element> = []
  let rest = textOf(headers["forwarded"])
  let start = rest.length
  let commas = 0
  while (rest !== "" && commas <= maxCommas) {
    start = start === 0 ? -1 : rest.lastIndexOf(",", start - 1)
    const element = readElement(rest.slice(start + 1))
    if (element !== undefined) {
      if (element.size > 0) elements.unshift(element)
      rest = rest.slice(0, Math.max(start, 0))
      start = rest.length
      commas = 0
    } else if (start === -1) {
      break
    } else {
      commas++
    }
  }
  return elements
}

// RFC 7239 §4: `token "=" value`, where a value is a token or a quoted string. Addresses are often written without their
// quotes, so that brackets and colons are let pass.
const pair =
  /[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s"(),;<=>?@\\{}]*))[ \t]*(?:;|$)/y

/** Reads pairs with semicolons between them, each name at most once; `undefined` for anything else. */
const readElement = (text: string): Element | undefined => {
  const element = new Map<string, string>()
  if (text.trim() === "") return element
  pair.lastIndex = 0
  while (pair.lastIndex < text.length) {
    const match = pair.exec(text)
    if (match === null) return undefined
    const [, name = "", quoted, bare = ""] = match
    const key = name.toLowerCase()
    if (element.has(key)) return undefined
    element.set(key, quoted === undefined ? bare : quoted.replaceAll(/\\(.)/gs, "$1"))
  }
  return element
}
