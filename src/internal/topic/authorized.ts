import * as Effect from "effect/Effect"
import type { TopicError } from "./error.ts"
import { fail } from "./failure.ts"
import type { AuthorizeRequest, Options } from "./model.ts"

/** Fails when `authorize` does not allow it. */
export const authorized = (
  authorize: Options["authorize"],
  request: AuthorizeRequest
): Effect.Effect<void, TopicError> => {
  if (authorize === undefined) return Effect.void
  const { action, topic } = request
  const message = `not allowed: to ${action} ${topic}`
  return Effect.flatMap(authorize(request), (allowed) =>
    allowed ? Effect.void : fail({ _tag: "NotAuthorized", message, action, topic })
  )
}
