import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import { dual } from "effect/Function"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import * as Stream from "effect/Stream"
import type { NonEmptyReadonlyArray } from "effect/Array"
import { invalidOptions } from "./failure.ts"
import type { MessageError } from "./messageError.ts"
import { callback, invalidOption, objectOf, oneOf, required, type RulesOf } from "./optionRules.ts"
import { TypeId } from "./typeId.ts"
import type { Message } from "./receiveBuffer.ts"
import { decoderOf, encoderOf, type MessageFormat, type WireOptions } from "./wire.ts"

/**
 * Options of `withSchema`.
 *
 * @category typed messages
 * @since 0.1.0
 */
export interface SchemaOptions extends WireOptions {
  /**
   * What happens for a message that is not a value of the schema. Default: `"close"`.
   *
   * - `"close"`: the connection is closed, with 1003 for text in place of binary or binary in place of text, 1007 for what can't be parsed, 1008 for what the schema refuses; then `messages` fails with the `MessageError`.
   * - `"fail"`: `messages` fails with the `MessageError`. The connection stays open, and the next reader continues after that message.
   * - `"skip"`: the message is left out. Each batch with such messages logs one warning.
   */
  readonly onInvalid?: "close" | "fail" | "skip" | undefined
  /**
   * Converts encoded values to messages and back. Default: a schema that encodes to strings or to `Uint8Array`s
   * gives the messages itself; every other is sent as JSON text, in the schema's canonical JSON form
   * (`Schema.toCodecJson`).
   */
  readonly format?: MessageFormat | undefined
  /** How strictly the schema decodes, see `Schema`. Default: unknown properties are dropped. */
  readonly parseOptions?: SchemaAST.ParseOptions | undefined
}

/**
 * A schema for each direction.
 *
 * @category typed messages
 * @since 0.2.0
 */
export interface Directions<In, Out, RD, RE> {
  /** The messages of the peer. */
  readonly incoming: Schema.Codec<In, unknown, RD, unknown>
  /** The messages of this side. */
  readonly outgoing: Schema.Codec<Out, unknown, unknown, RE>
}

/** The part of a socket that typed messages need, one that reconnects included. */
export interface MessageSocket {
  readonly messages: Stream.Stream<Message, unknown>
  readonly receive: Effect.Effect<Message, unknown>
  readonly send: (message: Message) => Effect.Effect<void, unknown>
  readonly sendAll: (messages: Iterable<Message>) => Effect.Effect<void, unknown>
}

/** What typed messages replace of a socket. */
export interface TypedMessages<In, Out, RD, RE, S extends MessageSocket> {
  /** The values as they arrive. Ends and fails as the socket's own `messages`, or see `onInvalid`. */
  readonly messages: Stream.Stream<In, Stream.Error<S["messages"]> | MessageError, RD>
  /** Takes exactly one value. Fails as the socket's own `receive`, or see `onInvalid`. Interruption takes nothing. */
  readonly receive: Effect.Effect<In, Effect.Error<S["receive"]> | MessageError, RD>
  /** Sends a value as one message; waits as the socket's own `send` does. What the schema refuses isn't sent. */
  readonly send: (value: Out) => Effect.Effect<void, Effect.Error<ReturnType<S["send"]>> | Schema.SchemaError, RE>
  /** Sends several values in one write; none when the schema refuses one. */
  readonly sendAll: (
    values: Iterable<Out>
  ) => Effect.Effect<void, Effect.Error<ReturnType<S["sendAll"]>> | Schema.SchemaError, RE>
}

/**
 * A socket whose messages are values. It has everything that the socket has; what reads and sends whole messages reads and sends
 * values. Message edges are kept: one value is one message.
 *
 * @category typed messages
 * @since 0.2.0
 */
export type TypedSocketOf<S extends MessageSocket, In, Out = In, RD = never, RE = never> = Omit<
  S,
  keyof TypedMessages<In, Out, RD, RE, S> | typeof TypeId
> &
  TypedMessages<In, Out, RD, RE, S>

/** Begins to close a socket for a message that is no value of the schema; the peer is sent `closeReasons`, and no more. */
export type Refuse<in S> = (socket: S, error: MessageError) => Effect.Effect<void>

const formatRules = { decode: required(callback), encode: required(callback) } satisfies RulesOf<MessageFormat>

/** The rules of the options of `withSchema`. */
export const schemaRules = {
  onInvalid: oneOf("close", "fail", "skip"),
  format: objectOf("an object with decode and encode", formatRules),
  parseOptions: objectOf("an object of options of Schema")
} satisfies RulesOf<SchemaOptions>

/** `withSchema` for the sockets of a platform. */
export interface WithSchema<Base extends MessageSocket> {
  <In, Out, RD = never, RE = never>(
    schemas: Directions<In, Out, RD, RE>,
    options?: SchemaOptions
  ): <S extends Base>(socket: S) => TypedSocketOf<S, In, Out, RD, RE>
  <A, RD = never, RE = never>(
    codec: Schema.Codec<A, unknown, RD, RE>,
    options?: SchemaOptions
  ): <S extends Base>(socket: S) => TypedSocketOf<S, A, A, RD, RE>
  <S extends Base, In, Out, RD = never, RE = never>(
    socket: S,
    schemas: Directions<In, Out, RD, RE>,
    options?: SchemaOptions
  ): TypedSocketOf<S, In, Out, RD, RE>
  <S extends Base, A, RD = never, RE = never>(
    socket: S,
    codec: Schema.Codec<A, unknown, RD, RE>,
    options?: SchemaOptions
  ): TypedSocketOf<S, A, A, RD, RE>
}

type Schemas<In, Out, RD, RE> =
  | Directions<In, Out, RD, RE>
  | (Schema.Codec<In, unknown, RD, RE> & Schema.Codec<Out, unknown, RD, RE>)

const isDirections = <In, Out, RD, RE>(schemas: Schemas<In, Out, RD, RE>): schemas is Directions<In, Out, RD, RE> =>
  !Schema.isSchema(schemas)

/** Whether an argument says which schemas a socket has. */
const isSchemas = (value: unknown): boolean =>
  Schema.isSchema(value) || (Predicate.hasProperty(value, "incoming") && Schema.isSchema(value.incoming))

/** Makes the `withSchema` of a platform, out of how its sockets are closed. */
export const makeWithSchema = <Base extends MessageSocket>(refuse: Refuse<Base>): WithSchema<Base> =>
  dual(
    (args) => isSchemas(args[1]),
    <S extends Base, In, Out, RD, RE>(
      socket: S,
      schemas: Schemas<In, Out, RD, RE>,
      options: SchemaOptions = {}
    ): TypedSocketOf<S, In, Out, RD, RE> => {
      const invalid = invalidOption(schemaRules, options)
      if (invalid !== undefined) throw invalidOptions(invalid)
      const { incoming, outgoing } = isDirections(schemas) ? schemas : { incoming: schemas, outgoing: schemas }
      const encode = encoderOf(outgoing, options)
      const reader = new Reader(decoderOf(incoming, options), options.onInvalid ?? "close", (error) =>
        refuse(socket, error)
      )
      const members = {
        messages: Stream.transformPull(socket.messages, (pull) => {
          // The first batch has one value, so that a reader who wants no more leaves the others to the next one.
          let limit = 1
          return Effect.succeed(
            Effect.suspend(() =>
              Effect.map(reader.next(pull, limit), (values) => {
                limit = Infinity
                return values
              })
            )
          )
        }),
        receive: Effect.map(reader.next(Effect.map(socket.receive, one), 1), ([value]) => value),
        send: (value: Out) => Effect.flatMap(encode(value), socket.send),
        sendAll: (values: Iterable<Out>) => Effect.flatMap(Effect.forEach(values, encode), socket.sendAll),
        [TypeId]: undefined
      }
      return Equal.byReferenceUnsafe(Object.create(socket, Object.getOwnPropertyDescriptors(members)))
    }
  )

const one = (message: Message): NonEmptyReadonlyArray<Message> => [message]

/** What a close frame says to the peer: nothing of what is inside here. */
export const closeReasons = {
  WrongType: "unexpected type of message",
  Malformed: "malformed message",
  WrongShape: "unexpected message"
} as const

/** Makes values of what is read. What was read and isn't decoded yet is kept for the next reader. */
class Reader<A, RD> {
  private readonly decode: (message: Message) => Effect.Effect<A, MessageError, RD>
  private readonly onInvalid: "close" | "fail" | "skip"
  private readonly refuse: (error: MessageError) => Effect.Effect<void>
  private batch: ReadonlyArray<Message> = []
  private at = 0
  private failure: MessageError | undefined = undefined

  constructor(
    decode: (message: Message) => Effect.Effect<A, MessageError, RD>,
    onInvalid: "close" | "fail" | "skip",
    refuse: (error: MessageError) => Effect.Effect<void>
  ) {
    this.decode = decode
    this.onInvalid = onInvalid
    this.refuse = refuse
  }

  /** Takes up to `limit` values: of the messages that are left, or of those that `pull` brings. */
  next<E, R>(
    pull: Effect.Effect<NonEmptyReadonlyArray<Message>, E, R>,
    limit: number
  ): Effect.Effect<NonEmptyReadonlyArray<A>, E | MessageError, R | RD> {
    return Effect.suspend(() => {
      const { failure } = this
      if (failure !== undefined) {
        if (this.onInvalid === "close") return Effect.andThen(this.refuse(failure), Effect.fail(failure))
        this.failure = undefined
        return Effect.fail(failure)
      }
      const filled =
        this.at < this.batch.length
          ? Effect.void
          : Effect.map(pull, (messages) => {
              this.batch = messages
              this.at = 0
            })
      return Effect.flatMap(
        Effect.flatMap(filled, () => this.decoded(limit)),
        (values) => (isNonEmpty(values) ? Effect.succeed(values) : this.next(pull, limit))
      )
    })
  }

  private decoded(limit: number): Effect.Effect<ReadonlyArray<A>, never, RD> {
    return Effect.suspend(() => {
      const values: Array<A> = []
      const skipped: Array<MessageError> = []
      const { batch } = this
      const loop = Effect.whileLoop({
        while: () => this.at < batch.length && this.failure === undefined && values.length < limit,
        body: () => Effect.result(this.decode(batch[this.at] as Message)),
        step: (result) => {
          this.at++
          if (result._tag === "Success") values.push(result.success)
          else if (this.onInvalid === "skip") skipped.push(result.failure)
          else this.failure = result.failure
        }
      })
      return Effect.flatMap(loop, () => {
        const [first] = skipped
        if (first === undefined) return Effect.succeed(values)
        return Effect.as(
          Effect.logWarning(`${skipped.length} invalid messages skipped; the first was ${first.message}`),
          values
        )
      })
    })
  }
}

const isNonEmpty = <A>(values: ReadonlyArray<A>): values is NonEmptyReadonlyArray<A> => values.length > 0
