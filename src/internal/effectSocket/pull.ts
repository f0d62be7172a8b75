import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as EffectSocket from "effect/socket/Socket"
import { alreadyReading, type Message } from "../socket/receiveBuffer.ts"
import { WebSocketConnection } from "../socket/webSocketConnection.ts"
import type { Socket } from "../socket/model.ts"
import { closeError, effectError } from "./error.ts"

type Batch = Effect.Effect<NonEmptyReadonlyArray<Message>, EffectSocket.SocketError>

/** Reads a socket batch by batch, until it is released: that fails a pull that waits, and every later one. */
export interface Puller {
  readonly pull: Batch
  readonly release: () => void
}

/** What a pull fails with once its reader's scope is closed: nobody waits for a close frame there. */
const released = Effect.fail(closeError(1006))

/** Takes a socket's messages. Fails when somebody reads frames. */
export const pullerOf = (socket: Socket): Effect.Effect<Puller, EffectSocket.SocketError, Scope.Scope> =>
  socket instanceof WebSocketConnection ? Effect.suspend(() => ofLive(socket)) : ofStream(socket)

/** Straight out of the receiveBuffer: a pull resumes in the read that brought its batch, and costs no fiber. */
const ofLive = (socket: WebSocketConnection<unknown>): Effect.Effect<Puller, EffectSocket.SocketError> => {
  const { receiveBuffer } = socket
  let over = false
  let waiting: ((batch: Batch) => void) | undefined
  const taken = (): Batch => {
    if (over) return released
    if (receiveBuffer.isEmpty) return Effect.fail(endOf(socket))
    return Effect.succeed(receiveBuffer.take<Message>())
  }
  const waiter = {
    wake: (): void => {
      const resume = waiting
      waiting = undefined
      resume?.(taken())
    }
  }
  if (!receiveBuffer.claimMessages(waiter)) return Effect.fail(effectError(alreadyReading, "read"))
  const stop = Effect.sync(() => {
    waiting = undefined
    receiveBuffer.forget(waiter)
  })
  const wait: Batch = Effect.callback((resume) => {
    if (!receiveBuffer.await(waiter)) {
      resume(Effect.fail(effectError(alreadyReading, "read")))
      return undefined
    }
    waiting = resume
    return stop
  })
  return Effect.succeed({
    pull: Effect.suspend(() => (receiveBuffer.isEmpty && !receiveBuffer.over && !over ? wait : taken())),
    release: () => {
      over = true
      receiveBuffer.leave(waiter)
      if (waiting === undefined) return
      receiveBuffer.forget(waiter)
      waiter.wake()
    }
  })
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
