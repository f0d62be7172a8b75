import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { clockTimers } from "../socket/clockTimers.ts"
import { SocketError } from "../socket/error.ts"

const defaultLimit = 10_000

/** Gives opening a connection so much time: by default 10 seconds. */
export const openTimeout = <A>(
  opening: Effect.Effect<A, SocketError>,
  timeout: Duration.Input = defaultLimit
): Effect.Effect<A, SocketError> =>
  Effect.contextWith((context: Context.Context<never>) => {
    const limit = Duration.toMillis(timeout)
    if (limit === Infinity) return opening
    return Effect.callback((resume) => {
      let expired = false
      const fiber = Effect.runForkWith(context)(opening)
      const timer = clockTimers(context).after(limit, () => {
        expired = true
        fiber.interruptUnsafe()
      })
      fiber.addObserver((exit) => {
        timer.cancel()
        const late = expired && Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
        resume(late ? Effect.fail(timedOut(limit)) : exit)
      })
      return Fiber.interrupt(fiber)
    })
  })

const timedOut = (limit: number): SocketError =>
  new SocketError({
    reason: { _tag: "OpenTimeout", message: `the connection was not open after ${limit} ms`, limit }
  })
