import { cpuSeconds, residentBytes } from "./accounting.ts"
import type { LatencyHistogram } from "./latency.ts"
import type { Measurement, Window } from "./jobs.ts"

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

/**
 * Waits through the warm-up, then through the window, and reads the counter and both processes' CPU time at its two ends.
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
  await sleep(window.warmUp)
  latency?.clear()
  const before = { count: count(), time: performance.now(), cpu: cpuSeconds(pid), own: process.cpuUsage() }
  await sleep(window.measured)
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
