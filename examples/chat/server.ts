/**
 * A chat in rooms, with what was said before, who is there, and rooms for members. With REDIS_URL or NATS_URL any number of these
 * processes are one chat: start two, on two ports, and talk from one to the other. Without them a process is a chat of its own.
 *
 * `REDIS_URL=redis://localhost:6379 PORT=8081 node examples/chat/server.ts`
 *
 * `NATS_URL=nats://localhost:4222 PORT=8081 node examples/chat/server.ts`, with `nats-server --jetstream`
 */
import { NodeRuntime } from "@effect/platform-node"
import { Config, Effect, FiberMap, Layer, Option, Schema, Stream } from "effect"
import { Server, Socket, Topic } from "effect-ws"
import * as TopicJetStream from "effect-ws/TopicJetStream"
import * as TopicRedis from "effect-ws/TopicRedis"
import { readPage } from "../page.ts"

const Room = Schema.NonEmptyString.check(Schema.isMaxLength(40))

/** What a person can do. Who comes back joins from the position of the last message; a key has a message said once, however often it is sent. */
const Action = Schema.fromJsonString(
  Schema.Union([
    Schema.Struct({ join: Room, from: Schema.optionalKey(Schema.String) }),
    Schema.Struct({ leave: Room }),
    Schema.Struct({
      room: Room,
      text: Schema.NonEmptyString.check(Schema.isMaxLength(2000)),
      key: Schema.optionalKey(Schema.String)
    })
  ])
)

/** People choose the names of rooms: `segment` makes any text a part of a topic's name. */
const topicOf = (room: string) => Effect.map(Topic.segment(room), (segment) => `room.${segment}`)

const roomOf = (topic: string): string => decodeURIComponent(topic.slice("room.".length))

const parametersOf = (socket: Socket.Socket): URLSearchParams =>
  new URL(String(socket.request.url), "ws://chat").searchParams

const chat = (topics: Topic.TopicsService) => (socket: Server.Connection) =>
  Effect.gen(function* () {
    const name = parametersOf(socket).get("name")?.slice(0, 40) || "somebody"
    /** For each room that the person is in, the fiber that forwards joins and leaves. */
    const watching = yield* FiberMap.make<string>()
    const reply = (message: object) => socket.send(JSON.stringify(message))

    const join = (room: string, from: string | undefined) =>
      Effect.gen(function* () {
        const topic = yield* topicOf(room)
        const past = from === undefined ? { last: 50 } : { from }
        const { complete, position } = yield* topics.join(socket, topic, { ...past, presence: name })
        yield* reply({ joined: room, position, complete })
        const changes = Stream.runForEach(topics.presenceChanges(topic), ({ _tag, member }) =>
          reply({ room, [_tag === "Joined" ? "came" : "left"]: member.name })
        )
        yield* FiberMap.run(watching, room, Effect.ignore(changes))
      })

    const act = (message: Socket.Message) =>
      Effect.gen(function* () {
        const action = yield* Schema.decodeUnknownEffect(Action)(message)
        if ("join" in action) {
          yield* join(action.join, action.from)
        } else if ("leave" in action) {
          yield* FiberMap.remove(watching, action.leave)
          yield* topics.leave(socket, yield* topicOf(action.leave))
        } else {
          const said = JSON.stringify({ room: action.room, name, text: action.text, time: Date.now() })
          yield* topics.publish(yield* topicOf(action.room), said, { from: socket, key: action.key })
        }
      }).pipe(
        // The broker may be away, or the room is for others: the person gets the reason.
        Effect.catchTag("TopicError", ({ message }) => reply({ failed: message }))
      )

    yield* Socket.run(socket, act).pipe(
      Effect.catchTag("SchemaError", () => socket.close(1008, "that is nothing one can do here")),
      Effect.catchTag("WebSocketError", ({ message }) => Effect.log(`${name} was cut off: ${message}`))
    )
  })

const topics = Effect.gen(function* () {
  const { memberKey, natsUrl, redisUrl } = yield* Config.all({
    memberKey: Config.String("MEMBER_KEY").pipe(Config.withDefault("open sesame")),
    natsUrl: Config.option(Config.String("NATS_URL")),
    redisUrl: Config.option(Config.String("REDIS_URL"))
  })
  const options: Topic.Options = {
    /** Rooms whose names start with an asterisk are for members. */
    authorize: ({ socket, topic }) =>
      Effect.sync(() => !roomOf(topic).startsWith("*") || parametersOf(socket).get("key") === memberKey),
    publishRate: { messages: 20, per: "10 seconds" },
    /** Each message with its position, from which a page goes on that was away. */
    format: ({ message, position }) => JSON.stringify({ ...JSON.parse(String(message)), position }),
    /** The message that a page gets where messages are missing. */
    gapMessage: ({ filter }) => JSON.stringify({ missing: roomOf(filter) })
  }
  const onBroker = (broker: Layer.Layer<Topic.Broker, Topic.TopicError>) =>
    Topic.layerOnBroker(options).pipe(Layer.provide(broker))
  if (Option.isSome(redisUrl)) {
    return onBroker(TopicRedis.layerStreams({ client: { url: redisUrl.value }, key: "chat" }))
  }
  if (Option.isSome(natsUrl)) {
    return onBroker(
      TopicJetStream.layer({ client: { servers: natsUrl.value }, stream: "chat", prefix: "chat.topics." })
    )
  }
  return Topic.layer(options)
}).pipe(Layer.unwrap)

const program = Effect.gen(function* () {
  const port = yield* Config.Int("PORT").pipe(Config.withDefault(8080))
  const page = readPage(import.meta.url)
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
