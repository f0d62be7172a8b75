/**
 * A chat for users who have a token. A page can't set header fields and URLs end up in logs, so a page offers its token as a
 * second subprotocol: `new WebSocket(url, ["chat", "token.tea"])`. Other clients may send it as `Authorization: Bearer tea`.
 *
 * `TOKENS=ada=tea,bob=cake PORT=8080 node examples/auth/server.ts`
 */
import { NodeRuntime } from "@effect/platform-node"
import { Config, Effect, Schema, Stream } from "effect"
import { Server, Socket, Topic } from "effect-ws"

/** The names of the users by their tokens. */
const Users = Config.String("TOKENS").pipe(
  Config.withDefault("ada=tea,bob=cake"),
  Config.map((list) => new Map(list.split(",").map((entry) => [entry.split("=")[1], entry.split("=")[0]])))
)

const Line = Schema.Struct({ text: Schema.NonEmptyString.check(Schema.isMaxLength(2000)) })

const program = Effect.gen(function* () {
  const users = yield* Users
  const topics = yield* Topic.Topics
  const server = yield* Server.make({
    host: "localhost",
    port: yield* Config.Int("PORT").pipe(Config.withDefault(8080)),
    protocols: ["chat"],
    authorize: ({ headers }) => {
      const credentials = `${String(headers["sec-websocket-protocol"])} ${String(headers["authorization"])}`
      const token = /(?:\btoken\.|\bBearer )([^,\s]+)/.exec(credentials)?.[1]
      if (token === undefined) return Effect.fail(Server.reject(401))
      const name = users.get(token)
      return name === undefined ? Effect.fail(Server.reject(403)) : Effect.succeed({ name })
    }
  })
  yield* Effect.log(`ws://localhost:${server.address.port}/ is the chat`)
  return yield* server.run((socket) =>
    Effect.andThen(
      topics.subscribe(socket, "chat"),
      Stream.runForEach(Socket.withSchema(socket, Line).messages, ({ text }) =>
        topics.publish("chat", JSON.stringify({ by: socket.context.name, text }))
      )
    )
  )
})

program.pipe(Effect.scoped, Effect.provide(Topic.layer()), NodeRuntime.runMain)
