// From samples to figures.
import type { Outcome } from "../rounds.ts"
import type { Scenario } from "../scenarios.ts"
import type { Measurement } from "../workload/jobs.ts"

/** A median with the spread around it. */
export interface Figure {
  readonly median: number
  readonly min: number
  readonly max: number
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

const figure = (values: ReadonlyArray<number>): Figure => ({
  median: median(values),
  min: Math.min(...values),
  max: Math.max(...values)
})

/** One peer's figures in one scenario. */
export interface Row {
  readonly peer: string
  readonly status: Outcome["status"]
  readonly reason?: string | undefined
  /** How many rounds the figures are medians of. */
  readonly rounds?: number | undefined
  /** Units per CPU-second of the side measured; bytes per connection for memory. */
  readonly rate?: Figure | undefined
  /** The rate against the unit's in the same round. */
  readonly ratio?: Figure | undefined
  /** Some rounds say more and some say less than the unit: no difference is claimed. */
  readonly tie?: boolean | undefined
  /** Units per second of wall time. */
  readonly throughput?: Figure | undefined
  /** Median and 99th percentile of the round trip, in microseconds. */
  readonly p50?: Figure | undefined
  readonly p99?: Figure | undefined
  /** Bytes. */
  readonly resident?: Figure | undefined
  /** The load generator was busy while the side measured was not: its wall throughput is no limit of the peer's. */
  readonly generatorBound?: boolean | undefined
}

const rateOf = (sample: Measurement): number => sample.count / sample.cpu

/** The rate of each round. */
export const ratesOf = (samples: ReadonlyArray<Measurement>): ReadonlyArray<number> => samples.map(rateOf)

const isGeneratorBound = (samples: ReadonlyArray<Measurement>): boolean =>
  median(samples.map((sample) => sample.generatorCpu / sample.seconds)) > 0.9 &&
  median(samples.map((sample) => sample.cpu / sample.seconds)) < 0.9

/** The figures of one peer; `unitSamples` are those of the peer that ratios are taken against, round by round. */
export const summarise = (
  scenario: Scenario,
  peer: string,
  outcome: Outcome,
  unitSamples: ReadonlyArray<Measurement> | undefined
): Row => {
  if (outcome.status !== "measured") return { peer, status: outcome.status, reason: outcome.reason }
  const { samples } = outcome
  const rates = ratesOf(samples)
  const units = unitSamples === undefined ? undefined : ratesOf(unitSamples)
  const ratios = units === undefined ? [] : rates.map((rate, round) => rate / (units[round] ?? Number.NaN))
  const ratio = figure(ratios)
  const base: Row = {
    peer,
    status: "measured",
    rounds: samples.length,
    rate: figure(rates),
    ...(units === undefined || units.length < samples.length
      ? {}
      : { ratio, tie: unitSamples !== samples && ratio.min <= 1 && ratio.max >= 1 })
  }
  if (scenario.unit === "bytes") return base
  const latencies = samples.flatMap((sample) => (sample.latency === undefined ? [] : [sample.latency]))
  return {
    ...base,
    throughput: figure(samples.map((sample) => sample.count / sample.seconds)),
    resident: figure(samples.map((sample) => sample.resident)),
    generatorBound: isGeneratorBound(samples),
    ...(latencies.length === 0
      ? {}
      : {
          p50: figure(latencies.map((latency) => latency.p50)),
          p99: figure(latencies.map((latency) => latency.p99))
        })
  }
}

/** All rows of one scenario. */
export interface ScenarioResult {
  readonly name: string
  readonly title: string
  readonly side: "server" | "client"
  readonly unit: Scenario["unit"]
  readonly rows: ReadonlyArray<Row>
}
