// This library's Effect face: a Stream of messages, or a handler for each message or batch, as HANDLER says.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import process from "node:process"
import type * as Library from "../../src/index.ts"
import { Server, Socket } from "../library.ts"
import { announce, mode } from "./program.ts"

type Connection = Library.Server.Connection

// zlib's own level, which the others use: our default is quicker, and it would be no fair race.
const compression = {
  off: false,
  reset: { level: -1 },
  kept: { level: -1, serverNoContextTakeover: false, clientNoContextTakeover: false }
} as const

const echo = {
  stream: (socket: Connection) => Stream.runForEach(socket.messages, socket.send),
  run: (socket: Connection) => Socket.run(socket, socket.send),
  batch: (socket: Connection) => Socket.runBatch(socket, socket.sendAll)
}

const all = new Set<Connection>()

const toAll = (messages: Library.Socket.Message | ReadonlyArray<Library.Socket.Message>): Effect.Effect<number> =>
  Socket.broadcast(all, messages)

const broadcast = {
  stream: (socket: Connection) => Stream.runForEach(socket.messages, toAll),
  run: (socket: Connection) => Socket.run(socket, toAll),
  batch: (socket: Connection) => Socket.runBatch(socket, toAll)
}

const asHandler = (name: string | undefined): keyof typeof echo =>
  name === "run" || name === "batch" ? name : "stream"

const handlerName = asHandler(process.env["HANDLER"])

const subscribed = (socket: Connection) =>
  Effect.acquireUseRelease(
    Effect.sync(() => all.add(socket)),
    () => broadcast[handlerName](socket),
    () => Effect.sync(() => all.delete(socket))
  )

const program = Effect.gen(function* () {
  const server = yield* Server.make({
    port: 0,
    host: "0.0.0.0",
    compression: compression[mode.compression],
    ...(mode.tls === undefined ? {} : { tls: mode.tls })
  })
  announce(server.address.port)
  return yield* server.run(mode.scenario === "echo" ? echo[handlerName] : subscribed)
})

program.pipe(Effect.scoped, NodeRuntime.runMain)
