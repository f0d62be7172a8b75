/**
 * The client of `server.ts`: watches the tasks while it adds some, finishes one, and is told of one that isn't there.
 *
 * `node examples/rpc/client.ts`; URL, where the server is, comes from the environment.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Fiber, Layer, Stream } from "effect"
import { RpcClient, RpcSerialization } from "effect/rpc"
import * as EffectSocket from "effect-ws/EffectSocket"
import { Tasks } from "./calls.ts"

const program = Effect.gen(function* () {
  const client = yield* RpcClient.make(Tasks)
  yield* client.Add({ text: "boil water" })
  // The task that is there, one more, and one that is finished: then the watching ends, and the server is told
  const watching = yield* client.Watch().pipe(
    Stream.take(3),
    Stream.runForEach(({ done, id, text }) => Console.log(`${id}. [${done ? "x" : " "}] ${text}`)),
    Effect.forkChild
  )
  const { id } = yield* client.Add({ text: "find a cup" })
  yield* client.Finish({ id })
  yield* Fiber.join(watching)
  const refused = yield* Effect.flip(client.Finish({ id: 99 }))
  yield* Console.log(refused._tag)
})

const Protocol = Layer.unwrap(
  Effect.gen(function* () {
    const url = yield* Config.String("URL").pipe(Config.withDefault("ws://localhost:8080/"))
    return RpcClient.layerProtocolSocket().pipe(Layer.provide(EffectSocket.layerSocket(url)))
  })
).pipe(Layer.provide(RpcSerialization.layerNdjson))

program.pipe(Effect.scoped, Effect.provide(Protocol), NodeRuntime.runMain)
