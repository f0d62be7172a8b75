import * as Metric from "effect/Metric"

/**
 * Counts the messages that slow subscribers missed.
 *
 * @category metrics
 * @since 0.1.0
 */
export const missed = Metric.counter("effect_ws_topic_missed", {
  description: "Messages that slow subscribers of topics missed",
  incremental: true
})

/**
 * Counts the subscribers that were closed because they were slow.
 *
 * @category metrics
 * @since 0.1.0
 */
export const overruns = Metric.counter("effect_ws_topic_overruns", {
  description: "Subscribers of topics that were closed with 1013, since too much waited for them",
  incremental: true
})

/**
 * Counts the gaps in what a broker delivered, by cause. Each filter counts.
 *
 * @category metrics
 * @since 0.1.0
 */
export const gaps = Metric.frequency("effect_ws_topic_gaps", {
  description: "Gaps in what a broker delivered, by cause"
})

/**
 * The gauge of this process's brokers that are `up`.
 *
 * @category metrics
 * @since 0.2.0
 */
export const brokersUp = Metric.gauge("effect_ws_topic_brokers_up", {
  description: "Brokers that are connected, with all filters subscribed to"
})

/**
 * The gauge of different filters with subscribers in this process.
 *
 * @category metrics
 * @since 0.2.0
 */
export const activeFilters = Metric.gauge("effect_ws_topic_filters", {
  description: "Different filters with subscribers in this process"
})

/**
 * The gauge of subscriptions of this process's sockets.
 *
 * @category metrics
 * @since 0.2.0
 */
export const activeSubscriptions = Metric.gauge("effect_ws_topic_subscriptions", {
  description: "Subscriptions of sockets of this process"
})

/**
 * The gauge of bytes that wait for slow subscribers, beyond what their connections buffer.
 *
 * @category metrics
 * @since 0.2.0
 */
export const queuedBytes = Metric.gauge("effect_ws_topic_queued_bytes", {
  description: "Bytes that wait for slow subscribers of topics"
})
