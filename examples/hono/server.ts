/**
 * A drawing that many make together, with Hono on Node: the sockets are attached to the HTTP server that Hono answers.
 * Who sends a point sends it to everybody else.
 *
 * `node examples/hono/server.ts`; PORT comes from the environment.
 */
import { NodeRuntime } from "@effect/platform-node"
import { createAdaptorServer } from "@hono/node-server"
import { Config, Effect } from "effect"
import { Server, Socket } from "effect-ws"
import { Hono } from "hono"
import { readPage } from "../page.ts"

const page = readPage(import.meta.url)

/** A point is two numbers of four bytes. */
const pointSize = 8

const program = Effect.gen(function* () {
  const port = yield* Config.Int("PORT").pipe(Config.withDefault(8080))
  const drawing = new Set<Server.Connection>()

  const others = (socket: Server.Connection) => Array.from(drawing).filter((other) => other !== socket)

  const app = new Hono()
  app.get("/", (context) => context.html(page))
  app.get("/drawing/count", (context) => context.json(drawing.size))

  const server = yield* Effect.acquireRelease(
    Effect.sync(() => createAdaptorServer({ fetch: app.fetch })),
    (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  )
  const sockets = yield* Server.attach(server, { path: "/drawing", maxMessageSize: pointSize })
  yield* Effect.callback<void>((resume) => void server.listen(port, "localhost", () => resume(Effect.void)))
  const address = server.address()
  if (typeof address === "object") yield* Effect.log(`http://localhost:${address?.port}/ is the drawing`)

  return yield* sockets.run((socket) =>
    Effect.gen(function* () {
      drawing.add(socket)
      yield* Effect.addFinalizer(() => Effect.sync(() => drawing.delete(socket)))
      yield* Socket.run(socket, (point) =>
        Effect.gen(function* () {
          if (typeof point === "string" || point.length !== pointSize) yield* socket.close(1003, "not a point")
          // Who can't keep up misses points
          else yield* Socket.broadcast(others(socket), point, { slow: "drop" })
        })
      )
    })
  )
})

program.pipe(Effect.scoped, NodeRuntime.runMain)
