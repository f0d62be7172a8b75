import * as Effect from "effect/Effect"
import type { Outbound } from "../connection/outbound.ts"
import type { Message } from "../socket/receiveBuffer.ts"
import { WebSocketConnection } from "../socket/webSocketConnection.ts"
import type { Socket } from "../socket/model.ts"
import { type Encoded, type Encodings, shareKeyOf } from "../socket/encodings.ts"

/** A socket as somewhere that messages go, without waiting. */
export interface Outlet {
  /** The same for all sockets that a message goes to as the same bytes; `undefined` for one of its own. */
  readonly kind: string | undefined
  /** Whether it takes messages still. */
  readonly isOpen: boolean
  /** Whether it would take a message at once. */
  readonly isReady: boolean
  /** Whether its draft can say this message. */
  takes(message: Message): boolean
  /** Sends a message, or in place of it the bytes that it is encoded to. Answers whether it was taken. */
  send(message: Message, bytes: Uint8Array | undefined): boolean
  /** The send queue of those that share what is encoded. */
  readonly outbound: Outbound | undefined
  /** What messages are encoded to for this kind of socket; `undefined` where they can't be shared. */
  encode(encodings: Encodings): Encoded | undefined
  /** Runs `task` once when it may be ready again, or will never be. */
  whenReady(task: () => void): void
  /** Runs `task` once right before it is closed from this side, or when it is gone. */
  whenLeaving(task: () => void): void
  close(code: number): void
}

export const outletOf = (socket: Socket): Outlet =>
  socket instanceof WebSocketConnection ? new LiveOutlet(socket) : new ForeignOutlet(socket)

/** A socket of this library's own engine: bytes go straight to its connection. */
class LiveOutlet implements Outlet {
  readonly kind: string | undefined
  private readonly socket: WebSocketConnection<unknown>

  constructor(socket: WebSocketConnection<unknown>) {
    this.socket = socket
    this.kind = shareKeyOf(socket.connection)
  }

  get isOpen(): boolean {
    return this.socket.connection.isOpen
  }

  get isReady(): boolean {
    return !this.outbound.full
  }

  takes(message: Message): boolean {
    return typeof message === "string" || this.socket.draft.capabilities.binary
  }

  send(message: Message, bytes: Uint8Array | undefined): boolean {
    return bytes === undefined ? this.outbound.message(message) : this.outbound.encoded(bytes, 1)
  }

  get outbound(): Outbound {
    return this.socket.connection.outbound
  }

  encode(encodings: Encodings): Encoded | undefined {
    return this.kind === undefined ? undefined : encodings.for(this.socket.connection, this.kind)
  }

  whenReady(task: () => void): void {
    this.outbound.whenWritable(task)
  }

  whenLeaving(task: () => void): void {
    this.socket.whenLeaving(task)
  }

  close(code: number): void {
    this.socket.beginClose(code, "")
  }
}

/** Any other implementation of `Socket`: one `send` at a time. */
class ForeignOutlet implements Outlet {
  readonly kind = undefined
  readonly outbound = undefined
  isOpen = true
  isReady = true
  private tasks: Array<() => void> = []
  private readonly socket: Socket

  constructor(socket: Socket) {
    this.socket = socket
  }

  takes(): boolean {
    return true
  }

  send(message: Message): boolean {
    if (!this.isOpen) return false
    this.isReady = false
    Effect.runFork(this.socket.send(message)).addObserver(() => {
      this.isReady = true
      const { tasks } = this
      this.tasks = []
      for (const task of tasks) task()
    })
    return true
  }

  encode(): undefined {
    return undefined
  }

  whenReady(task: () => void): void {
    if (this.isReady) task()
    else this.tasks.push(task)
  }

  whenLeaving(task: () => void): void {
    Effect.runFork(this.socket.closed).addObserver(() => {
      this.isOpen = false
      task()
    })
  }

  close(code: number): void {
    this.isOpen = false
    Effect.runFork(Effect.ignore(this.socket.close(code)))
  }
}
