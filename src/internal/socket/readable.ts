import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import type * as Stream from "effect/Stream"
import type { NonEmptyReadonlyArray } from "effect/Array"
import type { Message } from "./receiveBuffer.ts"

/**
 * The part of a socket that `run` and `runBatch` read: of one that reconnects and of a typed one, too.
 *
 * @category running
 * @since 0.2.0
 */
export interface Readable<out A, out E, out R> {
  /** The messages. */
  readonly messages: Stream.Stream<A, E, R>
  /** Takes exactly one message. */
  readonly receive: Effect.Effect<A, E | Cause.Done, R>
}

/** Whether an argument is what is read, and not a handler. */
export const isReadable = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "messages" in value

/**
 * The type of `run`, on every platform.
 *
 * @category running
 * @since 0.2.0
 */
export interface Run {
  <X, E2, R2, A = Message>(
    handle: (message: A) => Effect.Effect<X, E2, R2>
  ): <E, R>(socket: Readable<A, E, R>) => Effect.Effect<void, E | E2, R | R2>
  <A, E, R, X, E2, R2>(
    socket: Readable<A, E, R>,
    handle: (message: A) => Effect.Effect<X, E2, R2>
  ): Effect.Effect<void, E | E2, R | R2>
}

/**
 * The type of `runBatch`, on every platform.
 *
 * @category running
 * @since 0.2.0
 */
export interface RunBatch {
  <X, E2, R2, A = Message>(
    handle: (batch: NonEmptyReadonlyArray<A>) => Effect.Effect<X, E2, R2>
  ): <E, R>(socket: Readable<A, E, R>) => Effect.Effect<void, E | E2, R | R2>
  <A, E, R, X, E2, R2>(
    socket: Readable<A, E, R>,
    handle: (batch: NonEmptyReadonlyArray<A>) => Effect.Effect<X, E2, R2>
  ): Effect.Effect<void, E | E2, R | R2>
}

/** One message after the other, so that those that the handler doesn't get to are left. */
export const runEach = <A, E, R, X, E2, R2>(
  socket: Readable<A, E, R>,
  handle: (message: A) => Effect.Effect<X, E2, R2>
): Effect.Effect<void, E | E2, R | R2> => {
  const next = Effect.map(socket.receive, (message): Option.Option<A> => Option.some(message))
  const orEnd = Pull.catchDone(next, () => Effect.succeed(Option.none<A>()))
  const loop: Effect.Effect<void, E | E2, R | R2> = Effect.flatMap(orEnd, (message) =>
    Option.isNone(message) ? Effect.void : Effect.andThen(handle(message.value), loop)
  )
  return loop
}
