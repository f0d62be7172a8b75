import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type { NonEmptyReadonlyArray } from "effect/Array"
import type { SocketError } from "./error.ts"
import { alreadyReading, type Message, type Waiter } from "./inbox.ts"
import { LiveSocket, Sending } from "./live.ts"
import type { Socket } from "./model.ts"

type Handler<X, E, R> = (batch: NonEmptyReadonlyArray<Message>) => Effect.Effect<X, E, R>

/**
 * Runs an effect for each batch of messages, in a fiber that is forked where the batch arrives: one that doesn't wait
 * ends before the read that brought the batch does, and everything it sent leaves in one write. Sending is done at once
 * while there is room, and then takes no fiber.
 */
export const runBatch = <X, E, R>(socket: Socket, handle: Handler<X, E, R>): Effect.Effect<void, SocketError | E, R> =>
  socket instanceof LiveSocket
    ? Effect.contextWith((context) =>
        Effect.callback<void, SocketError | E>((resume) => new Runner(socket, handle, context, resume).start())
      )
    : Stream.runForEachArray(socket.messages, handle)

/** As `runBatch`, message by message: the next one is handled when the effect of the one before is done. */
export const run = <X, E, R>(
  socket: Socket,
  handle: (message: Message) => Effect.Effect<X, E, R>
): Effect.Effect<void, SocketError | E, R> =>
  runBatch(socket, (batch) => {
    let at = 0
    const next = (): Effect.Effect<unknown, SocketError | E, R> => {
      let rest: Effect.Effect<unknown, SocketError | E, R> = Effect.void
      while (rest === Effect.void && at < batch.length) rest = begun(handle(batch[at++] as Message))
      return rest
    }
    const first = next()
    return at === batch.length
      ? first
      : Effect.andThen(first, Effect.whileLoop({ while: () => at < batch.length, body: next, step: ignore }))
  })

const ignore = (): void => {}

/** What is left of an effect: of sending, what to wait for. */
const begun = <X, E, R>(effect: Effect.Effect<X, E, R>): Effect.Effect<unknown, SocketError | E, R> =>
  effect instanceof Sending ? effect.asEffect() : effect

/** Takes batches from an inbox, and has one fiber at a time. */
class Runner<X, E, R> implements Waiter {
  private readonly socket: LiveSocket<unknown>
  private readonly handle: Handler<X, E, R>
  private readonly context: Context.Context<R>
  private readonly resume: (exit: Exit.Exit<void, SocketError | E>) => void
  private running: Fiber.Fiber<unknown, unknown> | undefined = undefined
  private stopped = false

  constructor(
    socket: LiveSocket<unknown>,
    handle: Handler<X, E, R>,
    context: Context.Context<R>,
    resume: (exit: Exit.Exit<void, SocketError | E>) => void
  ) {
    this.socket = socket
    this.handle = handle
    this.context = context
    this.resume = resume
  }

  /** Answers how to stop. */
  start(): Effect.Effect<void> {
    const { inbox } = this.socket
    if (inbox.waiter !== undefined || !inbox.claimMessages()) this.resume(Exit.fail(alreadyReading))
    else this.wake()
    return Effect.suspend(() => {
      this.stopped = true
      inbox.waiter = undefined
      return this.running === undefined ? Effect.void : Fiber.interrupt(this.running)
    })
  }

  wake(): void {
    const { inbox } = this.socket
    while (!inbox.isEmpty) {
      // What a batch does may stop the whole.
      if (this.stopped) return
      // Messages were claimed, and the inbox isn't empty.
      const rest = this.begin(inbox.take() as unknown as NonEmptyReadonlyArray<Message>)
      if (rest === Effect.void) continue
      if (this.stopped) return
      const fiber = Effect.runForkWith(this.context)(this.known(rest))
      const exit = fiber.pollUnsafe()
      if (exit === undefined) return this.await(fiber)
      this.running = undefined
      if (Exit.isFailure(exit)) return this.resume(exit)
    }
    if (this.stopped) return
    if (inbox.over) this.resume(withoutDone(this.socket.messagesEnd()))
    else inbox.waiter = this
  }

  private begin(batch: NonEmptyReadonlyArray<Message>): Effect.Effect<unknown, SocketError | E, R> {
    try {
      return begun(this.handle(batch))
    } catch (defect) {
      return Effect.die(defect)
    }
  }

  /** In a fiber that can be stopped from its first step on: by what it does itself, too. */
  private known(rest: Effect.Effect<unknown, SocketError | E, R>): Effect.Effect<unknown, SocketError | E, R> {
    return Effect.withFiber((fiber) => {
      this.running = fiber
      return rest
    })
  }

  private await(fiber: Fiber.Fiber<unknown, SocketError | E>): void {
    fiber.addObserver((exit) => {
      this.running = undefined
      if (Exit.isFailure(exit)) this.resume(exit)
      else this.wake()
    })
  }
}

/** The end of a pull as the end of an effect. */
const withoutDone = (end: Exit.Exit<never, SocketError | Cause.Done>): Exit.Exit<void, SocketError> =>
  Exit.isFailure(end) ? Pull.doneExitFromCause(end.cause) : Exit.void
