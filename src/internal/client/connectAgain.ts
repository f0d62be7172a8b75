import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { messageOf } from "../messageOf.ts"
import type { CommonSocket } from "../socket/common.ts"
import { isSocketError, SocketError } from "../socket/error.ts"
import { invalidOptions } from "../socket/failure.ts"
import {
  callback,
  duration,
  invalidOption,
  positiveDuration,
  type RulesOf,
  schedule as scheduleRule
} from "../socket/optionRules.ts"
import { isTransient, type Platform, type ReconnectingSocket, type ReconnectOptions } from "./reconnect.ts"
import { Reconnecting } from "./reconnectingSocket.ts"

const defaultSchedule = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")]).pipe(
  Schedule.modifyDelay(({ duration }) => Effect.map(Random.next, (random) => Duration.times(duration, 0.5 + random)))
)

/** Longest wait that a server's `Retry-After` is given, in milliseconds. */
const maxRetryAfter = 5 * 60_000

/** How long the closing handshake of a connection that was replaced may take, in milliseconds. */
const replacedCloseTime = 1000

/** The part of the options that doesn't depend on the platform. */
type Policy<S, E, R, RD> = Pick<
  ReconnectOptions<S, never, E, R, never, never, never, RD>,
  "idleTimeout" | "onConnect" | "onDisconnect" | "retry" | "schedule" | "stableAfter"
>

/** The rules of the options that a reconnecting client has besides those of a single connection. */
export const reconnectRules = {
  schedule: scheduleRule,
  stableAfter: duration,
  idleTimeout: positiveDuration,
  retry: callback,
  onConnect: callback,
  onDisconnect: callback,
  connect: callback
} satisfies RulesOf<Omit<ReconnectOptions<unknown, never>, "headers">>

const valueOf = <A, E, R>(input: A | Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.isEffect(input) ? input : Effect.succeed(input)

/** One attempt to connect, with the URL and the header fields of the moment. */
export const attemptOf = <S, H, E, R, EH, RH, EU, RU>(
  url: string | URL | Effect.Effect<string | URL, EU, RU>,
  headers: H | Effect.Effect<H, EH, RH>,
  connect: (url: string, headers: H) => Effect.Effect<S, E, R>
): Effect.Effect<S, E | EH | EU, R | RH | RU> =>
  Effect.flatMap(valueOf(url), (url) => Effect.flatMap(valueOf(headers), (headers) => connect(String(url), headers)))

/** Connects by `attempt` and again when the connection is lost, until the end of the scope. */
export const reconnectBy = <Sent, S extends CommonSocket<Sent>, E, R, RA, RD>(
  attempt: Effect.Effect<S, SocketError | E, RA | Scope.Scope>,
  options: Policy<S, E, R, RD>,
  platform: Platform<S>
): Effect.Effect<
  ReconnectingSocket<S, Sent, SocketError | E>,
  never,
  R | RD | Exclude<RA, Scope.Scope> | Scope.Scope
> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const socket = new Reconnecting<Sent, S, E>(platform)
    const connecting = Effect.onError(keepConnected(socket, attempt, options, scope), (cause) =>
      Effect.sync(() => socket.end(Exit.failCause(cause)))
    )
    socket.connectBy(yield* Effect.forkScoped(connecting, { startImmediately: true }))
    yield* Effect.addFinalizer((exit) => Effect.ignore(socket.close(platform.endCode(exit))))
    return socket
  })

const idle = (limit: number): SocketError =>
  new SocketError({ reason: { _tag: "IdleTimeout", message: `nothing arrived for ${limit} ms`, limit } })

/** Connects, and connects again, until the connection is closed for good or nothing more is to be tried. */
const keepConnected = <Sent, S extends CommonSocket<Sent>, E, R, RA, RD>(
  socket: Reconnecting<Sent, S, E>,
  attempt: Effect.Effect<S, SocketError | E, RA | Scope.Scope>,
  options: Policy<S, E, R, RD>,
  scope: Scope.Scope
): Effect.Effect<void, never, R | RD | Exclude<RA, Scope.Scope>> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const invalid = invalidOption(reconnectRules, options)
    if (invalid !== undefined) return socket.end(Exit.fail(invalidOptions(invalid)))
    const { onDisconnect, retry = isTransient, schedule = defaultSchedule } = options
    const stableAfter = Duration.toMillis(options.stableAfter ?? "10 seconds")
    let step = yield* Schedule.toStep(schedule)
    while (true) {
      const life: Life<S> = { since: Infinity, abandoned: undefined }
      const result = yield* Effect.result(
        inScope(live(socket, attempt, options, clock, life), life, socket.platform, scope)
      )
      if (socket.isClosing || (result._tag === "Success" && result.success === "closed")) return socket.end(Exit.void)
      const now = clock.currentTimeMillisUnsafe()
      if (now - life.since >= stableAfter) step = yield* Schedule.toStep(schedule)
      if (result._tag === "Success") continue
      const error = result.failure
      // No attempt makes an option valid.
      const isInvalid = isSocketError(error) && error.reason._tag === "InvalidOptions"
      if (isInvalid || !retry(error)) return socket.end(Exit.fail(error))
      const delay = yield* Pull.catchDone(
        Effect.map(step(now, error), ([, delay]) => Duration.toMillis(delay)),
        () => Effect.succeed(undefined)
      )
      if (delay === undefined) return socket.end(Exit.fail(error))
      if (onDisconnect !== undefined) yield* onDisconnect(error)
      const wait = Math.max(delay, retryAfter(error, now))
      yield* Effect.logDebug(`${messageOf(error)}; trying again in ${Math.round(wait)} ms`)
      yield* Effect.raceFirst(Effect.sleep(wait), socket.replaced)
    }
  })

/** What is known of the connection there is. */
interface Life<S> {
  /** When it was opened. */
  since: number
  /** The connection, once another one is wanted in its place. */
  abandoned: S | undefined
}

/** Runs the life of a connection in a scope of its own, which an abandoned connection leaves to the outer scope. */
const inScope = <A, E, R, S>(
  effect: Effect.Effect<A, E, R | Scope.Scope>,
  life: Life<S>,
  platform: Platform<S>,
  outer: Scope.Scope
): Effect.Effect<A, E, Exclude<R, Scope.Scope>> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const exit = yield* Effect.exit(restore(Scope.provide(effect, scope)))
      const { abandoned } = life
      if (abandoned === undefined) yield* Scope.close(scope, exit)
      else {
        const closed = yield* Effect.forkIn(Scope.close(scope, Exit.void), outer, { startImmediately: true })
        const dropped = Effect.andThen(
          Effect.sleep(replacedCloseTime),
          Effect.sync(() => platform.drop(abandoned))
        )
        yield* Effect.forkIn(Effect.raceFirst(dropped, Fiber.await(closed)), outer, { startImmediately: true })
      }
      return yield* exit
    })
  )

/** The life of one connection. Succeeds when it was closed for good, or when another one is wanted in its place. */
const live = <Sent, S extends CommonSocket<Sent>, E, R, RA>(
  reconnecting: Reconnecting<Sent, S, E>,
  attempt: Effect.Effect<S, SocketError | E, RA | Scope.Scope>,
  { idleTimeout, onConnect }: Policy<S, E, R, unknown>,
  clock: Clock.Clock,
  life: Life<S>
): Effect.Effect<"closed" | "replaced", SocketError | E, R | RA | Scope.Scope> =>
  Effect.gen(function* () {
    const { platform } = reconnecting
    const socket = yield* attempt
    life.since = clock.currentTimeMillisUnsafe()
    const ends: Array<Effect.Effect<"closed" | "replaced", SocketError | E, R>> = [
      Effect.as(platform.outcome(socket), "closed"),
      Effect.tap(reconnecting.replaced, () => Effect.sync(() => (life.abandoned = socket)))
    ]
    if (idleTimeout !== undefined) {
      const limit = Duration.toMillis(idleTimeout)
      const expired = Effect.suspend(() => {
        life.abandoned = socket
        return Effect.fail(idle(limit))
      })
      ends.push(Effect.andThen(silence(platform, socket, limit, clock), expired))
    }
    // Last, since a caller that waits for the connection may want another one at once.
    const connected = Effect.suspend(() => {
      reconnecting.up(socket)
      return Effect.never
    })
    ends.push(onConnect === undefined ? connected : Effect.andThen(onConnect(socket), connected))
    return yield* Effect.ensuring(
      Effect.raceAllFirst(ends),
      Effect.sync(() => reconnecting.down(socket))
    )
  })

/** The milliseconds of a clock that never goes back. */
const millis = (clock: Clock.Clock) => (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000

/** Waits until nothing has arrived on a socket for `limit` milliseconds. */
const silence = <S>(platform: Platform<S>, socket: S, limit: number, clock: Clock.Clock): Effect.Effect<void> =>
  Effect.suspend(() => {
    const now = millis(clock)
    let heardAt = now()
    let partial: number | undefined = 0
    platform.watch(socket, () => {
      heardAt = now()
    })
    const look = (): Effect.Effect<void> => {
      const left = heardAt + limit - now()
      if (left > 0) return Effect.flatMap(Effect.sleep(left), look)
      const before = partial
      partial = platform.partialSize(socket)
      if (partial !== undefined && (partial === 0 || partial === before)) return Effect.void
      heardAt = now()
      return look()
    }
    return look()
  })

/** How long the server wants to be left alone, in milliseconds (RFC 9110 §10.2.3): seconds, or a date. */
const retryAfter = (error: unknown, now: number): number => {
  if (!(error instanceof SocketError)) return 0
  const { reason } = error
  if (reason._tag !== "HandshakeFailed" || reason.error.reason._tag !== "UnexpectedStatus") return 0
  const value = reason.error.reason.headers["retry-after"]
  if (typeof value !== "string") return 0
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now
  return Number.isNaN(wait) ? 0 : Math.min(Math.max(wait, 0), maxRetryAfter)
}
