import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type { NonEmptyReadonlyArray } from "effect/Array"
import type { Frame } from "../frame/model.ts"
import type { SocketError } from "./error.ts"
import type { StreamedMessage } from "./model.ts"
import { NextBatch, type Readable } from "./pull.ts"
import { alreadyReading, type Message, type ReceiveBuffer } from "./receiveBuffer.ts"

/** A socket whose messages are read in pieces. */
export interface PiecewiseReadable extends Readable {
  /** Why the connection ended. */
  closedError(): SocketError
}

type Piece = Frame | Message

type Pieces = NonEmptyReadonlyArray<Piece>

/** The message that is read in pieces, by receive buffer: kept only for sockets that are read so. */
const current = new WeakMap<ReceiveBuffer, object>()

/** The next piece, be it one of the message under way or the first of another. */
class NextPiece extends NextBatch<Piece, SocketError | Cause.Done, PiecewiseReadable> {
  protected override claim(): boolean {
    return this.socket.receiveBuffer.claimPieces()
  }

  protected override taken(): Exit.Exit<never, SocketError> {
    return Exit.fail(alreadyReading)
  }

  protected override end(): Exit.Exit<never, SocketError | Cause.Done> {
    return this.socket.messagesEnd()
  }

  protected override takeFrom(receiveBuffer: ReceiveBuffer): Pieces {
    return receiveBuffer.takeOne<Piece>()
  }
}

/** The next piece of the message under way. */
class NextRest extends NextPiece {
  protected override claim(): boolean {
    return this.socket.receiveBuffer.claimRest()
  }
}

const isWhole = (piece: Piece): piece is Message => typeof piece === "string" || !("_tag" in piece)

/** Waits for the next message. The rest of the one before is skipped. */
export const receiveStream = (socket: PiecewiseReadable): Effect.Effect<StreamedMessage, SocketError | Cause.Done> => {
  const next = new NextPiece(socket)
  const begin: Effect.Effect<StreamedMessage, SocketError | Cause.Done> = Effect.flatMap(next, ([piece]) =>
    isWhole(piece) || piece._tag === "Text" || piece._tag === "Binary"
      ? Effect.sync(() => streamed(socket, piece))
      : begin
  )
  return begin
}

const streamed = (socket: PiecewiseReadable, first: Piece): StreamedMessage => {
  const message = new Reading(socket, first)
  return message.isText
    ? { _tag: "Text", pieces: Stream.fromPull(Effect.succeed(message.pull(textOf()))) }
    : { _tag: "Binary", pieces: Stream.fromPull(Effect.succeed(message.pull(bytesOf))) }
}

/** A message that is read in pieces. A reader that comes later goes on where the one before stopped. */
class Reading {
  readonly isText: boolean
  private readonly socket: PiecewiseReadable
  private readonly next: NextRest
  private first: Piece | undefined
  private ended = false

  constructor(socket: PiecewiseReadable, first: Piece) {
    this.socket = socket
    this.next = new NextRest(socket)
    this.first = first
    this.isText = typeof first === "string" || ("_tag" in first && first._tag === "Text")
    current.set(socket.receiveBuffer, this)
  }

  pull<A>(valueOf: (piece: Piece) => A): Effect.Effect<NonEmptyReadonlyArray<A>, SocketError | Cause.Done> {
    return Effect.suspend(() => {
      const { first } = this
      this.first = undefined
      if (first !== undefined) return Effect.succeed(this.taken(first, valueOf))
      if (this.ended) return done
      if (current.get(this.socket.receiveBuffer) !== this) return Effect.fail(alreadyReading)
      return Effect.map(
        // The end of the connection is not that of the message.
        Effect.catchTag(this.next, "Done", () => Effect.fail(this.socket.closedError())),
        ([piece]) => this.taken(piece, valueOf)
      )
    })
  }

  private taken<A>(piece: Piece, valueOf: (piece: Piece) => A): NonEmptyReadonlyArray<A> {
    this.ended = isWhole(piece) || !("fin" in piece) || piece.fin
    return [valueOf(piece)]
  }
}

const done: Exit.Exit<never, Cause.Done> = Exit.fail(Cause.Done())

const bytesOf = (piece: Piece): Uint8Array =>
  typeof piece === "string" ? Buffer.from(piece) : "_tag" in piece ? piece.payload : piece

/** Decodes fragments of text, whose edges may cut a character. */
const textOf = (): ((piece: Piece) => string) => {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  return (piece) => (typeof piece === "string" ? piece : decoder.decode(bytesOf(piece), { stream: true }))
}
