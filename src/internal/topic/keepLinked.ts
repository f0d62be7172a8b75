import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { TopicError } from "./error.ts"
import { unavailable } from "./failure.ts"
import type { OptionRules, RulesOf } from "../socket/optionRules.ts"
import { linkRules, validated } from "./optionRules.ts"
import { type Driver, Link } from "./link.ts"
import { brokersUp } from "./metrics.ts"
import type { BrokerConnection, BrokerState } from "./model.ts"

/**
 * Options of the connection to a broker.
 *
 * @category options
 * @since 0.1.0
 */
export interface LinkOptions {
  /**
   * The pauses between attempts to reach a broker that was lost. The schedule starts anew after a connection that
   * lasted for 10 seconds, so a broker that accepts connections and refuses commands is retried with growing
   * pauses. Where the schedule ends, no further attempt is made. Default: 0.1, 0.2, 0.4, … 5 seconds without an
   * end, each varied at random between a half and one and a half.
   */
  readonly reconnect?: Schedule.Schedule<unknown, TopicError> | undefined
  /**
   * How long the broker may take to answer. Beyond it a `publish` fails with `BrokerUnavailable`, and the connection counts as lost. Above 0
   * and up to 24.8 days (2³¹ − 1 ms). Default 10 seconds.
   */
  readonly timeout?: Duration.Input | undefined
  /**
   * Bytes of messages that may wait while 4 MiB are under way to the broker unanswered. Beyond it `publish` fails with
   * `BrokerUnavailable`, outcome `"not sent"`. From 0; `Infinity` for no limit. Default 16 MiB.
   */
  readonly publishBufferSize?: number | undefined
}

const defaultSchedule = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")]).pipe(
  Schedule.modifyDelay(({ duration }) => Effect.map(Random.next, (random) => Duration.times(duration, 0.5 + random)))
)

/** Milliseconds after which a connection that is lost starts the schedule anew. */
const stableAfter = 10_000

const defaults = { timeout: "10 seconds", publishBufferSize: 16 * 1024 * 1024 } as const

/** How long the broker may take to answer. */
export const timeoutOf = ({ timeout = defaults.timeout }: LinkOptions): Duration.Duration =>
  Duration.fromInputUnsafe(timeout)

/** How a connection ended, and for how many milliseconds it was up. */
interface Ended {
  readonly why: TopicError
  readonly lasted: number
}

/** A broker by the options of its module, or `InvalidOptions` when one of them breaks its rule. */
export const makeBroker = <O extends LinkOptions>(
  options: O,
  rules: RulesOf<Omit<O, keyof LinkOptions>> & OptionRules,
  driverOf: (options: O) => Driver
): Effect.Effect<BrokerConnection, TopicError, Scope.Scope> =>
  Effect.andThen(
    validated({ ...linkRules, ...rules }, options),
    Effect.suspend(() => makeLink(driverOf(options), options))
  )

/** Connects to a broker, and again whenever the connection is lost. Fails when the first attempt does. */
export const makeLink = (
  driver: Driver,
  options: LinkOptions
): Effect.Effect<BrokerConnection, TopicError, Scope.Scope> =>
  Effect.gen(function* () {
    const { name } = driver
    const timeout = timeoutOf(options)
    const publishBufferSize = options.publishBufferSize ?? defaults.publishBufferSize
    const context = yield* Effect.context<never>()
    const link = new Link(name, { timeout, publishBufferSize }, context)
    const opened = yield* Deferred.make<void, TopicError>()
    const state = yield* SubscriptionRef.make<BrokerState>({ _tag: "up" })
    let counted = 0
    const count = (isUp: 0 | 1): void => {
      brokersUp.modifyUnsafe(isUp - counted, context)
      counted = isUp
    }
    const become = (next: BrokerState): Effect.Effect<void> => {
      count(next._tag === "up" ? 1 : 0)
      return SubscriptionRef.set(state, next)
    }
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        count(0)
        // Topics may outlive their broker, and must not wait for it.
        link.down(unavailable(name, "not sent", new Error("its scope has ended")))
      })
    )

    /** One connection; succeeds with why it was lost. */
    const connection: Effect.Effect<Ended, TopicError> = Effect.scoped(
      Effect.gen(function* () {
        const failed = yield* Deferred.make<TopicError>()
        const wire = yield* Effect.timeoutOrElse(driver.connect(link.arrivals), {
          duration: timeout,
          orElse: () => Effect.fail(unavailable(name, "not sent", new Error("it does not answer")))
        })
        yield* link.up(wire, (why) => Deferred.doneUnsafe(failed, Exit.succeed(why)))
        const since = yield* Clock.currentTimeMillis
        yield* become({ _tag: "up" })
        if (!(yield* Deferred.succeed(opened, undefined))) yield* Effect.logInfo(`${name} is back`)
        const why = yield* Effect.raceFirst(wire.lost, Deferred.await(failed))
        link.down(why)
        return { why, lasted: (yield* Clock.currentTimeMillis) - since }
      })
    )

    const schedule = options.reconnect ?? defaultSchedule
    const reconnecting = Effect.gen(function* () {
      let ended = yield* connection
      let pause = yield* Schedule.toStepWithSleep(schedule)
      while (true) {
        const { lasted, why } = ended
        link.down(why)
        yield* become({ _tag: "down", cause: why, final: false })
        yield* Effect.logWarning(why.message)
        if (lasted >= stableAfter) pause = yield* Schedule.toStepWithSleep(schedule)
        const goOn = yield* Pull.catchDone(Effect.as(pause(why), true), () => Effect.succeed(false))
        if (!goOn) break
        yield* become({ _tag: "recovering", cause: why })
        ended = yield* Effect.catch(connection, (why) => Effect.succeed({ why, lasted: 0 }))
      }
      yield* become({ _tag: "down", cause: ended.why, final: true })
      yield* Effect.logError(`${name} is given up: ${ended.why.message}`)
    })

    yield* Effect.forkScoped(Effect.catchCause(reconnecting, (cause) => Deferred.failCause(opened, cause)))
    yield* Deferred.await(opened)
    const { hasPresence, idempotent, isAfter } = driver
    return {
      publish: link.publish,
      subscribe: link.subscribe,
      idempotent,
      history: isAfter === undefined ? undefined : { read: link.readHistory, isAfter },
      presence: hasPresence === true ? link.presence : undefined,
      state: SubscriptionRef.changes(state)
    }
  })
