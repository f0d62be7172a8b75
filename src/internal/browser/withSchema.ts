import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { SocketError } from "../socket/error.ts"
import {
  closeReasons,
  makeWithSchema,
  type MessageSocket,
  type SchemaOptions,
  type TypedSocket
} from "../socket/typed.ts"

/** The part of a socket that typed messages need, one that reconnects included. */
interface ClosableSocket extends MessageSocket {
  readonly close: (code?: number, reason?: string) => Effect.Effect<unknown, SocketError>
}

/**
 * Reads and writes the messages of a socket as values of a schema: as JSON text, unless the schema encodes to text
 * or bytes itself or a `format` is given.
 *
 * **Gotchas**
 *
 * For a message that is not a value of the schema the connection is closed with 4003, 4007 or 4008, since the
 * platform doesn't send 1003, 1007 and 1008.
 *
 * @category typed messages
 * @since 0.1.0
 */
export const withSchema: <A, RD = never, RE = never>(
  socket: ClosableSocket,
  codec: Schema.Codec<A, unknown, RD, RE>,
  options?: SchemaOptions
) => TypedSocket<A, RD, RE> = makeWithSchema((socket: ClosableSocket, { closeCode, reason }) =>
  Effect.asVoid(
    // Nobody waits for the closing handshake, and the reader hears of the message at once.
    Effect.forkDetach(Effect.ignore(socket.close(closeCode + 3000, closeReasons[reason._tag])), {
      startImmediately: true
    })
  )
)
