import { Assembler } from "../protocol/messageAssembler.ts"
import type { CloseCause, Closed, CloseFrame } from "../protocol/closeFrame.ts"
import { decodeClose, encodeClose } from "../protocol/closeFrame.ts"
import type { Codec, Decoder, Encoder, FrameSink, Role } from "../protocol/codec.ts"
import { flushSoon, setBusy } from "./flush.ts"
import { KeepAlive, type KeepAliveOptions } from "./keepAlive.ts"
import { ObservedEncoder, ObservedSink, type OnFrame } from "./frameObserver.ts"
import { Opcode } from "../protocol/opcode.ts"
import { Output, recycleOutput, referenceSize, takeOutput } from "../protocol/outputBuffer.ts"
import { type Settings, shareSettings } from "./settings.ts"
import { CountedEncoder, type Tally } from "./counters.ts"
import type { Timer, Timers } from "./timers.ts"
import { destroyedError, type Lent, type Receiver, type Transport, type Written } from "../transport/transport.ts"
import * as Violation from "../protocol/protocolError.ts"

/**
 * What a connection tells the face above it. The calls between two `batchEnd`s all come from one read; whatever the
 * face sends before `batchEnd` returns leaves in one write.
 */
export interface Face {
  /** Whether the frames of a fragmented message come one by one, through `fragment`, instead of as one message. */
  readonly wantsFragments: boolean
  /** Whether `message` keeps no bytes of text, so that they may be lent to it. Default `false`. */
  readonly lendText?: boolean
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

/** Compression of whole messages, such as permessage-deflate. `done` is called later, never from inside the call. */
export interface Compression {
  /** Messages shorter than this many bytes are better sent as they are. */
  readonly threshold: number
  /** The same for all connections whose messages are compressed to the same bytes; `undefined` for those of its own. */
  readonly shareKey?: string | undefined
  /** Answers `undefined` when the payload is too large for the event loop; the view is good until the next call. */
  compressSync(payload: Uint8Array): Uint8Array | undefined
  compress(payload: Uint8Array, done: (result: Uint8Array | Error) => void): void
  /** Produces at most `limit` bytes. Answers `undefined` when the payload is too large for the event loop. */
  inflateSync(payload: Uint8Array, limit: number): Uint8Array | "too large" | "invalid" | undefined
  /** The same, as a view that is good until the next call. */
  inflateView(payload: Uint8Array, limit: number): Uint8Array | "too large" | "invalid" | undefined
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
  /** Hears of each frame, those aside that `sendEncoded` sends. Default: nobody, at no cost. */
  readonly onFrame?: OnFrame | undefined
  /** Where messages, bytes and round trips are counted. Default: nowhere, at no cost. */
  readonly tally?: Tally | undefined
  /** Whether pings are answered. Default `true`. */
  readonly autoPong?: boolean | undefined
  /** Whether a close frame is answered with its reason too, not with its code alone. Default `false`. */
  readonly echoReason?: boolean | undefined
  /** Whether a client, too, ends the transport once both close frames are on their way. Default `false`. */
  readonly clientEnds?: boolean | undefined
  /** These three are the decoder's. */
  readonly skipUtf8Validation?: boolean | undefined
  readonly minimalLength?: boolean | undefined
  readonly maxChunks?: number | undefined
}

/** What waits for a message before it that isn't ready to be written. */
interface Deferred {
  readonly size: number
  readonly written: Written | undefined
  readonly write: () => void
}

/** What is known of the closing handshake while it is under way. */
interface Closing {
  readonly _tag: "Closing"
  sent: CloseFrame | undefined
  received: CloseFrame | undefined
  first: "sent" | "received" | undefined
  cause: CloseCause | undefined
  readonly timer: Timer
}

type Phase = { readonly _tag: "Open" } | Closing | { readonly _tag: "Closed"; readonly closed: Closed }

const open: Phase = { _tag: "Open" }

/** A close frame that says nothing. */
const noStatus: CloseFrame = { code: undefined, reason: "" }

/** Bit RSV1, which marks a compressed message (RFC 7692 §6). */
const rsv1 = 4

/** What each flush of the compressor ends in; it is left out of the last frame of a message (RFC 7692 §7.2.1). */
const flushTail = Uint8Array.of(0x00, 0x00, 0xff, 0xff)

/** Calls all of them, whatever one of them throws. */
const callAll = (callbacks: ReadonlyArray<Written>, error: Error | null | undefined, from = 0): void => {
  let at = from
  try {
    while (at < callbacks.length) callbacks[at++]?.(error)
  } finally {
    if (at < callbacks.length) callAll(callbacks, error, at)
  }
}

/**
 * Joins one transport to one codec and one face. Synchronous and batch-wise: everything that one read brings is told
 * before the face acts on it, and everything it sends in answer leaves in one write.
 */
export class Connection implements FrameSink, Receiver {
  private readonly settings: Settings
  private readonly transport: Transport
  private readonly face: Face
  private readonly encoder: Encoder
  private readonly sink: FrameSink
  /** Absent while nothing is kept of what was read. */
  private reader: Decoder | undefined = undefined
  private readonly compression: Compression | undefined
  /** Absent while nothing waits for the next flush. */
  private output: Output | undefined = undefined
  private readonly keepAlive: KeepAlive | undefined
  private phase: Phase = open

  // Receiving.
  /** A batch is being told; what the face sends waits for its end. */
  private reading = false
  /** The face asked for more, inside the batch or outside. */
  private resumed = false
  private inboundOver = false
  private peerEnded = false
  private paused = false
  /** The face wants nothing more of what was read, until `resume`. */
  private held = false
  /** What was read waits for a message that inflates elsewhere, or for the face. */
  private suspended = false
  /** How the transport ended, while what was read before still waits; not longer than the close timeout. */
  private lost: { readonly error: Error | undefined; readonly timer: Timer } | undefined = undefined
  /** The peer's close frame, until the batch that it came with was told. */
  private closeHeard: CloseFrame | undefined = undefined
  /** The payload that answers the peer's close frame. */
  private echo: Uint8Array | undefined = undefined
  private assembler: Assembler | undefined = undefined
  private fragments = 0

  // Sending.
  /** How many faces keep messages back that come before any that `writeNow` is given. */
  queues = 0
  private flushing = false
  /** The transport is to end once everything sent is out. */
  private ending = false
  /** The transport was dropped: nothing more is told, and nothing sent. */
  private dropped = false
  private pendingPong: Uint8Array | undefined = undefined
  /** A message is being compressed or read elsewhere; later ones wait in `backlog`. */
  private stalled = false
  private backlog: Array<Deferred> | undefined = undefined
  private backlogSize = 0
  /** Who hears of the message that the others wait for. */
  private stalledWritten: Written | undefined = undefined
  /** Who hears when what gathered is written. */
  private written: Array<Written> | undefined = undefined
  private waiters: Array<() => void> | undefined = undefined

  constructor(face: Face, options: ConnectionOptions) {
    this.face = face
    this.transport = options.transport
    this.compression = options.compression
    this.settings = shareSettings({
      codec: options.codec,
      timers: options.timers,
      role: options.role,
      maxMessageSize: options.maxMessageSize,
      allowedRsv: options.compression === undefined ? 0 : rsv1,
      skipUtf8Validation: options.skipUtf8Validation,
      minimalLength: options.minimalLength,
      maxChunks: options.maxChunks,
      maxFragments: options.maxFragments ?? Infinity,
      writeHighWaterMark: Math.max(1, options.writeHighWaterMark),
      closeTimeout: options.closeTimeout,
      autoPong: options.autoPong !== false,
      echoReason: options.echoReason === true,
      clientEnds: options.clientEnds === true,
      tally: options.tally
    })
    const { codec, onFrame, role, tally } = options
    const encoder = tally === undefined ? codec.encoder(role) : new CountedEncoder(codec.encoder(role), tally)
    const observed = onFrame !== undefined
    this.encoder = observed ? new ObservedEncoder(encoder, role, codec.capabilities, onFrame) : encoder
    this.sink = observed ? new ObservedSink(this, role, codec.capabilities, onFrame) : this
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

  get role(): Role {
    return this.settings.role
  }

  get codec(): Codec {
    return this.settings.codec
  }

  get timers(): Timers {
    return this.settings.timers
  }

  get maxMessageSize(): number {
    return this.settings.maxMessageSize
  }

  /** Milliseconds that the closing handshake may take. */
  get closeTimeout(): number {
    return this.settings.closeTimeout
  }

  get isOpen(): boolean {
    return this.phase === open
  }

  /** How the connection ended, once it has. */
  get closedAs(): Closed | undefined {
    return this.phase._tag === "Closed" ? this.phase.closed : undefined
  }

  /** The close frame that was sent. */
  get closeSent(): CloseFrame | undefined {
    return this.phase._tag === "Closing"
      ? this.phase.sent
      : this.phase._tag === "Closed"
        ? this.phase.closed.sent
        : undefined
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
    if (this.phase._tag === "Closing") return this.phase.cause
    if (this.phase._tag !== "Closed") return undefined
    const { cause } = this.phase.closed
    return cause._tag === "Handshake" ? undefined : cause
  }

  /** Bytes that wait to be written, framing included. */
  get buffered(): number {
    return this.gathered + this.backlogSize + this.transport.buffered
  }

  /** Bytes that are kept of a message whose end hasn't come. */
  get partialSize(): number {
    return (this.reader?.partialSize ?? 0) + (this.assembler?.size ?? 0)
  }

  /** Bytes that wait for a message that is compressed or read elsewhere, its own included. */
  get deferred(): number {
    return this.backlogSize
  }

  /** The part of `buffered` that the end of the tick won't bring out. */
  get queued(): number {
    return (this.transport.congested ? this.gathered : 0) + this.backlogSize + this.transport.buffered
  }

  /** Whether a sender should wait until `whenDrained`. */
  get full(): boolean {
    return this.transport.congested || this.gathered + this.backlogSize >= this.settings.writeHighWaterMark
  }

  /** Messages shorter than this many bytes are sent as they are; `Infinity` without compression. */
  get compressionThreshold(): number {
    return this.compression?.threshold ?? Infinity
  }

  get tally(): Tally | undefined {
    return this.settings.tally
  }

  /** Whether the face has paused reading. */
  get isPaused(): boolean {
    return this.paused
  }

  // Sending. Each answers whether the connection was open and took it; only then `written` hears what became of it.

  sendText(text: string, compress = true, written?: Written): boolean {
    if (this.phase !== open) return false
    const { compression } = this
    if (compression !== undefined && compress && text.length * 3 >= compression.threshold) {
      const payload = Buffer.from(text)
      if (payload.length >= compression.threshold) return this.sendCompressed(Opcode.text, true, payload, written)
    }
    if (this.stalled) {
      this.defer(text.length, written, () => this.writeText(text, written))
    } else {
      this.writeText(text, written)
    }
    return true
  }

  sendBinary(payload: Uint8Array, compress = true, opcode: number = Opcode.binary, written?: Written): boolean {
    if (this.phase !== open) return false
    const { compression } = this
    if (compression !== undefined && compress && payload.length >= compression.threshold) {
      return this.sendCompressed(opcode, true, payload, written)
    }
    return this.sendFrame(opcode, true, payload, 0, written)
  }

  /** One frame as it is, in its turn. Keeping the frames of a message together is the caller's to see to. */
  sendFrame(opcode: number, fin: boolean, payload: Uint8Array, rsv = 0, written?: Written): boolean {
    if (this.phase !== open) return false
    if (this.stalled) {
      this.defer(payload.length, written, () => this.writeFrame(opcode, fin, rsv, payload, written))
    } else {
      this.writeFrame(opcode, fin, rsv, payload, written)
    }
    return true
  }

  /**
   * One frame of a message that is compressed frame by frame; RSV1 stands on the first alone (RFC 7692 §6). All frames
   * of a message go this way, or none.
   */
  sendCompressed(opcode: number, fin: boolean, payload: Uint8Array, written?: Written): boolean {
    const { compression } = this
    if (this.phase !== open || compression === undefined) return false
    if (this.stalled) {
      this.defer(payload.length, written, () => this.compressAndWrite(opcode, fin, payload, compression, written))
    } else {
      this.compressAndWrite(opcode, fin, payload, compression, written)
    }
    return true
  }

  /**
   * The same for all connections on which a message is the same bytes; `undefined` where each has its own, since it
   * masks or keeps a window, or somebody hears of its frames.
   */
  get shareKey(): string | undefined {
    const { codec, compression } = this
    if (this.encoder instanceof ObservedEncoder) return undefined
    if (this.role === "client" && codec.capabilities.masking) return undefined
    const wire = codec.capabilities.binary ? "binary" : "text"
    if (compression === undefined) return wire
    return compression.shareKey === undefined ? undefined : `${wire} ${compression.shareKey}`
  }

  /** A message as bytes for `sendEncoded`; `undefined` when it is too large to be compressed at once. */
  encode(message: string | Uint8Array): Uint8Array | undefined {
    const { compression } = this
    // What is encoded here is counted when it is sent.
    const encoder = this.codec.encoder(this.role)
    const kind = typeof message === "string" ? Opcode.text : Opcode.binary
    const out = new Output()
    if (compression !== undefined && message.length * 3 >= compression.threshold) {
      const payload = typeof message === "string" ? Buffer.from(message) : message
      if (payload.length >= compression.threshold) {
        const compressed = compression.compressSync(payload)
        if (compressed === undefined) return undefined
        encoder.frame(out, kind, true, rsv1, compressed)
        return out.take()
      }
    }
    if (typeof message === "string") encoder.text(out, kind, true, message)
    else encoder.frame(out, kind, true, 0, message)
    return out.take()
  }

  /** Bytes that were encoded before, for this role and draft: one frame or several, which make so many messages. */
  sendEncoded(frame: Uint8Array, written?: Written, messages = 1): boolean {
    if (this.phase !== open) return false
    const { tally } = this.settings
    if (tally !== undefined) tally.messagesSent += messages
    if (this.stalled) {
      this.defer(frame.length, written, () => this.writeEncoded(frame, written))
    } else {
      this.writeEncoded(frame, written)
    }
    return true
  }

  /**
   * Writes such bytes now, for those who gather what they send themselves. Answers `false`, and does nothing, when they
   * can't be the next: something waits before them, or the connection is full or closed.
   */
  writeNow(bytes: Uint8Array, messages: number): boolean {
    const { transport } = this
    if (this.phase !== open || this.queues > 0 || this.output !== undefined) return false
    if (this.stalled || this.reading || transport.congested) return false
    const { tally } = this.settings
    if (tally !== undefined) tally.messagesSent += messages
    transport.write(bytes)
    return true
  }

  /**
   * One frame whose payload of about `size` bytes is still to be read; what is sent after it waits for it. `read` is
   * called in its turn. When there is no payload, nothing that waited is sent, and the transport is ended.
   */
  sendLater(
    size: number,
    read: (done: (payload: Uint8Array | Error) => void) => void,
    frame: { readonly opcode: number; readonly fin: boolean; readonly compress: boolean },
    written?: Written
  ): boolean {
    if (this.phase !== open) return false
    const begin = (): void => {
      this.stall(size, written)
      read((payload) => {
        const written = this.unstall(size)
        if (this.phase._tag === "Closed") return
        if (payload instanceof Error) {
          written?.(payload)
          this.giveUp(payload)
          return
        }
        const { compression } = this
        if (frame.compress && compression !== undefined) {
          this.compressAndWrite(frame.opcode, frame.fin, payload, compression, written)
        } else {
          this.writeFrame(frame.opcode, frame.fin, 0, payload, written)
        }
        this.runBacklog()
      })
    }
    if (this.stalled) this.defer(size, written, begin)
    else begin()
    return true
  }

  /** A ping or pong frame, RFC 6455 §5.5.2 and §5.5.3; at most 125 bytes. It passes messages that wait to be compressed. */
  sendControl(opcode: number, payload: Uint8Array): boolean {
    if (this.phase !== open) return false
    this.writeFrame(opcode, true, 0, payload, undefined)
    return true
  }

  /**
   * Starts the closing handshake, RFC 6455 §7.1.2; later calls do nothing. Messages sent before leave before. The
   * transport is dropped when the peer takes longer than the close timeout.
   */
  close(frame: CloseFrame, payload: Uint8Array = encodeClose(frame)): void {
    if (this.phase !== open) return
    this.beginClosing("sent", undefined, undefined)
    this.sendClose(frame, payload)
  }

  /**
   * Ends our direction behind everything that was sent, without a closing handshake. What the peer sends is told until it
   * ends its own; the transport is dropped when it takes longer than the close timeout.
   */
  end(): void {
    if (this.phase === open) this.beginClosing(undefined, undefined, { _tag: "Terminated" })
    if (this.phase._tag === "Closing") this.endOutbound()
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
    this.destroy()
  }

  /** Runs `task` once there is room to send, or the connection is closing. */
  whenDrained(task: () => void): void {
    if (this.phase === open) (this.waiters ??= []).push(task)
    else task()
  }

  /** Takes back what was given to `whenDrained`. */
  forget(task: () => void): void {
    const at = this.waiters?.indexOf(task) ?? -1
    if (at >= 0) this.waiters?.splice(at, 1)
  }

  /** Writes what has gathered. */
  flush(): void {
    this.flushing = false
    this.writeOrKeep()
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
    this.held = true
    this.pause()
    this.decoder.suspend()
  }

  resume(): void {
    if (!this.paused) return
    this.paused = this.held = false
    this.proceed()
  }

  /** As `hold`, for what the face has to do before it hears of the next message. `release` goes on, paused or not. */
  suspend(): void {
    this.suspended = true
    this.decoder.suspend()
    this.transport.pause()
  }

  /** Whether what was read waits, for the face or for a message that inflates elsewhere. */
  get isSuspended(): boolean {
    return this.suspended
  }

  release(): void {
    if (!this.suspended) return
    this.suspended = false
    this.proceed()
  }

  /** Takes over the fragments of a message that the face received one by one, so that the rest joins them. */
  adopt(assembler: Assembler): void {
    this.assembler = assembler
  }

  // Receiver: what the transport tells.

  received(chunk: Buffer, lent?: Lent): void {
    if (this.inboundOver || this.dropped) return
    const { tally } = this.settings
    if (tally !== undefined) tally.bytesReceived += chunk.length
    this.keepAlive?.noticed()
    this.tell(chunk, lent)
    this.finishReading()
  }

  drained(): void {
    this.keepAlive?.noticed()
    const pong = this.pendingPong
    if (pong !== undefined) {
      this.pendingPong = undefined
      if (this.phase === open) this.encoder.frame(this.out, Opcode.pong, true, 0, pong)
    }
    this.flush()
    while (this.waiters !== undefined && this.waiters.length > 0 && !this.full) this.waiters.shift()?.()
    this.flush()
  }

  ended(): void {
    this.peerEnded = true
    // What was read before and waits for the face comes first.
    if (this.inboundOver || this.reader?.suspended !== true) this.endInbound()
  }

  closed(error: Error | undefined): void {
    if (this.lost === undefined && this.waitsToBeTold) {
      this.lost = { error, timer: this.timers.after(this.settings.closeTimeout, () => this.closed(error)) }
      return
    }
    this.lost?.timer.cancel()
    const cause: CloseCause = error === undefined ? { _tag: "TransportEnded" } : { _tag: "TransportFailed", error }
    const closing = this.phase === open ? this.beginClosing(undefined, undefined, cause) : this.phase
    if (closing._tag === "Closing") this.finish(closing, cause)
  }

  // FrameSink: what the decoder finds.

  message(opcode: number, rsv: number, bytes: Buffer, start: number, end: number): Violation.Violation | undefined {
    return rsv === 0 ? this.face.message(opcode, bytes, start, end) : this.inflate(opcode, bytes.subarray(start, end))
  }

  gather(opcode: number, rsv: number, length: number): Assembler | undefined {
    if (opcode !== Opcode.continuation && (rsv !== 0 || !this.face.wantsFragments)) {
      this.assembler = new Assembler(opcode, rsv, length)
    }
    return this.assembler
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
      if (this.assembler === undefined) this.gather(opcode, rsv, end - start)
    }
    if (++this.fragments > this.settings.maxFragments)
      return Violation.tooManyParts("fragments", this.settings.maxFragments)
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
      if (this.settings.echoReason) this.echo = Uint8Array.prototype.slice.call(bytes, start, end)
    } else if (opcode === Opcode.ping) {
      if (this.settings.autoPong && this.phase === open) this.pong(bytes.subarray(start, end))
    } else if (start === end) {
      this.keepAlive?.answered()
    }
    this.face.control(opcode, bytes, start, end)
    return undefined
  }

  // Receiving, inside.

  /** Whether what was read before is to be told now. */
  private get canReadOn(): boolean {
    return (
      this.reader?.suspended === true &&
      !this.held &&
      !this.suspended &&
      !this.inboundOver &&
      !this.dropped &&
      this.closeReceived === undefined
    )
  }

  /** Whether what was read before the transport's end is still to be told. */
  private get waitsToBeTold(): boolean {
    return !this.inboundOver && !this.dropped && (this.suspended || (this.held && this.reader?.suspended === true))
  }

  /** Goes on with what the face kept back, and with the transport; inside a batch, at its end. */
  private proceed(): void {
    this.resumed = true
    if (!this.reading) this.finishReading()
  }

  /**
   * Tells a batch: what a chunk brings, what was kept before, or what the task tells. A face that throws loses what it
   * threw at, and hears of the rest later.
   */
  private tell(source: Buffer | (() => void) | undefined, lent?: Lent): void {
    this.reading = true
    setBusy(this)
    let told = false
    try {
      if (source === undefined) this.decoder.resume()
      else if (typeof source === "function") source()
      else this.decoder.feed(source, lent)
      this.face.batchEnd()
      if (this.closeHeard !== undefined && this.phase === open) this.beginClosing("received", undefined, undefined)
      told = true
    } finally {
      if (!told) this.interrupted()
    }
  }

  private interrupted(): void {
    this.reading = false
    setBusy(undefined)
    if (this.output !== undefined) this.flush()
    process.nextTick(() => this.proceed())
  }

  /** The end of a batch: goes on while the face asks for more, acts on how the reading ended, and writes. */
  private finishReading(): void {
    let goOn = false
    while (this.resumed) {
      this.resumed = false
      goOn = true
      if (!this.canReadOn) break
      this.tell(undefined)
    }
    this.reading = true
    const violation = this.reader?.violation
    if (violation !== undefined) this.fail(violation)
    else if (this.closeReceived !== undefined) this.answerClose()
    this.reading = false
    setBusy(undefined)
    if (this.output !== undefined) this.flush()
    if (this.reader?.atRest === true) this.recycle(this.reader)
    if (goOn) this.readFurther()
  }

  private get decoder(): Decoder {
    return (this.reader ??= this.codec.decoder(this.sink, this.settings))
  }

  private recycle(reader: Decoder): void {
    if (this.codec.recycle === undefined) return
    this.reader = undefined
    this.codec.recycle(reader)
  }

  private readFurther(): void {
    if (this.held || this.suspended) return
    if (this.lost !== undefined) this.closed(this.lost.error)
    else if (this.peerEnded) this.endInbound()
    else if (!this.paused) this.transport.resume()
  }

  private inflate(opcode: number, payload: Buffer): Violation.Violation | undefined {
    const { compression } = this
    if (compression === undefined) return Violation.unexpectedReservedBits(rsv1)
    const lent = opcode === Opcode.text && this.face.lendText === true
    const result = lent
      ? compression.inflateView(payload, this.maxMessageSize)
      : compression.inflateSync(payload, this.maxMessageSize)
    if (result !== undefined) return this.inflated(opcode, result)
    this.suspend()
    compression.inflate(payload, this.maxMessageSize, (later) => {
      this.suspended = false
      if (this.inboundOver) return
      if (!this.dropped) {
        let violation: Violation.Violation | undefined
        this.tell(() => {
          violation = this.inflated(opcode, later)
          if (violation === undefined && this.canReadOn) this.decoder.resume()
        })
        if (violation !== undefined) this.fail(violation)
      }
      this.resumed = true
      this.finishReading()
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
    else this.writeFrame(Opcode.pong, true, 0, payload, undefined)
  }

  private closeFrameReceived(frame: CloseFrame): void {
    // What follows a close frame is not read, RFC 6455 §1.4.
    this.decoder.suspend()
    // Its batch may still be answered: RFC 6455 §5.5.1 lets the answer to a close frame wait for that.
    if (this.phase === open) this.closeHeard = frame
    else if (this.phase._tag === "Closing") this.phase.received ??= frame
  }

  private answerClose(): void {
    if (this.inboundOver || this.dropped || this.phase._tag !== "Closing") return
    this.endInboundOnce()
    if (this.phase.sent === undefined && this.phase.first === "received") {
      const { echo } = this
      const code = this.phase.received?.code
      const answer = { code, reason: echo === undefined ? "" : (this.phase.received?.reason ?? "") }
      this.sendClose(answer, echo ?? encodeClose(answer))
    } else {
      this.completeHandshake()
    }
  }

  /**
   * Both close frames are on their way, ours perhaps behind messages that wait. RFC 6455 §7.1.1 has the server close the
   * transport first.
   */
  private completeHandshake(): void {
    if (this.role === "server" || this.settings.clientEnds || this.transport.endsAtOnce === true) this.endOutbound()
    else this.flush()
    this.transport.resume()
  }

  private fail(violation: Violation.Violation): void {
    if (this.inboundOver || this.dropped) return
    this.endInboundOnce({ _tag: "Violation", violation })
    if (this.phase._tag === "Closing" && this.phase.sent === undefined) {
      const frame = { code: violation.closeCode, reason: "" }
      this.sendClose(frame, encodeClose(frame))
    }
    this.endOutbound()
    this.transport.resume()
  }

  private endInbound(): void {
    if (this.phase._tag === "Closed") return
    this.endInboundOnce({ _tag: "TransportEnded" })
    this.endOutbound()
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

  private writeText(text: string, written: Written | undefined): void {
    this.encoder.text(this.out, Opcode.text, true, text)
    this.touch(written)
  }

  private writeFrame(
    opcode: number,
    fin: boolean,
    rsv: number,
    payload: Uint8Array,
    written: Written | undefined
  ): void {
    this.encoder.frame(this.out, opcode, fin, rsv, payload)
    this.touch(written)
  }

  private writeEncoded(frame: Uint8Array, written: Written | undefined): void {
    this.out.reference(frame)
    this.touch(written)
  }

  private touch(written?: Written): void {
    if (written !== undefined) (this.written ??= []).push(written)
    if (this.gathered >= this.settings.writeHighWaterMark) {
      this.writeOrKeep()
    } else if (!this.reading && !this.flushing) {
      this.flushing = true
      flushSoon(this)
    }
  }

  /** Bytes that wait for the next flush. */
  private get gathered(): number {
    return this.output === undefined ? 0 : this.output.size
  }

  private get out(): Output {
    return (this.output ??= takeOutput())
  }

  /** Writes what has gathered; what has to wait shares its memory with no other connection. */
  private writeOrKeep(): void {
    if (this.transport.congested) this.output?.keep()
    else this.writeOut()
  }

  private writeOut(): void {
    const { output, written } = this
    if (output === undefined) return
    const { tally } = this.settings
    if (tally !== undefined) tally.bytesSent += output.size
    this.output = undefined
    if (written === undefined) {
      output.flush(this.transport)
    } else {
      this.written = undefined
      output.flush(this.transport, (error) => callAll(written, error))
    }
    recycleOutput(output)
  }

  private compressAndWrite(
    opcode: number,
    fin: boolean,
    payload: Uint8Array,
    compression: Compression,
    written: Written | undefined
  ): void {
    const compressed = compression.compressSync(payload)
    if (compressed !== undefined) {
      // The compressor's buffer is lent: what the output would only reference must be copied.
      const lent = fin && compressed.length >= referenceSize
      this.writeCompressed(opcode, fin, lent ? Uint8Array.from(compressed) : compressed, written)
      return
    }
    this.stall(payload.length, written)
    compression.compress(payload, (result) => {
      const written = this.unstall(payload.length)
      if (this.phase._tag === "Closed") return
      if (result instanceof Error) {
        written?.(result)
        this.drop({ _tag: "TransportFailed", error: result })
        return
      }
      this.writeCompressed(opcode, fin, result, written)
      this.runBacklog()
    })
  }

  private stall(size: number, written: Written | undefined): void {
    this.stalled = true
    this.stalledWritten = written
    this.backlogSize += size
  }

  private unstall(size: number): Written | undefined {
    const { stalledWritten } = this
    this.stalled = false
    this.stalledWritten = undefined
    this.backlogSize -= size
    return stalledWritten
  }

  private writeCompressed(opcode: number, fin: boolean, compressed: Uint8Array, written: Written | undefined): void {
    const payload = fin ? compressed : Buffer.concat([compressed, flushTail])
    this.writeFrame(opcode, fin, opcode === Opcode.continuation ? 0 : rsv1, payload, written)
  }

  private defer(size: number, written: Written | undefined, write: () => void): void {
    this.backlogSize += size
    ;(this.backlog ??= []).push({ size, written, write })
  }

  private runBacklog(): void {
    while (!this.stalled) {
      const next = this.backlog?.shift()
      if (next === undefined) break
      this.backlogSize -= next.size
      next.write()
    }
    if (this.ending && !this.stalled) this.endOutbound()
    else if (!this.transport.congested) this.drained()
  }

  /** Forgets what was not written. */
  private discard(): void {
    const { backlog, stalledWritten, written } = this
    if (this.output !== undefined) {
      this.output.discard()
      recycleOutput(this.output)
      this.output = undefined
    }
    this.backlog = this.written = this.stalledWritten = undefined
    const unwritten = written ?? []
    if (stalledWritten !== undefined) unwritten.push(stalledWritten)
    if (backlog !== undefined) for (const { written } of backlog) if (written !== undefined) unwritten.push(written)
    if (unwritten.length > 0) process.nextTick(callAll, unwritten, destroyedError())
  }

  /** Ends the transport, because what was to be sent can't be had. */
  private giveUp(error: Error): void {
    const { backlog } = this
    this.backlog = undefined
    this.backlogSize = 0
    if (this.phase === open) this.beginClosing(undefined, undefined, { _tag: "TransportFailed", error })
    if (backlog !== undefined) for (const { written } of backlog) written?.(error)
    this.endOutbound()
  }

  /** Ends our direction of the transport behind everything that was sent, congested or not. */
  private endOutbound(): void {
    this.ending = true
    if (this.stalled || this.dropped) return
    this.writeOut()
    this.transport.end()
  }

  private destroy(): void {
    this.dropped = true
    this.reader?.suspend()
    this.discard()
    // A transport that is gone already has no more to tell.
    if (this.lost !== undefined) this.closed(this.lost.error)
    else this.transport.destroy()
  }

  private sendClose(frame: CloseFrame, payload: Uint8Array): void {
    if (this.stalled) {
      this.defer(0, undefined, () => this.writeClose(frame, payload))
    } else {
      this.writeClose(frame, payload)
    }
  }

  private writeClose(frame: CloseFrame, payload: Uint8Array): void {
    if (this.phase._tag !== "Closing" || this.phase.sent !== undefined || this.dropped) return
    this.phase.sent = this.codec.capabilities.closeCode ? frame : noStatus
    this.phase.first ??= "sent"
    this.encoder.close(this.out, payload)
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
    const timer = this.timers.after(this.settings.closeTimeout, () => this.closeTimedOut())
    const heard = this.closeHeard
    const closing: Closing = {
      _tag: "Closing",
      sent: undefined,
      received: received ?? heard,
      first: heard === undefined ? first : "received",
      cause,
      timer
    }
    this.phase = closing
    const { waiters } = this
    this.waiters = undefined
    if (waiters !== undefined) for (const waiter of waiters) waiter()
    return closing
  }

  /** Both close frames may have travelled; then only the transport is late, unless the peer hasn't read what is before ours. */
  private closeTimedOut(): void {
    const { phase } = this
    const complete = phase._tag === "Closing" && phase.sent !== undefined && phase.received !== undefined
    if (complete && this.buffered === 0) this.destroy()
    else this.drop({ _tag: "CloseTimeout" })
  }

  private finish(closing: Closing, transport: CloseCause): void {
    const { sent, received, first } = closing
    closing.timer.cancel()
    const complete = sent !== undefined && received !== undefined
    const cause = closing.cause ?? (complete ? { _tag: "Handshake" } : transport)
    const closed: Closed = { sent, received, first, cause }
    this.phase = { _tag: "Closed", closed }
    this.discard()
    this.compression?.close()
    this.endInboundOnce()
    this.face.closed(closed)
  }
}
