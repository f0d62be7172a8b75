import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import { messageOf } from "../messageOf.ts"
import { MessageError, type WrongShape } from "./messageError.ts"
import type { Message } from "./receiveBuffer.ts"

/**
 * Converts encoded values to messages and back: JSON is one format, MessagePack another. Both functions may throw.
 *
 * @category typed messages
 * @since 0.1.0
 */
export interface MessageFormat {
  /** Converts a message to an encoded value. */
  readonly decode: (message: Message) => unknown
  /** Converts an encoded value to a message. */
  readonly encode: (value: unknown) => Message
}

/** How one direction of a socket has its values as messages. */
export interface WireOptions {
  readonly format?: MessageFormat | undefined
  readonly parseOptions?: SchemaAST.ParseOptions | undefined
}

/** A schema and a format, joined. */
interface Wire<S extends Schema.Constraint> {
  readonly schema: S | Schema.toCodecJson<S>
  readonly format: MessageFormat
  readonly types: MessageTypes
}

const wireOf = <S extends Schema.Constraint>(codec: S, { format }: WireOptions): Wire<S> => {
  const types = format === undefined ? messageTypes(SchemaAST.toEncoded(codec.ast)) : bothTypes
  return {
    schema: format === undefined && types === undefined ? Schema.toCodecJson(codec) : codec,
    format: format ?? (types === undefined ? json : asItIs),
    types: types ?? textOnly
  }
}

/** Makes values of messages. */
export const decoderOf = <A, RD>(
  codec: Schema.Codec<A, unknown, RD, unknown>,
  options: WireOptions
): ((message: Message) => Effect.Effect<A, MessageError, RD>) => {
  const { format, schema, types } = wireOf(codec, options)
  const decode = Schema.decodeUnknownEffect(schema, options.parseOptions)
  return (message) =>
    Effect.flatMap(parse(message, format, types), (value) =>
      Effect.catchDefect(
        Effect.mapError(decode(value), (cause) => wrongShape(message, cause)),
        // The stack's end, reached by a message and a schema that both nest.
        (defect) => (defect instanceof RangeError ? Effect.fail(wrongShape(message, defect)) : Effect.die(defect))
      )
    )
}

/** Makes messages of values. */
export const encoderOf = <A, RE>(
  codec: Schema.Codec<A, unknown, unknown, RE>,
  options: WireOptions
): ((value: A) => Effect.Effect<Message, Schema.SchemaError, RE>) => {
  const { format, schema } = wireOf(codec, options)
  const encode = Schema.encodeEffect(schema, options.parseOptions)
  return (value) => Effect.flatMap(encode(value), (encoded) => write(encoded, format))
}

const json: MessageFormat = {
  decode: (message) => JSON.parse(String(message)),
  encode: (value) => JSON.stringify(value)
}

/** The encoded value is the message; the schema has checked that it is one. */
const asItIs: MessageFormat = { decode: (message) => message, encode: (value) => value as Message }

/** The types of messages that are expected. */
interface MessageTypes {
  readonly text: boolean
  readonly bytes: boolean
}

const textOnly: MessageTypes = { text: true, bytes: false }
const bytesOnly: MessageTypes = { text: false, bytes: true }
const bothTypes: MessageTypes = { text: true, bytes: true }

/** The messages that a schema's encoded side is itself; `undefined` when it has values that are none. */
const messageTypes = (ast: SchemaAST.AST): MessageTypes | undefined => {
  if (SchemaAST.isString(ast) || SchemaAST.isTemplateLiteral(ast)) return textOnly
  if (SchemaAST.isLiteral(ast)) return typeof ast.literal === "string" ? textOnly : undefined
  if (SchemaAST.isDeclaration(ast))
    return representation(ast) === representation(Schema.Uint8Array.ast) ? bytesOnly : undefined
  if (!SchemaAST.isUnion(ast) || ast.types.length === 0) return undefined
  let all: MessageTypes = { text: false, bytes: false }
  for (const member of ast.types) {
    const types = messageTypes(member)
    if (types === undefined) return undefined
    all = { text: all.text || types.text, bytes: all.bytes || types.bytes }
  }
  return all
}

/** What a declared schema stands for, whatever was added to it. */
const representation = ({ annotations }: SchemaAST.AST): unknown => {
  const declared: unknown = annotations?.["representation"]
  return typeof declared === "object" && declared !== null && "id" in declared ? declared.id : undefined
}

const parse = (message: Message, format: MessageFormat, types: MessageTypes): Effect.Effect<unknown, MessageError> => {
  const isText = typeof message === "string"
  if (isText ? !types.text : !types.bytes) {
    const text = isText ? "a text message where bytes are expected" : "a binary message where text is expected"
    return Effect.fail(
      new MessageError({ reason: { _tag: "WrongType", message: text, closeCode: 1003, received: message } })
    )
  }
  try {
    return Effect.succeed(format.decode(message))
  } catch (cause) {
    const text = `a message that can't be parsed: ${messageOf(cause)}`
    return Effect.fail(
      new MessageError({ reason: { _tag: "Malformed", message: text, closeCode: 1007, received: message, cause } })
    )
  }
}

const wrongShape = (received: Message, cause: WrongShape["cause"]): MessageError =>
  new MessageError({
    reason: {
      _tag: "WrongShape",
      message: `a message that the schema refuses: ${cause.message}`,
      closeCode: 1008,
      received,
      cause
    }
  })

const write = (value: unknown, format: MessageFormat): Effect.Effect<Message, Schema.SchemaError> => {
  let problem = "the format gives neither text nor bytes for it"
  try {
    const message: unknown = format.encode(value)
    if (typeof message === "string" || message instanceof Uint8Array) return Effect.succeed(message)
  } catch (cause) {
    problem = `the format can't encode it: ${messageOf(cause)}`
  }
  return Effect.fail(new Schema.SchemaError(new SchemaIssue.InvalidValue({ message: problem }, value)))
}
