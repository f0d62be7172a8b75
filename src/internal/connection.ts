import { Assembler } from "./assembler.ts"
import type { CloseCause, Closed, CloseFrame } from "./closing.ts"
import { decodeClose, encodeClose } from "./closing.ts"
import type { Codec, Decoder, Encoder, FrameSink, Role } from "./codec.ts"
import { flushSoon } from "./flush.ts"
import { KeepAlive, type KeepAliveOptions } from "./keepAlive.ts"
import { Opcode } from "./opcode.ts"
import { Output, referenceSize } from "./output.ts"
import type { Timer, Timers } from "./timers.ts"
import type { Receiver, Transport } from "./transport.ts"
import * as Violation from "./violation.ts"

/**
 * What a connection tells the face above it. The calls between two `batchEnd`s all come from one read; whatever the
 * face sends before `batchEnd` returns leaves in one write.
 */
export interface Face {
  /** Whether the frames of a fragmented message come one by one, through `fragment`, instead of as one message. */
  readonly wantsFragments: boolean
  /** A whole message. Text isn't validated yet: the face that decodes it does that. */
  message(opcode: number, bytes: Buffer, start: number, end: number): Violation.Violation | undefined
  fragment(opcode: number, fin: boolean, bytes: Buffer, start: number, end: number): Violation.Violation | undefined
  /** A ping, pong or close frame; the connection has answered it, or is about to. */
  control(opcode: number, bytes: Buffer, start: number, end: number): void
  /** Everything of one read was told. */
  batchEnd(): void
  /** Nothing more will come. Called once, before `closed`. */
  ended(): void
  /** The connection is gone. Called once, last. */
  closed(closed: Closed): void
}

/** Compression of whole messages, such as permessage-deflate. */
export interface Compression {
  /** Messages shorter than this many bytes are better sent as they are. */
  readonly threshold: number
  /** Answers `undefined` when the payload is too large for the event loop; the view is good until the next call. */
  compressSync(payload: Uint8Array): Uint8Array | undefined
  compress(payload: Uint8Array, done: (result: Uint8Array | Error) => void): void
  /** Produces at most `limit` bytes. Answers `undefined` when the payload is too large for the event loop. */
  inflateSync(payload: Uint8Array, limit: number): Uint8Array | "too large" | "invalid" | undefined
  inflate(payload: Uint8Array, limit: number, done: (result: Uint8Array | "too large" | "invalid") => void): void
  close(): void
}

export interface ConnectionOptions {
  readonly transport: Transport
  readonly codec: Codec
  readonly role: Role
  readonly timers: Timers
  /** Longest message in bytes, inflated. */
  readonly maxMessageSize: number
  /** Most frames of one message; default: no limit, since fragments cost no more than their bytes. */
  readonly maxFragments?: number | undefined
  /** Bytes that may wait to be written before `full` says so. */
  readonly writeHighWaterMark: number
  /** Milliseconds that the closing handshake may take. */
  readonly closeTimeout: number
  readonly keepAlive?: KeepAliveOptions | undefined
  readonly compression?: Compression | undefined
  /** Whether pings are answered. Default `true`. */
  readonly autoPong?: boolean | undefined
  readonly skipUtf8Validation?: boolean | undefined
  readonly minimalLength?: boolean | undefined
}

/** What is known of the closing handshake while it is under way. */
interface Closing {
  readonly _tag: "Closing"
  sent: CloseFrame | undefined
  received: CloseFrame | undefined
  readonly first: "sent" | "received" | undefined
  cause: CloseCause | undefined
  readonly timer: Timer
}

type Phase = { readonly _tag: "Open" } | Closing | { readonly _tag: "Closed"; readonly closed: Closed }

const open: Phase = { _tag: "Open" }

/** Bit RSV1, which marks a compressed message (RFC 7692 §6). */
const rsv1 = 4

/**
 * Joins one transport to one codec and one face. Synchronous and batch-wise: everything that one read brings is told
 * before the face acts on it, and everything it sends in answer leaves in one write.
 */
export class Connection implements FrameSink, Receiver {
  readonly role: Role
  readonly codec: Codec
  readonly timers: Timers
  readonly maxMessageSize: number
  private readonly transport: Transport
  private readonly face: Face
  private readonly encoder: Encoder
  private readonly decoder: Decoder
  private readonly compression: Compression | undefined
  private readonly output = new Output()
  private readonly writeHighWaterMark: number
  private readonly closeTimeout: number
  private readonly maxFragments: number
  private readonly autoPong: boolean
  private readonly keepAlive: KeepAlive | undefined
  private phase: Phase = open

  // Receiving.
  private reading = false
  private inboundOver = false
  private peerEnded = false
  private paused = false
  private inflating = false
  private assembler: Assembler | undefined = undefined
  private fragments = 0

  // Sending.
  private flushing = false
  private pendingPong: Uint8Array | undefined = undefined
  /** A large message is being compressed; later ones wait in `backlog`. */
  private compressing = false
  private readonly backlog: Array<() => void> = []
  private backlogSize = 0
  private waiters: Array<() => void> | undefined = undefined

  constructor(face: Face, options: ConnectionOptions) {
    this.face = face
    this.transport = options.transport
    this.codec = options.codec
    this.role = options.role
    this.timers = options.timers
    this.maxMessageSize = options.maxMessageSize
    this.maxFragments = options.maxFragments ?? Infinity
    this.writeHighWaterMark = options.writeHighWaterMark
    this.closeTimeout = options.closeTimeout
    this.compression = options.compression
    this.autoPong = options.autoPong !== false
    this.encoder = options.codec.encoder(options.role)
    this.decoder = options.codec.decoder(this, {
      role: options.role,
      maxMessageSize: options.maxMessageSize,
      allowedRsv: options.compression === undefined ? 0 : rsv1,
      skipUtf8Validation: options.skipUtf8Validation,
      minimalLength: options.minimalLength
    })
    this.keepAlive =
      options.keepAlive === undefined || !options.codec.capabilities.ping
        ? undefined
        : new KeepAlive(this, options.keepAlive)
  }

  /** Starts to read. `head` is what the transport brought behind the opening handshake. */
  start(head?: Buffer): void {
    this.transport.attach(this)
    this.keepAlive?.start()
    if (head !== undefined && head.length > 0) this.received(head)
  }

  // The state, as the face sees it.

  get isOpen(): boolean {
    return this.phase === open
  }

  /** How the connection ended, once it has. */
  get closedAs(): Closed | undefined {
    return this.phase._tag === "Closed" ? this.phase.closed : undefined
  }

  /** The close frame that the peer sent. */
  get closeReceived(): CloseFrame | undefined {
    return this.phase._tag === "Closing"
      ? this.phase.received
      : this.phase._tag === "Closed"
        ? this.phase.closed.received
        : undefined
  }

  /** Why the connection is ending, when it isn't by the closing handshake. */
  get cause(): CloseCause | undefined {
    return this.phase._tag === "Closing"
      ? this.phase.cause
      : this.phase._tag === "Closed"
        ? this.phase.closed.cause
        : undefined
  }

  /** Bytes that wait to be written, framing included. */
  get buffered(): number {
    return this.output.size + this.backlogSize + this.transport.buffered
  }

  /** Whether a sender should wait until `whenDrained`. */
  get full(): boolean {
    return this.transport.congested || this.output.size + this.backlogSize >= this.writeHighWaterMark
  }

  /** Whether the face has paused reading. */
  get isPaused(): boolean {
    return this.paused
  }

  // Sending. Each answers whether the connection was open and took it.

  sendText(text: string, compress = true): boolean {
    if (this.phase !== open) return false
    const { compression } = this
    if (compression !== undefined && compress && text.length * 3 >= compression.threshold) {
      const payload = Buffer.from(text)
      if (payload.length >= compression.threshold) return this.sendCompressed(Opcode.text, payload, compression)
    }
    if (this.compressing) {
      this.defer(text.length, () => this.writeText(text))
    } else {
      this.writeText(text)
    }
    return true
  }

  sendBinary(payload: Uint8Array, compress = true, opcode: number = Opcode.binary): boolean {
    if (this.phase !== open) return false
    const { compression } = this
    if (compression !== undefined && compress && payload.length >= compression.threshold) {
      return this.sendCompressed(opcode, payload, compression)
    }
    return this.sendFrame(opcode, true, payload)
  }

  /** One data frame as it is. Keeping the frames of a message together is the caller's to see to. */
  sendFrame(opcode: number, fin: boolean, payload: Uint8Array, rsv = 0): boolean {
    if (this.phase !== open) return false
    if (this.compressing) {
      this.defer(payload.length, () => this.writeFrame(opcode, fin, rsv, payload))
    } else {
      this.writeFrame(opcode, fin, rsv, payload)
    }
    return true
  }

  /** A frame that was encoded before, for this role and draft. */
  sendEncoded(frame: Uint8Array): boolean {
    if (this.phase !== open) return false
    if (this.compressing) {
      this.defer(frame.length, () => this.writeEncoded(frame))
    } else {
      this.writeEncoded(frame)
    }
    return true
  }

  /** A ping or pong frame, RFC 6455 §5.5.2 and §5.5.3; at most 125 bytes. It passes messages that wait to be compressed. */
  sendControl(opcode: number, payload: Uint8Array): boolean {
    if (this.phase !== open) return false
    this.writeFrame(opcode, true, 0, payload)
    return true
  }

  /**
   * Starts the closing handshake, RFC 6455 §7.1.2; later calls do nothing. Messages sent before leave before. The
   * transport is dropped when the peer takes longer than the close timeout.
   */
  close(frame: CloseFrame): void {
    if (this.phase !== open) return
    this.beginClosing("sent", undefined, undefined)
    this.sendClose(frame)
  }

  /** Drops the transport, without a closing handshake. */
  terminate(): void {
    this.drop({ _tag: "Terminated" })
  }

  /** Drops the transport for a reason. */
  drop(cause: CloseCause): void {
    const closing = this.phase === open ? this.beginClosing(undefined, undefined, cause) : this.phase
    if (closing._tag !== "Closing") return
    closing.cause ??= cause
    this.output.discard()
    this.transport.destroy()
  }

  /** Runs `task` once there is room to send, or the connection is closing. */
  whenDrained(task: () => void): void {
    ;(this.waiters ??= []).push(task)
  }

  /** Takes back what was given to `whenDrained`. */
  forget(task: () => void): void {
    const at = this.waiters?.indexOf(task) ?? -1
    if (at >= 0) this.waiters?.splice(at, 1)
  }

  /** Writes what has gathered. */
  flush(): void {
    this.flushing = false
    if (!this.transport.congested) this.output.flush(this.transport)
  }

  // Reading, as the face paces it.

  /** Stops reading from the transport; what was read goes on to be told. */
  pause(): void {
    if (this.paused) return
    this.paused = true
    this.transport.pause()
  }

  /** Stops in the middle of what was read, too: the face has had enough. `resume` goes on from there. */
  hold(): void {
    this.pause()
    this.decoder.suspend()
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.proceed()
  }

  /** Takes over the fragments of a message that the face received one by one, so that the rest joins them. */
  adopt(assembler: Assembler): void {
    this.assembler = assembler
  }

  // Receiver: what the transport tells.

  received(chunk: Buffer): void {
    if (this.inboundOver) return
    this.keepAlive?.noticed()
    this.reading = true
    this.decoder.feed(chunk)
    this.finishBatch()
  }

  drained(): void {
    this.keepAlive?.noticed()
    const pong = this.pendingPong
    if (pong !== undefined) {
      this.pendingPong = undefined
      if (this.phase === open) this.encoder.frame(this.output, Opcode.pong, true, 0, pong)
    }
    this.flush()
    while (this.waiters !== undefined && this.waiters.length > 0 && !this.full) this.waiters.shift()?.()
    this.flush()
  }

  ended(): void {
    this.peerEnded = true
    // What was read before and waits for the face comes first.
    if (this.inboundOver || !this.decoder.suspended) this.endInbound()
  }

  closed(error: Error | undefined): void {
    const cause: CloseCause = error === undefined ? { _tag: "TransportEnded" } : { _tag: "TransportFailed", error }
    const closing = this.phase === open ? this.beginClosing(undefined, undefined, cause) : this.phase
    if (closing._tag === "Closing") this.finish(closing, cause)
  }

  // FrameSink: what the decoder finds.

  message(opcode: number, rsv: number, bytes: Buffer, start: number, end: number): Violation.Violation | undefined {
    return rsv === 0 ? this.face.message(opcode, bytes, start, end) : this.inflate(opcode, bytes.subarray(start, end))
  }

  fragment(
    opcode: number,
    fin: boolean,
    rsv: number,
    bytes: Buffer,
    start: number,
    end: number
  ): Violation.Violation | undefined {
    if (opcode !== Opcode.continuation) {
      this.fragments = 0
      if (rsv !== 0 || !this.face.wantsFragments) this.assembler = new Assembler(opcode, rsv, end - start)
    }
    if (++this.fragments > this.maxFragments) return Violation.tooManyParts(this.maxFragments)
    const { assembler } = this
    if (assembler === undefined) return this.face.fragment(opcode, fin, bytes, start, end)
    assembler.append(bytes, start, end)
    if (!fin) return undefined
    this.assembler = undefined
    const payload = assembler.take()
    return assembler.rsv === 0
      ? this.face.message(assembler.opcode, payload, 0, payload.length)
      : this.inflate(assembler.opcode, payload)
  }

  control(opcode: number, bytes: Buffer, start: number, end: number): Violation.Violation | undefined {
    if (opcode === Opcode.close) {
      this.closeFrameReceived(decodeClose(bytes, start, end))
    } else if (opcode === Opcode.ping) {
      if (this.autoPong && this.phase === open) this.pong(bytes.subarray(start, end))
    }
    this.face.control(opcode, bytes, start, end)
    return undefined
  }

  // Receiving, inside.

  private finishBatch(): void {
    this.reading = true
    this.face.batchEnd()
    const violation = this.decoder.violation
    if (violation !== undefined) this.fail(violation)
    else if (this.closeReceived !== undefined) this.answerClose()
    this.reading = false
    if (this.output.size > 0) this.flush()
  }

  private proceed(): void {
    if (this.paused || this.inflating) return
    if (this.decoder.suspended && !this.inboundOver) {
      this.reading = true
      this.decoder.resume()
      this.finishBatch()
      if (this.paused || this.inflating) return
    }
    if (this.peerEnded) this.endInbound()
    else this.transport.resume()
  }

  private inflate(opcode: number, payload: Buffer): Violation.Violation | undefined {
    const { compression } = this
    if (compression === undefined) return Violation.unexpectedReservedBits(rsv1)
    const result = compression.inflateSync(payload, this.maxMessageSize)
    if (result !== undefined) return this.inflated(opcode, result)
    this.inflating = true
    this.decoder.suspend()
    this.transport.pause()
    compression.inflate(payload, this.maxMessageSize, (later) => {
      this.inflating = false
      if (this.inboundOver) return
      this.reading = true
      const violation = this.inflated(opcode, later)
      if (violation === undefined) {
        this.proceed()
        if (this.reading) this.finishBatch()
      } else {
        this.face.batchEnd()
        this.fail(violation)
        this.reading = false
        this.flush()
      }
    })
    return undefined
  }

  private inflated(opcode: number, result: Uint8Array | "too large" | "invalid"): Violation.Violation | undefined {
    if (result === "too large") return Violation.messageTooLarge(this.maxMessageSize)
    if (result === "invalid") return Violation.invalidCompressedData
    const bytes = Buffer.from(result.buffer, result.byteOffset, result.byteLength)
    return this.face.message(opcode, bytes, 0, bytes.length)
  }

  private pong(payload: Buffer): void {
    // RFC 6455 §5.5.3 allows to answer only the latest of several pings: what a peer that doesn't read can make wait is one pong.
    if (this.transport.congested) this.pendingPong = Buffer.from(payload)
    else this.writeFrame(Opcode.pong, true, 0, payload)
  }

  private closeFrameReceived(frame: CloseFrame): void {
    // What follows a close frame is not read, RFC 6455 §1.4.
    this.decoder.suspend()
    if (this.phase === open) this.beginClosing("received", frame, undefined)
    else if (this.phase._tag === "Closing") this.phase.received ??= frame
  }

  private answerClose(): void {
    if (this.inboundOver || this.phase._tag !== "Closing") return
    this.endInboundOnce()
    if (this.phase.sent === undefined && this.phase.first === "received") {
      const code = this.phase.received?.code
      this.sendClose({ code, reason: "" })
    } else {
      this.completeHandshake()
    }
  }

  /** Both close frames are on their way: RFC 6455 §7.1.1 has the server close the transport first. */
  private completeHandshake(): void {
    this.flush()
    if (this.role === "server") this.transport.end()
    this.transport.resume()
  }

  private fail(violation: Violation.Violation): void {
    if (this.inboundOver) return
    this.endInboundOnce({ _tag: "Violation", violation })
    if (this.phase._tag === "Closing" && this.phase.sent === undefined) {
      this.sendClose({ code: violation.closeCode, reason: "" })
    }
    this.flush()
    this.transport.end()
    this.transport.resume()
  }

  private endInbound(): void {
    if (this.phase._tag === "Closed") return
    this.endInboundOnce({ _tag: "TransportEnded" })
    this.flush()
    this.transport.end()
    this.transport.resume()
  }

  private endInboundOnce(cause?: CloseCause): void {
    if (this.inboundOver) return
    this.inboundOver = true
    if (cause !== undefined) {
      if (this.phase === open) this.beginClosing(undefined, undefined, cause)
      else if (this.phase._tag === "Closing" && this.phase.received === undefined) this.phase.cause ??= cause
    }
    this.assembler = undefined
    this.face.ended()
  }

  // Sending, inside.

  private writeText(text: string): void {
    this.encoder.text(this.output, Opcode.text, true, text)
    this.touch()
  }

  private writeFrame(opcode: number, fin: boolean, rsv: number, payload: Uint8Array): void {
    this.encoder.frame(this.output, opcode, fin, rsv, payload)
    this.touch()
  }

  private writeEncoded(frame: Uint8Array): void {
    this.output.reference(frame)
    this.touch()
  }

  private touch(): void {
    if (this.output.size >= this.writeHighWaterMark) {
      if (!this.transport.congested) this.output.flush(this.transport)
    } else if (!this.reading && !this.flushing) {
      this.flushing = true
      flushSoon(this)
    }
  }

  private sendCompressed(opcode: number, payload: Uint8Array, compression: Compression): true {
    if (this.compressing) {
      this.defer(payload.length, () => this.compressAndWrite(opcode, payload, compression))
    } else {
      this.compressAndWrite(opcode, payload, compression)
    }
    return true
  }

  private compressAndWrite(opcode: number, payload: Uint8Array, compression: Compression): void {
    const compressed = compression.compressSync(payload)
    if (compressed !== undefined) {
      this.writeCompressed(opcode, compressed)
      return
    }
    this.compressing = true
    this.backlogSize += payload.length
    compression.compress(payload, (result) => {
      this.compressing = false
      this.backlogSize -= payload.length
      if (this.phase._tag === "Closed") return
      if (result instanceof Error) {
        this.drop({ _tag: "TransportFailed", error: result })
        return
      }
      this.encoder.frame(this.output, opcode, true, rsv1, result)
      this.touch()
      this.runBacklog()
    })
  }

  private writeCompressed(opcode: number, compressed: Uint8Array): void {
    // The compressor's buffer is lent: what the output would only reference must be copied.
    const payload = compressed.length < referenceSize ? compressed : Uint8Array.from(compressed)
    this.encoder.frame(this.output, opcode, true, rsv1, payload)
    this.touch()
  }

  private defer(size: number, write: () => void): void {
    this.backlogSize += size
    this.backlog.push(() => {
      this.backlogSize -= size
      write()
    })
  }

  private runBacklog(): void {
    while (!this.compressing) {
      const next = this.backlog.shift()
      if (next === undefined) break
      next()
    }
    if (!this.transport.congested) this.drained()
  }

  private sendClose(frame: CloseFrame): void {
    if (this.compressing) {
      this.defer(0, () => this.writeClose(frame))
    } else {
      this.writeClose(frame)
    }
  }

  private writeClose(frame: CloseFrame): void {
    if (this.phase._tag !== "Closing") return
    this.phase.sent = frame
    this.encoder.close(this.output, encodeClose(frame))
    this.touch()
    if (this.phase.received !== undefined) this.completeHandshake()
  }

  // The end.

  private beginClosing(
    first: "sent" | "received" | undefined,
    received: CloseFrame | undefined,
    cause: CloseCause | undefined
  ): Closing {
    this.keepAlive?.stop()
    const timer = this.timers.after(this.closeTimeout, () => this.drop({ _tag: "CloseTimeout" }))
    const closing: Closing = { _tag: "Closing", sent: undefined, received, first, cause, timer }
    this.phase = closing
    const { waiters } = this
    this.waiters = undefined
    if (waiters !== undefined) for (const waiter of waiters) waiter()
    return closing
  }

  private finish(closing: Closing, transport: CloseCause): void {
    const { sent, received, first } = closing
    closing.timer.cancel()
    const complete = sent !== undefined && received !== undefined
    const cause = closing.cause ?? (complete ? { _tag: "Handshake" } : transport)
    const closed: Closed = { sent, received, first, cause }
    this.phase = { _tag: "Closed", closed }
    this.output.discard()
    this.backlog.length = 0
    this.compression?.close()
    this.endInboundOnce()
    this.face.closed(closed)
  }
}
