import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { performance } from "node:perf_hooks"
import { connect } from "../../client/connect.ts"
import type { SocketError } from "../../socket/error.ts"
import type { Socket } from "../../socket/model.ts"
import { explain, explainClosed } from "../errors/explain.ts"
import { WscatError } from "../errors/failure.ts"
import { type Target, targetOf, withoutCredentials } from "../options/connecting.ts"
import { writeText } from "../options/files.ts"
import type { Bench } from "../options/values.ts"
import { Streams } from "../terminal/streams.ts"
import { drive, Measurement, type Plan } from "./benchLoad.ts"
import { htmlReport, milliseconds, page, summary, whole } from "./benchReport.ts"

/** A server that doesn't answer is not waited for long when all is measured. */
const closeTimeout = "2 seconds"

/** How many connections are opened at a time. */
const openingAtOnce = 50

const planOf = (flags: Bench, url: string): Plan => ({
  url: withoutCredentials(url),
  connections: flags.connections ?? 10,
  outstanding: flags.outstanding ?? 1,
  size: flags.size ?? 32,
  binary: flags.binary,
  duration: flags.duration ?? 10,
  warmup: flags.warmup ?? 1,
  ramp: flags.ramp ?? 0,
  rate: flags.rate,
  any: flags.any
})

/** Measures a server. What was measured until an interruption is shown, too. */
export const bench = (given: string, flags: Bench): Effect.Effect<void, WscatError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const target = yield* targetOf(given, flags)
      const plan = planOf(flags, target.url)
      const streams = yield* Streams
      const measurement = new Measurement()
      const report = Effect.gen(function* () {
        streams.output.write(flags.json ? `${JSON.stringify(summary(plan, measurement))}\n` : page(plan, measurement))
        if (flags.report === undefined) return
        yield* writeText(flags.report, htmlReport(plan, measurement, new Date()), "--report")
      })
      const shows = streams.errors.isTTY === true && !flags.quiet && !flags.json
      const scope = yield* Effect.acquireRelease(Scope.make("parallel"), (scope, exit) => Scope.close(scope, exit))
      const failed = Deferred.makeUnsafe<never, WscatError>()
      const load = startLoad(target, plan, measurement, failed).pipe(Scope.provide(scope))
      const schedule = Effect.gen(function* () {
        yield* load
        yield* Effect.sleep(plan.warmup * 1000)
        measurement.begin()
        yield* Effect.sleep(plan.duration * 1000)
      })
      const progress = shows ? showProgress(measurement, (line) => streams.errors.write(line)) : Effect.never
      yield* Effect.raceAllFirst([schedule, Deferred.await(failed), progress]).pipe(
        Effect.onInterrupt(() => (measurement.latency.count > 0 ? Effect.ignore(report) : Effect.void))
      )
      if (measurement.latency.count === 0) return yield* unanswered(measurement)
      yield* report
    })
  )

/** Why there is nothing to report. */
const unanswered = ({ answers, others }: Measurement): WscatError => {
  if (answers > 0) return new WscatError({ kind: "closed", message: "no message came back in time" })
  return others > 0
    ? new WscatError({
        kind: "closed",
        message: `the server is no echo: none of its ${whole(others)} messages is one that was sent`,
        hint: "--any takes any message for the answer to the oldest one"
      })
    : new WscatError({
        kind: "closed",
        message: "no message came back",
        hint: "bench needs a server that sends every message back, such as wscat -l PORT --echo"
      })
}

/** Opens the connections, and has each send as soon as it is open. */
const startLoad = (
  target: Target,
  plan: Plan,
  measurement: Measurement,
  failed: Deferred.Deferred<never, WscatError>
): Effect.Effect<void, WscatError, Scope.Scope> => {
  let open = plan.connections
  const ended = Effect.suspend(() =>
    --open > 0
      ? Effect.void
      : Deferred.fail(failed, new WscatError({ kind: "closed", message: "the server closed the connections" }))
  )
  const start = (connection: number) =>
    Effect.gen(function* () {
      const socket = yield* openOne(target, measurement)
      const driven = Effect.matchEffect(explained(drive(socket, plan, measurement, connection), socket, target), {
        onFailure: (error) => Deferred.fail(failed, error),
        onSuccess: () => ended
      })
      yield* Effect.forkScoped(driven)
    })
  return Effect.forEach(
    Array.from({ length: plan.connections }, (_, connection) => connection),
    (connection) =>
      plan.ramp === 0
        ? start(connection)
        : Effect.andThen(Effect.sleep((connection / plan.connections) * plan.ramp * 1000), start(connection)),
    { concurrency: plan.ramp === 0 ? openingAtOnce : "unbounded", discard: true }
  )
}

const openOne = (target: Target, { opening }: Measurement): Effect.Effect<Socket, WscatError, Scope.Scope> =>
  Effect.suspend(() => {
    const begun = performance.now()
    return Effect.tap(
      Effect.mapError(connect(target.url, { ...target.options, closeTimeout }), (error) => explain(error, target)),
      () => Effect.sync(() => opening.add(performance.now() - begun))
    )
  })

/** How a connection failed: of one that was closed, the server's close frame says most. */
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

const progressInterval = 500

const showProgress = (measurement: Measurement, write: (text: string) => void): Effect.Effect<never> => {
  let before = { count: 0, at: performance.now() }
  const show = Effect.sync(() => {
    const now = performance.now()
    const { latency, since } = measurement
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
