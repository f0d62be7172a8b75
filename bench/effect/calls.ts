// What is called, and what the answers must be.
import { Effect, Schema, Stream } from "effect"
import { Rpc, RpcGroup, RpcSerialization } from "effect/rpc"

export const Calls = RpcGroup.make(
  Rpc.make("Add", { payload: { a: Schema.Int, b: Schema.Int }, success: Schema.Int }),
  Rpc.make("Count", { payload: { to: Schema.Int }, success: Schema.Int, stream: true })
)

/** Elements of a stream that are sent together, and acknowledged before the next. */
const piece = 10

export const handlers = Calls.toLayer({
  Add: ({ a, b }) => Effect.succeed(a + b),
  Count: ({ to }) => Stream.rechunk(Stream.range(1, to), piece)
})

export const serialization = RpcSerialization.layerNdjson
