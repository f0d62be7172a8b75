/** The parameters of permessage-deflate and their negotiation (RFC 7692 §7.1): the one place, for both roles and all APIs. */
import type { Param, Params } from "./extensions.ts"

export const deflateName = "permessage-deflate"

/** Bits of the largest LZ77 window, 32 KiB. */
export const maxWindowBits = 15

/** The ranges of the options, both ends included: RFC 7692 §7.1.2, and zlib's own. */
export const deflateRanges = {
  serverMaxWindowBits: [8, maxWindowBits],
  clientMaxWindowBits: [8, maxWindowBits],
  threshold: [0, Number.MAX_SAFE_INTEGER],
  level: [-1, 9],
  memLevel: [1, 9]
} as const

/** The parameters of one offer or of one response. */
export interface DeflateParams {
  readonly serverNoContextTakeover: boolean
  readonly clientNoContextTakeover: boolean
  readonly serverMaxWindowBits: number | undefined
  /** `true` when it stands without a value, as only an offer may have it. */
  readonly clientMaxWindowBits: number | true | undefined
}

/** A parameter that can't be read. */
export interface BadDeflateParam {
  readonly _tag: "BadDeflateParam"
  readonly problem: "twice" | "unknown" | "value"
  readonly name: string
  readonly value: string | true
}

/** What one side wants of the negotiation. */
export interface DeflateTerms {
  /**
   * Whether the server forgets its window after each message: `true` demands it, `false` declines an offer that demands it,
   * `undefined` leaves it to the peer.
   */
  readonly serverNoContextTakeover: boolean | undefined
  /** Whether the client forgets its window: as above; on a client, `false` refuses a response that demands it. */
  readonly clientNoContextTakeover: boolean | undefined
  /** The server's largest window, 8 to 15. On a server, `false` declines an offer that limits it. */
  readonly serverMaxWindowBits: number | false | undefined
  /** The client's largest window, 8 to 15. On a client, `false` doesn't offer to be limited. */
  readonly clientMaxWindowBits: number | false | undefined
}

/** How one API negotiates. */
export interface DeflatePolicy {
  /** Reads the number of a window; `undefined` for one that is not from 8 to 15. */
  readonly windowBits: (value: string) => number | undefined
  /**
   * What becomes of a window that one side offers and of which the other wants to use more: `lower` settles on the smaller one,
   * `decline` declines the offer.
   */
  readonly largerWindow: "lower" | "decline"
  /** Whether a client insists on the limit of the server's window that it asked for. */
  readonly insistsOnServerWindow: boolean
}

/** The Effect API. */
export const strictDeflate: DeflatePolicy = {
  windowBits: (value) => (/^(?:[89]|1[0-5])$/.test(value) ? Number(value) : undefined),
  largerWindow: "lower",
  insistsOnServerWindow: true
}

/** The `ws` 8 API: as `ws`. */
export const ws8Deflate: DeflatePolicy = {
  windowBits: (value) => {
    const bits = Number(value)
    return Number.isInteger(bits) && bits >= 8 && bits <= maxWindowBits ? bits : undefined
  },
  largerWindow: "decline",
  insistsOnServerWindow: false
}

const none: ReadonlySet<string> = new Set()

/** The names that stand more than once. */
const repeated = (params: Params): ReadonlySet<string> => {
  if (params.length < 2) return none
  const seen = new Set<string>()
  const twice = params.filter(([name]) => seen.size === seen.add(name).size)
  return twice.length === 0 ? none : new Set(twice.map(([name]) => name))
}

const bad = (problem: BadDeflateParam["problem"], [name, value]: Param): BadDeflateParam => ({
  _tag: "BadDeflateParam",
  problem,
  name,
  value
})

/** Reads the parameters of an offer or a response: each at most once, none that is unknown, none with a bad value. */
export const readDeflateParams = (
  params: Params,
  kind: "offer" | "response",
  { windowBits }: DeflatePolicy
): DeflateParams | BadDeflateParam => {
  let serverNoContextTakeover = false
  let clientNoContextTakeover = false
  let serverMaxWindowBits: number | undefined
  let clientMaxWindowBits: number | true | undefined
  const twice = repeated(params)
  for (const param of params) {
    const [name, value] = param
    if (twice.has(name)) return bad("twice", param)
    switch (name) {
      case "server_no_context_takeover":
        if (value !== true) return bad("value", param)
        serverNoContextTakeover = true
        break
      case "client_no_context_takeover":
        if (value !== true) return bad("value", param)
        clientNoContextTakeover = true
        break
      case "server_max_window_bits":
        serverMaxWindowBits = value === true ? undefined : windowBits(value)
        if (serverMaxWindowBits === undefined) return bad("value", param)
        break
      case "client_max_window_bits":
        clientMaxWindowBits = value === true ? (kind === "offer" ? true : undefined) : windowBits(value)
        if (clientMaxWindowBits === undefined) return bad("value", param)
        break
      default:
        return bad("unknown", param)
    }
  }
  return { serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits }
}

/** Writes parameters in the order of RFC 7692 §7.1. */
export const writeDeflateParams = (params: DeflateParams): Params => {
  const written: Array<Param> = []
  if (params.serverNoContextTakeover) written.push(["server_no_context_takeover", true])
  if (params.clientNoContextTakeover) written.push(["client_no_context_takeover", true])
  if (params.serverMaxWindowBits !== undefined) {
    written.push(["server_max_window_bits", String(params.serverMaxWindowBits)])
  }
  const bits = params.clientMaxWindowBits
  if (bits !== undefined) written.push(["client_max_window_bits", bits === true ? true : String(bits)])
  return written
}

/** Client: the parameters to offer. */
export const offerDeflate = (terms: DeflateTerms): DeflateParams => ({
  serverNoContextTakeover: terms.serverNoContextTakeover === true,
  clientNoContextTakeover: terms.clientNoContextTakeover === true,
  serverMaxWindowBits: terms.serverMaxWindowBits === false ? undefined : terms.serverMaxWindowBits,
  clientMaxWindowBits: terms.clientMaxWindowBits === false ? undefined : (terms.clientMaxWindowBits ?? true)
})

/**
 * Server: the parameters that answer an offer, or `undefined` to decline it.
 *
 * `client_no_context_takeover` is answered when the client offered it or our terms demand it: clients that didn't offer it may
 * ignore it (Tornado, Mojolicious), so that what they send needs the window of their earlier messages.
 */
export const acceptDeflate = (
  offer: DeflateParams,
  terms: DeflateTerms,
  { largerWindow }: DeflatePolicy
): DeflateParams | undefined => {
  const { clientMaxWindowBits: client, serverMaxWindowBits: server } = terms
  if (offer.serverNoContextTakeover && terms.serverNoContextTakeover === false) return undefined
  const serverBits = chooseWindow(offer.serverMaxWindowBits, server, largerWindow)
  if (serverBits === "declined") return undefined
  // RFC 7692 §7.1.2.2: a server may limit the client's window only if the client said that it can.
  if (typeof client === "number" && offer.clientMaxWindowBits === undefined) return undefined
  const offered = offer.clientMaxWindowBits === true ? undefined : offer.clientMaxWindowBits
  const clientBits = client === false ? undefined : chooseWindow(offered, client, largerWindow)
  if (clientBits === "declined") return undefined
  return {
    serverNoContextTakeover: offer.serverNoContextTakeover || terms.serverNoContextTakeover === true,
    clientNoContextTakeover: offer.clientNoContextTakeover || terms.clientNoContextTakeover === true,
    serverMaxWindowBits: serverBits,
    clientMaxWindowBits: clientBits
  }
}

/** The window that stands in the response; `undefined` where neither side limits it. */
const chooseWindow = (
  offered: number | undefined,
  wanted: number | false | undefined,
  larger: DeflatePolicy["largerWindow"]
): number | "declined" | undefined => {
  if (wanted === false) return offered === undefined ? undefined : "declined"
  if (offered === undefined || wanted === undefined) return offered ?? wanted
  if (wanted > offered && larger === "decline") return "declined"
  return Math.min(offered, wanted)
}

/**
 * Client: the parameters that a response settles on, or what is wrong with it, completed by the parameter's name. A response
 * without the `server_no_context_takeover` that was asked for is accepted: what the server sends is then inflated with the
 * window of its earlier messages.
 */
export const verifyDeflate = (
  response: DeflateParams,
  terms: DeflateTerms,
  { insistsOnServerWindow }: DeflatePolicy
): DeflateParams | "server_max_window_bits" | "client_max_window_bits" | "client_no_context_takeover" => {
  const { clientMaxWindowBits: client, serverMaxWindowBits: server } = terms
  if (response.clientNoContextTakeover && terms.clientNoContextTakeover === false) return "client_no_context_takeover"
  if (insistsOnServerWindow && typeof server === "number" && (response.serverMaxWindowBits ?? maxWindowBits) > server) {
    return "server_max_window_bits"
  }
  const bits = response.clientMaxWindowBits
  if (typeof bits === "number" && (client === false || bits > (client ?? maxWindowBits))) {
    return "client_max_window_bits"
  }
  return {
    ...response,
    clientMaxWindowBits: bits ?? (client === false ? undefined : client)
  }
}

/**
 * The settings of permessage-deflate for one direction.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeflateDirection {
  /** The size of the LZ77 window, as a power of two: 8 to 15. */
  readonly windowBits: number
  /** Whether the window is kept from one message to the next. */
  readonly takeover: boolean
}

/** The two directions that parameters agree on. */
export const deflateDirections = (
  params: DeflateParams
): { readonly server: DeflateDirection; readonly client: DeflateDirection } => ({
  server: { windowBits: params.serverMaxWindowBits ?? maxWindowBits, takeover: !params.serverNoContextTakeover },
  client: {
    windowBits: typeof params.clientMaxWindowBits === "number" ? params.clientMaxWindowBits : maxWindowBits,
    takeover: !params.clientNoContextTakeover
  }
})
