/**
 * Fuzzes everything for a while: `npm run fuzz -- --seconds 60`. Options: `--seconds` for all targets together, 60 by
 * default; `--target` for one alone; `--seed` to repeat a run. Prints the executions of each target, and exits with 1
 * when something was found: a broken invariant, a hang, memory that stays.
 */
import { parseArgs } from "node:util"
import { Worker } from "node:worker_threads"
import { targets } from "./targets.ts"
import type { Order, Report } from "./worker.ts"

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "60" }, target: { type: "string" }, seed: { type: "string" } }
})

const seconds = Number(values.seconds)
const seed = values.seed === undefined ? Math.trunc(Math.random() * 2 ** 31) : Number(values.seed)
const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target)
if (!(seconds > 0) || !Number.isInteger(seed) || chosen.length === 0) {
  console.error(`usage: --seconds N --seed N --target ${targets.map(({ name }) => name).join("|")}`)
  process.exit(2)
}

/** Milliseconds that a slice of a second may take before it counts as a hang. */
const hangAfter = 60_000

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
    let watchdog: NodeJS.Timeout | undefined
    const finish = (finding: string | undefined): void => {
      clearTimeout(watchdog)
      void worker.terminate()
      resolve({ executions, finding })
    }
    const watch = (): void => {
      clearTimeout(watchdog)
      watchdog = setTimeout(() => finish(`hangs with --seed ${seed + slice + 1} --target ${name}`), hangAfter)
    }
    watch()
    worker.on("message", (report: Report) => {
      ;({ executions, slice } = report)
      if (!report.over) return watch()
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
  console.log(`${name.padEnd(22)} ${String(executions).padStart(10)} executions`)
  if (finding !== undefined) {
    findings++
    console.error(`${name}: ${finding}`)
  }
}
console.log(`${"all".padEnd(22)} ${String(total).padStart(10)} executions, ${findings} findings`)
process.exit(findings === 0 ? 0 : 1)
