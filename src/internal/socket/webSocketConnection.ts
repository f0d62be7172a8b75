import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import * as Inspectable from "effect/Inspectable"
import type * as Stream from "effect/Stream"
import type { Negotiated } from "../handshake/extension.ts"
import { type Frame, isControl, opcode } from "../frame/model.ts"
import type { Compression } from "../connection/compression.ts"
import { Connection } from "../connection/connection.ts"
import type { Counters } from "../connection/counters.ts"
import type { FrameOptions, Turn } from "../connection/turn.ts"
import type { Timers } from "../connection/timers.ts"
import type { ClientRequest, Draft, Request } from "../handshake/model.ts"
import { Identity } from "../identity.ts"
import { pathOnly } from "../protocol/summary.ts"
import { idOf } from "./id.ts"
import type { Closed } from "../protocol/closeHandshake.ts"
import type { Role } from "../protocol/codec.ts"
import { Opcode } from "../protocol/opcode.ts"
import { referenceSize } from "../protocol/outputBuffer.ts"
import type { Transport } from "../transport/transport.ts"
import type { Written } from "../protocol/outputBuffer.ts"
import type { Encodings } from "./encodings.ts"
import { SocketError } from "./error.ts"
import { lost } from "./lost.ts"
import type { Socket } from "./model.ts"
import type { Resolved } from "./options.ts"
import { expectBytes, invalidClose, invalidControl, invalidFrame, unsupported } from "./outgoing.ts"
import { type PendingPing, Pings } from "./pings.ts"
import { receiveStream } from "./receiveStream.ts"
import { pushAll } from "./pushAll.ts"
import { NextFrames, NextMessage, NextMessages, streamOf } from "./pull.ts"
import { ReceiveBuffer, type Message } from "./receiveBuffer.ts"
import { isMarked, TypeId } from "./typeId.ts"
import { FrameSequence, HandOver, inTurn, sendStream, type TurnTaker } from "./turns.ts"

/** What a live socket is made of. */
export interface WebSocketConnectionOptions<Context, Opening> {
  readonly transport: Transport
  readonly role: Role
  readonly timers: Timers
  readonly settings: Resolved
  readonly draft: Draft
  readonly protocol: string | undefined
  readonly extensions: ReadonlyArray<Negotiated>
  readonly compression: Compression | undefined
  /** Where it is counted what the connection does. Default: nowhere. */
  readonly counters?: Counters | undefined
  readonly request: Opening
  readonly context: Context
}

/**
 * A socket over the engine. Streams and bound functions are made when they are asked for, so that an idle connection has
 * none it doesn't use.
 */
export class WebSocketConnection<Context, Opening extends Request | ClientRequest = Request | ClientRequest>
  extends Identity
  implements Socket<Context>, TurnTaker
{
  readonly protocol: string | undefined
  readonly draft: Draft
  readonly extensions: ReadonlyArray<Negotiated>
  readonly request: Opening
  readonly context: Context
  readonly connection: Connection
  readonly receiveBuffer: ReceiveBuffer
  private closeListener: ((socket: WebSocketConnection<unknown>) => void) | undefined = undefined
  private cachedSend: Socket["send"] | undefined = undefined
  private whenClosed: Deferred.Deferred<Closed> | undefined = undefined
  private pings: Pings | undefined = undefined
  /** The message whose fragments the caller sends as frames. */
  private sequence: FrameSequence | undefined = undefined
  private leaving: Array<() => void> | undefined = undefined

  constructor(options: WebSocketConnectionOptions<Context, Opening>) {
    super()
    const { draft, settings } = options
    const { onFrame } = settings
    this.draft = draft
    this.protocol = options.protocol
    this.extensions = options.extensions
    this.request = options.request
    this.context = options.context
    this.receiveBuffer = new ReceiveBuffer(settings.readBufferSize, options.counters)
    this.connection = new Connection(this.receiveBuffer, {
      transport: options.transport,
      codec: draft.codec,
      role: options.role,
      timers: options.timers,
      maxMessageSize: settings.maxMessageSize,
      writeHighWaterMark: settings.writeBufferSize,
      closeTimeout: settings.closeTimeout,
      keepAlive: settings.keepAlive,
      onFrame: onFrame && ((frame) => onFrame(frame, this)),
      compression: options.compression,
      counters: options.counters
    })
    this.receiveBuffer.attach(this)
  }

  get id(): string {
    return idOf(this)
  }

  /** Shown in logs: no header field and no subprotocol, which may be secrets, and nothing of the implementation. */
  toJSON(): object {
    const { connection, draft, id, request } = this
    const { closedAs, isOpen } = connection
    return {
      _id: "Socket",
      id,
      state: closedAs !== undefined ? "closed" : isOpen ? "open" : "closing",
      url: pathOnly(request.url ?? ""),
      ...("remoteAddress" in request ? { remoteAddress: request.remoteAddress } : {}),
      draft: draft.id
    }
  }

  [Inspectable.NodeInspectSymbol](): object {
    return this.toJSON()
  }

  get [TypeId](): typeof TypeId {
    return TypeId
  }

  /** The socket itself. An object that inherits from it, as a typed socket does, shares its state. */
  private get self(): this {
    return originOf(this)
  }

  // Reading

  get messages(): Stream.Stream<Message, SocketError> {
    return streamOf(this, NextMessages)
  }

  get frames(): Stream.Stream<Frame, SocketError> {
    return streamOf(this, NextFrames)
  }

  get receive(): Effect.Effect<Message, SocketError | Cause.Done> {
    return Effect.map(new NextMessage(this), ([message]) => message)
  }

  get receiveStream(): Socket["receiveStream"] {
    return receiveStream(this)
  }

  /** How the messages end, once nothing more will come. */
  messagesEnd(): Exit.Exit<never, SocketError | Cause.Done> {
    const { cause, closeReceived } = this.connection
    const code = closeReceived?.code
    const normal = closeReceived !== undefined && (code === undefined || code === 1000 || code === 1001)
    return normal && cause === undefined ? done : Exit.fail(this.closedError())
  }

  /** How the frames end. */
  framesEnd(): Exit.Exit<never, SocketError | Cause.Done> {
    return this.connection.closeReceived === undefined ? Exit.fail(this.closedError()) : done
  }

  // Sending

  get send(): Socket["send"] {
    return this.cachedSend ?? this.makeSend()
  }

  private makeSend(): Socket["send"] {
    const { self } = this
    return (self.cachedSend = (message) => new SendingOne(self, message))
  }

  get sendAll(): Socket["sendAll"] {
    const { self } = this
    return (messages) => new SendingAll(self, messages)
  }

  get sendStream(): Socket["sendStream"] {
    const { self } = this
    return (pieces) =>
      self.draft.capabilities.fragments ? sendStream(self, pieces) : Effect.fail(unsupported(self.draft, "fragments"))
  }

  /** Sends messages of which other sockets get the same bytes, without waiting. Returns whether the connection took them. */
  sendShared(encodings: Encodings, turn?: Turn): boolean {
    const { outbound } = this.connection
    if (encodings.needsBinary && !this.draft.capabilities.binary) return false
    const encoded = encodings.for(this.connection)
    return encoded === undefined
      ? encodings.owned.every((message) => outbound.message(message, true, undefined, undefined, turn))
      : outbound.encoded(encoded.joined, encodings.messages.length, { turn })
  }

  /** Runs `task` once, right before the connection is closed from this side, or when it is gone. */
  whenLeaving(task: () => void): void {
    if (this.connection.isOpen) (this.self.leaving ??= []).push(task)
    else task()
  }

  get ping(): Socket["ping"] {
    const { self } = this
    return (payload) =>
      Effect.callback<Duration.Duration, SocketError>((resume) => {
        const pings = (self.pings ??= new Pings())
        const bytes = expectBytes(payload ?? pings.nextPayload())
        const invalid = invalidControl(this.draft, Opcode.ping, bytes)
        if (invalid !== undefined) return resume(Effect.fail(invalid))
        const { outbound, timers } = this.connection
        const ping: PendingPing = { payload: Uint8Array.from(bytes), sentAt: timers.now(), settle: resume }
        if (!outbound.frame(Opcode.ping, true, bytes, urgent)) return resume(Effect.fail(this.closedError()))
        pings.add(ping)
        return Effect.sync(() => pings.delete(ping))
      })
  }

  // Closing

  get close(): Socket["close"] {
    const { self } = this
    return (code, reason = "") =>
      Effect.suspend(() => {
        const sent = self.draft.capabilities.closeCode ? (code ?? 1000) : code
        const invalid = invalidClose(self.draft, sent, reason)
        if (invalid !== undefined) return Effect.fail(invalid)
        self.beginClose(sent, reason)
        return self.closed
      })
  }

  get closed(): Effect.Effect<Closed> {
    const { self } = this
    return Effect.suspend(() => {
      const { closedAs } = self.connection
      return closedAs === undefined
        ? Deferred.await((self.whenClosed ??= Deferred.makeUnsafe<Closed>()))
        : Effect.succeed(closedAs)
    })
  }

  /** The end of the connection's scope: closes with 1000, 1001 when interrupted, 1011 after a failure, and waits. */
  end(exit: Exit.Exit<unknown, unknown>): Effect.Effect<Closed> {
    this.beginEnd(exit)
    return this.closed
  }

  /** The same, without waiting. */
  beginEnd(exit: Exit.Exit<unknown, unknown>): void {
    this.beginClose(Exit.isSuccess(exit) ? 1000 : Cause.hasInterruptsOnly(exit.cause) ? 1001 : 1011, "")
  }

  /** Calls `listener` with the socket when the connection is closed. A socket has one such listener. */
  observeClose(listener: ((socket: WebSocketConnection<unknown>) => void) | undefined): void {
    this.closeListener = listener
  }

  /** Starts the closing handshake. A reader gets what comes before the peer's close frame, at its pace. */
  beginClose(code: number | undefined, reason: string): void {
    this.closeWithin(code, reason, this.connection.settings.closeTimeout)
  }

  /**
   * The same for a connection whose users didn't ask for it: a message that is being sent in fragments may end before, for
   * no more than half of the time there is.
   */
  retire(code: number, reason: string, within = Infinity): void {
    const { connection } = this
    const time = Math.min(connection.settings.closeTimeout, within)
    const begin = (): void => this.closeWithin(code, reason, time)
    if (!connection.outbound.isHeld || !connection.isOpen) return begin()
    const close = (): void => {
      timer.cancel()
      begin()
    }
    const turn: Turn = {
      size: 0,
      endsSoon: true,
      isUnfinished: false,
      begin: () => {
        close()
        return false
      },
      revoked: close
    }
    const timer = connection.timers.after(time / 2, () => {
      connection.outbound.withdraw(turn)
      begin()
    })
    connection.outbound.turn(turn)
  }

  private closeWithin(code: number | undefined, reason: string, time: number): void {
    this.leave()
    if (this.connection.isOpen) {
      this.connection.close(this.draft.capabilities.closeCode ? { code, reason } : { code: undefined, reason: "" })
    }
    this.receiveBuffer.close(time)
  }

  private leave(): void {
    const { self } = this
    const { leaving } = self
    self.leaving = undefined
    if (leaving !== undefined) for (const task of leaving) task()
  }

  // Owner of the receive buffer

  onPong(payload: Buffer): void {
    this.pings?.answered(payload, this.connection)
  }

  onClosed(closed: Closed): void {
    this.pings?.fail(this.closedError())
    this.leave()
    this.closeListener?.(this)
    if (this.whenClosed !== undefined) Deferred.doneUnsafe(this.whenClosed, Exit.succeed(closed))
  }

  // Inside

  /** Sends a message or a frame, in its turn. Returns what to wait for. */
  push(message: Message | Frame, turn?: Turn): Effect.Effect<void, SocketError> {
    const { outbound } = this.connection
    if (typeof message === "string") {
      if (turn === undefined && outbound.isHeld) return this.pushInTurn(message)
      return this.settle(outbound.message(message, true, undefined, Opcode.text, turn))
    }
    if (!(message instanceof Uint8Array)) return this.pushFrame(message, turn)
    if (!this.draft.capabilities.binary) return Effect.fail(unsupported(this.draft, "binary"))
    // What waits in the queue would be read after the caller is free to change it.
    if (turn === undefined && !outbound.isReady) return this.pushInTurn(message)
    if (message.length < referenceSize) {
      return this.settle(outbound.message(message, true, undefined, Opcode.binary, turn))
    }
    return this.pushLarge(message, turn)
  }

  // Closures in `push` would cost their contexts on every call.

  private pushInTurn(message: Message | Frame): Effect.Effect<void, SocketError> {
    return inTurn(this, (turn) => this.push(message, turn))
  }

  private pushLarge(message: Uint8Array, turn: Turn | undefined): Effect.Effect<void, SocketError> {
    return this.handOver((written) => this.connection.outbound.message(message, true, written, Opcode.binary, turn))
  }

  /** Sends one frame of a message. */
  pushFragment(
    kind: number,
    fin: boolean,
    payload: Uint8Array,
    options: FrameOptions
  ): Effect.Effect<void, SocketError> {
    const { outbound } = this.connection
    const { turn } = options
    if (payload.length < referenceSize) return this.settle(outbound.frame(kind, fin, payload, options), turn)
    return this.handOver((written) => outbound.frame(kind, fin, payload, { ...options, written }), turn)
  }

  /** Waits for room to send, and fails when the connection is lost meanwhile. */
  room(turn?: Turn): Effect.Effect<void, SocketError> {
    return this.connection.outbound.isFullFor(turn) ? this.writable(turn) : Effect.void
  }

  private writable(turn: Turn | undefined): Effect.Effect<void, SocketError> {
    const { connection } = this
    return Effect.callback<void, SocketError>((resume) => {
      const task = (): void => resume(connection.cause === undefined ? Effect.void : Effect.fail(this.closedError()))
      connection.outbound.whenWritable(task, turn)
      return Effect.sync(() => connection.outbound.forget(task))
    })
  }

  private pushFrame(frame: Frame, turn: Turn | undefined): Effect.Effect<void, SocketError> {
    const invalid = invalidFrame(this.draft, frame, this.claimedRsv, this.sequence !== undefined)
    if (invalid !== undefined) return Effect.fail(invalid)
    if (frame._tag === "Close") {
      if (!this.connection.isOpen) return Effect.fail(this.closedError())
      this.beginClose(frame.code, frame.reason)
      return Effect.void
    }
    const { outbound } = this.connection
    const kind = opcode(frame)
    if (isControl(frame)) return this.settle(outbound.frame(kind, true, frame.payload, urgent))
    const { fin, payload, rsv } = frame
    const { sequence } = this
    if (frame._tag === "Continuation") {
      const sent = this.pushFragment(kind, fin, payload, { rsv, turn: sequence })
      if (fin) this.endSequence()
      return sent
    }
    if (turn === undefined && !outbound.isReady) return this.pushInTurn(frame)
    if (fin) return this.pushFragment(kind, fin, payload, { rsv, turn })
    const begun = new FrameSequence(() => {
      if (this.sequence === begun) this.sequence = undefined
    })
    this.sequence = begun
    if (turn === undefined) outbound.turn(begun)
    else outbound.passTurn(turn, begun)
    return this.pushFragment(kind, fin, payload, { rsv, turn: begun })
  }

  private endSequence(): void {
    const { sequence } = this
    this.sequence = undefined
    if (sequence !== undefined) this.connection.outbound.endTurn(sequence)
  }

  /** The reserved bits that an extension gave a meaning. */
  private get claimedRsv(): number {
    return this.extensions.reduce((bits, { rsv }) => bits | rsv, 0)
  }

  private settle(sent: boolean, turn?: Turn): Effect.Effect<void, SocketError> {
    return sent ? this.room(turn) : Effect.fail(this.closedError())
  }

  /** Sends bytes by reference: done when the transport has taken them, so that the caller may change them. */
  private handOver(send: (written: Written) => boolean, turn?: Turn): Effect.Effect<void, SocketError> {
    const handOver = new HandOver(this, turn)
    if (!send(handOver.written)) return Effect.fail(this.closedError())
    const { outbound } = this.connection
    outbound.flush()
    return outbound.buffered === 0 ? Effect.void : handOver.wait
  }

  /** Why nothing can be sent or read any more. */
  closedError(): SocketError {
    const { cause, closedAs, closeReceived } = this.connection
    if (cause?._tag === "Violation") {
      const { violation } = cause
      const { closeCode } = violation
      const message = `${violation.message} (${violation.section}); closed with ${closeCode}`
      return new SocketError({ reason: { _tag: "ProtocolViolation", message, closeCode, violation } })
    }
    return lost(closeReceived, closedAs)
  }
}

/** The socket that an object is, or inherits from. */
const originOf = <S extends object>(socket: S): S =>
  Object.hasOwn(socket, "connection") ? socket : originOf(Object.getPrototypeOf(socket))

/** The connection of a socket whose messages are read as they are: not that of a typed socket, nor of another implementation. */
export const liveOf = (socket: object): WebSocketConnection<unknown> | undefined =>
  socket instanceof WebSocketConnection && isMarked(socket) ? socket : undefined

/**
 * Sending, as an effect whose work is done when it is run, there and then; what it answers is to be waited for, and mostly
 * `Effect.void`.
 */
export abstract class Sending extends Effectable.Class<void, SocketError> {}

class SendingOne extends Sending {
  private readonly socket: WebSocketConnection<unknown>
  private readonly message: Message | Frame

  constructor(socket: WebSocketConnection<unknown>, message: Message | Frame) {
    super()
    this.socket = socket
    this.message = message
  }

  override asEffect(): Effect.Effect<void, SocketError> {
    return this.socket.push(this.message)
  }
}

class SendingAll extends Sending {
  private readonly socket: WebSocketConnection<unknown>
  private readonly messages: Iterable<Message | Frame>

  constructor(socket: WebSocketConnection<unknown>, messages: Iterable<Message | Frame>) {
    super()
    this.socket = socket
    this.messages = messages
  }

  override asEffect(): Effect.Effect<void, SocketError> {
    return pushAll(this.socket, this.messages)
  }
}

const done: Exit.Exit<never, Cause.Done> = Exit.fail(Cause.Done())

const urgent: FrameOptions = { urgent: true }
