import { cpuSeconds, residentBytes } from "./accounting.ts"
import type { LatencyHistogram } from "./latency.ts"
import type { Measurement, Window } from "./jobs.ts"

/** How much longer than its CPU time a window may last: a peer that waits, or a machine that is busy elsewhere. */
const stretch = 6

const pollEvery = 10

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Waits until the process has used so many milliseconds of CPU time, or `stretch` times that has passed. */
const spend = async (pid: number, milliseconds: number): Promise<void> => {
  const until = cpuSeconds(pid) + milliseconds / 1000
  const deadline = performance.now() + milliseconds * stretch
  while (cpuSeconds(pid) < until && performance.now() < deadline) await sleep(pollEvery)
}

/**
 * Waits through the warm-up, then through the window, and reads the counter and both processes' CPU time at its two ends.
 * Both last for CPU time of the side measured, so that a machine that is shared gives each peer the same amount of work.
 *
 * @param pid the process measured
 * @param count reads the number of messages so far
 */
export const measureWindow = async (
  pid: number,
  window: Window,
  count: () => number,
  latency?: LatencyHistogram | undefined
): Promise<Measurement> => {
  await spend(pid, window.warmUp)
  latency?.clear()
  const before = { count: count(), time: performance.now(), cpu: cpuSeconds(pid), own: process.cpuUsage() }
  await spend(pid, window.measured)
  const cpu = cpuSeconds(pid) - before.cpu
  const own = process.cpuUsage(before.own)
  return {
    count: count() - before.count,
    seconds: (performance.now() - before.time) / 1000,
    cpu,
    generatorCpu: (own.user + own.system) / 1e6,
    resident: residentBytes(pid),
    latency: latency === undefined ? undefined : { p50: latency.percentile(0.5), p99: latency.percentile(0.99) }
  }
}
