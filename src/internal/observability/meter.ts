import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { Closed } from "../protocol/closeHandshake.ts"
import type { Role } from "../protocol/codec.ts"
import type { WebSocketConnection } from "../socket/webSocketConnection.ts"
import { Counters } from "../connection/counters.ts"
import * as Metrics from "./metrics.ts"

/** Most close codes beyond 1000 to 1015 that are counted under their numbers. */
export const mostCodes = 32

type Registry = Metric.MetricRegistry

const meters = new WeakMap<Registry, Map<string, Meter>>()

/** The meter of one side for the registry and the attributes of metrics that a context has: servers that share them count together. */
export const meterOf = (role: Role, context: Context.Context<never>): Meter => {
  const registry = Context.get(context, Metric.MetricRegistry)
  const attributes = Object.entries(Context.get(context, Metric.CurrentMetricAttributes)).toSorted()
  const key = JSON.stringify([role, attributes])
  let known = meters.get(registry)
  if (known === undefined) meters.set(registry, (known = new Map()))
  let meter = known.get(key)
  if (meter === undefined) known.set(key, (meter = new Meter(role, context)))
  return meter
}

/** Which side began to close a connection, and with which code. */
export const closeOf = ({
  first,
  received,
  sent
}: Closed): { readonly code: number; readonly initiator: Metrics.Initiator } => {
  const frame = first === "sent" ? sent : first === "received" ? received : undefined
  return {
    code: frame === undefined ? 1006 : (frame.code ?? 1005),
    initiator: frame === undefined ? "none" : first === "sent" ? "local" : "remote"
  }
}

const ignore = (): void => {}

/**
 * The metrics of all connections of one side. What happens often is counted in plain numbers, and read when somebody reads
 * the metrics; what happens once in a connection goes to the metrics at once.
 */
export class Meter {
  readonly counters: Counters
  private readonly role: Role
  private readonly context: Context.Context<never>
  private readonly sockets = new Set<WebSocketConnection<unknown>>()
  private readonly codes = new Set<number>()
  private readonly byKey = new Map<string, Metric.Counter<number>>()

  constructor(role: Role, context: Context.Context<never>) {
    this.role = role
    this.context = context
    const pings = Metrics.pingDuration(role)
    this.counters = new Counters((millis) => pings.updateUnsafe(millis / 1000, context))
    this.gauge(Metrics.connections(role), () => this.sockets.size)
    this.gauge(Metrics.buffered(role, "receive"), () => this.sum(waitsToBeRead))
    this.gauge(Metrics.buffered(role, "transmit"), () => this.sum(({ connection }) => connection.outbound.buffered))
    const { counters } = this
    this.counter(Metrics.messages(role, "receive"), () => counters.messagesReceived)
    this.counter(Metrics.messages(role, "transmit"), () => counters.messagesSent)
    this.counter(Metrics.io(role, "receive"), () => counters.bytesReceived)
    this.counter(Metrics.io(role, "transmit"), () => counters.bytesSent)
  }

  handshake(outcome: string): void {
    this.add(`handshake ${outcome}`, () => Metrics.handshakes(this.role, outcome))
  }

  opened(socket: WebSocketConnection<unknown>): void {
    this.sockets.add(socket)
  }

  closed(socket: WebSocketConnection<unknown>, closed: Closed): void {
    this.sockets.delete(socket)
    const { code, initiator } = closeOf(closed)
    const label = this.label(code)
    this.add(`${initiator} ${label}`, () => Metrics.closes(this.role, label, initiator))
  }

  private label(code: number): string {
    if (code <= 1015 || this.codes.has(code)) return String(code)
    if (this.codes.size === mostCodes) return "other"
    this.codes.add(code)
    return String(code)
  }

  private add(key: string, make: () => Metric.Counter<number>): void {
    let counter = this.byKey.get(key)
    if (counter === undefined) this.byKey.set(key, (counter = make()))
    counter.updateUnsafe(1, this.context)
  }

  private sum(size: (socket: WebSocketConnection<unknown>) => number): number {
    let total = 0
    for (const socket of this.sockets) total += size(socket)
    return total
  }

  private gauge(metric: Metric.Gauge<number>, read: () => number): void {
    Metric.registerUnsafe(metric, this.context, { get: () => ({ value: read() }), update: ignore, modify: ignore })
  }

  private counter(metric: Metric.Counter<number>, read: () => number): void {
    const get = () => ({ count: read(), incremental: true })
    Metric.registerUnsafe(metric, this.context, { get, update: ignore, modify: ignore })
  }
}

const waitsToBeRead = ({ connection, receiveBuffer }: WebSocketConnection<unknown>): number =>
  receiveBuffer.held + connection.inbound.partialSize
