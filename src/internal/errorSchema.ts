import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"

/** A schema without its constructor. */
type Members<S> = { readonly [Key in keyof S]: S[Key] }

/**
 * A class of errors that is a Schema of its instances.
 *
 * @category models
 * @since 0.2.0
 */
export type ErrorClass<Class extends abstract new (...args: never) => unknown> = Class &
  Members<Schema.Codec<InstanceType<Class>, unknown>>

/**
 * Makes a class of errors a schema of its instances, so that they travel through RPC. Instances are made without the schema:
 * they cost what they cost before, and a page that only connects doesn't load it.
 */
export const withSchema = <Class extends abstract new (...args: never) => unknown>(
  constructor: Class,
  schema: Schema.Codec<InstanceType<Class>, unknown>
): ErrorClass<Class> =>
  Object.assign(
    Object.defineProperties(constructor, Object.getOwnPropertyDescriptors(Object.getPrototypeOf(schema))),
    schema
  )

/** The schema of a class of errors: its tag, and what its reason says. */
export const errorSchema = <Tag extends string, R, Error extends { readonly _tag: Tag; readonly reason: R }, E>(
  constructor: new (props: { readonly reason: R }) => Error,
  tag: Tag,
  reason: Schema.Codec<R, E>
) =>
  Schema.Struct({ _tag: Schema.Literal(tag), reason }).pipe(
    Schema.decodeTo(
      Schema.instanceOf(constructor, { identifier: `effect-ws/${tag}` }),
      SchemaTransformation.transform({
        decode: ({ reason }) => new constructor({ reason }),
        encode: ({ _tag, reason }) => ({ _tag, reason })
      })
    )
  )

/** A reason: a plain value with a tag and a sentence for a person. */
export const reason = <Tag extends string, const Fields extends Schema.Struct.Fields>(tag: Tag, fields: Fields) =>
  Schema.Struct({ _tag: Schema.Literal(tag), message: Schema.String, ...fields })

/** A value that may be `undefined`, which is `null` where it is encoded. */
export const orUndefined = <T, E>(schema: Schema.Codec<T, E>): Schema.Codec<T | undefined, E | null> =>
  Schema.NullOr(schema).pipe(
    Schema.decodeTo(
      Schema.UndefinedOr(Schema.toType(schema)),
      SchemaTransformation.transform<T | undefined, T | null>({
        decode: (value) => value ?? undefined,
        encode: (value) => value ?? null
      })
    )
  )

/** The classes of errors that keep their class. */
const classes = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError }

const isPrimitive = Schema.is(Schema.Union([Schema.String, Schema.Finite, Schema.Boolean]))

/** An error that was caught: its message, and its fields, such as the `code` of a system error. */
const ErrorValue = Schema.Struct({
  name: Schema.String,
  message: Schema.String,
  fields: Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Finite, Schema.Boolean]))
}).pipe(
  Schema.decodeTo(
    Schema.instanceOf(Error),
    SchemaTransformation.transform({
      decode: ({ fields, message, name }): Error => {
        const known = Object.entries(classes).find(([known]) => known === name)
        const error = new (known?.[1] ?? Error)(message)
        if (known === undefined)
          Object.defineProperty(error, "name", { value: name, configurable: true, writable: true })
        return Object.assign(error, fields)
      },
      encode: (error) => {
        const fields: Record<string, string | number | boolean> = {}
        for (const [name, value] of Object.entries(error)) if (isPrimitive(value)) fields[name] = value
        return { name: error.name, message: error.message, fields }
      }
    })
  )
)

/** An error of Node or of a caller. */
export { ErrorValue as Error }

/** What was thrown: an error as above, and anything else as JSON has it. */
export const Cause = Schema.Union([ErrorValue, orUndefined(Schema.Defect())])
