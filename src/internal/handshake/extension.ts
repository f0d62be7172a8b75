/** Extensions as the handshake negotiates them, and permessage-deflate as one of them. */
import * as Data from "effect/Data"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import {
  acceptDeflate,
  verifyDeflate,
  deflateDirections,
  type DeflateDirection,
  deflateName,
  type DeflateParams,
  deflateRanges,
  type DeflateTerms,
  maxWindowBits,
  offerDeflate,
  readDeflateParams,
  writeDeflateParams
} from "../protocol/opening/deflateParams.ts"
import { formatExtensions, type Offer, type Params, parseExtensions } from "../protocol/opening/extensions.ts"

import { strict } from "../protocol/opening/policy.ts"

export type { Offer, Param, Params } from "../protocol/opening/extensions.ts"
export type { DeflateDirection } from "../protocol/opening/deflateParams.ts"

/**
 * The agreement on one extension, from the view of one side.
 *
 * @category models
 * @since 0.1.0
 */
export interface Agreement<out Settings = unknown> {
  /** The parameters in the response. */
  readonly params: Params
  /** What the connection has to know, from the view of this side. */
  readonly settings: Settings
}

/**
 * An extension that both sides agreed on.
 *
 * @category models
 * @since 0.1.0
 */
export interface Negotiated<out Settings = unknown> extends Offer, Agreement<Settings> {
  /** The reserved bits that the extension uses: RSV1 is 4, RSV2 is 2, RSV3 is 1. */
  readonly rsv: number
}

/**
 * An extension, as the opening handshake uses it. The same value serves a server and a client.
 *
 * **Gotchas**
 *
 * When two extensions claim the same reserved bit, a server agrees to the one that comes first in its list.
 *
 * @category models
 * @since 0.1.0
 */
export interface Extension<out Settings = unknown> {
  /** The registered name, a token. */
  readonly name: string
  /** The reserved bits that it claims: RSV1 is 4, RSV2 is 2, RSV3 is 1. */
  readonly rsv: number
  /** Client: returns the parameters of each offer, the preferred one first. */
  readonly offer: () => ReadonlyArray<Params>
  /** Server: chooses among the client's offers of this extension, in their order. `undefined` declines them all. */
  readonly accept: (offers: ReadonlyArray<Params>) => Agreement<Settings> | undefined
  /** Client: checks what the server agreed to. A failure says what is wrong with it, and the connection fails. */
  readonly confirm: (params: Params) => Result.Result<Agreement<Settings>, string>
}

/**
 * The error of a header that doesn't follow the grammar of RFC 6455 §9.1. `position` is where parsing stopped, in
 * characters from the start.
 *
 * @category errors
 * @since 0.1.0
 */
export class ExtensionSyntaxError extends Data.TaggedError("ExtensionSyntaxError")<{
  /** Where reading stopped, in characters from the start. */
  readonly position: number
  readonly message: string
}> {}

/**
 * The size of an LZ77 window as a power of two: 8 is 256 bytes, 15 is 32 KiB.
 *
 * @category models
 * @since 0.1.0
 */
export type WindowBits = 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15

/**
 * Options of permessage-deflate.
 *
 * @category options
 * @since 0.1.0
 */
export interface DeflateOptions {
  /**
   * Whether the server forgets its window after each message. Default: `true`. A client asks for it; where the
   * server doesn't agree, the client keeps the window of what it receives.
   */
  readonly serverNoContextTakeover?: boolean | undefined
  /**
   * Whether the client forgets its window after each message. By default a client does. A server asks for it when
   * the client offered it, and keeps the window of a client that doesn't; `true` on a server asks every client.
   */
  readonly clientNoContextTakeover?: boolean | undefined
  /** The largest window of the server's compressor: 8 to 15. Default: 15. */
  readonly serverMaxWindowBits?: WindowBits | undefined
  /** The largest window of the client's compressor: 8 to 15. Default: 15. */
  readonly clientMaxWindowBits?: WindowBits | undefined
  /** The shortest message that is compressed, in bytes. Shorter ones are sent as they are. Default: 1024. */
  readonly threshold?: number | undefined
  /**
   * The compression level of zlib: 0 to 9, or -1 for zlib's default, which is 6. Default: 3, which is much quicker
   * and compresses hardly less.
   */
  readonly level?: number | undefined
  /** The memory level of zlib's compressor: 1 to 9. Default: 8. */
  readonly memLevel?: number | undefined
}

/**
 * The agreement on permessage-deflate, from the view of one side.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeflateSettings {
  readonly _tag: "PermessageDeflate"
  /** The direction in which this side sends. */
  readonly deflate: DeflateDirection
  /** The direction in which this side receives. */
  readonly inflate: DeflateDirection
  /** The shortest message that is compressed, in bytes. */
  readonly threshold: number
  /** The compression level of zlib. */
  readonly level: number
  /** The memory level of zlib's compressor. */
  readonly memLevel: number
}

/**
 * Parses a `Sec-WebSocket-Extensions` header (RFC 6455 §9.1). Fails with an `ExtensionSyntaxError`.
 *
 * **Details**
 *
 * A quoted value must hold a token, and is returned without its quotes. Parsing takes time in proportion to the
 * header's length, whatever it holds.
 *
 * **Example** (Parsing an offer)
 *
 * ```ts
 * import { Result } from "effect"
 * import { Extension } from "effect-ws"
 * import assert from "node:assert"
 *
 * const offers = Extension.parse("permessage-deflate; client_max_window_bits, x-webkit-deflate-frame")
 *
 * assert.deepStrictEqual(Result.getOrThrow(offers), [
 *   { name: "permessage-deflate", params: [["client_max_window_bits", true]] },
 *   { name: "x-webkit-deflate-frame", params: [] }
 * ])
 * ```
 *
 * @category parsing and formatting
 * @since 0.1.0
 */
export const parse = (header: string): Result.Result<ReadonlyArray<Offer>, ExtensionSyntaxError> => {
  const read = parseExtensions(header, strict.extensions)
  if (!("_tag" in read)) return Result.succeed(read)
  const { expected, position } = read
  return Result.fail(new ExtensionSyntaxError({ position, message: `expected ${expected} at character ${position}` }))
}

/**
 * Formats a `Sec-WebSocket-Extensions` header. Names and values must be tokens; the opening handshake checks them.
 *
 * @category parsing and formatting
 * @since 0.1.0
 */
export const format: (offers: ReadonlyArray<Offer>) => string = formatExtensions

/**
 * zlib takes a raw window of 8 bits for one of 9. What it deflates fits 8 bits all the same: it refers back no further
 * than its window less 262 bytes, which is 250 of the 256 that the peer remembers.
 */
const minZlibWindowBits = 9

const zlibDirection = ({ takeover, windowBits }: DeflateDirection): DeflateDirection => ({
  windowBits: Math.max(windowBits, minZlibWindowBits),
  takeover
})

const inRange = (option: keyof typeof deflateRanges, value: number): number => {
  const [minimum, maximum] = deflateRanges[option]
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return value
  throw new RangeError(`${option} must be an integer from ${minimum} to ${maximum}, not ${value}`)
}

/** A window's limit; the largest is none. */
const limitOf = (
  option: "serverMaxWindowBits" | "clientMaxWindowBits",
  value: number = maxWindowBits
): number | undefined => {
  const limit = inRange(option, value)
  return limit === maxWindowBits ? undefined : limit
}

const demand = (option: boolean | undefined): true | undefined => (option === true ? true : undefined)

/**
 * Creates the extension permessage-deflate (RFC 7692) with the parameters that it offers and accepts.
 *
 * **When to use**
 *
 * `compression` of `Server` and `Socket.connect` takes the options of this function, or an extension that was made
 * with it.
 *
 * **Gotchas**
 *
 * Throws a `RangeError` for an option out of its range.
 *
 * @category constructors
 * @since 0.1.0
 */
export const permessageDeflate = (options: DeflateOptions = {}): Extension<DeflateSettings> => {
  const threshold = inRange("threshold", options.threshold ?? 1024)
  const level = inRange("level", options.level ?? 3)
  const memLevel = inRange("memLevel", options.memLevel ?? 8)
  const windows = {
    serverMaxWindowBits: limitOf("serverMaxWindowBits", options.serverMaxWindowBits),
    clientMaxWindowBits: limitOf("clientMaxWindowBits", options.clientMaxWindowBits)
  }
  const asServer: DeflateTerms = {
    ...windows,
    serverNoContextTakeover: demand(options.serverNoContextTakeover ?? true),
    clientNoContextTakeover: demand(options.clientNoContextTakeover)
  }
  const asClient: DeflateTerms = {
    ...asServer,
    clientNoContextTakeover: demand(options.clientNoContextTakeover ?? true)
  }
  const settle = (
    params: Params,
    deflate: DeflateDirection,
    inflate: DeflateDirection
  ): Agreement<DeflateSettings> => ({
    params,
    settings: {
      _tag: "PermessageDeflate",
      deflate: zlibDirection(deflate),
      inflate: zlibDirection(inflate),
      threshold,
      level,
      memLevel
    }
  })
  const confirm = (params: Params, response: DeflateParams): Result.Result<Agreement<DeflateSettings>, string> => {
    const agreed = verifyDeflate(response, asClient, strict.deflate)
    if (agreed === "server_max_window_bits") {
      return Result.fail(`the server's window is not limited to ${windows.serverMaxWindowBits} bits`)
    }
    if (agreed === "client_max_window_bits") {
      return Result.fail(`client_max_window_bits is above the ${windows.clientMaxWindowBits} offered`)
    }
    if (typeof agreed === "string") return Result.fail(`${agreed} was not offered`)
    const { client, server } = deflateDirections(agreed)
    // We said that we forget our window, whatever the server repeats of that.
    const deflate = { ...client, takeover: client.takeover && asClient.clientNoContextTakeover !== true }
    return Result.succeed(settle(params, deflate, server))
  }
  return {
    name: deflateName,
    rsv: 4,
    offer: () => [writeDeflateParams(offerDeflate(asClient))],
    accept: (offers) => {
      for (const params of offers) {
        const offer = readDeflateParams(params, "offer", strict.deflate)
        const agreed = "_tag" in offer ? undefined : acceptDeflate(offer, asServer, strict.deflate)
        if (agreed === undefined) continue
        const { client, server } = deflateDirections(agreed)
        return settle(writeDeflateParams(agreed), server, client)
      }
      return undefined
    },
    confirm: (params) => {
      const response = readDeflateParams(params, "response", strict.deflate)
      if (!("_tag" in response)) return confirm(params, response)
      const { name, problem } = response
      return Result.fail(
        problem === "twice" ? `parameter ${name} stands twice` : `parameter ${name} is unknown or has a bad value`
      )
    }
  }
}

const isDeflate = (negotiated: Negotiated): negotiated is Negotiated<DeflateSettings> =>
  Predicate.isTagged(negotiated.settings, "PermessageDeflate")

/**
 * Returns what was agreed for permessage-deflate, or `undefined` when it is not among the extensions.
 *
 * @category deflate
 * @since 0.1.0
 */
export const deflateSettings = (extensions: ReadonlyArray<Negotiated>): DeflateSettings | undefined =>
  extensions.find(isDeflate)?.settings
