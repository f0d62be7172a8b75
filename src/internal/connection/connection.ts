import { type CloseFrame, encodeClose } from "../protocol/closeFrame.ts"
import {
  type CloseAction,
  type CloseCause,
  type Closed,
  type CloseEvent,
  type CloseState,
  open,
  type OutgoingClose,
  transition
} from "../protocol/closeHandshake.ts"
import type { Borrowed, FrameSink, Role } from "../protocol/codec.ts"
import type { Violation } from "../protocol/protocolError.ts"
import { Opcode } from "../protocol/opcode.ts"
import type { Receiver, Transport } from "../transport/transport.ts"
import type { Compression } from "./compression.ts"
import type { Counters } from "./counters.ts"
import { ObservedEncoder, ObservedSink } from "./frameObserver.ts"
import { callAll, FrameWriter } from "./frameWriter.ts"
import type { ConnectionHandler } from "./handler.ts"
import { Inbound, type InboundOwner } from "./inbound.ts"
import { KeepAlive, type Watched } from "./keepAlive.ts"
import { Outbound, type OutboundOwner } from "./outbound.ts"
import { type ConnectionOptions, type Settings, settingsOf } from "./settings.ts"
import type { Timer, Timers } from "./timers.ts"

/**
 * Joins one transport to one codec and one handler: wires input and output to the closing handshake. Synchronous and
 * batch-wise: everything that one read brings is delivered before its effects are written.
 */
export class Connection implements Receiver, InboundOwner, OutboundOwner, Watched {
  readonly inbound: Inbound
  readonly outbound: Outbound
  readonly settings: Settings
  private readonly transport: Transport
  private readonly writer: FrameWriter
  private readonly handler: ConnectionHandler
  private readonly keepAlive: KeepAlive | undefined
  private state: CloseState = open
  /** Rings at the close timeout, while the connection closes. */
  private timer: Timer | undefined = undefined

  constructor(handler: ConnectionHandler, options: ConnectionOptions) {
    const { codec, compression, keepAlive, onFrame, role, transport } = options
    const settings = settingsOf(options)
    this.handler = handler
    this.transport = transport
    this.settings = settings
    const encoder = onFrame && new ObservedEncoder(settings.encoder, role, codec.capabilities, onFrame)
    this.writer = new FrameWriter(transport, encoder ?? settings.encoder, settings)
    this.outbound = new Outbound(this.writer, compression, this)
    const observe = onFrame && ((sink: FrameSink) => new ObservedSink(sink, role, codec.capabilities, onFrame))
    this.inbound = new Inbound(settings, handler, compression, this, observe)
    this.keepAlive = keepAlive === undefined || !codec.capabilities.ping ? undefined : new KeepAlive(this, keepAlive)
  }

  /** Starts to read. `head` is what the transport brought after the opening handshake. */
  start(head?: Buffer): void {
    this.transport.attach(this)
    this.keepAlive?.start()
    if (head !== undefined && head.length > 0) this.received(head)
  }

  get compression(): Compression | undefined {
    return this.inbound.compression
  }

  get role(): Role {
    return this.settings.role
  }

  get timers(): Timers {
    return this.settings.timers
  }

  get counters(): Counters | undefined {
    return this.settings.counters
  }

  /** Whether messages can be sent. */
  get isOpen(): boolean {
    return this.outbound.isOpen
  }

  /** How the connection ended, once it is closed. */
  get closedAs(): Closed | undefined {
    return this.state._tag === "Closed" ? this.state.closed : undefined
  }

  /** The close frame that was sent. */
  get closeSent(): CloseFrame | undefined {
    const { state } = this
    return state._tag === "Closing" ? state.sent : state._tag === "Closed" ? state.closed.sent : undefined
  }

  /** The peer's close frame, once the messages before it were delivered. */
  get closeReceived(): CloseFrame | undefined {
    const { state } = this
    return state._tag === "Closing" ? state.received : state._tag === "Closed" ? state.closed.received : undefined
  }

  /** Why the connection ends or ended, when it isn't by the closing handshake. */
  get cause(): CloseCause | undefined {
    const { state } = this
    if (state._tag === "Closing") return state.cause
    if (state._tag !== "Closed" || state.closed.cause._tag === "Handshake") return undefined
    return state.closed.cause
  }

  // Closing.

  /**
   * Starts the closing handshake (RFC 6455 §7.1.2); later calls do nothing. Messages sent before leave before. The
   * transport is dropped when the handshake takes longer than the close timeout.
   */
  close(frame: CloseFrame, payload: Uint8Array = encodeClose(frame)): void {
    this.handle({ _tag: "LocalClose", outgoing: { frame, payload } })
  }

  /**
   * Ends this direction after everything that was sent, without a closing handshake. What the peer sends is delivered until
   * it ends its own; the transport is dropped when that takes longer than the close timeout.
   */
  end(): void {
    this.handle({ _tag: "End", cause: { _tag: "Terminated" } })
  }

  /** Drops the transport, without a closing handshake. */
  terminate(): void {
    this.drop({ _tag: "Terminated" })
  }

  /** Drops the transport for a reason. */
  drop(cause: CloseCause): void {
    this.handle({ _tag: "Drop", cause })
  }

  /** The close timeout is over, for the closing handshake or for the reader of a transport that is closed. */
  ring(): void {
    if (this.inbound.isClosed) this.sourceClosed(this.inbound.closeError)
    else this.handle({ _tag: "Timeout", unsent: this.outbound.buffered > 0 })
  }

  // Receiver: what the transport does.

  received(chunk: Buffer, borrowed?: Borrowed): void {
    this.settings.counters?.countReceivedBytes(chunk.length)
    this.keepAlive?.noticed()
    this.inbound.receive(chunk, borrowed)
  }

  get readTarget(): Buffer | undefined {
    return this.inbound.readTarget
  }

  drained(): void {
    this.keepAlive?.noticed()
    this.outbound.drained()
  }

  ended(): void {
    this.inbound.end()
  }

  closed(error: Error | undefined): void {
    this.keepAlive?.stop()
    this.inbound.close(error)
    // What was read is still to be delivered.
    if (this.state._tag !== "Closed") this.startTimer()
  }

  // InboundOwner: what the input finds.

  pauseSource(): void {
    this.transport.pause()
  }

  resumeSource(): void {
    this.transport.resume()
  }

  batchBegins(): void {
    this.writer.beginBatch()
  }

  batchEnds(): void {
    this.writer.endBatch()
  }

  pingReceived(payload: Buffer): void {
    if (this.settings.autoPong && this.isOpen) this.writer.answerPing(payload)
  }

  pongReceived(payload: Buffer): void {
    if (payload.length === 0) this.keepAlive?.answered()
  }

  closeFrame(received: CloseFrame, payload: Buffer): void {
    const answer: OutgoingClose = this.settings.echoReason
      ? { frame: received, payload: Uint8Array.prototype.slice.call(payload) }
      : answerWithCode(received)
    this.handle({ _tag: "PeerClose", received, answer })
  }

  closeDelivered(): void {
    this.handle({ _tag: "PeerCloseDelivered" })
  }

  protocolError(violation: Violation): void {
    const outgoing = answerWithCode({ code: violation.closeCode, reason: "" })
    this.handle({ _tag: "ProtocolError", violation, outgoing })
  }

  sourceEnded(): void {
    this.handle({ _tag: "InputEnded" })
  }

  sourceClosed(error: Error | undefined): void {
    this.handle({ _tag: "TransportClosed", error })
  }

  // Watched: what keepalive does.

  ping(): void {
    this.outbound.frame(Opcode.ping, true, new Uint8Array(0), { urgent: true })
  }

  peek(): boolean {
    return this.inbound.peek()
  }

  // OutboundOwner: what the output finds.

  closeWritten(): void {
    this.handle({ _tag: "CloseWritten" })
  }

  sendFailed(error: Error): void {
    this.handle({ _tag: "End", cause: { _tag: "TransportFailed", error } })
  }

  private handle(event: CloseEvent): void {
    const before = this.state
    const { actions, state } = transition(this.settings.closeRules, before, event)
    this.state = state
    const ends = state._tag === "Closing" || state._tag === "Closed"
    if (ends && (before._tag === "Open" || before._tag === "CloseReceived")) {
      this.keepAlive?.stop()
      this.startTimer()
      this.outbound.stopAccepting()
    }
    for (const action of actions) this.act(action)
  }

  private act(action: CloseAction): void {
    const { inbound, outbound, state, transport } = this
    switch (action) {
      case "send":
        if (state._tag === "Closing" && state.outgoing !== undefined) outbound.close(state.outgoing.payload)
        break
      case "endInput":
        inbound.conclude()
        break
      case "discardInput":
        inbound.stop()
        break
      case "endOutput":
        outbound.end()
        transport.resume()
        break
      case "awaitEnd":
        outbound.flush()
        transport.resume()
        break
      case "destroy":
        outbound.discard()
        // A transport that is closed already has nothing more to bring.
        if (inbound.isClosed) this.sourceClosed(inbound.closeError)
        else transport.destroy()
        break
      case "close":
        this.timer?.cancel()
        outbound.discard(callAll)
        this.compression?.close()
        if (state._tag === "Closed") this.handler.closed(state.closed)
        break
    }
  }

  private startTimer(): void {
    this.timer ??= this.timers.after(this.settings.closeTimeout, this)
  }
}

/** A close frame with a code alone. */
const answerWithCode = ({ code }: CloseFrame): OutgoingClose => {
  const frame = { code, reason: "" }
  return { frame, payload: encodeClose(frame) }
}
