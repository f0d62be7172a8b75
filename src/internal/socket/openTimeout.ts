import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { SocketError } from "./error.ts"

/** Gives opening a connection so much time: by default 10 seconds. */
export const openTimeout = <A>(
  opening: Effect.Effect<A, SocketError>,
  timeout: Duration.Input = "10 seconds"
): Effect.Effect<A, SocketError> => {
  const limit = Duration.toMillis(timeout)
  const message = `the connection was not open after ${limit} ms`
  return Effect.timeoutOrElse(opening, {
    duration: timeout,
    orElse: () => Effect.fail(new SocketError({ reason: { _tag: "OpenTimeout", message, limit } }))
  })
}
