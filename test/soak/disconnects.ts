/**
 * What it costs when all peers disconnect at once: `npm run soak:disconnects`. A process opens connections and is killed. Prints for each server
 * the processor time per connection, the longest stall of the event loop, and resident memory before and 10 seconds after.
 * Options: `--connections` 10 000 by default, fewer where descriptors don't suffice; `--server` of `servers.ts`, or `topics`.
 */
import { Effect, Exit, Scope } from "effect"
import { fork } from "node:child_process"
import { once } from "node:events"
import { connect } from "node:net"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as Server from "../../src/Server.ts"
import * as Socket from "../../src/Socket.ts"
import * as Topic from "../../src/Topic.ts"
import { liveBytes } from "./live.ts"
import { type Running, servers } from "./servers.ts"
import { upgradeHead } from "../support/upgrade.ts"

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "10000" },
    server: { type: "string", default: "effect,topics,ws" },
    /** In the process that opens connections. */
    port: { type: "string" }
  }
})

const request = upgradeHead()

/** Connections that are opened at once. */
const batch = 100

const open = (port: number, at: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", localAddress: `127.0.0.${2 + (at % 8)}` })
    socket.on("error", reject)
    socket.once("connect", () => socket.write(request))
    socket.once("data", () => resolve())
  })

/** Opens connections on behalf of the parent, which kills this process. */
const peers = async (port: number, connections: number): Promise<void> => {
  for (let at = 0; at < connections; at += batch) {
    await Promise.all(Array.from({ length: Math.min(batch, connections - at) }, (_, offset) => open(port, at + offset)))
  }
  process.send?.("open")
}

/** A server whose sockets are subscribed to one topic, and answer what comes. */
const topics = async (): Promise<Running> => {
  const scope = Effect.runSync(Scope.make())
  const server = await Effect.runPromise(
    Scope.provide(
      Effect.gen(function* () {
        const topics = yield* Topic.make()
        const server = yield* Server.make({ host: "127.0.0.1" })
        yield* Effect.forkScoped(
          server.run((socket) =>
            Effect.andThen(
              topics.subscribe(socket, "all"),
              Socket.run(socket, (message) => topics.publish("all", message))
            )
          ),
          { startImmediately: true }
        )
        return server
      }),
      scope
    )
  )
  return { port: server.address.port, stop: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

const openSockets = (): number => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`

const measure = async (name: string, start: () => Promise<Running>, connections: number): Promise<void> => {
  const server = await start()
  const path = fileURLToPath(import.meta.url)
  const child = fork(path, ["--port", String(server.port), "--connections", String(connections)])
  await once(child, "message")
  const live = await liveBytes()
  const before = process.memoryUsage.rss()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const cpu = process.cpuUsage()
  const begun = performance.now()
  child.kill("SIGKILL")
  while (openSockets() > 0) await sleep(50)
  const milliseconds = performance.now() - begun
  const { system, user } = process.cpuUsage(cpu)
  delay.disable()
  await sleep(10_000)
  const after = process.memoryUsage.rss()
  const left = await liveBytes()
  console.log(
    [
      `${name}: ${connections} closed within ${milliseconds.toFixed(0)} ms`,
      `${((user + system) / connections).toFixed(1)} µs of CPU each (user ${(user / connections).toFixed(1)})`,
      `longest stall ${(delay.max / 1e6).toFixed(0)} ms`,
      `RSS ${mebibytes(before)}, 10 s later ${mebibytes(after)}`,
      `live ${mebibytes(live)}, then ${mebibytes(left)}`
    ].join(", ")
  )
  await server.stop()
}

if (values.port === undefined) {
  const all: Readonly<Record<string, () => Promise<Running>>> = { ...servers, topics }
  for (const name of values.server.split(",")) {
    const start = all[name]
    if (start === undefined) throw new Error(`no server ${name}; there are ${Object.keys(all).join()}`)
    await measure(name, start, Number(values.connections))
  }
  process.exit()
} else {
  await peers(Number(values.port), Number(values.connections))
}
