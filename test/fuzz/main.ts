/**
 * Fuzzes everything for a while: `npm run fuzz -- --seconds 60`. Options: `--seconds` for all targets together, 60 by
 * default; `--target` for one alone, or `--kind generated` or `guided` for those that chance or coverage leads; `--seed` to
 * repeat a run. Prints the executions of each target, and exits with 1 when something was found: a broken invariant, a hang,
 * memory that stays.
 */
import { parseArgs } from "node:util"
import { Worker } from "node:worker_threads"
import type { Target } from "./target.ts"
import { targets } from "./targets.ts"
import type { Order, Report } from "./worker.ts"

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    target: { type: "string" },
    kind: { type: "string" },
    seed: { type: "string" }
  }
})

const seconds = Number(values.seconds)
const seed = values.seed === undefined ? Math.trunc(Math.random() * 2 ** 31) : Number(values.seed)
const kindOf = (target: Target): string => ("guided" in target ? "guided" : "generated")
const chosen = targets.filter(
  (target) =>
    (values.target === undefined || target.name === values.target) &&
    (values.kind === undefined || kindOf(target) === values.kind)
)
if (!(seconds > 0) || !Number.isInteger(seed) || chosen.length === 0) {
  console.error(
    `usage: --seconds N --seed N --kind generated|guided --target ${targets.map(({ name }) => name).join("|")}`
  )
  process.exit(2)
}

/** Seconds of processor time that a slice may take before it counts as a hang, however busy the machine is. */
const hangAfter = 60

/** Seconds on the clock after which one that uses no processor time does, too. */
const stuckAfter = 900

/** Seconds of processor time that this process and its workers have used. */
const used = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1_000_000
}

/** Bytes that may stay alive when a target is done. */
const mayStay = 32 * 1024 * 1024

interface Result {
  readonly executions: number
  readonly finding: string | undefined
}

const fuzzOne = (name: string): Promise<Result> =>
  new Promise((resolve) => {
    const order: Order = { name, seed, time: (seconds * 1000) / chosen.length }
    const worker = new Worker(new URL("worker.ts", import.meta.url), { workerData: order })
    let executions = 0
    let slice = -1
    let reported = used()
    let silent = 0
    const watchdog = setInterval(() => {
      if (used() - reported > hangAfter || ++silent > stuckAfter)
        finish(`hangs with --seed ${seed + slice + 1} --target ${name}`)
    }, 1000)
    const finish = (finding: string | undefined): void => {
      clearInterval(watchdog)
      void worker.terminate()
      resolve({ executions, finding })
    }
    worker.on("message", (report: Report) => {
      ;({ executions, slice } = report)
      reported = used()
      silent = 0
      if (!report.over) return
      const stays = report.live - report.firstLive
      finish(report.finding ?? (stays > mayStay ? `${stays} bytes stay alive` : undefined))
    })
    worker.on("error", (error) =>
      finish(`threw outside of the target: ${error instanceof Error ? error.stack : String(error)}`)
    )
  })

console.log(`seed ${seed}, ${seconds} s for ${chosen.length} targets`)
let findings = 0
let total = 0
for (const { name } of chosen) {
  const { executions, finding } = await fuzzOne(name)
  total += executions
  console.log(`${name.padEnd(26)} ${String(executions).padStart(10)} executions`)
  if (finding !== undefined) {
    findings++
    console.error(`${name}: ${finding}`)
  }
}
const { system, user } = process.cpuUsage()
console.log(`${"all".padEnd(26)} ${String(total).padStart(10)} executions, ${findings} findings`)
console.log(`${Math.round((user + system) / 1e6)} s of processor time`)
process.exit(findings === 0 ? 0 : 1)
