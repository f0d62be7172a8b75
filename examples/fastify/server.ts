/**
 * A notice board with Fastify: notices are posted by HTTP, where Fastify checks them, and everyone who looks on hears of
 * each over a WebSocket of this library, on the same port.
 *
 * `node examples/fastify/server.ts`; PORT comes from the environment.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Config, Effect } from "effect"
import { Server, Topic } from "effect-ws"
import { fastify } from "fastify"
import { readPage } from "../page.ts"

const page = readPage(import.meta.url)

const body = {
  type: "object",
  required: ["text"],
  properties: { text: { type: "string", minLength: 1, maxLength: 200 } }
} as const

const program = Effect.gen(function* () {
  const port = yield* Config.Int("PORT").pipe(Config.withDefault(8080))
  const topics = yield* Topic.Topics
  // Closed last, since Fastify waits for the connections of its server to end
  const app = yield* Effect.acquireRelease(
    Effect.sync(() => fastify()),
    (app) => Effect.promise(() => app.close())
  )
  app.get("/", (_, reply) => reply.type("text/html; charset=utf-8").send(page))
  app.post<{ Body: { text: string } }>("/notices", { schema: { body } }, async (request, reply) => {
    await Effect.runPromise(topics.publish("notices", request.body.text))
    return reply.code(204).send()
  })

  // Pages have nothing to say here
  const sockets = yield* Server.attach(app.server, { path: "/live", maxMessageSize: 0 })
  const url = yield* Effect.promise(() => app.listen({ host: "localhost", port }))
  yield* Effect.log(`http://localhost:${new URL(url).port}/ is the notice board`)
  return yield* sockets.run((socket) => Effect.andThen(topics.subscribe(socket, "notices"), socket.closed))
})

program.pipe(Effect.scoped, Effect.provide(Topic.layer()), NodeRuntime.runMain)
