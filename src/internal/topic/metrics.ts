import * as Metric from "effect/Metric"

/** Messages that slow subscribers missed. */
export const missed = Metric.counter("effect_ws_topic_missed", {
  description: "Messages that slow subscribers of topics missed",
  incremental: true
})

/** Subscribers that were closed since they were slow. */
export const overruns = Metric.counter("effect_ws_topic_overruns", {
  description: "Subscribers of topics that were closed with 1013, since too much waited for them",
  incremental: true
})

/** Gaps in what a broker delivered, by cause; each filter counts. */
export const gaps = Metric.frequency("effect_ws_topic_gaps", {
  description: "Gaps in what a broker delivered, by cause"
})
