// `npm run bench:floors`: a short run that fails when this library has become much slower than it was. The floors lie well
// below what is reached, so that a busy machine doesn't fail them; `npm run bench` is what says how fast it is.
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { type Peer, peers, unit } from "./peers.ts"
import { median, ratesOf } from "./report/statistics.ts"
import { runScenario, type Settings } from "./rounds.ts"
import { scenarios } from "./scenarios.ts"

/** By scenario and peer: the least rate per CPU-second, as a multiple of that of `ws` in the same run. */
const floors: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  "echo-32": { "effect-ws/ws": 0.75, "effect-ws": 0.55, "effect-ws run": 0.65 },
  "echo-64k": { "effect-ws/ws": 1.1, "effect-ws run": 0.7 },
  "pipe-32": { "effect-ws/ws": 6, "effect-ws": 4, "effect-ws run": 6, "effect-ws batch": 6 },
  fragments: { "effect-ws/ws": 1.2 },
  "deflate-reset": { "effect-ws/ws": 1.3, "effect-ws": 1.1 }
}

/** By peer: the most bytes on the heap for a message of 32 bytes that comes in a read of its own, and for one in a read of 100. */
const ceilings: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  "effect-ws/ws": { 1: 280, 100: 165 },
  "effect-ws": { 1: 1200, 100: 210 },
  "effect-ws run": { 1: 680, 100: 200 },
  "effect-ws batch": { 1: 760, 100: 200 }
}

const settings: Settings = {
  rounds: () => 3,
  window: { warmUp: 150, measured: 250 },
  signal: new AbortController().signal,
  onProgress: () => undefined
}

const peerNamed = (name: string): Peer => {
  const peer = peers.find((peer) => peer.name === name)
  if (peer === undefined) throw new Error(`no peer ${name}`)
  return peer
}

let failures = 0

const report = (holds: boolean, text: string): void => {
  if (!holds) failures++
  console.log(`${holds ? "ok  " : "FAIL"} ${text}`)
}

/** The ratios of these peers in one scenario: the median of a few rounds. */
const measure = async (scenarioName: string, names: ReadonlyArray<string>): Promise<ReadonlyMap<string, number>> => {
  const scenario = scenarios.find(({ name }) => name === scenarioName)
  if (scenario === undefined) throw new Error(`no scenario ${scenarioName}`)
  const outcomes = await runScenario(scenario, [peerNamed(unit), ...names.map(peerNamed)], settings)
  const rates = new Map<string, ReadonlyArray<number>>()
  for (const [peer, outcome] of outcomes) {
    if (outcome.status !== "measured") throw new Error(`${scenarioName}, ${peer.name}: ${outcome.reason}`)
    rates.set(peer.name, ratesOf(outcome.samples))
  }
  const units = rates.get(unit) ?? []
  return new Map(
    names.map((name) => [
      name,
      median((rates.get(name) ?? []).map((rate, round) => rate / (units[round] ?? Number.NaN)))
    ])
  )
}

const checkRatios = async (): Promise<void> => {
  for (const [scenario, least] of Object.entries(floors)) {
    const first = await measure(scenario, Object.keys(least))
    const low = Object.keys(least).filter((name) => !((first.get(name) ?? 0) >= (least[name] ?? 0)))
    // What else runs on the machine may have hit one of the two: only who is low twice has become slower.
    const second = low.length > 0 ? await measure(scenario, low) : new Map<string, number>()
    for (const [name, floor] of Object.entries(least)) {
      const ratio = second.get(name) ?? first.get(name) ?? Number.NaN
      report(ratio >= floor, `${scenario}, ${name}: ×${ratio.toFixed(2)} of ${unit}, at least ×${floor}`)
    }
  }
}

const allocated = (peer: string, batch: string): number => {
  const script = fileURLToPath(new URL("allocations.ts", import.meta.url))
  const flags = ["--expose-gc", "--min-semi-space-size=128", "--max-semi-space-size=128"]
  const said = execFileSync(process.execPath, [...flags, script, peer, batch], { encoding: "utf8" })
  return Number(JSON.parse(said).bytes)
}

const checkAllocations = (): void => {
  for (const [peer, most] of Object.entries(ceilings)) {
    for (const [batch, ceiling] of Object.entries(most)) {
      const bytes = allocated(peer, batch)
      report(
        bytes <= ceiling,
        `32 B in reads of ${batch}, ${peer}: ${bytes.toFixed(0)} bytes of heap a message, at most ${ceiling}`
      )
    }
  }
}

checkAllocations()
await checkRatios()
process.exitCode = failures === 0 ? 0 : 1
