// A server that a signal ends, with the drain of its options and nothing more.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Stream } from "effect"
import { Server } from "../../../src/index.ts"

const program = Effect.gen(function* () {
  const counts = { read: 0, answered: 0 }
  const server = yield* Server.make({
    port: 0,
    host: "127.0.0.1",
    drainGrace: "1 hour",
    closeTimeout: "1 hour",
    keepAlive: false
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => process.send?.(counts)))
  process.send?.(server.address.port)
  yield* server.run((socket) =>
    Effect.andThen(
      Effect.forkScoped(Effect.andThen(socket.draining, socket.send("leave"))),
      Stream.runForEach(socket.messages, (message) => {
        counts.read++
        return Effect.sleep(Number(message) % 4).pipe(
          Effect.andThen(socket.send(message)),
          Effect.andThen(Effect.sync(() => counts.answered++))
        )
      })
    )
  )
})

NodeRuntime.runMain(Effect.scoped(program))
