import * as Metric from "effect/Metric"

/**
 * Messages that slow subscribers missed.
 *
 * @category metrics
 * @since 0.1.0
 */
export const missed = Metric.counter("effect_ws_topic_missed", {
  description: "Messages that slow subscribers of topics missed",
  incremental: true
})

/**
 * Subscribers that were closed since they were slow.
 *
 * @category metrics
 * @since 0.1.0
 */
export const overruns = Metric.counter("effect_ws_topic_overruns", {
  description: "Subscribers of topics that were closed with 1013, since too much waited for them",
  incremental: true
})

/**
 * Gaps in what a broker delivered, by cause; each filter counts.
 *
 * @category metrics
 * @since 0.1.0
 */
export const gaps = Metric.frequency("effect_ws_topic_gaps", {
  description: "Gaps in what a broker delivered, by cause"
})

/**
 * Brokers of this process that are `up`.
 *
 * @category metrics
 * @since 0.2.0
 */
export const brokersUp = Metric.gauge("effect_ws_topic_brokers_up", {
  description: "Brokers that are connected, with all filters subscribed to"
})

/**
 * Different filters with subscribers in this process.
 *
 * @category metrics
 * @since 0.2.0
 */
export const activeFilters = Metric.gauge("effect_ws_topic_filters", {
  description: "Different filters with subscribers in this process"
})

/**
 * Subscriptions of sockets of this process.
 *
 * @category metrics
 * @since 0.2.0
 */
export const activeSubscriptions = Metric.gauge("effect_ws_topic_subscriptions", {
  description: "Subscriptions of sockets of this process"
})

/**
 * Bytes that wait for slow subscribers, beyond what their connections buffer.
 *
 * @category metrics
 * @since 0.2.0
 */
export const queuedBytes = Metric.gauge("effect_ws_topic_queued_bytes", {
  description: "Bytes that wait for slow subscribers of topics"
})
