import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import { close } from "../frame/make.ts"
import type { Socket } from "./model.ts"
import { closeReasons, makeWithSchema, type Refuse, type SchemaOptions, type TypedSocket } from "./typed.ts"

/** The part of a socket that messages need, one that reconnects included. */
type MessageSocket = Pick<Socket, "messages" | "send" | "sendAll">

const refuse: Refuse<MessageSocket> = (socket, { closeCode, reason }) =>
  Effect.ignore(
    Effect.catchIf(
      socket.send(close(closeCode, closeReasons[reason._tag])),
      // A draft without close codes still has a close.
      (error) => error.reason._tag === "Unsupported",
      () => socket.send(close())
    )
  )

/**
 * Reads and writes the messages of a socket as values of a schema.
 *
 * **Details**
 *
 * A message is JSON text, unless the schema encodes to strings or to `Uint8Array`s itself, or `format` is given.
 * `onInvalid` says what a message does that is not a value of the schema; by default it closes the connection with
 * 1003, 1007 or 1008.
 *
 * **Example** (Sending and receiving values)
 *
 * ```ts
 * import { Effect, Schema, Stream } from "effect"
 * import { Socket } from "effect-ws"
 * import assert from "node:assert"
 *
 * const Price = Schema.Struct({ symbol: Schema.String, price: Schema.Finite })
 *
 * const program = Effect.gen(function* () {
 *   const [client, server] = yield* Socket.makePair()
 *   yield* Socket.withSchema(server, Price).send({ symbol: "EUR", price: 1.17 })
 *   const [first] = yield* Stream.runCollect(Stream.take(Socket.withSchema(client, Price).messages, 1))
 *   assert.deepStrictEqual(first, { symbol: "EUR", price: 1.17 })
 * })
 *
 * await Effect.runPromise(Effect.scoped(program))
 * ```
 *
 * @category typed messages
 * @since 0.1.0
 */
export const withSchema: <A, RD = never, RE = never>(
  socket: MessageSocket,
  codec: Schema.Codec<A, unknown, RD, RE>,
  options?: SchemaOptions
) => TypedSocket<A, RD, RE> = makeWithSchema(refuse)
