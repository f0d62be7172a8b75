import * as Effect from "effect/Effect"
import type { SocketError } from "./error.ts"

/** A socket, as far as it sends one message. Done at once where `Effect.void` is returned. */
interface Pusher<in M> {
  push(message: M): Effect.Effect<void, SocketError>
}

/** Sends several messages in order: goes on after each as soon as there is room. */
export const pushAll = <M>(socket: Pusher<M>, messages: Iterable<M>): Effect.Effect<void, SocketError> => {
  const rest = messages[Symbol.iterator]()
  const next = (): Effect.Effect<void, SocketError> => {
    for (let step = rest.next(); step.done !== true; step = rest.next()) {
      const sent = socket.push(step.value)
      if (sent !== Effect.void) return Effect.flatMap(sent, next)
    }
    return Effect.void
  }
  return next()
}
