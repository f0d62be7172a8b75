/** Rules for the values of options, as data: each option set is checked when a client or a server is made. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { isToken } from "../protocol/opening/token.ts"

/** What an option accepts. `undefined` means the default, and is valid unless the option is required. */
export interface OptionRule {
  /** Completes "allowed: …". */
  readonly allowed: string
  readonly check: (value: unknown) => boolean
  readonly isRequired?: boolean
  /** The rules of the option's own options, where it is an object of options. */
  readonly options?: OptionRules
}

/** The rule of an option without a default. */
export interface RequiredRule extends OptionRule {
  readonly isRequired: true
}

/** The rules of an option set, by option. */
export interface OptionRules {
  readonly [option: string]: OptionRule
}

/** A rule for each option of an interface, so that the compiler finds the option without one. */
export type RulesOf<Options> = {
  readonly [Option in keyof Options]-?: undefined extends Options[Option] ? OptionRule : RequiredRule
}

/** An option whose value its rule doesn't allow. */
export interface InvalidOption {
  /** Its name, such as `maxMessageSize` or `keepAlive.interval`. */
  readonly option: string
  /** The values that are allowed, in words. */
  readonly allowed: string
  /** The option, its value, and what is allowed. */
  readonly message: string
}

/** The longest delay of Node's timers in milliseconds, 24.8 days. */
export const maxDelay = 0x7fffffff

/** An integer in a range, both ends included. */
export const integer = (minimum: number, maximum = Number.MAX_SAFE_INTEGER): OptionRule => ({
  allowed:
    maximum === Number.MAX_SAFE_INTEGER
      ? `an integer of at least ${minimum}`
      : `an integer from ${minimum} to ${maximum}`,
  check: (value) => Number.isSafeInteger(value) && Number(value) >= minimum && Number(value) <= maximum
})

/** A limit: an integer of at least `minimum`, or `Infinity` for no limit. */
export const limit = (minimum = 0): OptionRule => ({
  allowed: `an integer of at least ${minimum}, or Infinity`,
  check: (value) => value === Infinity || integer(minimum).check(value)
})

/** A size in bytes, from 0; `Infinity` is no limit. */
export const size = limit()

/** A number of things, from 0; `Infinity` is no limit. */
export const count = limit()

const milliseconds = (value: unknown): number => {
  // Effect reads NaN as zero.
  if (typeof value === "number" && Number.isNaN(value)) return Number.NaN
  return Option.match(Duration.fromInput(value as Duration.Input), {
    onNone: () => Number.NaN,
    onSome: Duration.toMillis
  })
}

const isDelay = (value: number): boolean => value === Infinity || (value >= 0 && value <= maxDelay)

/** A finite duration in a range of milliseconds, both ends included; `range` is the range in words. */
export const durationFrom = (minimum: number, maximum: number, range: string): OptionRule => ({
  allowed: `a duration ${range}`,
  check: (value) => milliseconds(value) >= minimum && milliseconds(value) <= maximum
})

/** A duration that a timer of Node can wait, from 0 to `maxDelay`; `Infinity` is for ever. */
export const duration: OptionRule = {
  allowed: `a duration from 0 to ${maxDelay} ms, or Infinity`,
  check: (value) => isDelay(milliseconds(value))
}

/** A duration as `duration` has it, but not 0. */
export const positiveDuration: OptionRule = {
  allowed: `a duration above 0 and up to ${maxDelay} ms, or Infinity`,
  check: (value) => milliseconds(value) > 0 && duration.check(value)
}

/** A finite duration as `positiveDuration` has it. */
export const finiteDuration: OptionRule = durationFrom(Number.MIN_VALUE, maxDelay, `above 0 and up to ${maxDelay} ms`)

/** One of some texts. */
export const oneOf = (...values: ReadonlyArray<string>): OptionRule => ({
  allowed: values.join(" or "),
  check: (value) => typeof value === "string" && values.includes(value)
})

/** A function. */
export const callback: OptionRule = { allowed: "a function", check: (value) => typeof value === "function" }

/** `true` or `false`. */
export const boolean: OptionRule = { allowed: "true or false", check: (value) => typeof value === "boolean" }

/** A text. */
export const string: OptionRule = { allowed: "a string", check: (value) => typeof value === "string" }

/** An option without a default. */
export const required = (rule: OptionRule): RequiredRule => ({ ...rule, isRequired: true })

export const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

const isRecord = (value: unknown): value is object => isObject(value) && !Array.isArray(value)

/** An object of options. */
export const objectOf = (allowed: string, options: OptionRules = {}): OptionRule => ({
  allowed,
  check: isRecord,
  options
})

/** An object of options, or `false`. */
export const falseOr = (options: OptionRules): OptionRule => ({
  allowed: "false or an object of options",
  check: (value) => value === false || isRecord(value),
  options
})

/** A subprotocol: a token of RFC 9110 §5.6.2, so not the empty string. */
export const subprotocol: OptionRule = {
  allowed: "a token of RFC 9110 §5.6.2",
  check: (value) => typeof value === "string" && isToken(value)
}

/** A list of subprotocols, all different. */
export const subprotocols: OptionRule = {
  allowed: "a list of tokens of RFC 9110 §5.6.2, all different",
  check: (value) => Array.isArray(value) && value.every(subprotocol.check) && new Set(value).size === value.length
}

/** An option that is a boolean or an object of options. */
export const switchOr = (options: OptionRules): OptionRule => ({
  allowed: "a boolean or an object of options",
  check: (value) => typeof value === "boolean" || isRecord(value),
  options
})

/** A `Schedule` of Effect. */
export const schedule: OptionRule = { allowed: "a Schedule", check: (value) => Schedule.isSchedule(value) }

const isDraft = (value: unknown): boolean =>
  isObject(value) && "id" in value && "codec" in value && isObject(value.codec) && "requestRules" in value

/** A draft of `Handshake`. */
export const draft: OptionRule = { allowed: "a draft of Handshake, such as Handshake.rfc6455", check: isDraft }

/** A list of drafts. */
export const drafts: OptionRule = {
  allowed: "a list of drafts of Handshake, not empty",
  check: (value) => Array.isArray(value) && value.length > 0 && value.every(isDraft)
}

const isExtension = (value: unknown): boolean => {
  if (!isObject(value)) return false
  const { accept, confirm, name, offer, rsv } = value as Readonly<Record<string, unknown>>
  return (
    typeof name === "string" &&
    isToken(name) &&
    integer(0, 7).check(rsv) &&
    [accept, confirm, offer].every((part) => typeof part === "function")
  )
}

/** A list of extensions. */
export const extensions: OptionRule = {
  allowed: "a list of extensions, each with name, rsv, offer, accept and confirm",
  check: (value) => Array.isArray(value) && value.every(isExtension)
}

/** Short enough for a message, and without the text of objects. */
const shown = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 64))
  if (Array.isArray(value)) return `[${value.slice(0, 8).map(shown).join(", ")}]`
  return typeof value === "object" && value !== null ? "an object" : String(value)
}

/** Returns the first option that breaks its rule. */
export const invalidOption = (rules: OptionRules, options: object, prefix = ""): InvalidOption | undefined => {
  for (const [name, rule] of Object.entries(rules)) {
    const value: unknown = Reflect.get(options, name)
    if (value === undefined && rule.isRequired !== true) continue
    const option = prefix + name
    if (value === undefined || !rule.check(value)) {
      return {
        option,
        allowed: rule.allowed,
        message: `invalid option ${option}: ${shown(value)}; allowed: ${rule.allowed}`
      }
    }
    if (rule.options === undefined || !isRecord(value)) continue
    const inner = invalidOption(rule.options, value, `${option}.`)
    if (inner !== undefined) return inner
  }
  return undefined
}
