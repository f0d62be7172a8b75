import * as Metric from "effect/Metric"
import type { Role } from "../protocol/codec.ts"

/**
 * OpenTelemetry's name for the way of bytes and messages, as this side sees it.
 *
 * @category models
 * @since 0.1.0
 */
export type Direction = "receive" | "transmit"

/**
 * Which of the sides began to close, or neither: the connection ended without a close frame.
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
 * `websocket.connections`, a gauge in `{connection}`: connections that are open or closing now.
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
 * `websocket.handshakes`, a counter in `{handshake}`: handshakes that ended, by `websocket.handshake.outcome`. That is
 * `accepted`, or why not: the tag of the `HandshakeError`'s reason; for a client also `OpenFailed`, `OpenTimeout`, and
 * `Interrupted` when it was given up; for a server also `ClientLeft`.
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
 * `websocket.messages`, a counter in `{message}`, by `network.io.direction`: messages that a reader took (`receive`), and
 * messages that were put in line to be written (`transmit`).
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
 * `websocket.io`, a counter in `By`, by `network.io.direction`: bytes of frames of all kinds, headers included; without
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
 * `websocket.buffered`, a gauge in `By`, by `network.io.direction`: what waits for its reader or for the rest of its
 * message, all connections together (`receive`), and what waits to be written (`transmit`).
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
 * `websocket.closes`, a counter in `{connection}`: connections that ended, by `websocket.close.code` and by
 * `websocket.close.initiator`, the side whose close frame came first (`local`, `remote`, or `none`: then the code is 1006).
 * A close frame without a code counts as 1005. Beside 1000 to 1015 a process counts the first 32 codes that it meets
 * under their numbers, since a peer may send any; what is beyond counts as `other`.
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
 * `websocket.ping.duration`, a histogram in `s`: from a ping, keepalive's or the program's, to its pong.
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
