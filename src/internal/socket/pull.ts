import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import type { NonEmptyReadonlyArray } from "effect/Array"
import type { Frame } from "../../Frame.ts"
import type { SocketError } from "./error.ts"
import { alreadyReading, type Inbox, type Message, type Waiter } from "./receiveBuffer.ts"

/** How what is read of a socket ends. */
export interface Readable {
  readonly inbox: Inbox
  messagesEnd(): Exit.Exit<never, SocketError | Cause.Done>
  framesEnd(): Exit.Exit<never, SocketError | Cause.Done>
}

type Batch<A> = NonEmptyReadonlyArray<A>

type Resume<A> = (batch: Effect.Effect<Batch<A>, SocketError | Cause.Done>) => void

/**
 * What the next read brings, as an effect that waits for it: what a Stream pulls, again and again. Objects with methods in
 * place of closures, since each connection that waits for its next message keeps all that it waits by.
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

  /** Says what is wanted. Answers whether it can be had. */
  protected abstract claim(): boolean
  protected abstract end(): Exit.Exit<never, SocketError | Cause.Done>

  override asEffect(): Effect.Effect<Batch<A>, SocketError | Cause.Done> {
    if (!this.claim()) return Effect.fail(alreadyReading)
    const { inbox } = this.socket
    return inbox.isEmpty && !inbox.over ? this.wait : this.take()
  }

  wake(): void {
    const { resume } = this
    this.resume = undefined
    resume?.(this.take())
  }

  giveUp(): void {
    this.socket.inbox.waiter = this.resume = undefined
  }

  /** The claim says which of the two the inbox holds, and nobody is woken for nothing. */
  private take(): Exit.Exit<Batch<A>, SocketError | Cause.Done> {
    const { inbox } = this.socket
    return inbox.isEmpty ? this.end() : Exit.succeed(inbox.take<A>())
  }

  private listen(resume: Resume<A>): Effect.Effect<void> | undefined {
    const { inbox } = this.socket
    if (inbox.waiter !== undefined) {
      resume(Effect.fail(alreadyReading))
      return undefined
    }
    inbox.waiter = this
    this.resume = resume
    return this.stop
  }
}

export class NextMessages extends NextBatch<Message> {
  protected override claim(): boolean {
    return this.socket.inbox.claimMessages()
  }

  protected override end(): Exit.Exit<never, SocketError | Cause.Done> {
    return this.socket.messagesEnd()
  }
}

export class NextFrames extends NextBatch<Frame> {
  protected override claim(): boolean {
    return this.socket.inbox.claimFrames()
  }

  protected override end(): Exit.Exit<never, SocketError | Cause.Done> {
    return this.socket.framesEnd()
  }
}

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
