/** The options of a server: their rules, which are checked when the server is made, and their values in the engine's units. */
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import { safeHeaders } from "../protocol/opening/http.ts"
import { isReason } from "../protocol/opening/reason.ts"
import type { AcceptOptions, HeadersInput } from "../handshake/model.ts"
import { plainHeaders } from "../handshake/secret.ts"
import { messageOf } from "../messageOf.ts"
import { extensionsOf } from "../socket/compression.ts"
import {
  callback,
  count,
  duration,
  finiteDuration,
  integer,
  invalidOption,
  isObject,
  objectOf,
  oneOf,
  type OptionRule,
  type OptionRules,
  positiveDuration,
  subprotocols
} from "../socket/optionRules.ts"
import { byteSize } from "../socket/byteSize.ts"
import { defaults } from "../socket/options.ts"
import { socketRules } from "../socket/socketRules.ts"
import { isAddressOrBlock } from "./address.ts"
import type { ServerError } from "./error.ts"
import { invalidOptions } from "./failure.ts"
import type { ListenOptions, Options } from "./model.ts"
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

/** Whether a browser, or another client, can send an origin of this text: RFC 6454 §6.2. */
const canMatch = (entry: string): boolean => {
  const [, scheme = "", rest = ""] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?([\x21-\x7e]*)$/i.exec(entry) ?? []
  if (rest === "") return entry.toLowerCase() === "file://"
  if (/^https?$/i.test(scheme)) return URL.parse(entry)?.origin === entry.toLowerCase()
  return !/^wss?$/i.test(scheme) && !/[/?#*@]/.test(rest)
}

const origins: OptionRule = {
  allowed:
    'same, any, or a list of patterns and of origins such as "https://example.com": no path, no trailing slash, no default port, host in ASCII',
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

const list = (things: string): OptionRule => ({ allowed: `a list of ${things}`, check: Array.isArray })

const headers: OptionRule = {
  allowed: "header fields that can be written, and that the handshake doesn't set",
  check: (value) => isObject(value) && !isReason(safeHeaders(plainHeaders(value as HeadersInput)))
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

const boolean: OptionRule = { allowed: "true or false", check: (value) => typeof value === "boolean" }

const rate = objectOf("an object with connections and per", { connections: integer(1), per: finiteDuration }, [
  "connections"
])

/** The rules of the options that every way into a server takes. */
const optionRules: OptionRules = {
  ...socketRules,
  drafts: { allowed: "a list of drafts, not empty", check: (value) => Array.isArray(value) && value.length > 0 },
  extensions: list("extensions"),
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
  trustedProxies: objectOf(
    "an object with addresses",
    {
      addresses,
      header: oneOf("x-forwarded-for", "forwarded")
    },
    ["addresses"]
  )
}

const listenRules: OptionRules = {
  ...optionRules,
  port: integer(0, 65_535),
  host: text("a host name or an address"),
  socketPath: text("a path of the file system"),
  socketMode: integer(0, 0o777),
  backlog: integer(1, 0x7fffffff),
  reusePort: boolean,
  proxyProtocol: {
    allowed: "true, false or an object with addresses",
    check: (value) => typeof value === "boolean" || isObject(value),
    options: { addresses }
  },
  tls: { allowed: "an object of options of node:https", check: isObject },
  http2: {
    allowed: "true, false or an object of settings",
    check: (value) => typeof value === "boolean" || isObject(value)
  },
  onRequest: callback
}

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
