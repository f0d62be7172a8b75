/**
 * Runs a server under mixed load for a while, and looks whether it stays as it is: `npm run soak -- --seconds 60`. Options:
 * `--connections` 5 000 by default, fewer where descriptors don't suffice; `--rate` messages a second; `--server effect`,
 * `face`, `legacy` or `ws`. Prints resident memory and handles with their trend, and the delay of the event loop. Exits with
 * 1 when an answer was wrong or missing, when a handle is left behind, when what lives after a collection grew by more than a
 * tenth, or, in five minutes or more, resident memory did. How fast it was makes it neither pass nor fail.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import type { Order, Counters } from "./clients.ts"
import { liveBytes } from "./live.ts"
import { servers } from "./servers.ts"

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    connections: { type: "string", default: "5000" },
    rate: { type: "string", default: "1000" },
    server: { type: "string", default: "effect" }
  }
})

const seconds = Number(values.seconds)
const start = servers[values.server]
if (start === undefined || !(seconds > 0)) {
  console.error(`usage: --seconds N --connections N --rate N --server ${Object.keys(servers).join("|")}`)
  process.exit(2)
}

/** Descriptors that are needed besides those of connections. */
const spare = 200

interface UserLimits {
  readonly userLimits: { readonly open_files: { readonly soft: number | "unlimited" } }
}

const { soft } = (process.report.getReport() as unknown as UserLimits).userLimits.open_files
const connections = Math.min(Number(values.connections), soft === "unlimited" ? Infinity : soft - spare)

interface Sample {
  readonly time: number
  readonly resident: number
  readonly handles: number
}

/** The slope of a line through the samples, per minute (least squares), and what it makes over all of their time. */
const trend = (
  samples: ReadonlyArray<Sample>,
  of: (sample: Sample) => number
): { perMinute: number; growth: number } => {
  const count = samples.length
  const meanTime = samples.reduce((sum, { time }) => sum + time, 0) / count
  const mean = samples.reduce((sum, sample) => sum + of(sample), 0) / count
  let [above, below] = [0, 0]
  for (const sample of samples) {
    above += (sample.time - meanTime) * (of(sample) - mean)
    below += (sample.time - meanTime) ** 2
  }
  const slope = below === 0 ? 0 : above / below
  const [first, last] = [samples[0]?.time ?? 0, samples.at(-1)?.time ?? 0]
  return { perMinute: slope * 60_000, growth: mean === 0 ? 0 : (slope * (last - first)) / mean }
}

/** Bytes that may come and go with what is under way. */
const ebb = 16 * 1024 * 1024

/** Seconds after which resident memory has to stay. Before, V8 is still growing its heap to what suits the load. */
const settled = 300

/** Milliseconds between two looks at the event loop; a look counts them in. */
const resolution = 10

const mib = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1)

const handlesNow = (): number => process.getActiveResourcesInfo().length

const server = await start()
const handlesBefore = handlesNow()
const order: Order = { port: server.port, connections, rate: Number(values.rate), churn: Math.ceil(connections / 100) }
const clients = fork(fileURLToPath(new URL("clients.ts", import.meta.url)), [JSON.stringify(order)])
let counters: Counters | undefined
clients.on("message", (told: Counters) => {
  counters = told
})

console.log(`${values.server}: ${connections} connections, ${order.rate} messages a second, ${seconds} s`)
const delay = monitorEventLoopDelay({ resolution })
const samples: Array<Sample> = []
const began = performance.now()

/** What comes before everybody is there, and the first half after it, is no trend yet. */
let full: number | undefined
let liveAtFirst = 0
const sampling = setInterval(() => {
  const time = performance.now() - began
  if (full === undefined && (counters?.open ?? 0) >= 0.95 * connections) {
    full = time
    void liveBytes().then((bytes) => {
      liveAtFirst = bytes
      delay.enable()
    })
  }
  samples.push({ time, resident: process.memoryUsage.rss(), handles: handlesNow() })
}, 500)
const progress = setInterval(() => {
  const resident = samples.at(-1)?.resident ?? 0
  console.log(
    `${String(Math.round((performance.now() - began) / 1000)).padStart(6)} s ${mib(resident).padStart(8)} MiB  open ${counters?.open}  echoed ${counters?.echoed}`
  )
}, 10_000)
await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
clearInterval(sampling)
clearInterval(progress)
delay.disable()
const liveAtLast = await liveBytes()

const left = once(clients, "exit")
clients.send("end")
const killer = setTimeout(() => clients.kill("SIGKILL"), 60_000)
await left
clearTimeout(killer)
// What closed a moment ago is gone by now.
await new Promise((resolve) => setTimeout(resolve, 1000))
const handlesAfter = handlesNow()
await server.stop()

const from = full === undefined ? 0 : full + (seconds * 1000 - full) / 2
const steady = samples.filter(({ time }) => time >= from)
const memory = trend(steady, ({ resident }) => resident)
const handles = trend(steady, ({ handles }) => handles)
const millis = (nanos: number): string => Math.max(0, nanos / 1e6 - resolution).toFixed(1)
const percentiles = [50, 99, 99.9].map((percentile) => `p${percentile} ${millis(delay.percentile(percentile))} ms`)

console.log(`messages: ${counters?.sent} sent, ${counters?.echoed} echoed, ${counters?.wrong} wrong`)
console.log(
  `connections: ${counters?.opened} opened, ${counters?.closed} closed; errors: ${counters?.errors.join(", ") || "none"}`
)
console.log(
  `memory: ${mib(steady.at(-1)?.resident ?? 0)} MiB resident, ${mib(memory.perMinute)} MiB a minute (${(100 * memory.growth).toFixed(1)} % over ${Math.round(seconds - from / 1000)} s)`
)
console.log(
  `of it alive after a collection: ${mib(liveAtFirst)} MiB when all had come, ${mib(liveAtLast)} MiB at the end`
)
console.log(
  `handles: ${steady.at(-1)?.handles}, ${handles.perMinute.toFixed(1)} a minute; ${handlesBefore} before, ${handlesAfter} after`
)
console.log(`event loop delay: ${percentiles.join(", ")}, max ${millis(delay.max)} ms`)

const faults = [
  full === undefined ? "not all connections opened" : "",
  counters === undefined || counters.wrong > 0 || counters.sent !== counters.echoed
    ? "an answer was wrong or missing"
    : "",
  (counters?.errors.length ?? 1) > 0 ? "errors" : "",
  liveAtLast > 1.1 * liveAtFirst + ebb ? "live memory grew" : "",
  seconds >= settled && memory.growth > 0.1 ? "resident memory grew" : "",
  handlesAfter > handlesBefore + 5 ? "handles are left" : ""
].filter((fault) => fault !== "")
console.log(faults.length === 0 ? "ok" : `failed: ${faults.join("; ")}`)
process.exit(faults.length === 0 ? 0 : 1)
