// Ten thousand subscribers of one topic: in one process, and in four behind a Redis. `node bench/topics.ts` needs `redis-server`, and
// what `npm run build` makes. One connection publishes 64 bytes, and again when the last subscriber has them; every
// byte that arrives is counted. Prints what it costs and how long it takes.
import { spawn } from "node:child_process"
import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"
import { parseArgs } from "node:util"
import { commandFor, peers } from "./peers.ts"
import { Program } from "./process.ts"
import { cpuSeconds, residentBytes } from "./workload/accounting.ts"
import { encodeFrame } from "./workload/frames.ts"
import { headerEnd, makeOpening } from "./workload/upgrade.ts"

const { values: options } = parseArgs({
  options: {
    subscribers: { type: "string", default: "10000" },
    seconds: { type: "string", default: "4" },
    only: { type: "string" }
  }
})
const subscribers = Number(options.subscribers)
const milliseconds = Number(options.seconds) * 1000

const payload = Buffer.alloc(64, 0x61)
const request = encodeFrame(0x82, payload, true)
/** The header of a frame that isn't masked has two bytes. */
const frameSize = payload.length + 2

const opening = makeOpening("localhost", "off")

/** What arrived on all connections since the last message was published, and who waits for the rest. */
const round = { missing: 0, done: (): void => undefined }

/** One connection that is open, and counts what comes. */
const subscribe = (port: number, index: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    let header: Buffer | undefined = Buffer.alloc(0)
    const socket = connect({ port, host: `127.0.0.${1 + (index % 16)}`, noDelay: true })
    socket.once("error", reject)
    socket.once("connect", () => socket.write(opening.request))
    socket.on("data", (chunk: Buffer) => {
      if (header === undefined) {
        round.missing -= chunk.length
        if (round.missing === 0) round.done()
        return
      }
      header = Buffer.concat([header, chunk])
      if (headerEnd(header) < 0) return
      header = undefined
      resolve(socket)
    })
  })

const publish = (publisher: Socket, count: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${round.missing} bytes did not arrive within 10 s`)), 10_000)
    round.missing = count * frameSize
    round.done = () => {
      clearTimeout(late)
      resolve()
    }
    publisher.write(request)
  })

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  return typeof address === "object" && address !== null ? address.port : 0
}

/** A Redis that keeps nothing. */
const startRedis = async (): Promise<{ readonly url: string; readonly pid: number; readonly stop: () => void }> => {
  const port = await freePort()
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
  const child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "ignore"] })
  await once(child, "spawn")
  await new Promise<void>((resolve) =>
    child.stdout.on("data", (text) => String(text).includes("Ready to accept") && resolve())
  )
  return { url: `redis://127.0.0.1:${port}`, pid: child.pid ?? 0, stop: () => child.kill() }
}

const quantile = (sorted: ReadonlyArray<number>, part: number): number => sorted[Math.floor(sorted.length * part)] ?? 0

const measure = async (title: string, name: string, processes: number): Promise<void> => {
  const peer = peers.find((peer) => peer.name === name)
  const command = peer === undefined ? { missing: "no such peer" } : commandFor(peer, "server")
  if (peer === undefined || "missing" in command) {
    console.log(`${title}: – ${"missing" in command ? command.missing : ""}`)
    return
  }
  const redis = processes > 1 ? await startRedis() : undefined
  const mode = JSON.stringify({ scenario: "broadcast", compression: "off" })
  const environment = { ...peer.environment, ...(redis === undefined ? {} : { REDIS_URL: redis.url }) }
  const programs = Array.from(
    { length: processes },
    () => new Program(command.command, [...command.args, mode], environment)
  )
  const sockets: Array<Socket> = []
  try {
    const ports = await Promise.all(programs.map(async (program) => Number((await program.next(15_000))["port"])))
    for (let next = 0; next < subscribers; next += 50) {
      const some = Array.from({ length: Math.min(50, subscribers - next) }, (_, at) =>
        subscribe(ports[(next + at) % processes] ?? 0, next + at)
      )
      sockets.push(...(await Promise.all(some)))
    }
    const [publisher] = sockets
    if (publisher === undefined) throw new Error("nobody is subscribed")
    for (let i = 0; i < 20; i++) await publish(publisher, sockets.length)
    const pids = programs.map(({ pid }) => pid)
    const cpu = (): number => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0)
    const [cpuBefore, redisBefore] = [cpu(), redis === undefined ? 0 : cpuSeconds(redis.pid)]
    const times: Array<number> = []
    const start = performance.now()
    while (performance.now() - start < milliseconds) {
      const before = performance.now()
      await publish(publisher, sockets.length)
      times.push(performance.now() - before)
    }
    const spent = cpu() - cpuBefore
    const deliveries = times.length * sockets.length
    times.sort((a, b) => a - b)
    const resident = pids.map((pid) => Math.round(residentBytes(pid) / 1024 / 1024))
    console.log(
      [
        `${title}: ${((spent / deliveries) * 1e6).toFixed(1)} µs of CPU a delivery`,
        `${Math.round(deliveries / spent / 1000)}k deliveries/CPU-s`,
        `to the last of ${sockets.length} in ${quantile(times, 0.5).toFixed(0)} ms (p99 ${quantile(times, 0.99).toFixed(0)} ms)`,
        `RSS ${resident.join(" + ")} MiB`,
        ...(redis === undefined ? [] : [`Redis ${((cpuSeconds(redis.pid) - redisBefore) * 1000).toFixed(0)} ms of CPU`])
      ].join(", ")
    )
  } finally {
    for (const socket of sockets) socket.destroy()
    for (const program of programs) await program.stop()
    redis?.stop()
  }
}

const rows: ReadonlyArray<readonly [title: string, peer: string, processes: number]> = [
  ["ws, one process", "ws", 1],
  ["topics, one process", "effect-ws topic", 1],
  ["topics, four processes and Redis", "effect-ws topic", 4],
  ["Bun, one process", "bun", 1]
]
for (const [title, peer, processes] of rows) {
  if (options.only === undefined || title.includes(options.only)) await measure(title, peer, processes)
}
