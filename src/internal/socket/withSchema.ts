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
 * Reads and writes the messages of a socket as values of a schema: JSON text, unless the schema encodes to text or bytes
 * itself or a `format` is given. When the two directions differ, use it twice, and read one and send on the other.
 *
 * @category typed messages
 * @since 0.1.0
 */
export const withSchema: <A, RD = never, RE = never>(
  socket: MessageSocket,
  codec: Schema.Codec<A, unknown, RD, RE>,
  options?: SchemaOptions
) => TypedSocket<A, RD, RE> = makeWithSchema(refuse)
