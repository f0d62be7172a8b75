import * as Schema from "effect/Schema"
import {
  Cause,
  Error as ErrorValue,
  errorSchema,
  orUndefined,
  reason,
  type ErrorClass,
  withSchema
} from "../errorSchema.ts"
import { Violation } from "../frame/errorSchema.ts"
import { HandshakeError } from "../handshake/errorSchema.ts"
import type { Closed } from "../protocol/closeHandshake.ts"
import { SocketError as Base, type SocketErrorReason } from "./error.ts"

const { Number: Num, String: Str } = Schema

const only = Schema.Literal

const CloseFrame = Schema.Struct({ code: orUndefined(Num), reason: Str })

const ClosedSchema: Schema.Codec<Closed, unknown> = Schema.Struct({
  sent: orUndefined(CloseFrame),
  received: orUndefined(CloseFrame),
  first: orUndefined(Schema.Literals(["sent", "received"])),
  cause: Schema.Union([
    Schema.Struct({ _tag: only("Violation"), violation: Violation }),
    Schema.Struct({ _tag: only("TransportFailed"), error: ErrorValue }),
    Schema.Struct({
      _tag: Schema.Literals(["Handshake", "TransportEnded", "CloseTimeout", "KeepAliveTimeout", "Terminated"])
    })
  ])
})

const Reason: Schema.Codec<SocketErrorReason, unknown> = Schema.Union([
  reason("InvalidOptions", { option: Str, allowed: Str }),
  reason("OpenFailed", { cause: Cause }),
  reason("OpenTimeout", { limit: Num }),
  reason("IdleTimeout", { limit: Num }),
  reason("HandshakeFailed", { error: HandshakeError }),
  reason("ConnectionClosed", { closeCode: Num, closeReason: Str, closed: orUndefined(ClosedSchema) }),
  reason("ProtocolViolation", { closeCode: Schema.Literals([1002, 1007, 1008, 1009]), violation: Violation }),
  reason("Unsupported", { feature: Schema.Literals(["binary", "ping", "closeCode", "fragments"]), draft: Str }),
  reason("InvalidSend", { violation: Violation }),
  reason("AlreadyReading", {}),
  reason("ReadBufferFull", { limit: Num })
])

/**
 * A connection failed, or what was asked of it can't be done. `reason` says why, and `closeCode` is the close code that goes
 * with it. A Schema of its instances, so that it travels through RPC.
 *
 * **Details**
 *
 * Its tag is `WebSocketError`: the `SocketError` of `effect/socket` can stand beside it.
 *
 * **Example** (One reason, or all)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Socket } from "effect-ws"
 *
 * const program = Effect.gen(function* () {
 *   const [client, server] = yield* Socket.makePair()
 *   yield* Effect.forkChild(server.close(1012, "restart"))
 *   return yield* Stream.runCollect(client.messages)
 * }).pipe(
 *   Effect.catchReason("WebSocketError", "ConnectionClosed", ({ closeCode }) => Effect.succeed([`closed with ${closeCode}`])),
 *   Effect.catchTag("WebSocketError", ({ message }) => Effect.succeed([message]))
 * )
 *
 * const [text] = await Effect.runPromise(Effect.scoped(program))
 * if (text !== "closed with 1012") throw new Error(String(text))
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export const SocketError: ErrorClass<typeof Base> = withSchema(Base, errorSchema(Base, "WebSocketError", Reason))

/**
 * An instance of the class `SocketError`.
 *
 * @category errors
 * @since 0.1.0
 */
export type SocketError = Base
