import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { performance } from "node:perf_hooks"
import { connect, runBatch, type Socket, type SocketError } from "../../../Socket.ts"
import type { Message } from "../../socket/receiveBuffer.ts"
import { type Target, targetOf } from "../options/connecting.ts"
import { explain, explainClosed } from "../errors/explain.ts"
import { WscatError } from "../errors/failure.ts"
import type { Bench } from "../options/values.ts"
import { Histogram } from "./histogram.ts"
import { Streams } from "../terminal/streams.ts"

/** What is to be measured. */
interface Plan {
  readonly url: string
  readonly connections: number
  readonly outstanding: number
  readonly size: number
  /** Seconds. */
  readonly duration: number
  readonly warmup: number
  readonly message: Message
}

/** What was measured so far. */
interface Measured {
  readonly opening: Histogram
  readonly latency: Histogram
  /** When counting began, by the clock of `performance`; `undefined` before. */
  since: number | undefined
  /** Any answer at all came. */
  answered: boolean
}

/** Nobody waits long for a server that doesn't answer when all is measured. */
const closeTimeout = "2 seconds"

/** How many connections are opened at a time. */
const openingAtOnce = 50

const planOf = (flags: Bench, url: string): Plan => {
  const size = flags.size ?? 32
  return {
    url,
    connections: flags.connections ?? 10,
    outstanding: flags.outstanding ?? 1,
    size,
    duration: flags.duration ?? 10,
    warmup: flags.warmup ?? 1,
    message: flags.binary ? new Uint8Array(size).fill(0x78) : "x".repeat(size)
  }
}

/** Measures an echo server. What was measured until an interruption is shown, too. */
export const bench = (given: string, flags: Bench): Effect.Effect<void, WscatError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const target = yield* targetOf(given, flags)
      const plan = planOf(flags, target.url)
      const streams = yield* Streams
      const measured: Measured = {
        opening: new Histogram(),
        latency: new Histogram(),
        since: undefined,
        answered: false
      }
      const report = Effect.sync(() => {
        streams.output.write(flags.json ? `${JSON.stringify(summary(plan, measured))}\n` : page(plan, measured))
      })
      const shows = streams.errors.isTTY === true && !flags.quiet && !flags.json
      const scope = yield* Effect.acquireRelease(Scope.make("parallel"), (scope, exit) => Scope.close(scope, exit))
      const sockets = yield* Effect.forEach(Array.from({ length: plan.connections }), () => openOne(target, measured), {
        concurrency: openingAtOnce
      }).pipe(Scope.provide(scope))
      const load = Effect.forEach(sockets, (socket) => explained(drive(socket, plan, measured), socket, target), {
        concurrency: "unbounded",
        discard: true
      })
      const schedule = Effect.gen(function* () {
        yield* Effect.sleep(plan.warmup * 1000)
        measured.since = performance.now()
        yield* Effect.sleep(plan.duration * 1000)
      })
      const lost = Effect.andThen(
        load,
        Effect.fail(new WscatError({ kind: "closed", message: "the server closed the connections" }))
      )
      const progress = shows ? showProgress(measured, (line) => streams.errors.write(line)) : Effect.never
      yield* Effect.raceAllFirst([schedule, lost, progress]).pipe(
        Effect.onInterrupt(() => (measured.latency.count > 0 ? report : Effect.void))
      )
      if (measured.latency.count === 0) {
        return yield* new WscatError({
          kind: "closed",
          message: measured.answered ? "no message came back in time" : "no message came back",
          hint: "bench needs a server that sends every message back, such as wscat -l PORT --echo"
        })
      }
      yield* report
    })
  )

const openOne = (target: Target, { opening }: Measured): Effect.Effect<Socket, WscatError, Scope.Scope> =>
  Effect.suspend(() => {
    const begun = performance.now()
    return Effect.tap(
      Effect.mapError(connect(target.url, { ...target.options, closeTimeout }), (error) => explain(error, target)),
      () => Effect.sync(() => opening.add(performance.now() - begun))
    )
  })

/** How a connection failed: of one that was closed, the server's close frame tells most. */
const explained = <A>(
  effect: Effect.Effect<A, SocketError>,
  socket: Socket,
  target: Target
): Effect.Effect<A, WscatError> =>
  Effect.catch(effect, (error) =>
    error.reason._tag === "ConnectionClosed"
      ? Effect.flatMap(socket.closed, (closed) => Effect.fail(explainClosed(closed, false) ?? explain(error, target)))
      : Effect.fail(explain(error, target))
  )

/** Keeps so many messages under way on one connection. */
const drive = (socket: Socket, plan: Plan, measured: Measured): Effect.Effect<void, SocketError> => {
  const sentAt: Array<number> = []
  const send = (count: number): Effect.Effect<void, SocketError> => {
    const now = performance.now()
    for (let sent = 0; sent < count; sent++) sentAt.push(now)
    return socket.sendAll(Array.from({ length: count }, () => plan.message))
  }
  // A server may have more to say than what it sends back.
  const isEcho = (message: Message): boolean =>
    typeof message === typeof plan.message && message.length === plan.message.length
  return Effect.andThen(
    send(plan.outstanding),
    runBatch(socket, (batch) => {
      const now = performance.now()
      let echoes = 0
      for (const message of batch) {
        if (!isEcho(message)) continue
        echoes++
        const begun = sentAt.shift()
        if (measured.since !== undefined && begun !== undefined) measured.latency.add(now - begun)
      }
      if (echoes > 0) measured.answered = true
      return send(echoes)
    })
  )
}

const progressInterval = 500

const showProgress = (measured: Measured, write: (text: string) => void): Effect.Effect<never> => {
  let before = { count: 0, at: performance.now() }
  const show = Effect.sync(() => {
    const now = performance.now()
    const { latency, since } = measured
    const rate = ((latency.count - before.count) * 1000) / (now - before.at)
    before = { count: latency.count, at: now }
    write(
      since === undefined
        ? "\r\u001B[Kwarming up"
        : `\r\u001B[K${((now - since) / 1000).toFixed(1)} s  ${whole(rate)} messages/s  p50 ${milliseconds(latency.quantile(0.5))}`
    )
  })
  return Effect.ensuring(
    Effect.forever(Effect.andThen(show, Effect.sleep(progressInterval))),
    Effect.sync(() => write("\r\u001B[K"))
  )
}

const quantiles = [
  ["p50", 0.5],
  ["p90", 0.9],
  ["p99", 0.99],
  ["p99.9", 0.999]
] as const

const rateOf = ({ latency, since }: Measured): { readonly seconds: number; readonly rate: number } => {
  const seconds = since === undefined ? 0 : (performance.now() - since) / 1000
  return { seconds, rate: seconds === 0 ? 0 : latency.count / seconds }
}

const round = (value: number): number => Number(value.toFixed(3))

const distribution = (histogram: Histogram): Readonly<Record<string, number>> => ({
  min: round(histogram.least),
  mean: round(histogram.mean),
  ...Object.fromEntries(quantiles.map(([name, share]) => [name, round(histogram.quantile(share))])),
  max: round(histogram.most)
})

/** The result as a JSON object; durations are in milliseconds. */
const summary = (plan: Plan, measured: Measured): Readonly<Record<string, unknown>> => {
  const { rate, seconds } = rateOf(measured)
  const { connections, outstanding, size, url } = plan
  return {
    url,
    connections,
    outstanding,
    size,
    seconds: round(seconds),
    messages: measured.latency.count,
    messagesPerSecond: round(rate),
    bytesPerSecond: round(rate * size),
    opening: distribution(measured.opening),
    latency: distribution(measured.latency)
  }
}

const whole = (value: number): string => Math.round(value).toLocaleString("en-US")

const milliseconds = (value: number): string => `${value < 10 ? value.toFixed(3) : value.toFixed(1)} ms`

const bytes = (value: number): string => {
  const units = ["B", "kB", "MB", "GB"]
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(value, 1)) / 3)))
  return `${(value / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`
}

const histogramRows = 16
const barWidth = 50

/** The result for a person. */
const page = (plan: Plan, measured: Measured): string => {
  const { rate, seconds } = rateOf(measured)
  const { latency, opening } = measured
  const rows = latency.rows(histogramRows)
  const highest = Math.max(...rows.map(({ count }) => count))
  const line = (histogram: Histogram): string =>
    [
      ...quantiles.map(([name, share]) => `${name} ${milliseconds(histogram.quantile(share))}`),
      `max ${milliseconds(histogram.most)}`
    ].join("  ")
  return `${[
    plan.url,
    `${plan.connections} connections, ${plan.outstanding} outstanding, ${plan.size} bytes, ${seconds.toFixed(1)} s`,
    "",
    `throughput  ${whole(rate)} messages/s, ${bytes(rate * plan.size)}/s each way`,
    `latency     ${line(latency)}`,
    `opening     p50 ${milliseconds(opening.quantile(0.5))}  max ${milliseconds(opening.most)}`,
    "",
    ...rows.map(({ count, upTo }) => {
      const bar = "#".repeat(Math.ceil((count / highest) * barWidth))
      return `${`≤ ${milliseconds(upTo)}`.padStart(13)} ${whole(count).padStart(11)} ${bar}`.trimEnd()
    })
  ].join("\n")}\n`
}
