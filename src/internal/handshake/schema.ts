/** Builds the schemas of the drafts from their rules. */
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import type { Check, Rule } from "../protocol/opening/rules.ts"

/** The schema of a message: what it must be once it is read, and what is on the wire. */
type MessageSchema = Schema.Codec<unknown, unknown>

const bytes = (length: number): MessageSchema =>
  Schema.declare((value): value is Uint8Array => value instanceof Uint8Array && value.length === length, {
    toCodecArbitrary: () =>
      Schema.link<Uint8Array>()(
        Schema.String.check(Schema.isPattern(new RegExp(`^[\\x00-\\xff]{${length}}$`))),
        SchemaTransformation.transform({
          decode: (characters): Uint8Array => Buffer.from(characters, "latin1"),
          encode: (value) => Buffer.from(value).toString("latin1")
        })
      )
  })

const schemaOfCheck = (check: Check): MessageSchema => {
  switch (check._tag) {
    case "OneOf":
      return Schema.Literals(check.values)
    case "Pattern": {
      const matching = Schema.String.check(Schema.isPattern(check.pattern))
      return check.test === undefined ? matching : matching.check(Schema.makeFilter(check.test))
    }
    case "Grammar": {
      const patterns = [{ source: check.sample.source, flags: "" }] as const
      return Schema.String.check(Schema.makeFilter(check.test, { arbitraryConstraint: { patterns } }))
    }
    case "Number":
      return Schema.String.pipe(
        Schema.decodeTo(
          Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: check.maximum })),
          SchemaTransformation.transform({ decode: check.decode, encode: check.encode })
        )
      )
    case "Bytes":
      return bytes(check.length)
  }
}

const schemaOfRule = ({ check, reason, required, section }: Rule): MessageSchema => {
  const schema = schemaOfCheck(check)
  const annotations = { description: reason, section }
  return required
    ? schema.pipe(Schema.annotateKey(annotations))
    : Schema.optional(schema).pipe(Schema.annotateKey(annotations))
}

/** The schema that rules amount to: header fields under `headers`, where the first of them stands among the other fields. */
export const schemaOf = (rules: ReadonlyArray<Rule>): MessageSchema => {
  const fields: Record<string, MessageSchema> = {}
  const headers = rules
    .filter(({ place }) => place === "headers")
    .map((rule) => [rule.field, schemaOfRule(rule)] as const)
  for (const rule of rules) {
    if (rule.place === "message") fields[rule.field] = schemaOfRule(rule)
    else fields["headers"] ??= Schema.Struct(Object.fromEntries(headers))
  }
  return Schema.Struct(fields)
}
