// A primary and one worker, for what happens when the primary is stopped or killed. The worker writes what it does, a line each.
import { Effect } from "effect"
import * as TopicCluster from "effect-ws/TopicCluster"
import cluster from "node:cluster"
import { writeSync } from "node:fs"
import { createInterface } from "node:readline"

const say = (line: string): void => void writeSync(1, `${line}\n`)

const primaryPid = process.ppid

const primary = Effect.gen(function* () {
  yield* TopicCluster.relay
  cluster.fork()
  return yield* Effect.never
})

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Holds the event loop up until the primary is dead, so that the next write meets a broken pipe. */
const blockUntilDead = Effect.sync(() => {
  say("blocked")
  while (isAlive(primaryPid)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
})

const worker = Effect.gen(function* () {
  process.on("uncaughtException", ({ message }) => say(`uncaught ${message}`))
  process.on("exit", (code) => say(`exit ${code}`))
  const broker = yield* TopicCluster.make({ timeout: "3 seconds" })
  const publish = Effect.matchEffect(broker.publish([{ topic: "a", message: "message" }]), {
    onSuccess: () => Effect.sync(() => say("published")),
    onFailure: ({ reason }) => Effect.sync(() => say(`publish ${"outcome" in reason ? reason.outcome : reason._tag}`))
  })
  const subscribe = broker.subscribe("a", (delivery) =>
    say(delivery._tag === "Gap" ? `gap ${delivery.cause}` : String(delivery.message))
  )
  say("ready")
  const orders = createInterface(process.stdin)[Symbol.asyncIterator]()
  while (true) {
    const { done, value } = yield* Effect.promise(() => orders.next())
    if (done === true) return yield* Effect.never
    if (value === "block") yield* Effect.andThen(blockUntilDead, publish)
    else if (value === "publish") yield* publish
    else if (value === "subscribe")
      yield* Effect.andThen(
        subscribe,
        Effect.sync(() => say("subscribed"))
      )
  }
})

Effect.runFork(Effect.scoped(cluster.isPrimary ? primary : worker))
