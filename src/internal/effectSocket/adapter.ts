import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as EffectSocket from "effect/socket/Socket"
import { closeViolation, FrameError } from "../frame/error.ts"
import { close } from "../frame/make.ts"
import { maxReasonSize } from "../protocol/closeCode.ts"
import type { SocketError } from "../socket/error.ts"
import type { Message } from "../socket/receiveBuffer.ts"
import { isOpen } from "../socket/isOpen.ts"
import type { Socket } from "../socket/model.ts"
import { effectError } from "./error.ts"
import { pullerOf } from "./pull.ts"

type Writing = Effect.Effect<void, EffectSocket.SocketError>

/** One of Effect's sockets over a connection that is open. */
export const ofOpen = (socket: Socket): EffectSocket.Socket =>
  EffectSocket.make({
    reader: read(socket, (exit) => beginClose(socket, exit)),
    writer: Effect.succeed({
      write: (chunk) => write(socket, chunk),
      writeAll: (chunks) => writeAll(socket, chunks)
    })
  })

/**
 * One of Effect's sockets that connects whenever its reader is acquired, or when it is acquired for the first time: then
 * no write waits for another connection.
 */
export const ofConnect = (
  connect: Effect.Effect<Socket, SocketError, Scope.Scope>,
  times: "once" | "often"
): EffectSocket.Socket => {
  const connected = Latch.makeUnsafe(false)
  let current: Socket | undefined
  const lost = (socket: Socket): void => {
    if (current !== socket || times === "once") return
    current = undefined
    connected.closeUnsafe()
  }
  /** Writes to the connection, or to the next one when there is none, or one that is closing. */
  const whenConnected = (write: (socket: Socket) => Writing): Writing =>
    Effect.suspend(() => {
      if (current !== undefined && !isOpen(current)) lost(current)
      return current === undefined ? connected.whenOpen(whenConnected(write)) : write(current)
    })
  return EffectSocket.make({
    reader: Effect.gen(function* () {
      const socket = yield* Effect.mapError(connect, (error) => effectError(error, "open"))
      const reader = yield* read(socket, () => Effect.sync(() => lost(socket)))
      current = socket
      connected.openUnsafe()
      return reader
    }),
    writer: Effect.succeed({
      write: (chunk) => whenConnected((socket) => write(socket, chunk)),
      writeAll: (chunks) => whenConnected((socket) => writeAll(socket, chunks))
    })
  })
}

/** Reads a socket until the scope closes: a pull that waits fails then, before `released` runs. */
const read = (
  socket: Socket,
  released: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown>
): EffectSocket.Socket["reader"] =>
  Effect.gen(function* () {
    const { pull, release } = yield* pullerOf(socket)
    yield* Effect.addFinalizer((exit) => {
      release()
      return released(exit)
    })
    return { pull, upgrade: EffectSocket.SocketUpgradeError.unsupported }
  })

const write = (socket: Socket, chunk: Message | EffectSocket.CloseEvent): Writing =>
  EffectSocket.isCloseEvent(chunk) ? writeClose(socket, chunk) : asWriting(socket.send(chunk))

const writeAll = (socket: Socket, chunks: NonEmptyReadonlyArray<Message>): Writing => asWriting(socket.sendAll(chunks))

const asWriting = (sent: Effect.Effect<void, SocketError>): Writing =>
  Effect.mapError(sent, (error) => effectError(error, "write"))

/** A close event has no limits; a close frame has 123 bytes for the reason, and only some codes may travel. */
const writeClose = (socket: Socket, event: EffectSocket.CloseEvent): Writing =>
  Effect.suspend(() => {
    const { code } = event
    const reason = cut(event.reason ?? "", maxReasonSize)
    const violation = closeViolation(code, reason)
    if (violation !== undefined) {
      const cause = new FrameError({ reason: violation })
      return Effect.fail(new EffectSocket.SocketError({ reason: new EffectSocket.SocketWriteError({ cause }) }))
    }
    return asWriting(socket.send(socket.draft.capabilities.closeCode ? close(code, reason) : close()))
  })

/** The longest start of a text that fits. */
const cut = (text: string, size: number): string => {
  const bytes = Buffer.from(text)
  if (bytes.length <= size) return text
  let end = size
  // A byte 10xxxxxx continues a character.
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return bytes.toString("utf8", 0, end)
}

/** Starts the closing handshake; whoever opened the connection waits for its end. */
const beginClose = (socket: Socket, exit: Exit.Exit<unknown, unknown>): Effect.Effect<unknown> => {
  const code = Exit.isSuccess(exit) ? 1000 : Cause.hasInterruptsOnly(exit.cause) ? 1001 : 1011
  const close = socket.draft.capabilities.closeCode ? socket.close(code) : socket.close()
  return Effect.forkDetach(Effect.ignore(close), { startImmediately: true })
}
