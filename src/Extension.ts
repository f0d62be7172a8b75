/**
 * Extensions of the protocol: the grammar of `Sec-WebSocket-Extensions` (RFC 6455 §9.1), the point where an extension
 * plugs into the handshake, and the parameters of permessage-deflate (RFC 7692 §7.1).
 *
 * An extension is negotiated here and applied by the connection: this module knows parameters, not payloads.
 */
import * as Data from "effect/Data"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { isToken, isTokenCode } from "./internal/handshake/token.ts"

/** One parameter: its name, and its value or `true` when it has none. */
export type Param = readonly [name: string, value: string | true]

/** Parameters in the order of the header. A name may stand twice: what that means is the extension's to say. */
export type Params = ReadonlyArray<Param>

/** One element of the header: an offer in a request, an acceptance in a response. */
export interface Offer {
  readonly name: string
  readonly params: Params
}

/** What an extension settled on. */
export interface Agreement<out Settings = unknown> {
  /** The parameters that stand in the response. */
  readonly params: Params
  /** What the connection needs to know, from the view of the side that we are. */
  readonly settings: Settings
}

/** An extension that both sides agreed on. */
export interface Negotiated<out Settings = unknown> extends Offer, Agreement<Settings> {
  /** The reserved bits that it uses: RSV1 is 4, RSV2 is 2, RSV3 is 1. */
  readonly rsv: number
}

/**
 * An extension, as the handshake sees it. The same value serves as server and as client.
 *
 * Of two extensions that claim the same reserved bit, a server agrees to the one that stands first in its list.
 */
export interface Extension<out Settings = unknown> {
  /** The registered name, a token. */
  readonly name: string
  /** The reserved bits that it claims: RSV1 is 4, RSV2 is 2, RSV3 is 1. */
  readonly rsv: number
  /** Client: the parameters of each offer, the preferred first. */
  readonly offer: () => ReadonlyArray<Params>
  /** Server: chooses among the client's offers of this extension, in their order; `undefined` declines them all. */
  readonly accept: (offers: ReadonlyArray<Params>) => Agreement<Settings> | undefined
  /** Client: checks what the server agreed to; a failure says what is wrong with it, and the connection fails. */
  readonly confirm: (params: Params) => Result.Result<Agreement<Settings>, string>
}

/** The header does not follow the grammar of RFC 6455 §9.1. */
export class SyntaxError extends Data.TaggedError("SyntaxError")<{
  /** Where reading stopped, in characters from the start. */
  readonly position: number
  readonly message: string
}> {}

/** Number of bits of an LZ77 window: 8 is 256 bytes, 15 is 32 KiB. */
export type WindowBits = 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15

/** Options of permessage-deflate. */
export interface DeflateOptions {
  /** The server forgets its window after each message. Default `true`. */
  readonly serverNoContextTakeover?: boolean | undefined
  /** The client forgets its window after each message. Default `true`. */
  readonly clientNoContextTakeover?: boolean | undefined
  /** Largest window of the server's compressor. Default 15. */
  readonly serverMaxWindowBits?: WindowBits | undefined
  /** Largest window of the client's compressor. Default 15. */
  readonly clientMaxWindowBits?: WindowBits | undefined
  /** Messages shorter than this many bytes are sent as they are. Default 1024. */
  readonly threshold?: number | undefined
  /** Compression level of zlib, 0 to 9, or -1 for zlib's own choice, which is 6. Default 3: much quicker, hardly larger. */
  readonly level?: number | undefined
  /** Memory level of zlib's compressor, 1 to 9. Default 8. */
  readonly memLevel?: number | undefined
}

/** One direction of permessage-deflate. */
export interface DeflateDirection {
  /** Window, in bits, as zlib takes it: 9 to 15. */
  readonly windowBits: number
  /** Whether the window is kept from one message to the next. */
  readonly takeover: boolean
}

/** What was agreed for permessage-deflate, from the view of the side that we are. */
export interface DeflateSettings {
  readonly _tag: "PermessageDeflate"
  /** What we send. */
  readonly deflate: DeflateDirection
  /** What we receive. */
  readonly inflate: DeflateDirection
  /** Messages shorter than this many bytes are sent as they are. */
  readonly threshold: number
  readonly level: number
  readonly memLevel: number
}

const space = 0x20
const tab = 0x09
const quote = 0x22
const comma = 0x2c
const semicolon = 0x3b
const equals = 0x3d
const backslash = 0x5c

/**
 * Reads a `Sec-WebSocket-Extensions` header: RFC 6455 §9.1. A quoted value must hold a token, and is given without its
 * quotes. Takes time in proportion to the header's length, whatever it holds.
 */
export const parse = (header: string): Result.Result<ReadonlyArray<Offer>, SyntaxError> => {
  let at = 0
  const skipSpace = () => {
    while (header.charCodeAt(at) === space || header.charCodeAt(at) === tab) at++
  }
  /** The empty string stands for no token. */
  const token = (): string => {
    const start = at
    while (isTokenCode(header.charCodeAt(at))) at++
    return header.slice(start, at)
  }
  const quoted = (): string => {
    let value = ""
    for (at++; at < header.length; at++) {
      const code = header.charCodeAt(at)
      if (code === quote) {
        at++
        return isToken(value) ? value : ""
      }
      if (code === backslash) at++
      value += header.charAt(at)
    }
    return ""
  }
  const expected = (what: string) =>
    Result.fail(new SyntaxError({ position: at, message: `expected ${what} at character ${at}` }))

  const offers: Array<Offer> = []
  while (true) {
    skipSpace()
    const name = token()
    if (name === "") return expected("the name of an extension")
    skipSpace()
    const params: Array<Param> = []
    while (header.charCodeAt(at) === semicolon) {
      at++
      skipSpace()
      const param = token()
      if (param === "") return expected("the name of a parameter")
      skipSpace()
      if (header.charCodeAt(at) === equals) {
        at++
        skipSpace()
        const value = header.charCodeAt(at) === quote ? quoted() : token()
        if (value === "") return expected("a token, bare or in quotes, before this point")
        skipSpace()
        params.push([param, value])
      } else {
        params.push([param, true])
      }
    }
    offers.push({ name, params })
    if (at === header.length) return Result.succeed(offers)
    if (header.charCodeAt(at) !== comma) return expected("a comma")
    at++
  }
}

/** Writes a `Sec-WebSocket-Extensions` header. Names and values must be tokens; the handshake checks them before it writes. */
export const format = (offers: ReadonlyArray<Offer>): string =>
  offers
    .map(({ name, params }) =>
      [name, ...params.map(([param, value]) => (value === true ? param : `${param}=${value}`))].join("; ")
    )
    .join(", ")

/** The parameters of RFC 7692 §7.1, as one header has them. */
interface DeflateParams {
  serverNoContextTakeover: boolean
  clientNoContextTakeover: boolean
  serverMaxWindowBits: number | undefined
  /** `true` when it stands without a value, as only an offer may have it. */
  clientMaxWindowBits: number | true | undefined
}

const maxWindowBits = 15
/**
 * zlib takes a raw window of 8 bits for one of 9. What it deflates fits 8 bits all the same: it refers back no further
 * than its window less 262 bytes, which is 250 of the 256 that the peer remembers.
 */
const minZlibWindowBits = 9

const readWindowBits = (value: string | true): number | undefined =>
  value !== true && /^(?:[89]|1[0-5])$/.test(value) ? Number(value) : undefined

/** RFC 7692 §7.1: every parameter at most once, none that is unknown, none with a bad value. */
const readDeflateParams = (params: Params, inOffer: boolean): Result.Result<DeflateParams, string> => {
  const read: DeflateParams = {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: undefined,
    clientMaxWindowBits: undefined
  }
  const seen = new Set<string>()
  for (const [name, value] of params) {
    if (seen.has(name)) return Result.fail(`parameter ${name} stands twice`)
    seen.add(name)
    const bits = readWindowBits(value)
    if (name === "server_no_context_takeover" && value === true) read.serverNoContextTakeover = true
    else if (name === "client_no_context_takeover" && value === true) read.clientNoContextTakeover = true
    else if (name === "server_max_window_bits" && bits !== undefined) read.serverMaxWindowBits = bits
    else if (name === "client_max_window_bits" && bits !== undefined) read.clientMaxWindowBits = bits
    else if (name === "client_max_window_bits" && value === true && inOffer) read.clientMaxWindowBits = true
    else return Result.fail(`parameter ${name} is unknown or has a bad value`)
  }
  return Result.succeed(read)
}

const inRange = (option: string, value: number, minimum: number, maximum: number): number => {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return value
  throw new RangeError(`${option} must be an integer from ${minimum} to ${maximum}, not ${value}`)
}

/**
 * permessage-deflate, RFC 7692, with its parameters settled by the options. Throws a `RangeError` for an option out of
 * its range.
 */
export const permessageDeflate = (options: DeflateOptions = {}): Extension<DeflateSettings> => {
  const serverNoContextTakeover = options.serverNoContextTakeover ?? true
  const clientNoContextTakeover = options.clientNoContextTakeover ?? true
  const serverLimit = inRange("serverMaxWindowBits", options.serverMaxWindowBits ?? maxWindowBits, 8, maxWindowBits)
  const clientLimit = inRange("clientMaxWindowBits", options.clientMaxWindowBits ?? maxWindowBits, 8, maxWindowBits)
  const threshold = inRange("threshold", options.threshold ?? 1024, 0, Number.MAX_SAFE_INTEGER)
  const level = inRange("level", options.level ?? 3, -1, 9)
  const memLevel = inRange("memLevel", options.memLevel ?? 8, 1, 9)

  const settings = (deflate: DeflateDirection, inflate: DeflateDirection): DeflateSettings => ({
    _tag: "PermessageDeflate",
    deflate: { windowBits: Math.max(deflate.windowBits, minZlibWindowBits), takeover: deflate.takeover },
    inflate: { windowBits: Math.max(inflate.windowBits, minZlibWindowBits), takeover: inflate.takeover },
    threshold,
    level,
    memLevel
  })

  const accept = (offer: DeflateParams): Agreement<DeflateSettings> | undefined => {
    const serverBits = Math.min(offer.serverMaxWindowBits ?? maxWindowBits, serverLimit)
    // RFC 7692 §7.1.2.2: a server may limit the client's window only if the client said that it can.
    if (clientLimit < maxWindowBits && offer.clientMaxWindowBits === undefined) return undefined
    const offeredBits = typeof offer.clientMaxWindowBits === "number" ? offer.clientMaxWindowBits : maxWindowBits
    const clientBits = Math.min(offeredBits, clientLimit)
    const serverReset = serverNoContextTakeover || offer.serverNoContextTakeover
    const clientReset = clientNoContextTakeover || offer.clientNoContextTakeover

    const params: Array<Param> = []
    if (serverReset) params.push(["server_no_context_takeover", true])
    if (clientReset) params.push(["client_no_context_takeover", true])
    if (offer.serverMaxWindowBits !== undefined || serverBits < maxWindowBits) {
      params.push(["server_max_window_bits", String(serverBits)])
    }
    if (typeof offer.clientMaxWindowBits === "number" || clientBits < maxWindowBits) {
      params.push(["client_max_window_bits", String(clientBits)])
    }
    return {
      params,
      settings: settings(
        { windowBits: serverBits, takeover: !serverReset },
        { windowBits: clientBits, takeover: !clientReset }
      )
    }
  }

  const confirm = (response: DeflateParams): Result.Result<DeflateSettings, string> => {
    const serverBits = response.serverMaxWindowBits ?? maxWindowBits
    if (serverBits > serverLimit) return Result.fail(`the server's window is not limited to ${serverLimit} bits`)
    if (serverNoContextTakeover && !response.serverNoContextTakeover) {
      return Result.fail("server_no_context_takeover was asked for and is missing")
    }
    const clientBits = typeof response.clientMaxWindowBits === "number" ? response.clientMaxWindowBits : clientLimit
    if (clientBits > clientLimit) return Result.fail(`client_max_window_bits is above the ${clientLimit} offered`)
    return Result.succeed(
      settings(
        { windowBits: clientBits, takeover: !(clientNoContextTakeover || response.clientNoContextTakeover) },
        { windowBits: serverBits, takeover: !response.serverNoContextTakeover }
      )
    )
  }

  return {
    name: "permessage-deflate",
    rsv: 4,
    offer: () => {
      const params: Array<Param> = []
      if (serverNoContextTakeover) params.push(["server_no_context_takeover", true])
      if (clientNoContextTakeover) params.push(["client_no_context_takeover", true])
      if (serverLimit < maxWindowBits) params.push(["server_max_window_bits", String(serverLimit)])
      params.push(["client_max_window_bits", clientLimit < maxWindowBits ? String(clientLimit) : true])
      return [params]
    },
    accept: (offers) => {
      for (const params of offers) {
        const offer = readDeflateParams(params, true)
        const agreement = Result.isSuccess(offer) ? accept(offer.success) : undefined
        if (agreement !== undefined) return agreement
      }
      return undefined
    },
    confirm: (params) =>
      readDeflateParams(params, false).pipe(
        Result.flatMap(confirm),
        Result.map((settings) => ({ params, settings }))
      )
  }
}

const isDeflate = (negotiated: Negotiated): negotiated is Negotiated<DeflateSettings> =>
  Predicate.isTagged(negotiated.settings, "PermessageDeflate")

/** What was agreed for permessage-deflate, if it is among the extensions. */
export const deflateSettings = (extensions: ReadonlyArray<Negotiated>): DeflateSettings | undefined =>
  extensions.find(isDeflate)?.settings
