/** Rules of the opening handshake, as data: what a field of a request or a response must be, and which section demands it. */
import type { HeaderFields } from "./fields.ts"

/**
 * The condition that a value has to satisfy. Each kind can be run, and a schema can be built from it.
 *
 * @category drafts
 * @since 0.2.0
 */
export type Check =
  /** One of these texts. */
  | { readonly _tag: "OneOf"; readonly values: readonly [string, ...ReadonlyArray<string>] }
  /** A text that matches a pattern, and passes a further test where there is one. */
  | {
      readonly _tag: "Pattern"
      readonly pattern: RegExp
      readonly test: ((value: string) => boolean) | undefined
    }
  /** A text that a parser accepts; `sample` is a pattern of some of them. */
  | { readonly _tag: "Grammar"; readonly test: (value: string) => boolean; readonly sample: RegExp }
  /** A text that holds a number: Hixie-76's keys. */
  | {
      readonly _tag: "Number"
      readonly maximum: number
      readonly decode: (value: string) => number
      readonly encode: (value: number) => string
    }
  /** So many bytes. */
  | { readonly _tag: "Bytes"; readonly length: number }

/**
 * The parts of a message that are not header fields.
 *
 * @category drafts
 * @since 0.2.0
 */
export type Part = "method" | "httpVersion" | "url" | "key3" | "body"

interface Statement {
  /** Whether the field must be there. */
  readonly required: boolean
  readonly check: Check
  /** Completes "the field must be …". */
  readonly reason: string
  /** The section of the standard that demands it, such as `RFC 6455 §4.2.1`. */
  readonly section: string
}

/**
 * The rule of one field: of a header field, by its lower-case name, or of another part of the message.
 *
 * @category drafts
 * @since 0.2.0
 */
export type Rule = Statement &
  ({ readonly place: "headers"; readonly field: string } | { readonly place: "message"; readonly field: Part })

/**
 * A field that breaks its rule.
 *
 * @category errors
 * @since 0.2.0
 */
export interface InvalidField {
  /** A header's name, lower-case, or another part of the message: `method`, `httpVersion`, `url`, `key3`, `body`. */
  readonly field: string
  /** The rule, as the end of "the field must be …". */
  readonly reason: string
  /** The section of the standard that has the rule. */
  readonly section: string
}

/**
 * The parts of a request or a response that rules check.
 *
 * @category drafts
 * @since 0.2.0
 */
export interface HandshakeMessage {
  /** The header fields. */
  readonly headers: HeaderFields
  /** The method of a request. */
  readonly method?: string | undefined
  /** The HTTP version of a request. */
  readonly httpVersion?: string | undefined
  /** The target of a request. */
  readonly url?: string | undefined
  /** The eight bytes after the head of a Hixie-76 request. */
  readonly key3?: Uint8Array | undefined
  /** The bytes after the head of a Hixie-76 response. */
  readonly body?: Uint8Array | undefined
}

/** The rule of a header field that must be there. */
export const header = (field: string, reason: string, section: string, check: Check): Rule => ({
  place: "headers",
  field,
  required: true,
  check,
  reason,
  section
})

/** The rule of another part of the message that must be there. */
export const part = (field: Part, reason: string, section: string, check: Check): Rule => ({
  place: "message",
  field,
  required: true,
  check,
  reason,
  section
})

/** The rule of a field that may be absent. */
export const optional = (rule: Rule): Rule => ({ ...rule, required: false })

/** Whether a value is what a check wants. */
export const passes = (check: Check, value: unknown): boolean => {
  switch (check._tag) {
    case "Bytes":
      return ArrayBuffer.isView(value) && value.byteLength === check.length
    case "OneOf":
      return typeof value === "string" && check.values.includes(value)
    case "Pattern":
      return typeof value === "string" && check.pattern.test(value) && (check.test === undefined || check.test(value))
    case "Grammar":
      return typeof value === "string" && check.test(value)
    case "Number": {
      if (typeof value !== "string") return false
      const number = check.decode(value)
      return Number.isInteger(number) && number >= 0 && number <= check.maximum
    }
  }
}

/** Returns the first field that breaks its rule, in the order of the rules. */
export const invalidField = (rules: ReadonlyArray<Rule>, message: HandshakeMessage): InvalidField | undefined => {
  for (const rule of rules) {
    const value = rule.place === "headers" ? message.headers[rule.field] : message[rule.field]
    if (value === undefined ? rule.required : !passes(rule.check, value)) return rule
  }
  return undefined
}
