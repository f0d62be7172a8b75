/** What the dashboard is told: the metrics of the server, once a second while anybody looks. */
import { Effect, Metric, Stream } from "effect"
import { Observability } from "effect-ws"

/** How far back the charts reach, in seconds. */
export const reach = 120

/** The metrics at one time. Messages and bytes are totals since the start, delays and round trips milliseconds. */
interface Sample {
  /** In ms since 1970. */
  readonly time: number
  readonly connections: number
  readonly messagesIn: number
  readonly messagesOut: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly waitsIn: number
  readonly waitsOut: number
  readonly delayMean: number
  readonly delayP99: number
  /** Of the time, 0 to 1. */
  readonly utilization: number
  /** How many round trips took at most so long; those beyond the last are in `pings` alone. */
  readonly roundTrips: ReadonlyArray<readonly [most: number, count: number]>
  readonly pings: number
  readonly pingMean: number
  readonly handshakes: ReadonlyArray<readonly [outcome: string, count: number]>
  readonly closes: ReadonlyArray<readonly [code: string, initiator: string, count: number]>
}

const count = (metric: Metric.Counter<number>) => Effect.map(Metric.value(metric), ({ count }) => count)
const level = (metric: Metric.Gauge<number>) => Effect.map(Metric.value(metric), ({ value }) => value)

/** The series of a counter of this server, each with its attributes. */
const seriesOf = (snapshots: ReadonlyArray<Metric.Metric.Snapshot>, name: string) =>
  snapshots.flatMap((snapshot) => {
    const { attributes = {}, id } = snapshot
    if (id !== name || snapshot.type !== "Counter" || attributes["websocket.role"] !== "server") return []
    return [{ attributes, count: Number(snapshot.state.count) }]
  })

const take = Effect.gen(function* () {
  const pings = yield* Metric.value(Observability.pingDuration("server"))
  const snapshots = yield* Metric.snapshot
  const sample: Sample = {
    time: Date.now(),
    connections: yield* level(Observability.connections("server")),
    messagesIn: yield* count(Observability.messages("server", "receive")),
    messagesOut: yield* count(Observability.messages("server", "transmit")),
    bytesIn: yield* count(Observability.io("server", "receive")),
    bytesOut: yield* count(Observability.io("server", "transmit")),
    waitsIn: yield* level(Observability.buffered("server", "receive")),
    waitsOut: yield* level(Observability.buffered("server", "transmit")),
    delayMean: 1000 * (yield* level(Observability.eventLoopDelay.mean)),
    delayP99: 1000 * (yield* level(Observability.eventLoopDelay.p99)),
    utilization: yield* level(Observability.eventLoopUtilization),
    roundTrips: pings.buckets.map(([most, count]) => [1000 * most, count]),
    pings: pings.count,
    pingMean: pings.count === 0 ? 0 : (1000 * pings.sum) / pings.count,
    handshakes: seriesOf(snapshots, "websocket.handshakes").map(({ attributes, count }) => [
      attributes["websocket.handshake.outcome"] ?? "",
      count
    ]),
    closes: seriesOf(snapshots, "websocket.closes").map(({ attributes, count }) => [
      attributes["websocket.close.code"] ?? "",
      attributes["websocket.close.initiator"] ?? "",
      count
    ])
  }
  return JSON.stringify(sample)
})

/** The samples as JSON, shared by all who look. Who comes later gets those of the last two minutes first. */
export const samples = Stream.tick("1 second").pipe(
  Stream.mapEffect(() => take),
  Stream.share({ capacity: reach, replay: reach, strategy: "sliding" })
)
