// A server of three workers that share a port. Announces the port once all of them listen; forks another worker when one is gone.
import { NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import * as TopicCluster from "effect-ws/TopicCluster"
import cluster from "node:cluster"
import { fileURLToPath } from "node:url"

const primary = Effect.gen(function* () {
  yield* TopicCluster.relay
  cluster.setupPrimary({
    exec: fileURLToPath(new URL("program.ts", import.meta.url)),
    args: [JSON.stringify({ kind: "cluster", port: 0 })],
    silent: true
  })
  let listening = 0
  cluster.on("listening", (_, { port }) => {
    if (++listening === 3) console.log(JSON.stringify({ port }))
    else if (listening > 3) console.log(JSON.stringify({ again: port }))
  })
  cluster.on("exit", () => cluster.fork())
  for (let i = 0; i < 3; i++) cluster.fork()
  // A line is a signal for the first worker.
  process.stdin.on("data", (data) => {
    const [worker] = Object.values(cluster.workers ?? {})
    const signal = (["SIGKILL", "SIGSTOP", "SIGCONT"] as const).find((name) => name === String(data).trim())
    if (signal !== undefined) worker?.process.kill(signal)
  })
  process.stdin.on("end", () => process.exit())
  return yield* Effect.never
})

primary.pipe(Effect.scoped, NodeRuntime.runMain)
