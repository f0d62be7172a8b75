import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type { Connection } from "../connection/connection.ts"
import type { FrameOptions, Turn } from "../connection/turn.ts"
import { Opcode } from "../protocol/opcode.ts"
import type { SocketError } from "./error.ts"
import { bytesOf } from "./outgoing.ts"
import type { Message } from "./receiveBuffer.ts"

type Send = Effect.Effect<void, SocketError>

/** A socket, as far as its senders wait for their turns. */
export interface TurnTaker {
  readonly connection: Connection
  /** Waits for room to send. */
  room(turn?: Turn): Send
  /** Why nothing can be sent. */
  closedError(): SocketError
  pushFragment(kind: number, fin: boolean, payload: Uint8Array, options: FrameOptions): Send
  beginClose(code: number, reason: string): void
}

/** A message or frame that waits until the fragments of another message are sent. It can be given up meanwhile. */
class WaitingSend implements Turn {
  readonly size = 0
  readonly endsSoon = false
  readonly isUnfinished = false
  private readonly socket: TurnTaker
  private readonly send: (turn: Turn) => Send
  private readonly resume: (sent: Send) => void

  constructor(socket: TurnTaker, send: (turn: Turn) => Send, resume: (sent: Send) => void) {
    this.socket = socket
    this.send = send
    this.resume = resume
  }

  begin(): boolean {
    this.resume(this.send(this))
    return false
  }

  revoked(): void {
    this.resume(Effect.fail(this.socket.closedError()))
  }
}

/** Sends in its turn. Interruption gives the turn up. */
export const inTurn = (socket: TurnTaker, send: (turn: Turn) => Send): Send =>
  Effect.callback<void, SocketError>((resume) => {
    const { outbound } = socket.connection
    const turn = new WaitingSend(socket, send, resume)
    if (!outbound.turn(turn)) resume(Effect.fail(socket.closedError()))
    return Effect.sync(() => outbound.withdraw(turn))
  })

/** A message in fragments that the caller sends as frames: it holds the queue until its last one. */
export class FrameSequence implements Turn {
  readonly size = 0
  readonly endsSoon = false
  readonly isUnfinished = true
  readonly revoked: () => void

  constructor(revoked: () => void) {
    this.revoked = revoked
  }

  begin(): boolean {
    return true
  }
}

/**
 * - `waiting`: other messages come first.
 * - `holding`: it is its turn, and nothing was sent.
 * - `sending`: a part of the message was sent.
 * - `over`: the message is complete, or never will be.
 */
type Progress = "waiting" | "holding" | "sending" | "over"

/** A message that is sent out of a Stream, a fragment for each piece. */
class StreamedMessage implements Turn {
  readonly size = 0
  readonly endsSoon = false
  private readonly socket: TurnTaker
  private progress: Progress = "waiting"
  private resume: ((begun: Send) => void) | undefined = undefined
  private opcode: number = Opcode.binary

  constructor(socket: TurnTaker) {
    this.socket = socket
  }

  get isUnfinished(): boolean {
    return this.progress === "sending"
  }

  /** Waits for its turn. */
  readonly begun: Send = Effect.callback<void, SocketError>((resume) => {
    const { outbound } = this.socket.connection
    this.resume = resume
    if (!outbound.turn(this)) resume(Effect.fail(this.socket.closedError()))
    return Effect.sync(() => outbound.withdraw(this))
  })

  begin(): boolean {
    this.progress = "holding"
    this.resume?.(Effect.void)
    return true
  }

  revoked(): void {
    const waited = this.progress === "waiting"
    this.progress = "over"
    if (waited) this.resume?.(Effect.fail(this.socket.closedError()))
  }

  /** Sends the next fragment. */
  piece(message: Message): Send {
    const payload = bytesOf(message)
    if (this.progress === "holding") {
      this.opcode = typeof message === "string" ? Opcode.text : Opcode.binary
      this.progress = "sending"
      return this.socket.pushFragment(this.opcode, false, payload, { turn: this })
    }
    return this.socket.pushFragment(Opcode.continuation, false, payload, { turn: this })
  }

  /** Sends the last fragment, which is empty. */
  complete(): Send {
    const opcode = this.progress === "holding" ? this.opcode : Opcode.continuation
    const sent = this.socket.pushFragment(opcode, true, nothing, { turn: this })
    this.progress = "over"
    this.socket.connection.outbound.endTurn(this)
    return sent
  }

  /** The source failed or was interrupted. Without its end, a message that was begun makes the connection useless. */
  abandon(): void {
    const { progress, socket } = this
    if (progress === "sending") socket.beginClose(1011, "")
    else if (progress === "holding") socket.connection.outbound.endTurn(this)
  }
}

const nothing = new Uint8Array(0)

/** Sends one message out of a Stream. */
export const sendStream = <E, R>(
  socket: TurnTaker,
  pieces: Stream.Stream<Message, E, R>
): Effect.Effect<void, SocketError | E, R> =>
  Effect.suspend(() => {
    const message = new StreamedMessage(socket)
    const sent = Effect.andThen(
      message.begun,
      Effect.andThen(
        Stream.runForEach(pieces, (piece) => message.piece(piece)),
        Effect.suspend(() => message.complete())
      )
    )
    return Effect.onExit(sent, (exit) => (Exit.isSuccess(exit) ? Effect.void : Effect.sync(() => message.abandon())))
  })

/** Waits until the transport has taken bytes that were sent without a copy: only then their owner may change them. */
export class HandOver {
  private readonly socket: TurnTaker
  private readonly turn: Turn | undefined
  private result: Send | undefined = undefined
  private resume: ((result: Send) => void) | undefined = undefined

  constructor(socket: TurnTaker, turn: Turn | undefined) {
    this.socket = socket
    this.turn = turn
  }

  /** The write callback. */
  readonly written = (error?: Error | null): void => {
    const { socket } = this
    this.result = error ? Effect.fail(socket.closedError()) : socket.room(this.turn)
    this.resume?.(this.result)
  }

  readonly wait: Send = Effect.callback<void, SocketError>((resume) => {
    if (this.result === undefined) this.resume = resume
    else resume(this.result)
  })
}
