/** What the schemas of the drafts are made of, and how a broken field becomes a fault that names it. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Extension from "./extension.ts"
import type { Fault } from "./error.ts"
import { tokenCharacters } from "../protocol/opening/token.ts"

const text = (pattern: RegExp) => Schema.String.check(Schema.isPattern(pattern))

/** A pattern for a word in any case. Spelt out, since values are generated from patterns, and only from those without flags. */
const anyCase = (word: string): string => word.replaceAll(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`)

/** A comma-separated list in which a word stands, in any case. */
const listWith = (word: string) => text(new RegExp(`^(?:[^,]*,)*[ \\t]*${anyCase(word)}[ \\t]*(?:,.*)?$`))

export const upgradeToWebSocket = listWith("websocket")

export const connectionUpgrade = listWith("upgrade")

/** An authority: a name or an address, and perhaps a port. */
export const authority = text(/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+;=-]+)(?::[0-9]{0,5})?$/)

export const isAuthority = Schema.is(authority)

export const exactlyWebSocket = text(new RegExp(`^${anyCase("websocket")}$`))

export const exactlyUpgrade = text(new RegExp(`^${anyCase("upgrade")}$`))

/** Visible ASCII characters. */
export const origin = text(/^[\x21-\x7e]+$/)

export const isOrigin = Schema.is(origin)

export const location = text(/^wss?:\/\/[\x21-\x7e\x80-\xff]+$/)

/** The base64 form of 16 bytes. */
export const key = text(/^[A-Za-z0-9+/]{22}==$/)

/** The base64 form of 20 bytes. */
export const acceptKey = text(/^[A-Za-z0-9+/]{27}=$/)

export const token = text(new RegExp(`^[${tokenCharacters}]+$`))

export const splitList = (value: string): ReadonlyArray<string> => value.split(",").map((element) => element.trim())

const distinct = Schema.makeFilter((value: string) => {
  const elements = splitList(value)
  return new Set(elements).size === elements.length
})

const listOf = (characters: string) =>
  text(new RegExp(`^[ \\t]*[${characters}]+[ \\t]*(?:,[ \\t]*[${characters}]+[ \\t]*)*$`)).check(distinct)

/** A comma-separated list of tokens, all different. */
export const tokens = listOf(tokenCharacters)

/** A comma-separated list of names of visible ASCII characters, all different: no token yet in the first drafts. */
export const names = listOf("\\x21-\\x2b\\x2d-\\x7e")

/** The grammar of `Sec-WebSocket-Extensions`. Only simple headers are generated. */
export const extensions = Schema.String.check(
  Schema.makeFilter((value: string) => Result.isSuccess(Extension.parse(value)), {
    arbitraryConstraint: {
      patterns: [{ source: '^[a-z-]{1,9}(?:; ?[a-z_]{1,9}(?:=(?:[0-9]{1,2}|"[a-z]{1,4}"))?)*$', flags: "" }]
    }
  })
)

/** So many bytes. */
export const bytes = (length: number) =>
  Schema.declare((value): value is Uint8Array => value instanceof Uint8Array && value.length === length, {
    toCodecArbitrary: () =>
      Schema.link<Uint8Array>()(
        text(new RegExp(`^[\\x00-\\xff]{${length}}$`)),
        SchemaTransformation.transform({
          decode: (characters): Uint8Array => Buffer.from(characters, "latin1"),
          encode: (value) => Buffer.from(value).toString("latin1")
        })
      )
  })

/** Gives a field its rule and the section that demands it. The rule completes "the field must be …". */
export const must =
  (rule: string, section: string) =>
  <S extends Schema.Top>(schema: S): S["Rebuild"] =>
    schema.pipe(Schema.annotateKey({ description: rule, section }))

/** A path, perhaps with a query. */
export const path = text(/^\/[\x21-\x7e\x80-\xff]*$/)

/** The origin that a client names, if it does. */
export const originOf = (section: string) => must("visible ASCII characters", section)(Schema.optional(origin))

/** The first line of a request. */
export const requestLine = (section: string) => ({
  method: must("GET", section)(Schema.Literal("GET")),
  httpVersion: must("1.1, or a later 1.x", section)(Schema.optional(text(/^1\.[1-9]$/))),
  url: must("a path or an absolute HTTP URL", section)(text(/^(?:\/|https?:\/\/)[\x21-\x7e\x80-\xff]*$/))
})

/** A field's rule, as its schema states it. */
export interface Rule {
  /** Lower-case for a header field. */
  readonly field: string
  readonly required: boolean
  /** Completes "the field must be …". */
  readonly rule: string
  readonly section: string
}

/** The rules of a draft's schema, header fields among the others, in the order in which they are checked. */
export const rulesOf = (ast: SchemaAST.AST): ReadonlyArray<Rule> =>
  SchemaAST.isObjects(ast)
    ? ast.propertySignatures.flatMap(({ name, type }) => {
        const annotations = type.context?.annotations
        return SchemaAST.isObjects(type)
          ? rulesOf(type)
          : {
              field: String(name),
              required: !SchemaAST.isOptional(type),
              rule: String(annotations?.description),
              section: String(annotations?.["section"])
            }
      })
    : []

const standardIssues = SchemaIssue.makeFormatterStandardSchemaV1()

/** Compiles a draft's schema: decodes, or names the first field that breaks its rule. */
export const decoder = <T>(schema: Schema.Decoder<T>): ((input: unknown) => Result.Result<T, Fault>) => {
  const decode = SchemaParser.decodeUnknownResult(schema)
  const rules = new Map(rulesOf(schema.ast).map((rule) => [rule.field, rule]))
  const toFault = (issue: SchemaIssue.Issue): Fault => {
    const field = String(standardIssues(issue).issues[0]?.path?.at(-1))
    return { field, rule: rules.get(field)?.rule ?? "present", section: rules.get(field)?.section ?? "RFC 9110 §5" }
  }
  return (input) => Result.mapError(decode(input), toFault)
}
