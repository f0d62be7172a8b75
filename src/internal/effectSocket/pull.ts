import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as EffectSocket from "effect/socket/Socket"
import { alreadyReading, type Message } from "../socket/receiveBuffer.ts"
import { NextBatch } from "../socket/pull.ts"
import { WebSocketConnection } from "../socket/webSocketConnection.ts"
import type { Socket } from "../socket/model.ts"
import { closeError, effectError } from "./error.ts"

type Batch = Effect.Effect<NonEmptyReadonlyArray<Message>, EffectSocket.SocketError>

/** Reads a socket batch by batch, until it is released: that fails a pull that waits, and every later one. */
export interface Puller {
  readonly pull: Batch
  readonly release: () => void
}

/** The failure of a pull whose reader's scope is closed: no close frame is waited for there. */
const released = Exit.fail(closeError(1006))

/** Takes a socket's messages. Fails when the socket has another reader, of frames. */
export const pullerOf = (socket: Socket): Effect.Effect<Puller, EffectSocket.SocketError, Scope.Scope> =>
  socket instanceof WebSocketConnection ? Effect.suspend(() => ofLive(socket)) : ofStream(socket)

const ofLive = (socket: WebSocketConnection<unknown>): Effect.Effect<Puller, EffectSocket.SocketError> => {
  const batches = new Batches(socket)
  if (!batches.claim()) return batches.taken()
  return Effect.succeed({ pull: batches, release: () => batches.release() })
}

/** Straight out of the receive buffer: a pull resumes in the read that brought its batch, and costs no fiber. */
class Batches extends NextBatch<Message, EffectSocket.SocketError, WebSocketConnection<unknown>> {
  private over = false

  override claim(): boolean {
    return this.socket.receiveBuffer.claimMessages(this)
  }

  override taken(): Exit.Exit<never, EffectSocket.SocketError> {
    return Exit.fail(effectError(alreadyReading, "read"))
  }

  override asEffect(): Batch {
    return this.over ? released : super.asEffect()
  }

  /** Ends the reading: fails a pull that waits. */
  release(): void {
    this.over = true
    this.socket.receiveBuffer.leave(this)
    this.socket.receiveBuffer.forget(this)
    this.wake()
  }

  protected override end(): Exit.Exit<never, EffectSocket.SocketError> {
    return Exit.fail(endOf(this.socket))
  }

  protected override take(): Exit.Exit<NonEmptyReadonlyArray<Message>, EffectSocket.SocketError> {
    return this.over ? released : super.take()
  }
}

/** How a live socket ended, once nothing more will come: a normal close is an error too, as Effect has it. */
const endOf = (socket: WebSocketConnection<unknown>): EffectSocket.SocketError => {
  const end = socket.messagesEnd()
  const reason = Exit.isFailure(end) ? end.cause.reasons[0] : undefined
  if (reason?._tag === "Fail" && reason.error._tag === "WebSocketError") return effectError(reason.error, "read")
  const { closeReceived } = socket.connection
  return closeError(closeReceived?.code ?? 1005, closeReceived?.reason)
}

const ofStream = (socket: Socket): Effect.Effect<Puller, never, Scope.Scope> =>
  Effect.map(Stream.toPull(socket.messages), (next) => {
    const whenReleased = Deferred.makeUnsafe<never, EffectSocket.SocketError>()
    const ended = Effect.flatMap(socket.closed, ({ received }) =>
      Effect.fail(closeError(received === undefined ? 1006 : (received.code ?? 1005), received?.reason))
    )
    const pull = Pull.catchDone(
      Effect.mapError(next, (error) => (error._tag === "WebSocketError" ? effectError(error, "read") : error)),
      () => ended
    )
    return {
      pull: Effect.raceFirst(pull, Deferred.await(whenReleased)),
      release: () => Deferred.doneUnsafe(whenReleased, released)
    }
  })
