import { type CloseFrame, decodeClose } from "../protocol/closeFrame.ts"
import type { Borrowed, Codec, Decoder, DecoderOptions, FrameSink } from "../protocol/codec.ts"
import { MessageAssembler } from "../protocol/messageAssembler.ts"
import { Opcode, rsv1 } from "../protocol/opcode.ts"
import * as Violation from "../protocol/protocolError.ts"
import type { Compression } from "./compression.ts"
import type { InputHandler } from "./handler.ts"
import { closeRead, ended, flowing, held, isPausing, maxPeeked, type Pacing, paused, stopped } from "./pacing.ts"

/** What inputs share with those of other connections. */
export interface InboundSettings extends DecoderOptions {
  readonly codec: Codec
  /** Most frames of one message. */
  readonly maxFragments: number
}

/** What is notified by the input of a connection, and controls where it comes from. */
export interface InboundOwner {
  /** Stops the source from bringing more; what it brings all the same is accepted. */
  pauseSource(): void
  resumeSource(): void
  /** A batch is about to be delivered. */
  batchBegins(): void
  /** A batch was delivered, and the decoder's findings were acted on. */
  batchEnds(): void
  pingReceived(payload: Buffer): void
  pongReceived(payload: Buffer): void
  /** A close frame was read: nothing after it is (RFC 6455 §1.4). `payload` is valid during the call. */
  closeFrame(frame: CloseFrame, payload: Buffer): void
  /** Everything that was read before the close frame was delivered. */
  closeDelivered(): void
  protocolError(violation: Violation.Violation): void
  /** The source ended, and everything that it brought was delivered. */
  sourceEnded(): void
  /** The source closed, and everything that it brought was delivered. */
  sourceClosed(error: Error | undefined): void
}

/** Where the input comes from: a source that ended or closed may leave something to deliver. */
type Source =
  | { readonly _tag: "Open" }
  | { readonly _tag: "Ended" }
  | { readonly _tag: "Closed"; readonly error: Error | undefined }

/** - `again`: the reader asked for more while something was being delivered. */
type Delivery = "idle" | "delivering" | "again"

const openSource: Source = { _tag: "Open" }
const endedSource: Source = { _tag: "Ended" }

/**
 * The input of a connection: decodes what was read, joins fragments, inflates, and delivers in batches, as fast as the
 * reader allows. It is the one place that decides whether reading may go on.
 */
export class Inbound implements FrameSink {
  private settings: InboundSettings
  readonly compression: Compression | undefined
  private readonly handler: InputHandler
  private readonly owner: InboundOwner
  private readonly sink: FrameSink
  private pacing: Pacing = flowing
  private source: Source = openSource
  private delivery: Delivery = "idle"
  /** Absent while nothing is kept of what was read. */
  private decoder: Decoder | undefined = undefined
  private assembler: MessageAssembler | undefined = undefined
  /** Frames of the message under way. */
  private fragments = 0

  /** `observe` wraps the sink that the decoder calls. */
  constructor(
    settings: InboundSettings,
    handler: InputHandler,
    compression: Compression | undefined,
    owner: InboundOwner,
    observe?: (sink: FrameSink) => FrameSink
  ) {
    this.settings = settings
    this.handler = handler
    this.compression = compression
    this.owner = owner
    this.sink = observe === undefined ? this : observe(this)
  }

  /** Bytes that are kept of a message whose end hasn't come. */
  get partialSize(): number {
    return (this.decoder?.partialSize ?? 0) + (this.assembler?.size ?? 0)
  }

  /** Whether an observer sees the frames. */
  get isObserved(): boolean {
    return this.sink !== this
  }

  /** Whether the reader has paused reading. */
  get isPaused(): boolean {
    const { pacing } = this
    return pacing._tag === "Waiting" ? isPausing(pacing.demand) : isPausing(pacing)
  }

  /** Whether a message inflates elsewhere, or the handler is busy with one. */
  get isWaiting(): boolean {
    return this.pacing._tag === "Waiting"
  }

  /** Longest message in bytes. A change takes effect with the next frame. */
  get maxMessageSize(): number {
    return this.settings.maxMessageSize
  }

  set maxMessageSize(maxMessageSize: number) {
    this.settings = { ...this.settings, maxMessageSize }
    this.decoder?.limit?.(this.settings)
  }

  // The source.

  /** Accepts the next bytes. They are this connection's to change, and to keep unless they are borrowed. */
  receive(chunk: Buffer, borrowed?: Borrowed): void {
    const { pacing } = this
    if (pacing._tag === "Stopped" || pacing._tag === "Ended" || pacing._tag === "CloseRead") return
    if (this.delivery !== "idle") return this.receiveNested(chunk, borrowed)
    this.deliver(chunk, borrowed)
    this.finish()
    if (pacing !== flowing && isPausing(pacing)) this.pauseAgain(chunk.length)
  }

  /** Memory of a payload under way into which the next bytes may be read. */
  get readTarget(): Buffer | undefined {
    return this.delivery === "idle" && this.pacing === flowing ? this.decoder?.readTarget : undefined
  }

  /** The source brings nothing more. */
  end(): void {
    if (this.source === openSource) this.source = endedSource
    if (this.delivery !== "idle") this.delivery = "again"
    else if (!this.isUndelivered) this.owner.sourceEnded()
  }

  /** The source is closed. `sourceClosed` is called once everything that it brought was delivered. */
  close(error: Error | undefined): void {
    this.source = { _tag: "Closed", error }
    if (!this.isUndelivered) this.owner.sourceClosed(error)
  }

  /** Whether the source is closed. */
  get isClosed(): boolean {
    return this.source._tag === "Closed"
  }

  /** Why the source closed. */
  get closeError(): Error | undefined {
    return this.source._tag === "Closed" ? this.source.error : undefined
  }

  // The reader.

  /** Stops reading from the source. What was read goes on to be delivered. */
  pause(): void {
    const { pacing } = this
    if (pacing._tag === "Flowing") {
      this.pacing = paused
      this.owner.pauseSource()
    } else if (pacing._tag === "Waiting" && pacing.demand === flowing) {
      this.pacing = { _tag: "Waiting", demand: paused }
    }
  }

  /** Stops in the middle of what was read, too. `resume` goes on from there. */
  hold(): void {
    const { pacing } = this
    if (pacing._tag === "Waiting") {
      this.pacing = { _tag: "Waiting", demand: held }
    } else if (pacing._tag === "Flowing" || pacing._tag === "Paused") {
      if (pacing === flowing) this.owner.pauseSource()
      this.pacing = pacing._tag === "Paused" ? { _tag: "Held", peeked: pacing.peeked } : held
      this.decode().suspend()
    }
  }

  /** Goes on with what was read, and with the source. Inside a delivery this happens at its end. */
  resume(): void {
    const { pacing } = this
    if (pacing._tag === "Waiting") {
      this.pacing = { _tag: "Waiting", demand: flowing }
    } else if (isPausing(pacing)) {
      this.pacing = flowing
      this.proceed()
    }
  }

  /** As `hold`, for what the handler has to do before the next event. `release` goes on, at the reader's pace. */
  suspend(): void {
    const { pacing } = this
    if (pacing._tag !== "Flowing" && !isPausing(pacing)) return
    this.pacing = { _tag: "Waiting", demand: pacing }
    this.decode().suspend()
    this.owner.pauseSource()
  }

  release(): void {
    if (this.pacing._tag !== "Waiting") return
    this.pacing = this.pacing.demand
    this.proceed()
  }

  /**
   * Lets the source bring one more read although the reader has paused it, so that the peer's answer can be noticed. Returns
   * whether it can: not once `maxPeeked` bytes came that way, nor while a message inflates.
   */
  peek(): boolean {
    const { pacing } = this
    if (!isPausing(pacing)) return pacing === flowing
    if (pacing.peeked >= maxPeeked) return false
    this.owner.resumeSource()
    return true
  }

  /** Takes over the fragments of a message that the handler received one by one, so that the rest joins them. */
  adopt(assembler: MessageAssembler): void {
    this.assembler = assembler
  }

  /** Delivers nothing more of what was read. */
  stop(): void {
    if (this.pacing === ended) return
    this.pacing = stopped
    this.decoder?.suspend()
  }

  /** Nothing more will come: notifies the handler, once. */
  conclude(): void {
    if (this.pacing === ended) return
    this.pacing = ended
    this.assembler = undefined
    this.handler.ended()
  }

  // FrameSink: what the decoder finds.

  message(opcode: number, rsv: number, bytes: Buffer, start: number, end: number): Violation.Violation | undefined {
    return rsv === 0
      ? this.handler.message(opcode, bytes, start, end)
      : this.inflate(opcode, bytes.subarray(start, end))
  }

  gather(opcode: number, rsv: number, length: number): MessageAssembler | undefined {
    if (opcode !== Opcode.continuation && (rsv !== 0 || !this.handler.wantsFragments)) {
      this.assembler = new MessageAssembler(opcode, rsv, length)
    }
    return this.assembler
  }

  splits(rsv: number, length: number): boolean {
    return rsv === 0 && this.assembler === undefined && this.handler.wantsPieces?.(length) === true
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
    const { maxFragments } = this.settings
    if (++this.fragments > maxFragments) return Violation.tooManyParts("fragments", maxFragments)
    const { assembler } = this
    if (assembler === undefined) return this.handler.fragment(opcode, fin, bytes, start, end)
    assembler.append(bytes, start, end)
    if (!fin) return undefined
    this.assembler = undefined
    const payload = assembler.take()
    return assembler.rsv === 0
      ? this.handler.message(assembler.opcode, payload, 0, payload.length)
      : this.inflate(assembler.opcode, payload)
  }

  control(opcode: number, bytes: Buffer, start: number, end: number): undefined {
    if (opcode === Opcode.close) {
      this.decoder?.suspend()
      if (this.pacing !== stopped) this.pacing = closeRead
      this.owner.closeFrame(decodeClose(bytes, start, end), bytes.subarray(start, end))
    } else if (opcode === Opcode.ping) {
      this.owner.pingReceived(bytes.subarray(start, end))
    } else {
      this.owner.pongReceived(bytes.subarray(start, end))
    }
    this.handler.control(opcode, bytes, start, end)
  }

  /** Whether something that was read is still to be delivered. */
  private get isUndelivered(): boolean {
    const { pacing } = this
    if (pacing === stopped || pacing === ended) return false
    return pacing._tag === "Waiting" || this.decoder?.suspended === true
  }

  /** Whether what was read before is to be delivered now. */
  private get canContinue(): boolean {
    return (this.pacing._tag === "Flowing" || this.pacing._tag === "Paused") && this.decoder?.suspended === true
  }

  private decode(): Decoder {
    return (this.decoder ??= this.settings.codec.decoder(this.sink, this.settings))
  }

  /** What is sent from inside a delivery may bring more, on TLS for one: it comes after what is being delivered. */
  private receiveNested(chunk: Buffer, borrowed: Borrowed | undefined): void {
    const decoder = this.decode()
    decoder.suspend()
    decoder.feed(chunk, borrowed)
    this.delivery = "again"
  }

  /** A peek brought something, or the source what it had read before it was paused. */
  private pauseAgain(size: number): void {
    const { pacing } = this
    if (pacing === flowing || !isPausing(pacing)) return
    this.pacing = { _tag: pacing._tag, peeked: pacing.peeked + size }
    this.owner.pauseSource()
  }

  private proceed(): void {
    const idle = this.delivery === "idle"
    this.delivery = "again"
    if (idle) this.finish()
  }

  /** Delivers a batch: what a chunk brings, what was kept before, or what the task delivers. */
  private deliver(source: Buffer | (() => void) | undefined, borrowed?: Borrowed): void {
    this.delivery = "delivering"
    this.owner.batchBegins()
    let delivered = false
    try {
      if (source === undefined) this.decode().resume()
      else if (typeof source === "function") source()
      else this.decode().feed(source, borrowed)
      this.handler.batchEnd()
      delivered = true
    } finally {
      if (!delivered) this.interrupted()
    }
  }

  /** The handler has thrown: what it sent is written, and the rest is delivered on the next tick. */
  private interrupted(): void {
    this.delivery = "idle"
    this.owner.batchEnds()
    process.nextTick(() => this.proceed())
  }

  /** The end of a batch: goes on while the reader asks for more, and acts on how the decoding ended. */
  private finish(): void {
    let continued = false
    while (this.delivery === "again") {
      this.delivery = "delivering"
      continued = true
      if (!this.canContinue) break
      this.deliver(undefined)
    }
    this.delivery = "delivering"
    const violation = this.decoder?.violation
    if (this.pacing === closeRead) this.owner.closeDelivered()
    else if (violation !== undefined && this.pacing !== stopped && this.pacing !== ended) {
      this.owner.protocolError(violation)
    }
    this.delivery = "idle"
    this.owner.batchEnds()
    if (this.decoder?.atRest === true) this.recycle(this.decoder)
    if (continued) this.readOn()
  }

  private recycle(decoder: Decoder): void {
    const { codec } = this.settings
    if (codec.recycle === undefined) return
    this.decoder = undefined
    codec.recycle(decoder)
  }

  private readOn(): void {
    const { pacing, source } = this
    if (pacing._tag === "Held" || pacing._tag === "Waiting") return
    if (source._tag === "Closed") this.owner.sourceClosed(source.error)
    else if (source._tag === "Ended") this.owner.sourceEnded()
    else if (pacing._tag !== "Paused") this.owner.resumeSource()
  }

  private inflate(opcode: number, payload: Buffer): Violation.Violation | undefined {
    const { compression } = this
    if (compression === undefined) return Violation.unexpectedReservedBits(rsv1)
    const { maxMessageSize } = this.settings
    const result =
      opcode === Opcode.text && this.handler.borrowsText === true
        ? compression.inflateView(payload, maxMessageSize)
        : compression.inflateSync(payload, maxMessageSize)
    if (result !== undefined) return this.inflated(opcode, result)
    this.suspend()
    compression.inflate(payload, maxMessageSize, (later) => this.resumeInflated(opcode, later))
    return undefined
  }

  private resumeInflated(opcode: number, result: Uint8Array | "too large" | "invalid"): void {
    const { pacing } = this
    if (pacing._tag === "Waiting") {
      this.pacing = pacing.demand
      let violation: Violation.Violation | undefined
      this.deliver(() => {
        violation = this.inflated(opcode, result)
        if (violation === undefined && this.canContinue) this.decode().resume()
      })
      if (violation !== undefined && this.pacing !== stopped) this.owner.protocolError(violation)
    }
    this.delivery = "again"
    this.finish()
  }

  private inflated(opcode: number, result: Uint8Array | "too large" | "invalid"): Violation.Violation | undefined {
    if (result === "too large") return Violation.messageTooLarge(this.settings.maxMessageSize)
    if (result === "invalid") return Violation.invalidCompressedData
    const bytes = Buffer.from(result.buffer, result.byteOffset, result.byteLength)
    return this.handler.message(opcode, bytes, 0, bytes.length)
  }
}
