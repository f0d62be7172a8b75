// Effect's own socket server, which stands on `ws`.
import { NodeRuntime, NodeSocketServer } from "@effect/platform-node"
import { Effect } from "effect"
import { listen, makeHttpServer } from "./httpServer.ts"
import { mode } from "./program.ts"
import type { Writer } from "effect/socket/Socket"

const compression = {
  off: false,
  reset: { serverNoContextTakeover: true, clientNoContextTakeover: true },
  kept: true
} as const

const program = Effect.gen(function* () {
  const httpServer = makeHttpServer()
  listen(httpServer)
  const server = yield* NodeSocketServer.makeWebSocket({
    server: httpServer,
    perMessageDeflate: compression[mode.compression]
  })
  const writers = new Set<Writer>()
  return yield* server.run((socket) =>
    Effect.gen(function* () {
      const writer = yield* socket.writer
      const { pull } = yield* socket.reader
      writers.add(writer)
      yield* Effect.addFinalizer(() => Effect.sync(() => writers.delete(writer)))
      while (true) {
        const messages = yield* pull
        if (mode.scenario === "echo") yield* writer.writeAll(messages)
        else for (const other of writers) yield* other.writeAll(messages)
      }
    }).pipe(
      Effect.scoped,
      Effect.catchTag("SocketError", () => Effect.void)
    )
  )
})

program.pipe(Effect.scoped, NodeRuntime.runMain)
