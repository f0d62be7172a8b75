/**
 * Numbered messages through connects, drains, restarts and slow readers: what `send` reported as sent has to arrive, in
 * order, once. `npm run nothing-lost -- --server effect|face|ws`. Options: `--connections`, 10 000 by default, fewer where
 * descriptors don't suffice; `--restarts`; `--talk` seconds between drains; `--rate` messages a second in each direction;
 * `--deadline` seconds of a drain; `--plant drop|dup|reorder|close` makes a fault, to see that it is found. Exits with 1 when
 * anything was lost, came twice, out of order or from nowhere, or when a connection was closed otherwise or too late.
 */
import { parseArgs } from "node:util"
import type { Verdict } from "./ledger.ts"
import { type Plant, plants, type ServerName, serverNames } from "./protocol.ts"
import { run } from "./run.ts"

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "10000" },
    server: { type: "string", default: "effect" },
    restarts: { type: "string", default: "1" },
    talk: { type: "string", default: "4" },
    rate: { type: "string", default: "4000" },
    deadline: { type: "string", default: "10" },
    plant: { type: "string" }
  }
})

const isServer = (name: string): name is ServerName => (serverNames as ReadonlyArray<string>).includes(name)
const isPlant = (name: string): name is Plant => (plants as ReadonlyArray<string>).includes(name)

const { plant, server } = values
if (!isServer(server) || (plant !== undefined && !isPlant(plant))) {
  console.error(`usage: --server ${serverNames.join("|")} --connections N --plant ${plants.join("|")}`)
  process.exit(2)
}

/** Descriptors that a process needs besides those of connections. */
const spare = 200

interface UserLimits {
  readonly userLimits: { readonly open_files: { readonly soft: number | "unlimited" } }
}

// Node raises the limit to the hardest there is.
const { soft } = (process.report.getReport() as unknown as UserLimits).userLimits.open_files
const asked = Number(values.connections)
const connections = Math.min(asked, soft === "unlimited" ? Infinity : soft - spare)
if (connections < asked) console.log(`only ${connections} connections: ${soft} descriptors`)

console.log(`${server}: ${connections} connections, ${values.rate} messages a second in each direction`)
const outcome = await run({
  server,
  connections,
  restarts: Number(values.restarts),
  talk: Number(values.talk) * 1000,
  rate: Number(values.rate),
  largeMessages: 400,
  deadline: Number(values.deadline) * 1000,
  plant,
  log: (line) => console.log(line)
})

const row = (name: string, of: (verdict: Verdict) => number): string =>
  [name.padEnd(36), of(outcome.toClients), of(outcome.toServer)].map((cell) => String(cell).padStart(12)).join(" ")

console.log(`${"".padEnd(36)} ${"to clients".padStart(12)} ${"to server".padStart(12)}`)
console.log(row("given to send", ({ sent }) => sent))
console.log(row("reported as sent", ({ reported }) => reported))
console.log(row("arrived", ({ received }) => received))
console.log(row("arrived, though not reported", ({ unknown }) => unknown))
console.log(row("lost", ({ lost }) => lost))
console.log(row("twice", ({ duplicated }) => duplicated))
console.log(row("out of order", ({ reordered }) => reordered))
console.log(row("skipped, or never sent", ({ invented, skipped }) => invented + skipped))
console.log(
  `connections: ${outcome.opened} opened, ${outcome.left} left by their clients, ${outcome.drained} drained; ${outcome.refused} attempts tried again`
)
console.log(`drains: ${outcome.drains.map(({ open, took }) => `${open} in ${Math.round(took)} ms`).join(", ")}`)
console.log(`messages that a drain met halfway, and that went on: ${outcome.halfway}`)
console.log(`sends that waited for their reader: ${outcome.waited}, the longest ${Math.round(outcome.longestWait)} ms`)
console.log(outcome.faults.length === 0 ? "ok: nothing lost" : `failed: ${outcome.faults.join("; ")}`)
process.exit(outcome.faults.length === 0 ? 0 : 1)
