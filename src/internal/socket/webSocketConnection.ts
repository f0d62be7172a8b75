import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { isUtf8 } from "node:buffer"
import type { Negotiated } from "../../Extension.ts"
import { closeViolation, type Frame, isControl, opcode } from "../../Frame.ts"
import type { Closed } from "../protocol/closeFrame.ts"
import type { Role } from "../protocol/codec.ts"
import { type Compression, Connection } from "../connection/connection.ts"
import type { ClientRequest, Draft, Request } from "../handshake/model.ts"
import { Identity } from "../identity.ts"
import { Opcode } from "../protocol/opcode.ts"
import type { Tally } from "../connection/counters.ts"
import type { Timers } from "../connection/timers.ts"
import type { Transport } from "../transport/transport.ts"
import * as Violation from "../protocol/protocolError.ts"
import type { Encodings } from "./encodings.ts"
import { SocketError, type Unsupported } from "./error.ts"
import { Inbox, type Message } from "./receiveBuffer.ts"
import { lost } from "./lost.ts"
import type { Socket } from "./model.ts"
import { NextFrames, NextMessages } from "./pull.ts"
import type { Resolved } from "./options.ts"

/** What a live socket is made of. */
export interface LiveOptions<Context, Opening> {
  readonly transport: Transport
  readonly role: Role
  readonly timers: Timers
  readonly settings: Resolved
  readonly draft: Draft
  readonly protocol: string | undefined
  readonly extensions: ReadonlyArray<Negotiated>
  readonly compression: Compression | undefined
  /** Where it is counted what the connection does. Default: nowhere. */
  readonly tally?: Tally | undefined
  readonly request: Opening
  readonly context: Context
}

interface PendingPing {
  readonly payload: Uint8Array
  readonly sentAt: number
  readonly settle: (result: Effect.Effect<Duration.Duration, SocketError>) => void
}

/**
 * A socket over the engine. Streams and bound functions are made when they are asked for, so that an idle connection has
 * none it doesn't use.
 */
export class LiveSocket<Context, Opening extends Request | ClientRequest = Request | ClientRequest>
  extends Identity
  implements Socket<Context>
{
  readonly protocol: string | undefined
  readonly draft: Draft
  readonly extensions: ReadonlyArray<Negotiated>
  readonly request: Opening
  readonly context: Context
  /** Called with the socket when the connection is gone. */
  onGone: ((socket: LiveSocket<unknown>) => void) | undefined = undefined
  readonly connection: Connection
  readonly inbox: Inbox
  private cachedSend: Socket["send"] | undefined = undefined
  private whenClosed: Deferred.Deferred<Closed> | undefined = undefined
  private pings: Array<PendingPing> | undefined = undefined
  private pingCount = 0
  /** A message is being sent in fragments; other senders wait in `turn`. */
  private fragmenting = false
  private turn: Array<() => void> | undefined = undefined
  private leaving: Array<() => void> | undefined = undefined

  constructor(options: LiveOptions<Context, Opening>) {
    super()
    const { draft, settings } = options
    const { onFrame } = settings
    this.draft = draft
    this.protocol = options.protocol
    this.extensions = options.extensions
    this.request = options.request
    this.context = options.context
    this.inbox = new Inbox(settings.readBufferSize, options.tally)
    this.connection = new Connection(this.inbox, {
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
      tally: options.tally
    })
    this.inbox.attach(this.connection, this)
  }

  // Reading

  get messages(): Stream.Stream<Message, SocketError> {
    return Stream.fromPull(Effect.succeed(new NextMessages(this)))
  }

  get frames(): Stream.Stream<Frame, SocketError> {
    return Stream.fromPull(Effect.succeed(new NextFrames(this)))
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
    return (this.cachedSend ??= (message) => new SendingOne(this, message))
  }

  get sendAll(): Socket["sendAll"] {
    return (messages) => new SendingAll(this, messages)
  }

  get sendStream(): Socket["sendStream"] {
    return <E, R>(pieces: Stream.Stream<Message, E, R>) =>
      Effect.suspend((): Effect.Effect<void, SocketError | E, R> => {
        if (!this.draft.capabilities.fragments) return Effect.fail(this.unsupported("fragments"))
        return Effect.acquireUseRelease(
          this.takeTurn(),
          () => {
            let kind: number = Opcode.continuation
            const piece = (message: Message): Effect.Effect<void, SocketError> => {
              const first = kind === Opcode.continuation
              if (first) kind = typeof message === "string" ? Opcode.text : Opcode.binary
              return this.pushFragment(first ? kind : Opcode.continuation, false, bytesOf(message))
            }
            return Effect.andThen(
              Stream.runForEach(pieces, piece),
              Effect.suspend(() => {
                const empty = kind === Opcode.continuation
                return this.pushFragment(empty ? Opcode.binary : Opcode.continuation, true, nothing)
              })
            )
          },
          (_, exit) =>
            Effect.sync(() => {
              this.endTurn()
              if (Exit.isFailure(exit)) this.beginClose(1011, "")
            })
        )
      })
  }

  /**
   * Sends messages of which other sockets get the same bytes. Answers what to wait for, or `undefined` when the draft can't
   * say them.
   */
  sendShared(encodings: Encodings): Effect.Effect<void, SocketError> | undefined {
    const { connection } = this
    const { shareKey } = connection
    if (encodings.needsBinary && !this.draft.capabilities.binary) return undefined
    if (shareKey === undefined || this.fragmenting) return this.pushAll(encodings.messages)
    const encoded = encodings.for(connection, shareKey)
    if (encoded === undefined) return this.pushAll(encodings.messages)
    connection.sendEncoded(encoded.joined, undefined, encodings.messages.length)
    return connection.full ? this.drained : Effect.void
  }

  /** Whether a message can be sent now: none is under way in fragments, and there is room. */
  get isReady(): boolean {
    return !this.fragmenting && !this.connection.full
  }

  /** Runs `task` once, when it may be ready again, or will never be. */
  whenReady(task: () => void): void {
    if (this.fragmenting && this.connection.closedAs === undefined) (this.turn ??= []).push(task)
    else this.connection.whenDrained(task)
  }

  /** Runs `task` once, right before the connection is closed from this side, or when it is gone. */
  whenLeaving(task: () => void): void {
    if (this.connection.isOpen) (this.leaving ??= []).push(task)
    else task()
  }

  get ping(): Socket["ping"] {
    return (payload) =>
      Effect.callback<Duration.Duration, SocketError>((resume) => {
        const bytes = expectBytes(payload ?? this.nextPingPayload())
        if (!this.draft.capabilities.ping) return resume(Effect.fail(this.unsupported("ping")))
        if (bytes.length > 125) return resume(Effect.fail(invalidSend(Violation.controlTooLong(Opcode.ping))))
        const { connection } = this
        if (!connection.sendControl(Opcode.ping, bytes)) return resume(Effect.fail(this.closedError()))
        const pings = (this.pings ??= [])
        const entry: PendingPing = { payload: Uint8Array.from(bytes), sentAt: connection.timers.now(), settle: resume }
        pings.push(entry)
        return Effect.sync(() => {
          const at = pings.indexOf(entry)
          if (at >= 0) pings.splice(at, 1)
        })
      })
  }

  // Closing

  get close(): Socket["close"] {
    return (code, reason = "") =>
      Effect.suspend(() => {
        if (!this.draft.capabilities.closeCode && (code !== undefined || reason !== "")) {
          return Effect.fail(this.unsupported("closeCode"))
        }
        const violation = closeViolation(code ?? 1000, reason)
        if (violation !== undefined) return Effect.fail(invalidSend(violation))
        this.beginClose(code ?? 1000, reason)
        return this.closed
      })
  }

  get closed(): Effect.Effect<Closed> {
    return Effect.suspend(() => {
      const { closedAs } = this.connection
      return closedAs === undefined
        ? Deferred.await((this.whenClosed ??= Deferred.makeUnsafe<Closed>()))
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

  /** Starts the closing handshake; what comes before the peer's answer is read no further than it fits in the inbox. */
  beginClose(code: number, reason: string): void {
    this.askToClose(code, reason)
    this.inbox.dropExcess()
  }

  /**
   * The same for a connection whose users didn't ask for it. A message that is being sent in fragments may end before, and
   * the reader may read on to the peer's answer, at its pace; each for no more than half of the time there is.
   */
  retire(code: number, reason: string, within = Infinity): void {
    const patience = Math.min(this.connection.closeTimeout, within) / 2
    const begin = (): void => {
      timer?.cancel()
      this.askToClose(code, reason)
      this.inbox.awaitReader(patience)
    }
    const waits = this.fragmenting && this.connection.isOpen
    const timer = waits ? this.connection.timers.after(patience, begin) : undefined
    if (waits) (this.turn ??= []).unshift(begin)
    else begin()
  }

  private askToClose(code: number, reason: string): void {
    this.leave()
    this.connection.close(this.draft.capabilities.closeCode ? { code, reason } : { code: undefined, reason: "" })
  }

  private leave(): void {
    const { leaving } = this
    this.leaving = undefined
    if (leaving !== undefined) for (const task of leaving) task()
  }

  // What the inbox tells

  onPong(payload: Buffer): void {
    const { pings } = this
    const at = pings?.findIndex((ping) => payload.equals(ping.payload)) ?? -1
    if (pings === undefined || at < 0) return
    // A pong may stand for earlier pings too, RFC 6455 §5.5.3.
    const { tally, timers } = this.connection
    const now = timers.now()
    for (const { sentAt, settle } of pings.splice(0, at + 1)) {
      tally?.roundTrip(now - sentAt)
      settle(Effect.succeed(Duration.millis(now - sentAt)))
    }
  }

  onClosed(closed: Closed): void {
    const { pings, turn } = this
    this.pings = this.turn = undefined
    if (pings !== undefined) for (const ping of pings) ping.settle(Effect.fail(this.closedError()))
    if (turn !== undefined) for (const next of turn) next()
    this.leave()
    this.onGone?.(this)
    if (this.whenClosed !== undefined) Deferred.doneUnsafe(this.whenClosed, Exit.succeed(closed))
  }

  // Inside

  /** Sends a message, unless others come first. Answers what to wait for. */
  push(message: Message | Frame): Effect.Effect<void, SocketError> {
    const { connection } = this
    if (typeof message === "string") {
      if (this.fragmenting) return this.afterTurn(message)
      if (!connection.sendText(message)) return Effect.fail(this.closedError())
    } else if (message instanceof Uint8Array) {
      if (this.fragmenting) return this.afterTurn(message)
      if (!this.draft.capabilities.binary) return Effect.fail(this.unsupported("binary"))
      if (!connection.sendBinary(message)) return Effect.fail(this.closedError())
    } else {
      return this.pushFrame(message)
    }
    return connection.full ? this.drained : Effect.void
  }

  /** The same of several, in order. */
  pushAll(messages: Iterable<Message | Frame>): Effect.Effect<void, SocketError> {
    const rest = messages[Symbol.iterator]()
    const next = (): Effect.Effect<void, SocketError> => {
      for (let step = rest.next(); step.done !== true; step = rest.next()) {
        const sent = this.push(step.value)
        if (sent !== Effect.void) return Effect.flatMap(sent, next)
      }
      return Effect.void
    }
    return next()
  }

  private pushFrame(frame: Frame): Effect.Effect<void, SocketError> {
    const { capabilities } = this.draft
    expectBytes(frame.payload)
    if (frame._tag === "Close") {
      if (!capabilities.closeCode && frame.code !== undefined) return Effect.fail(this.unsupported("closeCode"))
      const violation = closeViolation(frame.code, frame.reason)
      if (violation !== undefined) return Effect.fail(invalidSend(violation))
      if (!this.connection.isOpen) return Effect.fail(this.closedError())
      this.leave()
      this.connection.close({ code: frame.code, reason: frame.reason })
      this.inbox.dropExcess()
      return Effect.void
    }
    if (isControl(frame)) {
      if (!capabilities.ping) return Effect.fail(this.unsupported("ping"))
      if (frame.payload.length > 125) return Effect.fail(invalidSend(Violation.controlTooLong(opcode(frame))))
      return this.settle(this.connection.sendControl(opcode(frame), frame.payload))
    }
    if (!capabilities.fragments && (!frame.fin || frame._tag === "Continuation")) {
      return Effect.fail(this.unsupported("fragments"))
    }
    if (!capabilities.binary && frame._tag === "Binary") return Effect.fail(this.unsupported("binary"))
    if ((frame.rsv & ~this.claimedRsv) !== 0)
      return Effect.fail(invalidSend(Violation.unexpectedReservedBits(frame.rsv)))
    if (frame._tag === "Text" && frame.fin && frame.rsv === 0 && !isUtf8(frame.payload)) {
      return Effect.fail(invalidSend(Violation.invalidUtf8))
    }
    if (frame._tag === "Continuation") {
      if (!this.fragmenting) return Effect.fail(invalidSend(Violation.unexpectedOpcode(Opcode.continuation)))
    } else if (this.fragmenting) {
      return this.afterTurn(frame)
    }
    const sent = this.pushFragment(opcode(frame), frame.fin, frame.payload, frame.rsv)
    this.setFragmenting(!frame.fin)
    if (frame.fin) this.endTurn()
    return sent
  }

  /** The reserved bits that an extension gave a meaning. */
  private get claimedRsv(): number {
    return this.extensions.reduce((bits, { rsv }) => bits | rsv, 0)
  }

  private pushFragment(kind: number, fin: boolean, payload: Uint8Array, rsv = 0): Effect.Effect<void, SocketError> {
    return this.settle(this.connection.sendFrame(kind, fin, payload, rsv))
  }

  private settle(sent: boolean): Effect.Effect<void, SocketError> {
    if (!sent) return Effect.fail(this.closedError())
    return this.connection.full ? this.drained : Effect.void
  }

  /** Waits until there is room, and fails when the connection is lost meanwhile. */
  private get drained(): Effect.Effect<void, SocketError> {
    const { connection } = this
    return Effect.callback<void, SocketError>((resume) => {
      const task = (): void => resume(connection.cause === undefined ? Effect.void : Effect.fail(this.closedError()))
      connection.whenDrained(task)
      return Effect.sync(() => connection.forget(task))
    })
  }

  private afterTurn(message: Message | Frame): Effect.Effect<void, SocketError> {
    return Effect.flatMap(this.awaitTurn, () => this.push(message))
  }

  private get awaitTurn(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (!this.fragmenting || this.connection.closedAs !== undefined) return resume(Effect.void)
      const turn = (this.turn ??= [])
      const next = (): void => resume(Effect.void)
      turn.push(next)
      return Effect.sync(() => {
        const at = turn.indexOf(next)
        if (at >= 0) turn.splice(at, 1)
      })
    })
  }

  private takeTurn(): Effect.Effect<void, SocketError> {
    return Effect.suspend(() => {
      if (!this.connection.isOpen) return Effect.fail(this.closedError())
      if (this.fragmenting) return Effect.flatMap(this.awaitTurn, () => this.takeTurn())
      this.setFragmenting(true)
      return Effect.void
    })
  }

  private setFragmenting(fragmenting: boolean): void {
    if (this.fragmenting === fragmenting) return
    this.fragmenting = fragmenting
    this.connection.queues += fragmenting ? 1 : -1
  }

  private endTurn(): void {
    const { turn } = this
    this.setFragmenting(false)
    this.turn = undefined
    if (turn !== undefined) for (const next of turn) next()
  }

  private nextPingPayload(): Uint8Array {
    const payload = Buffer.alloc(4)
    payload.writeUInt32BE(this.pingCount++ >>> 0)
    return payload
  }

  private unsupported(feature: Unsupported["feature"]): SocketError {
    const { id } = this.draft
    return new SocketError({
      reason: { _tag: "Unsupported", message: `the draft ${id} can't say this: ${feature}`, feature, draft: id }
    })
  }

  /** Why nothing can be sent or read any more. */
  private closedError(): SocketError {
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

/**
 * Sending, as an effect whose work is done when it is run, there and then; what it answers is to be waited for, and mostly
 * `Effect.void`.
 */
export abstract class Sending extends Effectable.Class<void, SocketError> {}

class SendingOne extends Sending {
  private readonly socket: LiveSocket<unknown>
  private readonly message: Message | Frame

  constructor(socket: LiveSocket<unknown>, message: Message | Frame) {
    super()
    this.socket = socket
    this.message = message
  }

  override asEffect(): Effect.Effect<void, SocketError> {
    return this.socket.push(this.message)
  }
}

class SendingAll extends Sending {
  private readonly socket: LiveSocket<unknown>
  private readonly messages: Iterable<Message | Frame>

  constructor(socket: LiveSocket<unknown>, messages: Iterable<Message | Frame>) {
    super()
    this.socket = socket
    this.messages = messages
  }

  override asEffect(): Effect.Effect<void, SocketError> {
    return this.socket.pushAll(this.messages)
  }
}

const done: Exit.Exit<never, Cause.Done> = Exit.fail(Cause.Done())

const nothing = new Uint8Array(0)

const invalidSend = (violation: Violation.Violation): SocketError =>
  new SocketError({
    reason: { _tag: "InvalidSend", message: `${violation.message} (${violation.section})`, violation }
  })

/** Bytes that callers without types give, too: anything else would make the encoder write memory that nobody filled. */
const expectBytes = (payload: unknown): Uint8Array => {
  if (payload instanceof Uint8Array) return payload
  throw new TypeError(`a payload is a Uint8Array, not ${typeof payload}`)
}

const bytesOf = (message: Message): Uint8Array =>
  typeof message === "string" ? Buffer.from(message) : expectBytes(message)
