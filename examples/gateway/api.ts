/** What clients of the gateway can ask: over HTTP, by RPC, and on a socket. */
import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { Rpc, RpcGroup } from "effect/rpc"

const Text = Schema.NonEmptyString.check(Schema.isMaxLength(200))

export class Notice extends Schema.Class<Notice>("Notice")({ id: Schema.Int, by: Schema.String, text: Text }) {}

/** `GET /api/notices` and `POST /api/notices`. */
export class Api extends HttpApi.make("gateway").add(
  HttpApiGroup.make("notices").add(
    HttpApiEndpoint.get("list", "/api/notices", { success: Schema.Array(Notice) }),
    HttpApiEndpoint.post("add", "/api/notices", { payload: Schema.Struct({ text: Text }), success: Notice })
  )
) {}

/** The calls at `/rpc`. */
export const Calls = RpcGroup.make(
  Rpc.make("Add", { payload: { text: Text }, success: Notice }),
  Rpc.make("Count", { success: Schema.Int })
)

/** What a client sends at `/live`; it receives notices. */
export const Written = Schema.Struct({ text: Text })
