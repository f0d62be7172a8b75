import * as Channel from "effect/Channel"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { NonEmptyReadonlyArray } from "effect/Array"
import type { Frame } from "../frame/model.ts"
import type { SocketError } from "./error.ts"
import { alreadyReading, type ReceiveBuffer, type Message, type Waiter } from "./receiveBuffer.ts"

/** A socket, as far as it is read. */
export interface Readable {
  readonly receiveBuffer: ReceiveBuffer
  messagesEnd(): Exit.Exit<never, SocketError | Cause.Done>
  framesEnd(): Exit.Exit<never, SocketError | Cause.Done>
}

export type Batch<A> = NonEmptyReadonlyArray<A>

type Resume<A, E> = (batch: Effect.Effect<Batch<A>, E>) => void

/**
 * The messages or frames of the next read, as an effect that waits for it and that a reader runs again and again. Objects with methods
 * in place of closures, since each connection that waits for its next message keeps all of them.
 */
export abstract class NextBatch<
  A extends Frame | Message,
  E = SocketError | Cause.Done,
  S extends Pick<Readable, "receiveBuffer"> = Readable
>
  extends Effectable.Class<Batch<A>, E>
  implements Waiter
{
  protected readonly socket: S
  private resume: Resume<A, E> | undefined = undefined
  private readonly stop: StopWaiting
  private readonly wait: Effect.Effect<Batch<A>, E>

  constructor(socket: S) {
    super()
    this.socket = socket
    this.stop = new StopWaiting(this)
    this.wait = Effect.callback((resume) => this.listen(resume))
  }

  /** Claims the buffer for its view. Returns whether it can be had. */
  protected abstract claim(): boolean
  protected abstract end(): Exit.Exit<never, E>
  /** Fails where the buffer has another reader. */
  protected abstract taken(): Exit.Exit<never, E>

  override asEffect(): Effect.Effect<Batch<A>, E> {
    if (!this.claim()) return this.taken()
    const { receiveBuffer } = this.socket
    return receiveBuffer.isEmpty && !receiveBuffer.over ? this.wait : this.take()
  }

  wake(): void {
    const { resume } = this
    this.resume = undefined
    resume?.(this.take())
  }

  giveUp(): void {
    this.resume = undefined
    this.socket.receiveBuffer.forget(this)
  }

  /** Takes what waits. The claim decides which of the two the buffer holds. */
  protected takeFrom(receiveBuffer: ReceiveBuffer): Batch<A> {
    return receiveBuffer.take<A>()
  }

  protected take(): Exit.Exit<Batch<A>, E> {
    const { receiveBuffer } = this.socket
    return receiveBuffer.isEmpty ? this.end() : Exit.succeed(this.takeFrom(receiveBuffer))
  }

  private listen(resume: Resume<A, E>): Effect.Effect<void> | undefined {
    if (!this.socket.receiveBuffer.await(this)) {
      resume(this.taken())
      return undefined
    }
    this.resume = resume
    return this.stop
  }
}

/** The batches of a socket, with its own errors. */
abstract class SocketBatches<A extends Frame | Message> extends NextBatch<A> {
  protected override taken(): Exit.Exit<never, SocketError> {
    return Exit.fail(alreadyReading)
  }
}

/**
 * The batches of a Stream. The first has one element, so that a reader who wants no more than that, as `Stream.runHead` does,
 * leaves the others to the next one.
 */
abstract class StreamBatches<A extends Frame | Message> extends SocketBatches<A> {
  private begun = false

  /** The reader reads no more. */
  leave(): Effect.Effect<void> {
    this.socket.receiveBuffer.leave(this)
    return Effect.void
  }

  protected override takeFrom(receiveBuffer: ReceiveBuffer): Batch<A> {
    if (this.begun) return receiveBuffer.take<A>()
    this.begun = true
    return receiveBuffer.takeOne<A>()
  }
}

export class NextMessages extends StreamBatches<Message> {
  protected override claim(): boolean {
    return this.socket.receiveBuffer.claimMessages(this)
  }

  protected override end(): Exit.Exit<never, SocketError | Cause.Done> {
    return this.socket.messagesEnd()
  }
}

export class NextFrames extends StreamBatches<Frame> {
  protected override claim(): boolean {
    return this.socket.receiveBuffer.claimFrames(this)
  }

  protected override end(): Exit.Exit<never, SocketError | Cause.Done> {
    return this.socket.framesEnd()
  }
}

/** One message. */
export class NextMessage extends SocketBatches<Message> {
  protected override claim(): boolean {
    return this.socket.receiveBuffer.claimMessages()
  }

  protected override end(): Exit.Exit<never, SocketError | Cause.Done> {
    return this.socket.messagesEnd()
  }

  protected override takeFrom(receiveBuffer: ReceiveBuffer): Batch<Message> {
    return receiveBuffer.takeOne<Message>()
  }
}

/** A Stream of the batches. The buffer is notified when its reader is done. */
export const streamOf = <A extends Frame | Message>(
  socket: Readable,
  Batches: new (socket: Readable) => StreamBatches<A>
): Stream.Stream<A, SocketError> =>
  Stream.fromChannel(
    Channel.fromTransform((_, scope) => {
      const batches = new Batches(socket)
      // Run here: each connection that waits for a message would keep the effect.
      Effect.runSync(Scope.addFinalizerExit(scope, () => batches.leave()))
      return Effect.succeed(batches)
    })
  )

class StopWaiting extends Effectable.Class<void> {
  private readonly batch: { giveUp(): void }

  constructor(batch: { giveUp(): void }) {
    super()
    this.batch = batch
  }

  override asEffect(): Effect.Effect<void> {
    this.batch.giveUp()
    return Effect.void
  }
}
