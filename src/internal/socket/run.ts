import { type Cause, Effect, Exit, Fiber, Pull, Stream } from "effect"
import type { NonEmptyReadonlyArray } from "effect/Array"
import type { SocketError } from "./error.ts"
import { alreadyReading, LiveSocket } from "./live.ts"
import type { Message } from "./inbox.ts"
import type { Socket } from "./model.ts"

type Handler<X, E, R> = (batch: NonEmptyReadonlyArray<Message>) => Effect.Effect<X, E, R>

/**
 * Runs an effect for each batch of messages, in a fiber that is forked where the batch arrives: one that doesn't wait
 * ends before the read that brought the batch does, and everything it sent leaves in one write.
 */
export const runBatch = <X, E, R>(socket: Socket, handle: Handler<X, E, R>): Effect.Effect<void, SocketError | E, R> =>
  socket instanceof LiveSocket ? runLive(socket, handle) : Stream.runForEachArray(socket.messages, handle)

const runLive = <Context, X, E, R>(
  socket: LiveSocket<Context>,
  handle: Handler<X, E, R>
): Effect.Effect<void, SocketError | E, R> =>
  Effect.contextWith((context) =>
    Pull.catchDone(
      Effect.callback<void, SocketError | E | Cause.Done>((resume) => {
        const { inbox } = socket
        if (inbox.waiter !== undefined || !inbox.claimMessages()) return resume(Effect.fail(alreadyReading))
        const fork = Effect.runForkWith(context)
        let running: Fiber.Fiber<unknown, E> | undefined
        const next = (): void => {
          while (true) {
            if (inbox.isEmpty) {
              if (inbox.over) resume(socket.messagesEnd())
              else inbox.waiter = next
              return
            }
            // Messages were claimed, and the inbox isn't empty.
            const batch = inbox.take() as unknown as NonEmptyReadonlyArray<Message>
            const fiber = fork(Effect.suspend(() => handle(batch)))
            const exit = fiber.pollUnsafe()
            if (exit === undefined) {
              running = fiber
              fiber.addObserver((later) => {
                running = undefined
                if (Exit.isSuccess(later)) next()
                else resume(later)
              })
              return
            }
            if (Exit.isFailure(exit)) return resume(exit)
          }
        }
        next()
        return Effect.suspend(() => {
          inbox.waiter = undefined
          return running === undefined ? Effect.void : Fiber.interrupt(running)
        })
      }),
      () => Effect.void
    )
  )

/** As `runBatch`, message by message: the next one is handled when the effect of the one before is done. */
export const run = <X, E, R>(
  socket: Socket,
  handle: (message: Message) => Effect.Effect<X, E, R>
): Effect.Effect<void, SocketError | E, R> =>
  runBatch(socket, (batch) => {
    let at = 0
    return Effect.whileLoop({
      while: () => at < batch.length,
      body: () => handle(batch[at++] as Message),
      step: ignore
    })
  })

const ignore = (): void => {}
