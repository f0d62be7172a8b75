/** The options of a server: their rules, which are checked when the server is made, and their values in the engine's units. */
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import type * as http2 from "node:http2"
import { safeHeaders } from "../protocol/opening/http.ts"
import { isReason } from "../protocol/opening/reason.ts"
import type { AcceptOptions, HeadersInput } from "../handshake/model.ts"
import { plainHeaders } from "../handshake/secret.ts"
import { messageOf } from "../messageOf.ts"
import { extensionsOf } from "../socket/compression.ts"
import {
  boolean,
  callback,
  count,
  drafts,
  duration,
  extensions,
  finiteDuration,
  integer,
  invalidOption,
  isObject,
  maxDelay,
  objectOf,
  oneOf,
  type OptionRule,
  type OptionRules,
  positiveDuration,
  required,
  type RulesOf,
  subprotocols,
  switchOr
} from "../socket/optionRules.ts"
import { byteSize } from "../socket/byteSize.ts"
import { defaults } from "../socket/options.ts"
import { headerFields, socketRules } from "../socket/socketRules.ts"
import { isAddressOrBlock } from "./address.ts"
import type { ServerError } from "./error.ts"
import { invalidOptions } from "./failure.ts"
import type { ConnectionRate, ListenOptions, Options, ServeOptions, TrustedProxies } from "./model.ts"
import type { Ages } from "./supervision.ts"

/** The values of a server's options. */
export interface ServerSettings {
  readonly accept: AcceptOptions
  readonly ages: Ages
  /** Milliseconds; `Infinity` for no limit. */
  readonly handshakeTimeout: number
  readonly shutdownTimeout: number
  readonly drainGrace: number
}

/** The path of a request never has a query, a fragment or a character outside of Latin-1. */
const path: OptionRule = {
  allowed: "a path that begins with /, without query, fragment and spaces",
  check: (value) => typeof value === "string" && /^\/[\x21\x22\x24-\x3e\x40-\x7e\x80-\xff]*$/.test(value)
}

/** Whether a browser can send an origin of this text: RFC 6454 §6.2. It never sends one without a scheme, but for `null`. */
const canMatch = (entry: string): boolean => {
  if (entry.toLowerCase() === "null" || entry.toLowerCase() === "file://") return true
  const [, scheme = "", rest = ""] = /^([a-z][a-z0-9+.-]*):\/\/([\x21-\x7e]+)$/i.exec(entry) ?? []
  if (/[/?#*@]/.test(rest)) return false
  if (/^https?$/i.test(scheme)) return URL.parse(entry)?.origin === entry.toLowerCase()
  return rest !== "" && !/^wss?$/i.test(scheme)
}

const origins: OptionRule = {
  allowed:
    'same, any, or a list of origins such as "https://example.com" and of patterns, because any other entry can never match: with a scheme, no path, no trailing slash, no default port, host in ASCII, no "*"; a RegExp such as /^https:\\/\\/[a-z0-9-]+\\.example\\.com$/ matches subdomains',
  check: (value) =>
    value === "same" ||
    value === "any" ||
    (Array.isArray(value) &&
      value.every((entry: unknown) => entry instanceof RegExp || (typeof entry === "string" && canMatch(entry))))
}

const protocols: OptionRule = {
  allowed: `${subprotocols.allowed}, or a function`,
  check: (value) => typeof value === "function" || subprotocols.check(value)
}

const headers: OptionRule = {
  allowed: `${headerFields.allowed}, which can be written, and which the handshake doesn't set`,
  check: (value) => headerFields.check(value) && !isReason(safeHeaders(plainHeaders(value as HeadersInput)))
}

const addresses: OptionRule = {
  allowed: "a list of IP addresses, and of blocks such as 10.0.0.0/8",
  check: (value) =>
    Array.isArray(value) && value.every((entry: unknown) => typeof entry === "string" && isAddressOrBlock(entry))
}

const text = (allowed: string): OptionRule => ({
  allowed,
  check: (value) => typeof value === "string" && value !== "" && !value.includes("\0")
})

const rateRules = { connections: required(integer(1)), per: finiteDuration } satisfies RulesOf<ConnectionRate>

const rate = objectOf("an object with connections and per", rateRules)

const proxiesRules = {
  addresses: required(addresses),
  header: oneOf("x-forwarded-for", "forwarded")
} satisfies RulesOf<TrustedProxies>

/** The rules of the options that every way into a server takes. */
const optionRules = {
  ...socketRules,
  drafts,
  extensions,
  path,
  origins,
  protocols,
  headers,
  authorize: callback,
  handshakeTimeout: positiveDuration,
  shutdownTimeout: duration,
  drainGrace: duration,
  maxConnections: count,
  maxHandshakes: count,
  maxMemory: byteSize,
  maxConnectionsPerAddress: count,
  maxRatePerAddress: rate,
  maxRate: rate,
  retryAfter: finiteDuration,
  idleTimeout: positiveDuration,
  maxLifetime: positiveDuration,
  trustedProxies: objectOf("an object with addresses", proxiesRules)
} satisfies RulesOf<Options>

/** Settings of HTTP/2 that are counts or sizes. */
const uint32 = integer(0, 2 ** 32 - 1)

const isCustomSettings = (value: unknown): boolean =>
  isObject(value) &&
  !Array.isArray(value) &&
  Object.entries(value).length <= 10 &&
  Object.entries(value).every(([id, setting]) => integer(0, 0xffff).check(Number(id)) && uint32.check(setting))

/** The ranges of RFC 9113 §6.5.2. */
const http2Rules = {
  headerTableSize: uint32,
  enablePush: boolean,
  initialWindowSize: integer(0, 2 ** 31 - 1),
  maxFrameSize: integer(2 ** 14, 2 ** 24 - 1),
  maxConcurrentStreams: uint32,
  maxHeaderListSize: uint32,
  // Node's older name of `maxHeaderListSize`.
  maxHeaderSize: uint32,
  enableConnectProtocol: boolean,
  customSettings: {
    allowed: "an object of at most 10 settings: numbers from 0 to 65535, each with an integer from 0 to 4294967295",
    check: isCustomSettings
  }
} satisfies RulesOf<http2.Settings> & OptionRules

/** Node checks the others when it makes the server, and this one for each connection. */
const tlsRules = { handshakeTimeout: integer(0, maxDelay) } satisfies OptionRules

/** The rules of the options of a server that listens. */
export const listenRules = {
  ...optionRules,
  port: integer(0, 65_535),
  host: text("a host name or an address"),
  socketPath: text("a path of the file system"),
  socketMode: integer(0, 0o777),
  backlog: integer(1, 0x7fffffff),
  reusePort: boolean,
  proxyProtocol: {
    ...switchOr({ addresses: required(addresses) }),
    allowed: "true, false or an object with addresses"
  },
  tls: objectOf("an object of options of node:https", tlsRules),
  http2: { ...switchOr(http2Rules), allowed: "true, false or an object of settings" },
  onRequest: callback
} satisfies RulesOf<ServeOptions>

/** What validation found before, so that options that are used for each request are checked once. */
const checked = new WeakMap<object, Result.Result<ServerSettings, ServerError>>()

/** Checks the options of a server without a listener, and gives them their defaults. */
export const settingsOf = <A, R>(options: Options<A, R>): Result.Result<ServerSettings, ServerError> => {
  const known = checked.get(options)
  if (known !== undefined) return known
  const settings = check(options, optionRules)
  checked.set(options, settings)
  return settings
}

/** Checks the options of a server that listens. */
export const listenSettingsOf = <A, R>(
  options: Options<A, R> & ListenOptions
): Result.Result<ServerSettings, ServerError> =>
  options.proxyProtocol === true && options.trustedProxies === undefined
    ? Result.fail(
        invalidOptions({
          option: "proxyProtocol",
          allowed: "true together with trustedProxies, or an object with addresses",
          message:
            "invalid option proxyProtocol: true without trustedProxies; allowed: true together with trustedProxies, or an object with addresses"
        })
      )
    : check(options, listenRules)

const check = (
  options: Options<never, never> | Options<unknown, unknown>,
  rules: OptionRules
): Result.Result<ServerSettings, ServerError> => {
  const invalid = invalidOption(rules, options)
  if (invalid !== undefined) return Result.fail(invalidOptions(invalid))
  return Result.try({
    try: () => ({
      accept: { ...options, extensions: [...extensionsOf(options.compression), ...(options.extensions ?? [])] },
      ages: { idle: millis(options.idleTimeout), lifetime: millis(options.maxLifetime) },
      handshakeTimeout: Duration.toMillis(options.handshakeTimeout ?? defaults.timeout),
      shutdownTimeout: Duration.toMillis(options.shutdownTimeout ?? defaults.timeout),
      drainGrace: Duration.toMillis(options.drainGrace ?? 0)
    }),
    // The last to check their own values are the extensions.
    catch: (cause) =>
      invalidOptions({
        option: "compression",
        allowed: "a boolean, or options of permessage-deflate",
        message: `invalid option compression: ${messageOf(cause)}`
      })
  })
}

const millis = (duration: Duration.Input | undefined): number | undefined =>
  duration === undefined ? undefined : Duration.toMillis(duration)
