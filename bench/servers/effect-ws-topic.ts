// This library's topics: everybody is subscribed to one, on which everybody publishes. In memory, or over the Redis of REDIS_URL.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import process from "node:process"
import type * as Library from "../../src/index.ts"
import type * as Redis from "../../src/TopicRedis.ts"
import { Server, Socket, Topic } from "../library.ts"
import { announce, mode, unsupported } from "./program.ts"

if (mode.scenario !== "broadcast") unsupported("publishes to subscribers, and does nothing else")

const builtRedis: string = "effect-ws/TopicRedis"

const makeTopics = Effect.gen(function* () {
  const url = process.env["REDIS_URL"]
  if (url === undefined) return yield* Topic.make()
  const TopicRedis: typeof Redis = yield* Effect.promise(() => import(builtRedis))
  const broker = yield* TopicRedis.make({ client: { url } })
  return yield* Effect.provideService(Topic.makeOnBroker(), Topic.Broker, broker)
})

const program = Effect.gen(function* () {
  const topics = yield* makeTopics
  const server = yield* Server.make({ port: 0, host: "0.0.0.0" })
  announce(server.address.port)
  return yield* server.run((socket) =>
    Effect.gen(function* () {
      yield* topics.subscribe(socket, "all")
      const publish = (
        messages: ReadonlyArray<Library.Socket.Message>
      ): Effect.Effect<void, Library.Topic.TopicError> =>
        topics.publishAll(messages.map((message) => ({ topic: "all", message })))
      yield* Socket.runBatch(socket, publish)
    })
  )
})

program.pipe(Effect.scoped, NodeRuntime.runMain)
