/** The checks that rules of several drafts and policies share. */
import { parseExtensions, strictExtensions } from "./extensions.ts"
import type { Check } from "./rules.ts"
import { tokenCharacters } from "./token.ts"

export const oneOf = (...values: readonly [string, ...ReadonlyArray<string>]): Check => ({ _tag: "OneOf", values })

const matching = (pattern: RegExp, test?: (value: string) => boolean): Check => ({ _tag: "Pattern", pattern, test })

/** A pattern for a word in any case. Spelt out, since values are generated from patterns, and only from those without flags. */
const anyCase = (word: string): string => word.replaceAll(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`)

/** A comma-separated list in which a word stands, in any case. */
const listWith = (word: string): Check => matching(new RegExp(`^(?:[^,]*,)*[ \\t]*${anyCase(word)}[ \\t]*(?:,.*)?$`))

export const upgradeToWebSocket = listWith("websocket")

export const connectionUpgrade = listWith("upgrade")

/** An authority: a name or an address, and perhaps a port. */
export const authorityPattern = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+;=-]+)(?::[0-9]{0,5})?$/

export const authority = matching(authorityPattern)

export const exactlyWebSocket = matching(new RegExp(`^${anyCase("websocket")}$`))

export const exactlyUpgrade = matching(new RegExp(`^${anyCase("upgrade")}$`))

/** Visible ASCII characters. */
export const originPattern = /^[\x21-\x7e]+$/

export const origin = matching(originPattern)

export const location = matching(/^wss?:\/\/[\x21-\x7e\x80-\xff]+$/)

/** The base64 form of 16 bytes: the one place that validates `Sec-WebSocket-Key`. */
export const key = matching(/^[A-Za-z0-9+/]{22}==$/)

/** The base64 form of 20 bytes. */
export const acceptKey = matching(/^[A-Za-z0-9+/]{27}=$/)

export const token = matching(new RegExp(`^[${tokenCharacters}]+$`))

export const splitList = (value: string): ReadonlyArray<string> => value.split(",").map((element) => element.trim())

const isDistinct = (value: string): boolean => {
  const elements = splitList(value)
  return new Set(elements).size === elements.length
}

const listOf = (characters: string): Check =>
  matching(new RegExp(`^[ \\t]*[${characters}]+[ \\t]*(?:,[ \\t]*[${characters}]+[ \\t]*)*$`), isDistinct)

/** A comma-separated list of tokens, all different. */
export const tokens = listOf(tokenCharacters)

/** A comma-separated list of names of visible ASCII characters, all different: no token yet in the first drafts. */
export const names = listOf("\\x21-\\x2b\\x2d-\\x7e")

/** The grammar of `Sec-WebSocket-Extensions`. */
export const extensions: Check = {
  _tag: "Grammar",
  test: (value) => !("_tag" in parseExtensions(value, strictExtensions)),
  sample: /^[a-z-]{1,9}(?:; ?[a-z_]{1,9}(?:=(?:[0-9]{1,2}|"[a-z]{1,4}"))?)*$/
}

export const bytes = (length: number): Check => ({ _tag: "Bytes", length })

/** HTTP/1.1 and later versions of HTTP/1. */
export const httpVersion = matching(/^1\.[1-9]$/)

/** A path, perhaps with a query. */
export const path = matching(/^\/[\x21-\x7e\x80-\xff]*$/)

/** A path or an absolute URL, whose scheme may be in any case: RFC 9112 §3.2, RFC 3986 §3.1. */
export const target = matching(/^(?:\/|[Hh][Tt][Tt][Pp][Ss]?:\/\/)[\x21-\x7e\x80-\xff]*$/)
