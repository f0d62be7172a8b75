/**
 * A list of tasks by Effect's own RPC, on one WebSocket for each client: calls, errors with a type, and a stream that
 * ends when its reader does.
 *
 * `node examples/rpc/server.ts`; PORT comes from the environment. `client.ts` is its client.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Config, Effect, Layer, PubSub, Stream } from "effect"
import { NetAddress } from "effect/net"
import { RpcSerialization, RpcServer } from "effect/rpc"
import { SocketServer } from "effect/socket"
import * as EffectSocket from "effect-ws/EffectSocket"
import { NoSuchTask, Task, Tasks } from "./calls.ts"

const Handlers = Tasks.toLayer(
  Effect.gen(function* () {
    const tasks = new Map<number, Task>()
    // A watcher that is a thousand changes behind misses the oldest
    const changes = yield* PubSub.sliding<Task>(1000)

    const put = (task: Task) =>
      Effect.suspend(() => {
        tasks.set(task.id, task)
        return Effect.as(PubSub.publish(changes, task), task)
      })

    return {
      Add: ({ text }) => put(new Task({ id: tasks.size + 1, text, done: false })),
      Finish: ({ id }) => {
        const task = tasks.get(id)
        return task === undefined ? Effect.fail(new NoSuchTask({ id })) : put(new Task({ ...task, done: true }))
      },
      Watch: () =>
        Stream.unwrap(
          // Subscribed before the list is read, so that no change falls between
          Effect.map(PubSub.subscribe(changes), (subscription) =>
            Stream.concat(Stream.fromIterable([...tasks.values()]), Stream.fromSubscription(subscription))
          )
        )
    }
  })
)

const Announce = Layer.effectDiscard(
  Effect.gen(function* () {
    const { address } = yield* SocketServer.SocketServer
    if (NetAddress.isInetAddress(address)) yield* Effect.log(`ws://localhost:${address.port}/ answers calls`)
  })
)

const Listening = Layer.unwrap(
  Effect.gen(function* () {
    const port = yield* Config.Int("PORT").pipe(Config.withDefault(8080))
    return EffectSocket.layerSocketServer({ host: "localhost", port, maxMessageSize: 64 * 1024 })
  })
)

const Main = Layer.merge(
  RpcServer.layer(Tasks).pipe(Layer.provide(Handlers), Layer.provide(RpcServer.layerProtocolSocketServer)),
  Announce
).pipe(Layer.provide(Listening), Layer.provide(RpcSerialization.layerNdjson))

NodeRuntime.runMain(Layer.launch(Main))
