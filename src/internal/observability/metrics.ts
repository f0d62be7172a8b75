import * as Metric from "effect/Metric"
import type { Role } from "../protocol/codec.ts"

/**
 * The direction of bytes and messages, from the view of this side, by OpenTelemetry's names.
 *
 * @category models
 * @since 0.1.0
 */
export type Direction = "receive" | "transmit"

/**
 * The side that began to close, or `none` for a connection that ended without a close frame.
 *
 * @category models
 * @since 0.1.0
 */
export type Initiator = "local" | "remote" | "none"

/** What all metrics of one side have in common. */
const side = (role: Role, unit: string) => ({ unit, "websocket.role": role })

const directed = (role: Role, direction: Direction, unit: string) => ({
  ...side(role, unit),
  "network.io.direction": direction
})

/**
 * The gauge `websocket.connections`, in `{connection}`: connections that are open or closing.
 *
 * @category metrics
 * @since 0.1.0
 */
export const connections = (role: Role): Metric.Gauge<number> =>
  Metric.gauge("websocket.connections", {
    description: "Connections that are open or closing",
    attributes: side(role, "{connection}")
  })

/**
 * The counter `websocket.handshakes`, in `{handshake}`: handshakes that ended, by `websocket.handshake.outcome`.
 *
 * **Details**
 *
 * The outcome is `accepted` or the tag of the `HandshakeError`'s reason; for a client also `OpenFailed`,
 * `OpenTimeout`, and `Interrupted` when it was interrupted; for a server also `ClientLeft`.
 *
 * @category metrics
 * @since 0.1.0
 */
export const handshakes = (role: Role, outcome: string): Metric.Counter<number> =>
  Metric.counter("websocket.handshakes", {
    description: "Handshakes that ended, by outcome",
    attributes: { ...side(role, "{handshake}"), "websocket.handshake.outcome": outcome },
    incremental: true
  })

/**
 * The counter `websocket.messages`, in `{message}`, by `network.io.direction`: messages that a reader took
 * (`receive`), and messages that were queued to be written (`transmit`).
 *
 * @category metrics
 * @since 0.1.0
 */
export const messages = (role: Role, direction: Direction): Metric.Counter<number> =>
  Metric.counter("websocket.messages", {
    description: "Messages read and written",
    attributes: directed(role, direction, "{message}"),
    incremental: true
  })

/**
 * The counter `websocket.io`, in `By`, by `network.io.direction`: bytes of all frames with their headers, without
 * the handshake, and before TLS.
 *
 * @category metrics
 * @since 0.1.0
 */
export const io = (role: Role, direction: Direction): Metric.Counter<number> =>
  Metric.counter("websocket.io", {
    description: "Bytes of frames read and written",
    attributes: directed(role, direction, "By"),
    incremental: true
  })

/**
 * The gauge `websocket.buffered`, in `By`, by `network.io.direction`: bytes that wait for their reader or for the
 * rest of their message (`receive`), and bytes that wait to be written (`transmit`), of all connections together.
 *
 * @category metrics
 * @since 0.1.0
 */
export const buffered = (role: Role, direction: Direction): Metric.Gauge<number> =>
  Metric.gauge("websocket.buffered", {
    description: "Bytes that wait to be read or written",
    attributes: directed(role, direction, "By")
  })

/**
 * The counter `websocket.closes`, in `{connection}`: connections that ended, by `websocket.close.code` and by
 * `websocket.close.initiator`.
 *
 * **Details**
 *
 * The initiator is the side whose close frame came first: `local`, `remote`, or `none` with code 1006. A close
 * frame without a code counts as 1005. Beside 1000 to 1015 a process counts the first 32 codes that it meets under
 * their numbers, since a peer may send any; the others count as `other`.
 *
 * @category metrics
 * @since 0.1.0
 */
export const closes = (role: Role, code: string, initiator: Initiator): Metric.Counter<number> =>
  Metric.counter("websocket.closes", {
    description: "Connections that ended, by close code and by who began",
    attributes: {
      ...side(role, "{connection}"),
      "websocket.close.code": code,
      "websocket.close.initiator": initiator
    },
    incremental: true
  })

/**
 * The histogram `websocket.ping.duration`, in `s`: the time from a ping, of the keepalive or of the program, to
 * its pong.
 *
 * @category metrics
 * @since 0.1.0
 */
export const pingDuration = (role: Role): Metric.Histogram<number> =>
  Metric.histogram("websocket.ping.duration", {
    description: "Round-trip time of pings",
    attributes: side(role, "s"),
    boundaries: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20]
  })
