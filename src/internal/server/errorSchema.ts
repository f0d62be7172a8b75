import * as Schema from "effect/Schema"
import { Cause, errorSchema, orUndefined, reason, type ErrorClass, withSchema } from "../errorSchema.ts"
import { ServerError as Base, type ServerErrorReason } from "./error.ts"

const { String: Str } = Schema

const system = { code: orUndefined(Str), cause: Cause }

const Reason: Schema.Codec<ServerErrorReason, unknown> = Schema.Union([
  reason("ListenFailed", system),
  reason("TlsInvalid", system),
  reason("InvalidOptions", { option: Str, allowed: Str })
])

/**
 * A server can't do its work. `reason` says why. A Schema of its instances.
 *
 * **Example** (Another port when the first is taken)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Server } from "effect-ws"
 *
 * const program = Effect.gen(function* () {
 *   const first = yield* Server.make({ host: "127.0.0.1", port: 0 })
 *   const second = yield* Server.make({ host: "127.0.0.1", port: first.address.port }).pipe(
 *     Effect.catchReason("ServerError", "ListenFailed", () => Server.make({ host: "127.0.0.1", port: 0 }))
 *   )
 *   if (second.address.port === first.address.port) throw new Error("the same port")
 * })
 *
 * await Effect.runPromise(Effect.scoped(program))
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export const ServerError: ErrorClass<typeof Base> = withSchema(Base, errorSchema(Base, "ServerError", Reason))

/**
 * An instance of the class `ServerError`.
 *
 * @category errors
 * @since 0.1.0
 */
export type ServerError = Base
