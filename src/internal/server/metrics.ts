import * as Metric from "effect/Metric"

/**
 * Handshakes that servers rejected, by the tag of the `HandshakeError`'s reason.
 *
 * @category metrics
 * @since 0.2.0
 */
export const rejections = Metric.frequency("effect_ws_rejections", {
  description: "Handshakes that servers rejected, by reason"
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
