import * as Metric from "effect/Metric"

/**
 * Counts the handshakes that servers refused, by the tag of the `HandshakeError`'s reason.
 *
 * @category metrics
 * @since 0.1.0
 */
export const refusals = Metric.frequency("effect_ws_refusals", {
  description: "Handshakes that servers refused, by reason"
})

/**
 * Counts the connections that servers ended for reasons of their own: `idle`, `lifetime`, `memory`.
 *
 * @category metrics
 * @since 0.1.0
 */
export const evictions = Metric.frequency("effect_ws_evictions", {
  description: "Connections that servers ended, by reason"
})
