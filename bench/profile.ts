// Where a peer's time goes: `node bench/profile.ts <scenario> <peer> [functions]` runs one round under Node's sampling
// profiler and prints the functions that used the most time themselves.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { peers } from "./peers.ts"
import { runScenario } from "./rounds.ts"
import { scenarios } from "./scenarios.ts"

interface Profile {
  readonly nodes: ReadonlyArray<{
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }>
  readonly samples: ReadonlyArray<number>
  readonly timeDeltas: ReadonlyArray<number>
}

type Times = ReadonlyArray<readonly [name: string, microseconds: number]>

/** CPU time that is measured, in milliseconds: what lies before it in the profile is start-up and warm-up. */
const measured = 3000

const placeOf = (url: string): string => url.replace(/^.*\/(node_modules|dist|src)\//, "").replace(/^file:.*\//, "")

const add = (times: Map<string, number>, name: string, time: number): void => {
  times.set(name, (times.get(name) ?? 0) + time)
}

const sorted = (times: Map<string, number>): Times => [...times].sort(([, a], [, b]) => b - a)

/** Self times of the last part of a profile, by function and by file. */
const selfTimes = (profile: Profile): { readonly functions: Times; readonly files: Times } => {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]))
  const functions = new Map<string, number>()
  const files = new Map<string, number>()
  let left = measured * 1000
  for (let index = profile.samples.length - 1; index >= 0 && left > 0; index--) {
    const frame = frames.get(profile.samples[index] ?? 0)
    const time = profile.timeDeltas[index] ?? 0
    if (frame === undefined || frame.functionName === "(idle)") continue
    const place = placeOf(frame.url)
    add(
      functions,
      `${frame.functionName || "(anonymous)"}${place === "" ? "" : ` ${place}:${frame.lineNumber + 1}`}`,
      time
    )
    add(files, place === "" ? frame.functionName : place, time)
    left -= time
  }
  return { functions: sorted(functions), files: sorted(files) }
}

const print = (title: string, times: Times, count: number): void => {
  const total = times.reduce((sum, [, time]) => sum + time, 0)
  console.log(title)
  for (const [name, time] of times.slice(0, count)) {
    console.log(`${((time / total) * 100).toFixed(1).padStart(6)} %  ${name}`)
  }
}

const [scenarioName, peerName, count = "30"] = process.argv.slice(2)
const scenario = scenarios.find(({ name }) => name === scenarioName)
const peer = peers.find(({ name }) => name === peerName)
if (scenario === undefined || peer === undefined) {
  console.error("usage: node bench/profile.ts <scenario> <peer> [functions]; names: npm run bench -- --list")
  process.exit(2)
}

const out = fileURLToPath(new URL("out/", import.meta.url))
mkdirSync(out, { recursive: true })
const folder = mkdtempSync(join(out, "profile-"))
process.env["NODE_OPTIONS"] = `--cpu-prof --cpu-prof-interval=200 --cpu-prof-dir=${folder}`
const outcomes = await runScenario(scenario, [peer], {
  rounds: () => 1,
  window: { warmUp: 500, measured },
  signal: new AbortController().signal,
  onProgress: () => undefined
})
const outcome = outcomes.get(peer)
if (outcome?.status !== "measured") {
  console.error(outcome === undefined ? "not run" : outcome.reason)
  process.exit(1)
}
const [sample] = outcome.samples
if (sample !== undefined) console.log(`${Math.round(sample.count / sample.cpu)} per CPU-second while profiled`)

const [written] = readdirSync(folder).filter((name) => name.endsWith(".cpuprofile"))
if (written === undefined) {
  console.error("no profile was written: only Node's peers have one")
  process.exit(1)
}
const file = join(out, `${scenario.name}-${peer.name.replaceAll(/\W/g, "-")}.cpuprofile`)
renameSync(join(folder, written), file)
rmSync(folder, { recursive: true })
const { files, functions } = selfTimes(JSON.parse(readFileSync(file, "utf8")))
print("by function", functions, Number(count))
print("by file", files, 15)
console.log(file)
