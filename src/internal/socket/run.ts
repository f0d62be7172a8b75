import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type { NonEmptyReadonlyArray } from "effect/Array"
import type { SocketError } from "./error.ts"
import { isReadable, type Readable, type Run, type RunBatch, runEach } from "./readable.ts"
import { alreadyReading, type Message, type Waiter } from "./receiveBuffer.ts"
import { liveOf, Sending, type WebSocketConnection } from "./webSocketConnection.ts"

/**
 * Runs an effect for each batch of messages, until the peer closes. A batch has the messages of one read.
 *
 * **Details**
 *
 * The effect runs in a fiber that is forked where the batch arrives. An effect that doesn't wait ends before the
 * read does, and everything that it sent leaves in one write.
 *
 * **Example** (Data-last)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Server, Socket } from "effect-ws"
 *
 * const count = Socket.runBatch((batch) => Effect.log(`${batch.length} messages`))
 *
 * export const program = Server.serve({ port: 8080 }, count)
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const runBatch: RunBatch = dual(
  (args) => isReadable(args[0]),
  <X, E, R>(
    socket: Readable<Message, SocketError, R>,
    handle: BatchHandler<X, E, R>
  ): Effect.Effect<void, SocketError | E, R> => {
    const live = liveOf(socket)
    return live === undefined
      ? Stream.runForEachArray(socket.messages, handle)
      : drive((context: Context.Context<R>, resume) => new BatchRunner(live, handle, context, resume))
  }
)

/**
 * Runs an effect for each message, one after the other, until the peer closes.
 *
 * **Details**
 *
 * The effect of a message starts when the one before has completed. The messages that the handler didn't get to,
 * since it failed or was interrupted, are left to the next reader.
 *
 * **Example** (Echoing messages)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Socket } from "effect-ws"
 * import assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const [client, server] = yield* Socket.makePair()
 *   yield* Effect.forkScoped(Socket.run(server, (message) => server.send(message)))
 *   yield* client.send("Hello")
 *   assert.strictEqual(yield* client.receive, "Hello")
 * })
 *
 * await Effect.runPromise(Effect.scoped(program))
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const run: Run = dual(
  (args) => isReadable(args[0]),
  <X, E, R>(
    socket: Readable<Message, SocketError, R>,
    handle: Handler<X, E, R>
  ): Effect.Effect<void, SocketError | E, R> => {
    const live = liveOf(socket)
    return live === undefined
      ? runEach(socket, handle)
      : drive((context: Context.Context<R>, resume) => new MessageRunner(live, handle, context, resume))
  }
)

type Handler<X, E, R> = (message: Message) => Effect.Effect<X, E, R>

type BatchHandler<X, E, R> = (batch: NonEmptyReadonlyArray<Message>) => Effect.Effect<X, E, R>

/**
 * Reads a socket and throws its messages away, until the peer closes. Fails as `messages` does.
 *
 * **When to use**
 *
 * Use it in handlers that only send: they are notified when the peer closes or is lost, and what the peer sends
 * doesn't wait.
 *
 * @category running
 * @since 0.2.0
 */
export const discard = <A, E, R>(socket: Readable<A, E, R>): Effect.Effect<void, E, R> =>
  runBatch(socket, () => Effect.void)

type Resume<E> = (exit: Exit.Exit<void, SocketError | E>) => void

const drive = <E, R>(
  make: (context: Context.Context<R>, resume: Resume<E>) => Runner<E, R>
): Effect.Effect<void, SocketError | E, R> =>
  Effect.contextWith((context: Context.Context<R>) =>
    Effect.callback<void, SocketError | E>((resume) => make(context, resume).start())
  )

const ignore = (): void => {}

const nothing: ReadonlyArray<Message> = []

/** What is left of an effect: of sending, what to wait for. */
const begun = <X, E, R>(effect: Effect.Effect<X, E, R>): Effect.Effect<unknown, SocketError | E, R> =>
  effect instanceof Sending ? effect.asEffect() : effect

/** Takes batches out of a receive buffer, and has one fiber at a time. */
abstract class Runner<E, R> implements Waiter {
  protected stopped = false
  private readonly socket: WebSocketConnection<unknown>
  private readonly context: Context.Context<R>
  private readonly resume: Resume<E>
  private running: Fiber.Fiber<unknown, unknown> | undefined = undefined

  constructor(socket: WebSocketConnection<unknown>, context: Context.Context<R>, resume: Resume<E>) {
    this.socket = socket
    this.context = context
    this.resume = resume
  }

  /** Does what can be done at once. Returns what is left, or throws what the handler does. */
  protected abstract handled(batch: NonEmptyReadonlyArray<Message>): Effect.Effect<unknown, SocketError | E, R>

  /** The messages of the batch that the handler didn't get to. */
  protected abstract unhandled(): ReadonlyArray<Message>

  /** Returns how to stop. */
  start(): Effect.Effect<void> {
    const { receiveBuffer } = this.socket
    if (!receiveBuffer.claimMessages(this)) this.resume(Exit.fail(alreadyReading))
    else if (!receiveBuffer.isEmpty || receiveBuffer.over) this.wake()
    else if (!receiveBuffer.await(this)) this.resume(Exit.fail(alreadyReading))
    return Effect.suspend(() => {
      this.stopped = true
      receiveBuffer.forget(this)
      const stopped = this.running === undefined ? Effect.void : Fiber.interrupt(this.running)
      return Effect.andThen(
        stopped,
        Effect.sync(() => this.leave())
      )
    })
  }

  wake(): void {
    const { receiveBuffer } = this.socket
    while (!receiveBuffer.isEmpty) {
      // What a batch does may stop the whole.
      if (this.stopped) return
      const rest = this.begin(receiveBuffer.take<Message>())
      if (rest === Effect.void) continue
      if (this.stopped) return
      const fiber = Effect.runForkWith(this.context)(this.known(rest))
      const exit = fiber.pollUnsafe()
      if (exit === undefined) return this.await(fiber)
      this.running = undefined
      if (Exit.isFailure(exit)) return this.end(exit)
    }
    if (this.stopped) return
    if (receiveBuffer.over) this.end(withoutDone(this.socket.messagesEnd()))
    else if (!receiveBuffer.await(this)) this.end(Exit.fail(alreadyReading))
  }

  private end(exit: Exit.Exit<void, SocketError | E>): void {
    this.leave()
    this.resume(exit)
  }

  /** Leaves what wasn't handled to the next reader. */
  private leave(): void {
    const { receiveBuffer } = this.socket
    receiveBuffer.putBack(this.unhandled())
    receiveBuffer.leave(this)
  }

  private begin(batch: NonEmptyReadonlyArray<Message>): Effect.Effect<unknown, SocketError | E, R> {
    try {
      return this.handled(batch)
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
      if (Exit.isFailure(exit)) this.end(exit)
      else this.wake()
    })
  }
}

class BatchRunner<X, E, R> extends Runner<E, R> {
  private readonly handle: (batch: NonEmptyReadonlyArray<Message>) => Effect.Effect<X, E, R>

  constructor(
    socket: WebSocketConnection<unknown>,
    handle: (batch: NonEmptyReadonlyArray<Message>) => Effect.Effect<X, E, R>,
    context: Context.Context<R>,
    resume: Resume<E>
  ) {
    super(socket, context, resume)
    this.handle = handle
  }

  protected override handled(batch: NonEmptyReadonlyArray<Message>): Effect.Effect<unknown, SocketError | E, R> {
    return begun(this.handle(batch))
  }

  /** The handler has the whole batch. */
  protected override unhandled(): ReadonlyArray<Message> {
    return nothing
  }
}

class MessageRunner<X, E, R> extends Runner<E, R> {
  private readonly handle: (message: Message) => Effect.Effect<X, E, R>
  private batch = nothing
  private at = 0

  constructor(
    socket: WebSocketConnection<unknown>,
    handle: (message: Message) => Effect.Effect<X, E, R>,
    context: Context.Context<R>,
    resume: Resume<E>
  ) {
    super(socket, context, resume)
    this.handle = handle
  }

  protected override handled(batch: NonEmptyReadonlyArray<Message>): Effect.Effect<unknown, SocketError | E, R> {
    this.batch = batch
    this.at = 0
    const more = (): boolean => this.at < batch.length && !this.stopped
    const next = (): Effect.Effect<unknown, SocketError | E, R> => {
      let rest: Effect.Effect<unknown, SocketError | E, R> = Effect.void
      while (rest === Effect.void && more()) rest = begun(this.handle(batch[this.at++] as Message))
      // A runner that waits keeps no batch.
      if (this.at === batch.length) this.batch = nothing
      return rest
    }
    const first = next()
    return more() ? Effect.andThen(first, Effect.whileLoop({ while: more, body: next, step: ignore })) : first
  }

  protected override unhandled(): ReadonlyArray<Message> {
    const { batch } = this
    this.batch = nothing
    return batch === nothing ? nothing : batch.slice(this.at)
  }
}

/** The end of a pull as the end of an effect. */
const withoutDone = (end: Exit.Exit<never, SocketError | Cause.Done>): Exit.Exit<void, SocketError> =>
  Exit.isFailure(end) ? Pull.doneExitFromCause(end.cause) : Exit.void
