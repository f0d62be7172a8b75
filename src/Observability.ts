/**
 * Metrics and traces of connections. They are off unless the options `metrics` and `tracing` of `Server` and `Socket` turn them
 * on. They are metrics and spans of Effect, so that whatever exports those exports these.
 *
 * The metrics, each with `websocket.role`, which is `server` or `client`, and with `unit`, which exporters read:
 *
 * - `websocket.connections`, `{connection}`, a gauge.
 * - `websocket.handshakes`, `{handshake}`, a counter by `websocket.handshake.outcome`.
 * - `websocket.messages`, `{message}`, a counter by `network.io.direction`: `receive` and `transmit`.
 * - `websocket.io`, `By`, a counter by `network.io.direction`.
 * - `websocket.buffered`, `By`, a gauge by `network.io.direction`.
 * - `websocket.closes`, `{connection}`, a counter by `websocket.close.code` and `websocket.close.initiator`.
 * - `websocket.ping.duration`, `s`, a histogram.
 *
 * `eventLoop` adds those of Node's event loop: `nodejs.eventloop.delay.min`, `.max`, `.mean`, `.stddev`, `.p50`, `.p90`,
 * `.p99`, `s`, and `nodejs.eventloop.utilization`, `1`, gauges with OpenTelemetry's names.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import { type EventLoopUtilization, monitorEventLoopDelay, performance } from "node:perf_hooks"
import { spanOf as reportedSpanOf } from "./internal/observability/reporter.ts"
import type { Socket } from "./internal/socket/model.ts"

export * from "./internal/observability/metrics.ts"
export type { ObservabilityOptions, TracingOptions } from "./internal/observability/options.ts"

/**
 * Returns the span of a connection, or `undefined` when the connection isn't traced.
 *
 * **When to use**
 *
 * The handler of a server runs within the span already. A client makes it the parent of what it does, with
 * `Effect.withParentSpan`.
 *
 * @category tracing
 * @since 0.1.0
 */
export const spanOf = (socket: Socket): Tracer.Span | undefined => reportedSpanOf(socket)

/**
 * Options of `eventLoop`.
 *
 * @category options
 * @since 0.1.0
 */
export interface EventLoopOptions {
  /** The time between two updates of the gauges; each covers the time since the last. Default: 5 seconds. */
  readonly interval?: Duration.Input | undefined
  /** The time between two samples of the delay. The shorter, the more often an idle process wakes. Default: 20 ms. */
  readonly resolution?: Duration.Input | undefined
}

const gauge = (name: string, description: string, unit: string): Metric.Gauge<number> =>
  Metric.gauge(`nodejs.eventloop.${name}`, { description, attributes: { unit } })

/**
 * The gauges of the event loop's delay, in seconds.
 *
 * @category metrics
 * @since 0.1.0
 */
export const eventLoopDelay = {
  /** The shortest delay. */
  min: gauge("delay.min", "Least delay of the event loop", "s"),
  /** The longest delay. */
  max: gauge("delay.max", "Greatest delay of the event loop", "s"),
  /** The mean delay. */
  mean: gauge("delay.mean", "Mean delay of the event loop", "s"),
  /** The standard deviation of the delays. */
  stddev: gauge("delay.stddev", "Standard deviation of the event loop's delay", "s"),
  /** The delay that half of the samples don't exceed. */
  p50: gauge("delay.p50", "Delay of the event loop, 50th percentile", "s"),
  /** The delay that 90 % of the samples don't exceed. */
  p90: gauge("delay.p90", "Delay of the event loop, 90th percentile", "s"),
  /** The delay that 99 % of the samples don't exceed. */
  p99: gauge("delay.p99", "Delay of the event loop, 99th percentile", "s")
} as const

/**
 * The gauge of the event loop's utilization: the part of the time, from 0 to 1, in which it was busy.
 *
 * @category metrics
 * @since 0.1.0
 */
export const eventLoopUtilization = gauge("utilization", "Part of the time in which the event loop was busy", "1")

/**
 * Updates the gauges of this process's event loop until the end of the scope.
 *
 * @category metrics
 * @since 0.1.0
 */
export const eventLoop = (options?: EventLoopOptions): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const resolution = Math.max(1, Math.round(Duration.toMillis(options?.resolution ?? 20)))
    const monitor = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const monitor = monitorEventLoopDelay({ resolution })
        monitor.enable()
        return monitor
      }),
      (monitor) => Effect.sync(() => monitor.disable())
    )
    // A sample is the time between two looks, so the delay is what goes beyond the resolution.
    const seconds = (nanos: number): number => Math.max(0, nanos / 1e9 - resolution / 1e3)
    let before: EventLoopUtilization = performance.eventLoopUtilization()
    const take = Effect.suspend(() => {
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, before)
      before = now
      const updates = [Metric.update(eventLoopUtilization, utilization)]
      if (monitor.count > 0) {
        updates.push(
          Metric.update(eventLoopDelay.min, seconds(monitor.min)),
          Metric.update(eventLoopDelay.max, seconds(monitor.max)),
          Metric.update(eventLoopDelay.mean, seconds(monitor.mean)),
          Metric.update(eventLoopDelay.stddev, monitor.stddev / 1e9),
          Metric.update(eventLoopDelay.p50, seconds(monitor.percentile(50))),
          Metric.update(eventLoopDelay.p90, seconds(monitor.percentile(90))),
          Metric.update(eventLoopDelay.p99, seconds(monitor.percentile(99)))
        )
        monitor.reset()
      }
      return Effect.all(updates, { discard: true })
    })
    yield* Effect.forkScoped(Effect.repeat(take, Schedule.spaced(options?.interval ?? "5 seconds")))
  })

/**
 * Runs `eventLoop` as long as the layer is in use.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerEventLoop = (options?: EventLoopOptions): Layer.Layer<never> =>
  Layer.effectDiscard(eventLoop(options))
