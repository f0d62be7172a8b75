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

type Batch<A> = NonEmptyReadonlyArray<A>

type Resume<A> = (batch: Effect.Effect<Batch<A>, SocketError | Cause.Done>) => void

/**
 * What the next read brings, as an effect that waits for it and that a Stream pulls again and again. Objects with methods in
 * place of closures, since each connection that waits for its next message keeps all of them.
 */
abstract class NextBatch<A extends Frame | Message>
  extends Effectable.Class<Batch<A>, SocketError | Cause.Done>
  implements Waiter
{
  protected readonly socket: Readable
  private resume: Resume<A> | undefined = undefined
  private readonly stop: StopWaiting
  private readonly wait: Effect.Effect<Batch<A>, SocketError | Cause.Done>

  constructor(socket: Readable) {
    super()
    this.socket = socket
    this.stop = new StopWaiting(this)
    this.wait = Effect.callback((resume) => this.listen(resume))
  }

  /** Asks for what is wanted. Returns whether it can be had. */
  protected abstract claim(): boolean
  protected abstract end(): Exit.Exit<never, SocketError | Cause.Done>

  override asEffect(): Effect.Effect<Batch<A>, SocketError | Cause.Done> {
    if (!this.claim()) return Effect.fail(alreadyReading)
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

  private take(): Exit.Exit<Batch<A>, SocketError | Cause.Done> {
    const { receiveBuffer } = this.socket
    return receiveBuffer.isEmpty ? this.end() : Exit.succeed(this.takeFrom(receiveBuffer))
  }

  private listen(resume: Resume<A>): Effect.Effect<void> | undefined {
    if (!this.socket.receiveBuffer.await(this)) {
      resume(Effect.fail(alreadyReading))
      return undefined
    }
    this.resume = resume
    return this.stop
  }
}

/**
 * The batches of a Stream. The first has one element, so that a reader who wants no more than that, as `Stream.runHead` does,
 * leaves the others to the next one.
 */
abstract class StreamBatches<A extends Frame | Message> extends NextBatch<A> {
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
export class NextMessage extends NextBatch<Message> {
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
