/**
 * A server that is replaced without a message lost: after SIGTERM it takes no new connections, tells its clients, answers what
 * they still send for up to ten seconds, and closes with 1001. Clients that reconnect then reach the new process.
 *
 * `PORT=8080 node examples/deploy/server.ts`
 */
import { NodeRuntime } from "@effect/platform-node"
import { Config, Effect } from "effect"
import { Server, Socket } from "effect-ws"

const program = Effect.gen(function* () {
  const port = yield* Config.Int("PORT").pipe(Config.withDefault(8080))
  const server = yield* Server.make({ host: "localhost", port, drainGrace: "10 seconds" })
  yield* Effect.log(`ws://localhost:${server.address.port}/ echoes until SIGTERM, and for a while after it`)
  return yield* server.run((socket) =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(Effect.andThen(socket.draining, socket.send("restarting")))
      yield* Socket.run(socket, (message) => socket.send(message))
    })
  )
})

program.pipe(Effect.scoped, NodeRuntime.runMain)
