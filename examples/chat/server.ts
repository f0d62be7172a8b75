/**
 * A chat in rooms. With REDIS_URL any number of these processes are one chat: start two, on two ports, and talk from one to
 * the other. Without it a process is a chat of its own.
 *
 * `REDIS_URL=redis://localhost:6379 PORT=8081 node examples/chat/server.ts`
 */
import { NodeRuntime } from "@effect/platform-node"
import { Config, Effect, Layer, Option, Schema } from "effect"
import { Server, Socket, Topic } from "effect-ws"
import * as TopicRedis from "effect-ws/TopicRedis"
import { readFileSync } from "node:fs"

const Room = Schema.NonEmptyString.check(Schema.isMaxLength(40))

/** What a person can do. */
const Action = Schema.fromJsonString(
  Schema.Union([
    Schema.Struct({ join: Room }),
    Schema.Struct({ leave: Room }),
    Schema.Struct({ room: Room, text: Schema.NonEmptyString.check(Schema.isMaxLength(2000)) })
  ])
)

/** People choose the names of rooms: `segment` makes any text a part of a topic's name. */
const topicOf = (room: string) => Effect.map(Topic.segment(room), (segment) => `room.${segment}`)

const chat = (topics: Topic.TopicsService) => (socket: Server.Connection) => {
  const name = new URL(socket.request.url, "ws://chat").searchParams.get("name")?.slice(0, 40) || "somebody"
  const act = (message: Socket.Message) =>
    Effect.gen(function* () {
      const action = yield* Schema.decodeUnknownEffect(Action)(message)
      if ("join" in action) {
        yield* topics.join(socket, yield* topicOf(action.join))
        yield* socket.send(JSON.stringify({ joined: action.join }))
      } else if ("leave" in action) {
        yield* topics.leave(socket, yield* topicOf(action.leave))
      } else {
        const said = JSON.stringify({ room: action.room, name, text: action.text, time: Date.now() })
        yield* topics.publish(yield* topicOf(action.room), said)
      }
    }).pipe(
      // Redis may be away: who spoke hears that nobody did
      Effect.catchTag("TopicError", ({ message }) => socket.send(JSON.stringify({ failed: message })))
    )
  return Socket.run(socket, act).pipe(
    Effect.catchTag("SchemaError", () => socket.close(1008, "that is nothing one can do here")),
    Effect.catchTag("SocketError", ({ message }) => Effect.log(`${name} was cut off: ${message}`))
  )
}

/** What a page is told where messages are missing. */
const gapMessage = ({ filter }: Topic.Gap) =>
  JSON.stringify({ missing: decodeURIComponent(filter.slice("room.".length)) })

const topics = Effect.gen(function* () {
  const url = yield* Config.String("REDIS_URL").pipe(Config.option)
  return Option.match(url, {
    onNone: () => Topic.layer({ gapMessage }),
    onSome: (url) =>
      Topic.layerOnBroker({ gapMessage }).pipe(Layer.provide(TopicRedis.layer({ client: { url }, prefix: "chat:" })))
  })
}).pipe(Layer.unwrap)

const program = Effect.gen(function* () {
  const port = yield* Config.Int("PORT").pipe(Config.withDefault(8080))
  const page = readFileSync(new URL("page.html", import.meta.url))
  const server = yield* Server.make({
    host: "localhost",
    port,
    path: "/chat",
    onRequest: (_, response) => response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page)
  })
  yield* Effect.log(`http://localhost:${server.address.port}/`)
  return yield* server.run(chat(yield* Topic.Topics))
})

program.pipe(Effect.provide(topics), Effect.scoped, NodeRuntime.runMain)
