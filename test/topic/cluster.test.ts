import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as TopicCluster from "effect-ws/TopicCluster"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { connectClient, findFaults, hook, publishNumbers, startProgram, until } from "./processes.ts"

describe("topics across the workers of a cluster", () => {
  it.live("bring messages to clients of every worker, also when one is killed", () =>
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
      program.order("SIGKILL")
      const gone = yield* Effect.raceAllFirst(clients.map((client) => Effect.as(client.socket.closed, client)))
      const others = clients.filter((client) => client !== gone)
      const alive = yield* connectClient(port, ["n.a"])
      // Its own worker may be the one that is gone.
      yield* Fiber.interrupt(publishing)
      const second = yield* connectClient(port, [])
      // Each publish has a time limit, so that a slow machine needs several.
      let number = 100_000
      const answers = () => second.heard.filter((line) => line.startsWith("!"))
      while (answers().at(-1) !== "!ok") {
        const before = answers().length
        yield* second.socket.send(`n.a ${++number}`)
        yield* until(() => answers().length > before)
      }
      const reached = () => others.filter(({ heard }) => heard.includes(String(number)))
      // The worker that is gone had two of the six.
      yield* until(() => alive.heard.includes(String(number)) && reached().length >= 4)
      for (const { heard } of reached()) assert.deepStrictEqual(findFaults(heard, []), [])
    })
  )

  it.live("fail in a process that is no worker", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(TopicCluster.make())
      assert.deepInclude(error.reason, { _tag: "BrokerUnavailable", outcome: "not sent" })
    })
  )

  it.live("are not answered by a primary that is stopped: publishes fail, and a gap follows", () =>
    Effect.gen(function* () {
      const { child, lines, order, waitFor } = yield* startPrimary
      yield* waitFor("ready")
      child.kill("SIGSTOP")
      order("subscribe")
      yield* waitFor("subscribed")
      order("publish")
      yield* waitFor("publish not sent")
      child.kill("SIGCONT")
      yield* waitFor("gap disconnected")
      // Each publish has a time limit, so that a slow machine needs several.
      const published = () => lines.filter((line) => line.startsWith("publish")).length
      while (!lines.includes("published")) {
        const before = published()
        order("publish")
        yield* until(() => published() > before)
      }
      yield* waitFor("message")
      assert.isBelow(lines.indexOf("gap disconnected"), lines.indexOf("message"))
    })
  )

  it.live("end with the primary: a publish that meets a broken pipe fails, and nothing is uncaught", () =>
    Effect.gen(function* () {
      const { child, lines, order, waitFor } = yield* startPrimary
      yield* waitFor("ready")
      order("block")
      yield* waitFor("blocked")
      child.kill("SIGKILL")
      yield* waitFor("exit 0")
      assert.deepStrictEqual(lines.slice(0, 3), ["ready", "blocked", "publish unknown"])
    })
  )
})

/** The program `clusterPrimary.ts`, and the lines that its worker writes. */
const startPrimary = Effect.gen(function* () {
  const program = fileURLToPath(new URL("clusterPrimary.ts", import.meta.url))
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, ["--import", hook, program], { stdio: ["pipe", "pipe", "ignore"] })),
    (child) =>
      Effect.promise(async () => {
        child.kill("SIGKILL")
        if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
      })
  )
  const lines: Array<string> = []
  createInterface(child.stdout).on("line", (line) => lines.push(line))
  const order = (line: string): void => void child.stdin.write(`${line}\n`)
  return { child, lines, order, waitFor: (line: string) => until(() => lines.includes(line)) }
})
