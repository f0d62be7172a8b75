import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Pull from "effect/Pull"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import type { NonEmptyReadonlyArray } from "effect/Array"
import { isWireCloseCode, maxReasonSize } from "../protocol/closeCode.ts"
import type { CloseFrame } from "../protocol/closeFrame.ts"
import { Identity } from "../identity.ts"
import { Opcode } from "../protocol/opcode.ts"
import { SocketError, type SocketErrorReason } from "../socket/error.ts"
import type { Message } from "../socket/receiveBuffer.ts"
import { TypeId } from "../socket/typeId.ts"
import { lost } from "../socket/lost.ts"
import { pushAll } from "../socket/pushAll.ts"
import * as Violation from "../protocol/protocolError.ts"
import type { Closed, Socket } from "./model.ts"
import { type CloseEvent, listen, openState, type PlatformWebSocket } from "./platform.ts"

/** Options with their defaults: bytes and milliseconds. */
export interface Settings {
  readonly maxReadBufferSize: number
  readonly readBufferSize: number
  readonly writeBufferSize: number
  readonly closeTimeout: number
}

/** What an unread message costs beside its content, in bytes. */
const overhead = 64

/** Longest time between two looks at what the platform still has to send, in milliseconds. */
const maxPollDelay = 32

/** What says to the peer what 1008 would: the platform doesn't send that one. */
const overflowCode = 4008

/** A socket over a `WebSocket` that is open. */
export class PlatformSocket extends Identity implements Socket {
  readonly protocol: string | undefined
  readonly messages: Socket["messages"]
  readonly receive: Socket["receive"]
  readonly closed: Socket["closed"]
  private readonly ws: PlatformWebSocket
  private readonly settings: Settings
  private readonly context: Context.Context<never>
  private unread: Array<Message> = []
  /** What is unread, in bytes. */
  private size = 0
  /** Called, once, when there is something to read or nothing more will come. */
  private waiter: (() => void) | undefined = undefined
  private overflowed = false
  /** The close frame that was asked for. */
  private sent: CloseFrame | undefined = undefined
  private closedAs: Closed | undefined = undefined
  /** Called when a message arrives. */
  private onArrival: (() => void) | undefined = undefined
  /** Waits for the closing handshake to take too long. */
  private deadline: Fiber.Fiber<void> | undefined = undefined
  private readonly whenClosed = Deferred.makeUnsafe<Closed>()
  /** One of the senders that wait for room looks for it; the others wait for that one. */
  private readonly looking = Semaphore.makeUnsafe(1)

  constructor(ws: PlatformWebSocket, settings: Settings, context: Context.Context<never>) {
    super()
    this.ws = ws
    this.settings = settings
    this.context = context
    this.protocol = ws.protocol === "" ? undefined : ws.protocol
    // The first batch has one message, so that a reader who wants no more leaves the others to the next one.
    this.messages = Stream.fromPull(
      Effect.sync(() => {
        let most = 1
        return Effect.suspend(() =>
          Effect.map(this.pull(most), (batch) => {
            most = Infinity
            return batch
          })
        )
      })
    )
    this.receive = Effect.suspend(() => Effect.map(this.pull(1), ([message]) => message))
    this.closed = Deferred.await(this.whenClosed)
    listen(ws, {
      message: ({ data }) => this.arrived(data instanceof ArrayBuffer ? new Uint8Array(data) : data),
      close: (event) => this.settle(event)
    })
  }

  get [TypeId](): typeof TypeId {
    return TypeId
  }

  /** Whether it takes messages still. */
  get isOpen(): boolean {
    return this.ws.readyState === openState
  }

  // Reading

  /** Takes the next messages, at most so many. */
  private pull(most: number): Pull.Pull<NonEmptyReadonlyArray<Message>, SocketError> {
    const over = this.closedAs !== undefined || this.overflowed
    return this.unread.length === 0 && !over ? this.wait(most) : this.taken(most)
  }

  private wait(most: number): Pull.Pull<NonEmptyReadonlyArray<Message>, SocketError> {
    return Effect.callback<NonEmptyReadonlyArray<Message>, SocketError | Cause.Done>((resume) => {
      if (this.waiter !== undefined) return resume(Effect.fail(alreadyReading))
      this.waiter = () => resume(this.taken(most))
      return Effect.sync(() => {
        this.waiter = undefined
      })
    })
  }

  private taken(most: number): Exit.Exit<NonEmptyReadonlyArray<Message>, SocketError | Cause.Done> {
    const [first, ...rest] = this.unread.splice(0, most)
    if (first === undefined) return this.messagesEnd()
    this.size = this.unread.reduce((sum, message) => sum + costOf(message), 0)
    if (this.size < this.settings.readBufferSize) this.ws.resume?.()
    return Exit.succeed([first, ...rest])
  }

  private messagesEnd(): Exit.Exit<never, SocketError | Cause.Done> {
    const code = this.closedAs?.received?.code
    const normal = code === undefined || code === 1000 || code === 1001
    return normal && this.closedAs?.cause._tag === "Handshake" ? done : Exit.fail(this.closedError())
  }

  /** Calls `arrived` when a message arrives. */
  watch(arrived: () => void): void {
    this.onArrival = arrived
  }

  private arrived(message: Message): void {
    this.onArrival?.()
    if (this.waiter !== undefined) {
      this.unread.push(message)
      return this.wake()
    }
    const size = this.size + costOf(message)
    if ((this.ws.pause !== undefined || size <= this.settings.maxReadBufferSize) && !this.overflowed) {
      this.unread.push(message)
      this.size = size
      if (size >= this.settings.readBufferSize) this.ws.pause?.()
    } else if (this.isOpen) {
      this.overflowed = true
      this.beginClose(overflowCode, "too many unread messages")
    }
  }

  private wake(): void {
    const { waiter } = this
    this.waiter = undefined
    waiter?.()
  }

  // Sending

  readonly send: Socket["send"] = (message) => Effect.suspend(() => this.push(message))

  readonly sendAll: Socket["sendAll"] = (messages) => Effect.suspend(() => pushAll(this, messages))

  /** Sends a message. Returns what to wait for. */
  push(message: Message): Effect.Effect<void, SocketError> {
    const data = expectMessage(message)
    if (!this.isOpen) return Effect.fail(this.closedError())
    this.ws.send(data)
    return this.room() ?? this.looking.withPermit(Effect.suspend(() => this.room() ?? this.look(1)))
  }

  /** Looks for room again and again, with longer and longer pauses: the platform doesn't tell when there is some. */
  private look(delay: number): Effect.Effect<void, SocketError> {
    return Effect.flatMap(Effect.sleep(delay), () => this.room() ?? this.look(Math.min(2 * delay, maxPollDelay)))
  }

  /** What comes of waiting for room; `undefined` while that isn't known. */
  private room(): Effect.Effect<void, SocketError> | undefined {
    if (this.ws.bufferedAmount <= this.settings.writeBufferSize) return Effect.void
    return this.closedAs === undefined ? undefined : Effect.fail(this.closedError())
  }

  // Closing

  readonly close: Socket["close"] = (code = 1000, reason = "") =>
    Effect.suspend(() => {
      const refused = closeRefusal(code, reason)
      if (refused !== undefined) return Effect.fail(new SocketError({ reason: refused }))
      this.beginClose(code, reason)
      return this.closed
    })

  /** The end of the connection's scope: closes with 1000, 4011 after a failure, and waits. */
  end(exit: Exit.Exit<unknown, unknown>): Effect.Effect<Closed> {
    this.beginClose(endCode(exit), "")
    return this.closed
  }

  /** Ends it without waiting for the peer's close frame. */
  drop(): void {
    this.beginClose(1000, "")
    if (this.closedAs === undefined) this.settle(undefined)
  }

  private beginClose(code: number, reason: string): void {
    if (!this.isOpen) return
    this.sent = { code, reason }
    this.ws.close(code, reason)
    // The peer's close frame comes after what it sent before.
    this.ws.resume?.()
    this.deadline = Effect.runForkWith(this.context)(
      Effect.andThen(
        Effect.sleep(this.settings.closeTimeout),
        Effect.sync(() => this.settle(undefined))
      )
    )
  }

  /** Takes down how it ended: the platform's last event, or that there was none in time. */
  private settle(event: CloseEvent | undefined): void {
    listen(this.ws, {})
    const received =
      event === undefined || event.code === 1006
        ? undefined
        : { code: event.code === 1005 ? undefined : event.code, reason: event.reason }
    this.closedAs = { sent: this.sent, received, cause: this.causeOf(event) }
    this.deadline?.interruptUnsafe()
    this.wake()
    Deferred.doneUnsafe(this.whenClosed, Exit.succeed(this.closedAs))
  }

  private causeOf(event: CloseEvent | undefined): Closed["cause"] {
    if (this.overflowed) return { _tag: "ReadBufferFull", limit: this.settings.maxReadBufferSize }
    return event === undefined ? { _tag: "CloseTimeout" } : { _tag: event.wasClean ? "Handshake" : "Lost" }
  }

  /** Why nothing can be sent or read any more. */
  private closedError(): SocketError {
    return this.overflowed ? readBufferFull(this.settings.maxReadBufferSize) : lost(this.closedAs?.received)
  }
}

/** What an unread message counts, in bytes. */
const costOf = (message: Message): number =>
  overhead + (typeof message === "string" ? 2 * message.length : message.byteLength)

const done: Exit.Exit<never, Cause.Done> = Exit.fail(Cause.Done())

const alreadyReading = new SocketError({
  reason: { _tag: "AlreadyReading", message: "the socket already has a reader" }
})

export const readBufferFull = (limit: number): SocketError =>
  new SocketError({
    reason: { _tag: "ReadBufferFull", message: `more than ${limit} bytes of messages waited for the reader`, limit }
  })

/** What the platform sends: callers without types give other things, too, and it would make text of them. */
const expectMessage = (message: unknown): string | Uint8Array<ArrayBuffer> => {
  if (typeof message === "string") return message
  if (message instanceof Uint8Array) return isOwned(message) ? message : Uint8Array.from(message)
  throw new TypeError(`a message is a string or a Uint8Array, not ${typeof message}`)
}

/** Whether the bytes are in memory of this thread alone: the platform takes no other. */
const isOwned = (bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> => bytes.buffer instanceof ArrayBuffer

/** What keeps the platform from sending a close frame; `undefined` when nothing does. */
const closeRefusal = (code: number, reason: string): SocketErrorReason | undefined => {
  if (!isWireCloseCode(code)) return invalidSend(Violation.invalidCloseCode(code))
  if (new TextEncoder().encode(reason).length > maxReasonSize)
    return invalidSend(Violation.controlTooLong(Opcode.close))
  if (code === 1000 || code >= 3000) return undefined
  const message = `the platform's WebSocket can't send the close code ${code}: only 1000, and 3000 to 4999`
  return { _tag: "Unsupported", message, feature: "closeCode", draft: "rfc6455" }
}

const invalidSend = (violation: Violation.Violation): SocketErrorReason => ({
  _tag: "InvalidSend",
  message: `${violation.message} (${violation.section})`,
  violation
})

/** The close code of a scope that ends so: what 1011 would say after a failure, which the platform doesn't send. */
export const endCode = (exit: Exit.Exit<unknown, unknown>): number =>
  Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 1000 : 4011
