import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Stream from "effect/Stream"
import type { NonEmptyReadonlyArray } from "effect/Array"
import { isReadable, type Readable, type Run, type RunBatch, runEach } from "../socket/readable.ts"

/**
 * Runs an effect for each message: the next one is handled when the effect of the one before is done. What the handler didn't get to,
 * since it failed or was interrupted, is left to the next reader.
 *
 * @category running
 * @since 0.2.0
 */
export const run: Run = dual((args) => isReadable(args[0]), runEach)

/**
 * Runs an effect for each batch of messages.
 *
 * @category running
 * @since 0.2.0
 */
export const runBatch: RunBatch = dual(
  (args) => isReadable(args[0]),
  <A, E, R, X, E2, R2>(
    socket: Readable<A, E, R>,
    handle: (batch: NonEmptyReadonlyArray<A>) => Effect.Effect<X, E2, R2>
  ) => Stream.runForEachArray(socket.messages, handle)
)

/**
 * Reads a socket and throws away what comes, until the peer closes. Fails as `messages` does.
 *
 * @category running
 * @since 0.2.0
 */
export const discard = <A, E, R>(socket: Readable<A, E, R>): Effect.Effect<void, E, R> =>
  runBatch(socket, () => Effect.void)
