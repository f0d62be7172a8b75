import * as Channel from "effect/Channel"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import type { NonEmptyReadonlyArray } from "effect/Array"

/**
 * The sending part of a socket: of one that reconnects and of a typed one, too.
 *
 * @category models
 * @since 0.2.0
 */
export interface Writable<in A, out E, out R> {
  /** Sends several messages in one write. */
  readonly sendAll: (messages: Iterable<A>) => Effect.Effect<void, E, R>
}

/**
 * Returns a Sink that sends what it takes, each batch in one write, and waits while the peer doesn't read. The end of its input leaves
 * the connection open.
 *
 * **Example** (Sending a Stream)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Socket } from "effect-ws"
 *
 * const program = Effect.gen(function* () {
 *   const [client, server] = yield* Socket.makePair()
 *   yield* Stream.run(Stream.make("a", "b"), Socket.sink(client))
 *   return [yield* server.receive, yield* server.receive]
 * })
 *
 * const received = await Effect.runPromise(Effect.scoped(program))
 * if (received.join() !== "a,b") throw new Error(received.join())
 * ```
 *
 * @category views
 * @since 0.2.0
 */
export const sink = <A, E, R>(socket: Writable<A, E, R>): Sink.Sink<void, A, never, E, R> =>
  Sink.forEachArray((messages: NonEmptyReadonlyArray<A>) => socket.sendAll(messages))

/**
 * Returns a Channel that sends what comes in and puts out the messages of the peer. It ends as `messages` does, and fails when its input
 * or the sending fails. The end of its input leaves the connection open, and the end of the Channel too.
 *
 * **Example** (A Stream through a server)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Socket } from "effect-ws"
 *
 * const program = Effect.gen(function* () {
 *   const [client, server] = yield* Socket.makePair()
 *   yield* Effect.forkChild(Socket.run(server, server.send))
 *   return yield* Stream.make("a", "b").pipe(Stream.pipeThroughChannel(Socket.channel(client)), Stream.take(2), Stream.runCollect)
 * })
 *
 * const echoed = await Effect.runPromise(Effect.scoped(program))
 * if (echoed.join() !== "a,b") throw new Error(echoed.join())
 * ```
 *
 * @category views
 * @since 0.2.0
 */
export const channel = <In, E, R, Out, E2, R2, IE = never>(
  socket: Writable<Out, E2, R2> & { readonly messages: Stream.Stream<In, E, R> }
): Channel.Channel<NonEmptyReadonlyArray<In>, E | E2 | IE, void, NonEmptyReadonlyArray<Out>, IE, unknown, R | R2> =>
  Channel.fromTransform((upstream: Pull.Pull<NonEmptyReadonlyArray<Out>, IE, unknown>, scope) =>
    Effect.gen(function* () {
      const pull = yield* Scope.provide(Stream.toPull(socket.messages), scope)
      const failed = Deferred.makeUnsafe<never, E2 | IE>()
      const sending = Effect.forever(Effect.flatMap(upstream, socket.sendAll))
      yield* Effect.forkIn(
        Effect.onError(
          Pull.catchDone(sending, () => Effect.void),
          (cause) => Effect.sync(() => Deferred.doneUnsafe(failed, Exit.failCause(cause)))
        ),
        scope,
        { startImmediately: true }
      )
      return Effect.raceFirst(pull, Deferred.await(failed))
    })
  )
