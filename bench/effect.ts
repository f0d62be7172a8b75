// `npm run bench:effect`, or `node bench/effect.ts [--rounds 7] [--only calls]` after a build: Effect's own socket server and client, and its
// RPC server and client on them, with `ws` beneath and with this library beneath, on both ends. The two take turns, every
// answer is checked, and what is counted is CPU time of the operating system's own accounting, of either side.
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import type { Beneath, Exchange } from "./effect/beneath.ts"
import { pinned, Program } from "./process.ts"
import { median } from "./report/statistics.ts"
import { short } from "./report/table.ts"
import { cpuSeconds, residentBytes } from "./workload/accounting.ts"

interface Scenario {
  readonly name: string
  readonly exchange: Exchange
  readonly connections: number
  readonly depth: number
}

const scenarios: ReadonlyArray<Scenario> = [
  { name: "messages, 20 × 1", exchange: "messages", connections: 20, depth: 1 },
  { name: "messages, 10 × 100", exchange: "messages", connections: 10, depth: 100 },
  { name: "calls, 10 × 1", exchange: "calls", connections: 10, depth: 1 },
  { name: "calls, 10 × 20", exchange: "calls", connections: 10, depth: 20 },
  { name: "streams, 10 × 1", exchange: "streams", connections: 10, depth: 1 },
  { name: "streams, 10 × 10", exchange: "streams", connections: 10, depth: 10 }
]

/** Connections of RPC clients that do nothing. */
const idleConnections = 2000

const idle: Scenario = { name: "idle", exchange: "calls", connections: idleConnections, depth: 1 }

const both: ReadonlyArray<Beneath> = ["ws", "effect-ws"]

const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "7" }, only: { type: "string", default: "" } }
})

const rounds = Number(options.rounds)
const idleRounds = Math.max(1, Math.round(rounds / 3))

/** Wall time of a round, at least, in seconds; the number of exchanges is found by it, once for each pair of programs. */
const roundSeconds = 0.4

const patience = 60_000

const programOf = (side: "server" | "client", mode: object): Program => {
  const path = fileURLToPath(new URL(`effect/${side}.ts`, import.meta.url))
  const args = ["--expose-gc", "--disable-warning=ExperimentalWarning", path, JSON.stringify(mode)]
  return new Program(process.execPath, args, { WS_NO_BUFFER_UTIL: "1" }, side === "server" ? "measured" : "load")
}

const answerOf = async (program: Program, field: string): Promise<number> => {
  const line = await program.next(patience)
  if (!(field in line)) throw new Error(`${field} was wanted, and there is ${JSON.stringify(line)}`)
  return Number(line[field])
}

/** Bytes: resident, and on the heap of JavaScript. */
interface Bytes {
  readonly resident: number
  readonly heap: number
}

interface Memory {
  readonly server: Bytes
  readonly client: Bytes
}

/** Finalizers of one collection leave garbage for the next. */
const memoryOf = async (program: Program): Promise<Bytes> => {
  let heap = 0
  for (let time = 0; time < 3; time++) {
    program.order("collect")
    heap = await answerOf(program, "collected")
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  return { resident: residentBytes(program.pid), heap }
}

const perConnection = (before: Bytes, after: Bytes): Bytes => ({
  resident: (after.resident - before.resident) / idleConnections,
  heap: (after.heap - before.heap) / idleConnections
})

/** A server and a client that talk to each other. */
class Pair {
  readonly server: Program
  readonly client: Program
  /** Exchanges of a round. */
  private count = 1000

  private constructor(server: Program, client: Program) {
    this.server = server
    this.client = client
  }

  static async start(beneath: Beneath, { depth, exchange }: Scenario): Promise<Pair> {
    const server = programOf("server", { beneath, exchange })
    const port = await answerOf(server, "port")
    return new Pair(server, programOf("client", { beneath, exchange, port, depth }))
  }

  async open(connections: number): Promise<void> {
    this.client.order(`open ${connections}`)
    const opened = await answerOf(this.client, "opened")
    if (opened !== connections) throw new Error(`${opened} connections are open, not ${connections}`)
  }

  /** Runs until the code is compiled and a round lasts long enough. */
  async warmUp(): Promise<void> {
    while ((await this.round()).seconds < roundSeconds) this.count *= 2
    await this.round()
  }

  async round(): Promise<Sample> {
    const { client, server } = this
    const begun = { time: performance.now(), server: cpuSeconds(server.pid), client: cpuSeconds(client.pid) }
    client.order(`run ${this.count}`)
    const done = await answerOf(client, "done")
    const seconds = (performance.now() - begun.time) / 1000
    return {
      seconds,
      throughput: done / seconds,
      server: done / (cpuSeconds(server.pid) - begun.server),
      client: done / (cpuSeconds(client.pid) - begun.client),
      serverBytes: residentBytes(server.pid),
      clientBytes: residentBytes(client.pid)
    }
  }

  /** What is left once the garbage is gone. */
  async settled(): Promise<Memory> {
    return { server: await memoryOf(this.server), client: await memoryOf(this.client) }
  }

  async stop(): Promise<void> {
    await this.client.stop()
    await this.server.stop()
  }
}

/** What one round showed: exchanges per second of wall time, and per CPU-second of either side. */
interface Sample {
  readonly seconds: number
  readonly throughput: number
  readonly server: number
  readonly client: number
  readonly serverBytes: number
  readonly clientBytes: number
}

type Samples = ReadonlyMap<Beneath, ReadonlyArray<Sample>>

/** The order changes from round to round: who comes second finds a warmer machine. */
const inTurn = (round: number): ReadonlyArray<Beneath> => (round % 2 === 0 ? both : both.toReversed())

const measure = async (scenario: Scenario): Promise<Samples> => {
  const pairs = new Map<Beneath, Pair>()
  const samples = new Map(both.map((beneath): [Beneath, Array<Sample>] => [beneath, []]))
  try {
    for (const beneath of both) {
      const pair = await Pair.start(beneath, scenario)
      pairs.set(beneath, pair)
      await pair.open(scenario.connections)
      await pair.warmUp()
    }
    for (let round = 0; round < rounds; round++) {
      for (const beneath of inTurn(round)) {
        const pair = pairs.get(beneath)
        if (pair !== undefined) samples.get(beneath)?.push(await pair.round())
      }
    }
    return samples
  } finally {
    for (const pair of pairs.values()) await pair.stop()
  }
}

/** What a connection costs. */
const measureIdle = async (): Promise<ReadonlyMap<Beneath, ReadonlyArray<Memory>>> => {
  const samples = new Map(both.map((beneath): [Beneath, Array<Memory>] => [beneath, []]))
  for (let round = 0; round < idleRounds; round++) {
    for (const beneath of inTurn(round)) {
      const pair = await Pair.start(beneath, idle)
      try {
        // The first connection brings in what all of them share.
        await pair.open(1)
        const before = await pair.settled()
        pair.client.order(`open ${idleConnections}`)
        await answerOf(pair.client, "opened")
        const after = await pair.settled()
        samples.get(beneath)?.push({
          server: perConnection(before.server, after.server),
          client: perConnection(before.client, after.client)
        })
      } finally {
        await pair.stop()
      }
    }
  }
  return samples
}

/** Medians of `ws` and of this library, and that of their ratio round by round: `≈` where not every round agrees on who is better. */
const compare = <A>(
  samples: ReadonlyMap<Beneath, ReadonlyArray<A>>,
  figure: (sample: A) => number,
  show: (value: number) => string
): string => {
  const [theirs, ours] = both.map((beneath) => (samples.get(beneath) ?? []).map(figure))
  if (theirs === undefined || ours === undefined) return ""
  const ratios = ours.map((value, round) => value / (theirs[round] ?? Number.NaN))
  const agrees = Math.min(...ratios) > 1 || Math.max(...ratios) < 1
  return `${show(median(theirs))} → ${show(median(ours))} ${agrees ? "×" : "≈"}${median(ratios).toFixed(2)}`
}

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`
const kibibytes = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`

const row = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

const isWanted = ({ name }: Scenario): boolean => name.startsWith(options.only)

if (!pinned) console.log("The two sides are not on cores of their own: figures are less steady.")
console.log(`ws → effect-ws beneath Effect's own modules; medians of ${rounds} rounds.\n`)
console.log(
  row([
    "exchange",
    "per second",
    "per CPU-second of the server",
    "of the client",
    "memory of the server",
    "of the client"
  ])
)
console.log(row(["---", "---", "---", "---", "---", "---"]))
for (const scenario of scenarios.filter(isWanted)) {
  const samples = await measure(scenario)
  console.log(
    row([
      scenario.name,
      compare(samples, ({ throughput }) => throughput, short),
      compare(samples, ({ server }) => server, short),
      compare(samples, ({ client }) => client, short),
      compare(samples, ({ serverBytes }) => serverBytes, mebibytes),
      compare(samples, ({ clientBytes }) => clientBytes, mebibytes)
    ])
  )
}
if (isWanted(idle)) {
  const samples = await measureIdle()
  for (const kind of ["resident", "heap"] as const) {
    console.log(
      row([
        `idle, one of ${idleConnections}: ${kind}`,
        "",
        "",
        "",
        compare(samples, ({ server }) => server[kind], kibibytes),
        compare(samples, ({ client }) => client[kind], kibibytes)
      ])
    )
  }
}
