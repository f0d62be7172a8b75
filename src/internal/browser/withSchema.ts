import * as Effect from "effect/Effect"
import {
  closeReasons,
  makeWithSchema,
  type MessageSocket,
  type TypedSocketOf,
  type WithSchema
} from "../socket/typed.ts"
import type { Socket } from "./model.ts"

/** The part of a socket that typed messages need, one that reconnects included. */
interface ClosableSocket extends MessageSocket {
  readonly close: (code?: number, reason?: string) => Effect.Effect<unknown, unknown>
}

/**
 * A socket whose messages are values: `In` of the peer, `Out` of this side. It has everything that `S` has.
 *
 * @category typed messages
 * @since 0.1.0
 */
export type TypedSocket<In, Out = In, RD = never, RE = never, S extends MessageSocket = Socket> = TypedSocketOf<
  S,
  In,
  Out,
  RD,
  RE
>

/**
 * Reads and writes the messages of a socket as values of a schema: JSON text, unless the schema encodes to text or bytes itself or
 * a `format` is given. `{ incoming, outgoing }` gives each direction a schema of its own. For a message that is no value of the
 * schema the connection is closed with 4003, 4007 or 4008: the platform doesn't send 1003, 1007 and 1008.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withSchema: WithSchema<ClosableSocket> = makeWithSchema<ClosableSocket>((socket, { closeCode, reason }) =>
  Effect.asVoid(
    // The closing handshake isn't waited for, and the reader is notified of the message at once.
    Effect.forkDetach(Effect.ignore(socket.close(closeCode + 3000, closeReasons[reason._tag])), {
      startImmediately: true
    })
  )
)
