import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as TopicCluster from "effect-ws/TopicCluster"
import { connectClient, findFaults, publishNumbers, startProgram, until } from "./processes.ts"

describe("topics across the workers of a cluster", () => {
  it.live(
    "bring messages to clients of every worker, also when one is killed",
    () =>
      Effect.gen(function* () {
        const program = yield* startProgram("cluster.ts", {})
        const { port } = program
        // Connections go to the workers in turn.
        const clients = yield* Effect.forEach(["n.a", "n.*", "n.>", "n.a", "n.*", "n.>"], (filter) =>
          connectClient(port, [filter])
        )
        const publisher = yield* connectClient(port, [])
        const publishing = yield* Effect.forkChild(Effect.result(publishNumbers(publisher, "n.a", () => true)))
        yield* until(() => clients.every(({ heard }) => heard.length > 50))
        program.order("kill one")
        const gone = yield* Effect.raceAllFirst(clients.map((client) => Effect.as(client.socket.closed, client)))
        const others = clients.filter((client) => client !== gone)
        const alive = yield* connectClient(port, ["n.a"])
        // Its own worker may be the one that is gone.
        yield* Fiber.interrupt(publishing)
        const second = yield* connectClient(port, [])
        yield* second.socket.send("n.a 100000")
        const reached = () => others.filter(({ heard }) => heard.includes("100000"))
        // The worker that is gone had two of the six.
        yield* until(() => alive.heard.includes("100000") && second.heard.includes("!ok") && reached().length >= 4)
        for (const { heard } of reached()) assert.deepStrictEqual(findFaults(heard, []), [])
      }),
    60_000
  )

  it.live("fail in a process that is no worker", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(TopicCluster.make())
      assert.deepInclude(error.reason, { _tag: "BrokerUnavailable", outcome: "not sent" })
    })
  )
})
