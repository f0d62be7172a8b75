import * as Schema from "effect/Schema"
import { errorSchema, orUndefined, reason, type ErrorClass, withSchema } from "../errorSchema.ts"
import type { Reason } from "../protocol/opening/reason.ts"
import { HandshakeError as Base } from "./error.ts"

const { Number: Num, String: Str } = Schema

const failure = <Tag extends string, Status extends Schema.Constraint, const Fields extends Schema.Struct.Fields>(
  tag: Tag,
  status: Status,
  fields: Fields
) => reason(tag, { status, section: Str, ...fields })

const only = Schema.Literal

const supported = Schema.Array(Num)
const retryAfter = orUndefined(Num)

const Reasons: Schema.Codec<Reason, unknown> = Schema.Union([
  failure("MethodNotAllowed", only(405), { method: Str, allowed: Schema.Literals(["GET", "CONNECT"]) }),
  failure("UnsupportedHttpVersion", only(400), { httpVersion: Str }),
  failure("InvalidTarget", only(400), {}),
  failure("UpgradeRequired", only(426), { header: Str, supported }),
  failure("UnsupportedVersion", Schema.Literals([400, 426]), { version: Str, supported }),
  failure("InvalidHeader", only(400), { header: Str }),
  failure("InvalidBody", only(400), {}),
  failure("OriginRefused", only(403), { origin: Str, authority: orUndefined(Str) }),
  failure("PathNotFound", only(404), { path: Str }),
  failure("Rejected", Num, { headers: Schema.Array(Schema.Tuple([Str, Str])), body: orUndefined(Str) }),
  failure("Timeout", only(408), { limit: Num }),
  failure("TooManyRequests", only(429), { retryAfter }),
  failure("HeadersTooLarge", only(431), { limit: Num }),
  failure("TooManyConnections", only(503), { limit: Num, retryAfter }),
  failure("ShuttingDown", only(503), { retryAfter }),
  failure("UnexpectedStatus", Num, {
    headers: Schema.Record(Str, orUndefined(Schema.Union([Str, Schema.Array(Str)]))),
    body: orUndefined(Str)
  }),
  failure("InvalidSubprotocol", only(500), { protocol: orUndefined(Str) }),
  failure("InvalidExtension", only(400), { extension: Str }),
  failure("InvalidUrl", only(500), { url: Str }),
  failure("UnsafeHeader", only(500), { header: Str }),
  failure("Unsupported", only(501), { feature: Str })
])

/**
 * The opening handshake failed. Each reason has the HTTP status that answers it. A Schema of its instances.
 *
 * **Example** (A server that wants another login)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Socket } from "effect-ws"
 *
 * export const program = Socket.connect("wss://example.com/").pipe(
 *   Effect.catchReason("WebSocketError", "HandshakeFailed", ({ error: { reason } }) =>
 *     Effect.die(reason._tag === "UnexpectedStatus" && reason.status === 401 ? "log in again" : reason.message)
 *   )
 * )
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export const HandshakeError: ErrorClass<typeof Base> = withSchema(Base, errorSchema(Base, "HandshakeError", Reasons))

/**
 * An instance of the class `HandshakeError`.
 *
 * @category errors
 * @since 0.1.0
 */
export type HandshakeError = Base
