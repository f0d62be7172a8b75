// One target, slice after slice, until its time is over. Tells the parent of each, so that a hang shows.
import { parentPort, workerData } from "node:worker_threads"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { fuzz } from "./run.ts"
import { targets } from "./targets.ts"

export interface Order {
  readonly name: string
  readonly seed: number
  /** Milliseconds. */
  readonly time: number
}

export interface Report {
  readonly executions: number
  readonly slice: number
  readonly finding: string | undefined
  /** Bytes that live on the heap and in buffers after a collection: now, and after the first slice. */
  readonly live: number
  readonly firstLive: number
  readonly over: boolean
}

/** Milliseconds of one slice. */
const sliceTime = 1000

setFlagsFromString("--expose-gc")
const collect: unknown = runInNewContext("gc")

const liveBytes = async (): Promise<number> => {
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setImmediate(resolve))
    if (typeof collect === "function") Reflect.apply(collect, undefined, [])
  }
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const { name, seed, time } = workerData as Order
const target = targets.find((target) => target.name === name)
if (target === undefined) throw new Error(`no target is called ${name}`)

const start = performance.now()
let executions = 0
let firstLive = 0
for (let slice = 0; ; slice++) {
  const left = time - (performance.now() - start)
  // Slices have seeds of their own, the first one the seed that was given.
  const outcome = await fuzz(target, { seed: seed + slice, time: Math.min(sliceTime, Math.max(1, left)) })
  executions += outcome.executions
  const over = outcome.finding !== undefined || performance.now() - start >= time
  const live = over || slice === 0 ? await liveBytes() : 0
  if (slice === 0) firstLive = live
  const report: Report = { executions, slice, finding: outcome.finding, live, firstLive, over }
  parentPort?.postMessage(report, [])
  if (over) break
}
