// One process of a server that is several: sockets of /?filter=… hear what is published on names of the filter, and what they send is
// published: a name, a space and the message. The answer says what became of it.
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer, Schedule } from "effect"
import { Server, Socket, Topic } from "effect-ws"
import { type BrokerOptions, brokerLayer } from "./brokerLayer.ts"

const options: BrokerOptions = JSON.parse(process.argv[2] ?? "{}")

const serve = Effect.gen(function* () {
  const topics = yield* Topic.Topics
  const server = yield* Server.make({ port: 0, host: "127.0.0.1", keepAlive: false })
  console.log(JSON.stringify({ port: server.address.port }))
  return yield* server.run((socket) =>
    Effect.gen(function* () {
      const filters = new URL(socket.request.url, "ws://test").searchParams.getAll("filter")
      for (const filter of filters) yield* topics.subscribe(socket, filter)
      yield* socket.send("ready")
      yield* Socket.run(socket, (message) => {
        const [name = "", ...rest] = String(message).split(" ")
        return Effect.matchEffect(topics.publish(name, rest.join(" ")), {
          onFailure: ({ reason }) =>
            socket.send(`!${"outcome" in reason && reason.outcome === "not sent" ? "not sent" : "unknown"}`),
          onSuccess: () => socket.send("!ok")
        })
      })
    })
  )
})

const topics = Topic.layerOnBroker({ gapMessage: ({ cause }) => `!gap ${cause}` }).pipe(
  Layer.provide(brokerLayer(options, { reconnect: Schedule.spaced("20 millis") }))
)

// A worker of a cluster ends with its primary.
if (process.connected) process.on("disconnect", () => process.exit())
else process.stdin.on("end", () => process.exit()).resume()

serve.pipe(Effect.provide(topics), Effect.scoped, NodeRuntime.runMain)
