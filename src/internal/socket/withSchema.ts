import * as Effect from "effect/Effect"
import { close } from "../frame/make.ts"
import { isSocketError } from "./error.ts"
import type { Socket } from "./model.ts"
import { closeReasons, makeWithSchema, type MessageSocket, type TypedSocketOf, type WithSchema } from "./typed.ts"

/** The part of a socket that typed messages need, one that reconnects included. */
interface ClosableSocket extends MessageSocket {
  readonly send: (...args: Parameters<Socket["send"]>) => Effect.Effect<void, unknown>
}

/**
 * A socket whose messages are values: `In` of the peer, `Out` of this side. It has everything that `S` has.
 *
 * @category models
 * @since 0.1.0
 */
export type TypedSocket<In, Out = In, RD = never, RE = never, S extends MessageSocket = Socket> = TypedSocketOf<
  S,
  In,
  Out,
  RD,
  RE
>

const isUnsupported = (error: unknown): boolean => isSocketError(error) && error.reason._tag === "Unsupported"

/**
 * Reads and writes the messages of a socket as values of a schema: JSON text, unless the schema encodes to text or bytes itself or
 * a `format` is given. `{ incoming, outgoing }` gives each direction a schema of its own.
 *
 * **Details**
 *
 * The typed socket has everything that the socket has: `close`, `closed`, `context`, `ping`, and `reconnect` where the socket
 * reconnects. `sendStream`, `receiveStream` and `frames` are those of the socket: their pieces are messages as they travel.
 *
 * **Example** (A schema for each direction)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Socket } from "effect-ws"
 *
 * const Command = Schema.Union([
 *   Schema.TaggedStruct("Add", { a: Schema.Int, b: Schema.Int }),
 *   Schema.TaggedStruct("Ping", {})
 * ])
 * const Answer = Schema.Struct({ value: Schema.Int })
 *
 * const program = Effect.gen(function* () {
 *   const [client, server] = yield* Socket.makePair()
 *   const calls = Socket.withSchema(client, { incoming: Answer, outgoing: Command })
 *   const commands = Socket.withSchema(server, { incoming: Command, outgoing: Answer })
 *   yield* Effect.forkChild(
 *     Socket.run(commands, (command) => commands.send({ value: command._tag === "Add" ? command.a + command.b : 0 }))
 *   )
 *   yield* calls.send({ _tag: "Add", a: 1, b: 2 })
 *   return yield* calls.receive
 * })
 *
 * const { value } = await Effect.runPromise(Effect.scoped(program))
 * if (value !== 3) throw new Error(String(value))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withSchema: WithSchema<ClosableSocket> = makeWithSchema<ClosableSocket>((socket, { closeCode, reason }) =>
  Effect.ignore(
    Effect.catchIf(
      socket.send(close(closeCode, closeReasons[reason._tag])),
      // A draft without close codes still has a close.
      isUnsupported,
      () => socket.send(close())
    )
  )
)
