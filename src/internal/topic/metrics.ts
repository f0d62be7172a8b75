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

/** Brokers of this process that are `up`. */
export const brokersUp = Metric.gauge("effect_ws_topic_brokers_up", {
  description: "Brokers that are connected, with all filters subscribed to"
})

/** Different filters with subscribers in this process. */
export const activeFilters = Metric.gauge("effect_ws_topic_filters", {
  description: "Different filters with subscribers in this process"
})

/** Subscriptions of sockets of this process. */
export const activeSubscriptions = Metric.gauge("effect_ws_topic_subscriptions", {
  description: "Subscriptions of sockets of this process"
})

/** Bytes that wait for slow subscribers, beyond what their connections buffer. */
export const queuedBytes = Metric.gauge("effect_ws_topic_queued_bytes", {
  description: "Bytes that wait for slow subscribers of topics"
})
