/** The grammar of `Sec-WebSocket-Extensions` (RFC 6455 §9.1): the one place that reads and writes it. */
import { isToken, isTokenCode } from "./token.ts"

/**
 * One parameter: its name, and its value or `true` when it has none.
 *
 * @category models
 * @since 0.1.0
 */
export type Param = readonly [name: string, value: string | true]

/**
 * The parameters of an extension in the order of the header. A name may appear twice; the extension decides what
 * that means.
 *
 * @category models
 * @since 0.1.0
 */
export type Params = ReadonlyArray<Param>

/**
 * One element of a `Sec-WebSocket-Extensions` header: an offer in a request, an agreement in a response.
 *
 * @category models
 * @since 0.1.0
 */
export interface Offer {
  /** The registered name of the extension. */
  readonly name: string
  /** The parameters, in their order. */
  readonly params: Params
}

/** How one API reads the header. */
export interface ExtensionGrammar {
  /** Whether white space may stand at both ends of the header and around `=`. */
  readonly padding: boolean
}

/** The Effect API. */
export const strictExtensions: ExtensionGrammar = { padding: true }

/** The `ws` 8 API: as `ws`, which takes white space after names and separators alone. */
export const ws8Extensions: ExtensionGrammar = { padding: false }

/** Where a header breaks the grammar. */
export interface GrammarError {
  readonly _tag: "GrammarError"
  /** In characters from the start; the header's length where it ends too early. */
  readonly position: number
  /** Completes "expected …". */
  readonly expected: string
}

const space = 0x20
const tab = 0x09
const quote = 0x22
const comma = 0x2c
const semicolon = 0x3b
const equals = 0x3d
const backslash = 0x5c

/** The characters of one header, read from the left. */
class Reader {
  at = 0
  private readonly header: string

  constructor(header: string) {
    this.header = header
  }

  get isAtEnd(): boolean {
    return this.at >= this.header.length
  }

  isAt(code: number): boolean {
    return this.header.charCodeAt(this.at) === code
  }

  /** Skips white space, and returns whether there was some. */
  skipSpace(): boolean {
    const start = this.at
    while (this.isAt(space) || this.isAt(tab)) this.at++
    return this.at > start
  }

  /** Skips a separator, and returns whether it stands there. */
  skip(code: number): boolean {
    if (!this.isAt(code)) return false
    this.at++
    return true
  }

  /** Returns a token; the empty string stands for none. */
  token(): string {
    const start = this.at
    while (isTokenCode(this.header.charCodeAt(this.at))) this.at++
    return this.header.slice(start, this.at)
  }

  /** Returns the token that a quoted string holds, without escapes; the empty string stands for none. */
  quoted(): string {
    let value = ""
    for (this.at++; !this.isAtEnd && !this.isAt(quote); this.at++) {
      if (this.isAt(backslash)) this.at++
      if (this.isAtEnd || !isTokenCode(this.header.charCodeAt(this.at))) return ""
      value += this.header.charAt(this.at)
    }
    if (value !== "" && !this.skip(quote)) return ""
    return value
  }

  expected(what: string): GrammarError {
    return { _tag: "GrammarError", position: Math.min(this.at, this.header.length), expected: what }
  }
}

/**
 * Reads a header. A quoted value must hold a token, and is given without its quotes. Takes time in proportion to the header's
 * length, whatever it holds.
 */
export const parseExtensions = (header: string, { padding }: ExtensionGrammar): ReadonlyArray<Offer> | GrammarError => {
  const reader = new Reader(header)
  const offers: Array<Offer> = []
  do {
    if (padding || offers.length > 0) reader.skipSpace()
    const name = reader.token()
    if (name === "") return reader.expected("the name of an extension")
    let padded = reader.skipSpace()
    const params: Array<Param> = []
    while (reader.skip(semicolon)) {
      reader.skipSpace()
      const param = reader.token()
      if (param === "") return reader.expected("the name of a parameter")
      if (padding) reader.skipSpace()
      if (reader.skip(equals)) {
        if (padding) reader.skipSpace()
        const value = reader.isAt(quote) ? reader.quoted() : reader.token()
        if (value === "") return reader.expected("a token, bare or in quotes")
        params.push([param, value])
      } else {
        params.push([param, true])
      }
      padded = reader.skipSpace()
    }
    offers.push({ name, params })
    if (reader.isAtEnd) return padded && !padding ? reader.expected("no white space at the end") : offers
  } while (reader.skip(comma))
  return reader.expected("a comma")
}

/** Writes a header. Names and values must be tokens, which `areTokens` checks. */
export const formatExtensions = (offers: ReadonlyArray<Offer>): string =>
  offers
    .map(({ name, params }) =>
      [name, ...params.map(([param, value]) => (value === true ? param : `${param}=${value}`))].join("; ")
    )
    .join(", ")

const isTokenOrTrue = (value: string | true): boolean => value === true || isToken(value)

/** Whether names and values are tokens, so that `formatExtensions` writes nothing that could change the message. */
export const areTokens = (offers: ReadonlyArray<Offer>): boolean =>
  offers.every(({ name, params }) => isToken(name) && params.every((param) => param.every(isTokenOrTrue)))
