import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import * as Stream from "effect/Stream"
import type { NonEmptyReadonlyArray } from "effect/Array"
import type { CommonSocket } from "./common.ts"
import type { SocketError } from "./error.ts"
import { invalidOptions } from "./failure.ts"
import { callback, invalidOption, objectOf, oneOf, required, type RulesOf } from "./optionRules.ts"
import type { Message } from "./receiveBuffer.ts"
import { messageOf } from "../messageOf.ts"

/**
 * The message is text where bytes were due, or the other way round. Its close code says what RFC 6455 §7.4.1 has for it.
 *
 * @category errors
 * @since 0.1.0
 */
export interface WrongType {
  readonly _tag: "WrongType"
  readonly message: string
  readonly closeCode: 1003
  readonly received: Message
}

/**
 * The message can't be parsed: its text is no JSON, or the format's `decode` threw.
 *
 * @category errors
 * @since 0.1.0
 */
export interface Malformed {
  readonly _tag: "Malformed"
  readonly message: string
  readonly closeCode: 1007
  readonly received: Message
  readonly cause: unknown
}

/**
 * The message is well-formed, but no value of the schema.
 *
 * @category errors
 * @since 0.1.0
 */
export interface WrongShape {
  readonly _tag: "WrongShape"
  readonly message: string
  readonly closeCode: 1008
  readonly received: Message
  /** What the schema says, or the `RangeError` of a message that is nested too deep for it. */
  readonly cause: Schema.SchemaError | RangeError
}

/**
 * Why a message is no value of the schema.
 *
 * @category errors
 * @since 0.1.0
 */
export type MessageErrorReason = WrongType | Malformed | WrongShape

/**
 * A message arrived that is no value of the schema. Catch it once, then look at `reason._tag`.
 *
 * @category errors
 * @since 0.1.0
 */
export class MessageError extends Data.TaggedError("MessageError")<{ readonly reason: MessageErrorReason }> {
  override get message(): string {
    return this.reason.message
  }

  /** The close code that tells the peer. */
  get closeCode(): MessageErrorReason["closeCode"] {
    return this.reason.closeCode
  }
}

/**
 * How encoded values become messages: `JSON.parse` and `JSON.stringify` are one format, MessagePack another. Both
 * functions may throw.
 *
 * @category typed messages
 * @since 0.1.0
 */
export interface MessageFormat {
  readonly decode: (message: Message) => unknown
  readonly encode: (value: unknown) => Message
}

/**
 * How messages become values. An option with another value makes `withSchema` throw a `SocketError` with reason `InvalidOptions`.
 *
 * @category typed messages
 * @since 0.1.0
 */
export interface SchemaOptions {
  /**
   * What a message does that is no value of the schema.
   *
   * - `"close"`, the default: closes the connection, with 1003 for text in place of bytes or bytes in place of text, 1007
   *   for what can't be parsed, 1008 for what the schema refuses; then `messages` fails with the `MessageError`.
   * - `"fail"`: `messages` fails with the `MessageError`. The connection stays open, and whoever runs `messages` again
   *   goes on behind that message.
   * - `"skip"`: it is left out. Each batch that has such messages logs one warning.
   */
  readonly onInvalid?: "close" | "fail" | "skip" | undefined
  /**
   * Turns encoded values into messages and back. Default: a schema that encodes to strings or to `Uint8Array`s says the
   * messages itself; every other travels as JSON text, in the schema's canonical JSON form (`Schema.toCodecJson`).
   */
  readonly format?: MessageFormat | undefined
  /** How strictly the schema reads, see `Schema`. Default: properties that it doesn't know are dropped. */
  readonly parseOptions?: SchemaAST.ParseOptions | undefined
}

/**
 * A socket whose messages are values. Message edges are kept: one value is one message.
 *
 * @category typed messages
 * @since 0.1.0
 */
export interface TypedSocket<in out A, out RD = never, out RE = never> {
  /** The values as they arrive. Ends and fails as the socket's own `messages`, or see `onInvalid`. */
  readonly messages: Stream.Stream<A, SocketError | MessageError, RD>
  /** Sends a value as one message; waits as the socket's own `send` does. What the schema refuses isn't sent. */
  readonly send: (value: A) => Effect.Effect<void, SocketError | Schema.SchemaError, RE>
  /** Sends several values in one write; none when the schema refuses one. */
  readonly sendAll: (values: Iterable<A>) => Effect.Effect<void, SocketError | Schema.SchemaError, RE>
}

/** The part of a socket that messages need, one that reconnects included. */
export type MessageSocket = Pick<CommonSocket, "messages" | "send" | "sendAll">

/** Begins to close a socket for a message that is no value of the schema; the peer hears `closeReasons`, and no more. */
export type Refuse<in S> = (socket: S, error: MessageError) => Effect.Effect<void>

const formatRules = { decode: required(callback), encode: required(callback) } satisfies RulesOf<MessageFormat>

/** The rules of the options of `withSchema`. */
export const schemaRules = {
  onInvalid: oneOf("close", "fail", "skip"),
  format: objectOf("an object with decode and encode", formatRules),
  parseOptions: objectOf("an object of options of Schema")
} satisfies RulesOf<SchemaOptions>

/** Makes the `withSchema` of a platform, out of how its sockets are closed. */
export const makeWithSchema =
  <S extends MessageSocket>(refuse: Refuse<S>) =>
  <A, RD = never, RE = never>(
    socket: S,
    codec: Schema.Codec<A, unknown, RD, RE>,
    options: SchemaOptions = {}
  ): TypedSocket<A, RD, RE> => {
    const invalid = invalidOption(schemaRules, options)
    if (invalid !== undefined) throw invalidOptions(invalid)
    const wire = wireOf(codec, options)
    const encode = encodeWith(wire)
    return Equal.byReferenceUnsafe({
      messages: messagesOf(socket.messages, wire, options.onInvalid ?? "close", (error) => refuse(socket, error)),
      send: (value) => Effect.flatMap(encode(value), socket.send),
      sendAll: (values) => Effect.flatMap(Effect.forEach(values, encode), socket.sendAll)
    })
  }

/** A schema and a format, joined. */
export interface Wire<A, RD, RE> {
  readonly parse: (message: Message) => Effect.Effect<unknown, MessageError>
  readonly decode: (value: unknown) => Effect.Effect<A, Schema.SchemaError, RD>
  readonly encode: (value: A) => Effect.Effect<unknown, Schema.SchemaError, RE>
  readonly write: (value: unknown) => Effect.Effect<Message, Schema.SchemaError>
}

export const wireOf = <A, RD, RE>(
  codec: Schema.Codec<A, unknown, RD, RE>,
  { format, parseOptions }: SchemaOptions
): Wire<A, RD, RE> => {
  const types = format === undefined ? messageTypes(SchemaAST.toEncoded(codec.ast)) : bothTypes
  const via = format ?? (types === undefined ? json : asItIs)
  const schema = format === undefined && types === undefined ? Schema.toCodecJson(codec) : codec
  return {
    parse: (message) => parse(message, via, types ?? textOnly),
    decode: Schema.decodeUnknownEffect(schema, parseOptions),
    encode: Schema.encodeEffect(schema, parseOptions),
    write: (value) => write(value, via)
  }
}

/** Turns values into messages. */
export const encodeWith =
  <A, RE>({ encode, write }: Wire<A, unknown, RE>) =>
  (value: A): Effect.Effect<Message, Schema.SchemaError, RE> =>
    Effect.flatMap(encode(value), write)

/** Turns messages into values. */
export const decodeWith =
  <A, RD>({ decode, parse }: Wire<A, RD, unknown>) =>
  (message: Message): Effect.Effect<A, MessageError, RD> =>
    Effect.flatMap(parse(message), (value) =>
      Effect.catchDefect(
        Effect.mapError(decode(value), (cause) => wrongShape(message, cause)),
        // The stack's end, reached by a message and a schema that both nest.
        (defect) => (defect instanceof RangeError ? Effect.fail(wrongShape(message, defect)) : Effect.die(defect))
      )
    )

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

/** What a close frame says to the peer: nothing of what is inside here. */
export const closeReasons = {
  WrongType: "unexpected type of message",
  Malformed: "malformed message",
  WrongShape: "unexpected message"
} as const

const messagesOf = <A, RD, RE>(
  messages: MessageSocket["messages"],
  wire: Wire<A, RD, RE>,
  onInvalid: "close" | "fail" | "skip",
  refuse: (error: MessageError) => Effect.Effect<void>
): TypedSocket<A, RD, RE>["messages"] => {
  // What was read and not decoded yet is kept from one run to the next.
  let batch: ReadonlyArray<Message> = []
  let at = 0
  let failure: MessageError | undefined

  const decode = decodeWith(wire)

  const decodeBatch = (most: number) => {
    const values: Array<A> = []
    let skipped = 0
    let first: MessageError | undefined
    const loop = Effect.whileLoop({
      while: () => at < batch.length && failure === undefined && values.length < most,
      body: () => Effect.result(decode(batch[at++] as Message)),
      step: (result) => {
        if (result._tag === "Success") values.push(result.success)
        else if (onInvalid !== "skip") failure = result.failure
        else if (skipped++ === 0) first = result.failure
      }
    })
    return Effect.flatMap(loop, () =>
      first === undefined
        ? Effect.succeed(values)
        : Effect.as(Effect.logWarning(`${skipped} invalid messages skipped; the first was ${first.message}`), values)
    )
  }

  return Stream.transformPull(messages, (pull) => {
    type Next = Effect.Effect<NonEmptyReadonlyArray<A>, Effect.Error<typeof pull> | MessageError, RD>
    // The first batch has one value, so that a reader who wants no more leaves the others to the next one.
    let most = 1
    const next: Next = Effect.suspend((): Next => {
      if (failure !== undefined) {
        const error = failure
        if (onInvalid === "close") return Effect.andThen(refuse(error), Effect.fail(error))
        failure = undefined
        return Effect.fail(error)
      }
      const ready = at < batch.length
      const filled = ready
        ? Effect.void
        : Effect.map(pull, (messages) => {
            batch = messages
            at = 0
          })
      return Effect.flatMap(
        Effect.flatMap(filled, () => decodeBatch(most)),
        (values) => {
          if (!isNonEmpty(values)) return next
          most = Infinity
          return Effect.succeed(values)
        }
      )
    })
    return Effect.succeed(next)
  })
}

const isNonEmpty = <A>(values: ReadonlyArray<A>): values is NonEmptyReadonlyArray<A> => values.length > 0
