import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Scheduler from "effect/Scheduler"
import { type Timers, Wheel } from "../connection/timers.ts"

const wheels = new WeakMap<Clock.Clock, Timers>()

/** The timers of an Effect clock: one wheel, and so at most one sleeping fiber, for each clock. */
export const clockTimers = (context: Context.Context<never>): Timers => {
  const clock = Context.get(context, Clock.Clock)
  let timers = wheels.get(clock)
  if (timers === undefined) {
    const scheduler = Context.get(context, Scheduler.Scheduler)
    const fork = Effect.runForkWith(Context.make(Scheduler.Scheduler, scheduler))
    timers = new Wheel(
      () => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000,
      (delay, ring) => {
        const fiber = fork(Effect.andThen(clock.sleep(Duration.millis(delay)), Effect.sync(ring)))
        return () => fiber.interruptUnsafe()
      }
    )
    wheels.set(clock, timers)
  }
  return timers
}
