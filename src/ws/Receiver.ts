import { Writable } from "node:stream"
import { Inbound, type InboundOwner } from "../internal/connection/inbound.ts"
import { decodeClose } from "../internal/protocol/closeFrame.ts"
import { hybi } from "../internal/protocol/hybi/codec.ts"
import { rsv1 } from "../internal/protocol/opcode.ts"
import type { Violation } from "../internal/protocol/protocolError.ts"
import { type BinaryType, nothing } from "./internal/data.ts"
import { errorOf } from "./internal/errors.ts"
import { Incoming } from "./internal/incoming.ts"
import { limitOf } from "./PerMessageDeflate.ts"
import type { Extensions } from "./Sender.ts"

/** What a receiver reads, and within which limits. All limits are off by default. */
export interface ReceiverOptions {
  /** Whether several events may be emitted in one tick. Default `true`. */
  readonly allowSynchronousEvents?: boolean | undefined
  /** Default `nodebuffer`. */
  readonly binaryType?: BinaryType | undefined
  /** The extensions that were negotiated. */
  readonly extensions?: Extensions | undefined
  /** Whether frames have to be masked, as those of a client. Default `false`. */
  readonly isServer?: boolean | undefined
  readonly maxBufferedChunks?: number | undefined
  readonly maxFragments?: number | undefined
  readonly maxPayload?: number | undefined
  readonly skipUTF8Validation?: boolean | undefined
}

type Done = (error?: Error | null) => void

const ignore = (): void => {}

/** What a receiver reads with: an input of its own, or that of a connection. */
export interface ReceiverSource {
  binaryType: BinaryType
  readonly inbound: Inbound
  readonly isServer: boolean
  readonly extensions: Extensions
  read(chunk: Buffer, done: Done): void
}

/** Reads the chunks that are written to a receiver, one at a time: the next one comes when this one is delivered. */
class Reading extends Incoming implements InboundOwner, ReceiverSource {
  readonly isServer: boolean
  readonly extensions: Extensions
  private done: Done | undefined = undefined

  constructor(receiver: Receiver, options: ReceiverOptions) {
    super(receiver, options.binaryType ?? "nodebuffer", options)
    this.isServer = options.isServer === true
    this.extensions = options.extensions ?? {}
    const compression = this.extensions["permessage-deflate"]?.makeCompression()
    const settings = {
      codec: hybi,
      role: this.isServer ? "server" : "client",
      maxMessageSize: limitOf(options.maxPayload),
      maxFragments: limitOf(options.maxFragments),
      maxChunks: limitOf(options.maxBufferedChunks),
      minimalLength: false,
      skipUtf8Validation: options.skipUTF8Validation,
      allowedRsv: compression === undefined ? 0 : rsv1
    } as const
    this.inbound = new Inbound(settings, this, compression, this)
  }

  read(chunk: Buffer, done: Done): void {
    this.done = done
    this.inbound.receive(chunk)
    if (!this.inbound.isWaiting) this.resumeSource()
  }

  override concluded(bytes: Buffer, start: number, end: number): void {
    const { code = 1005 } = decodeClose(bytes, start, end)
    this.emitter.emit("conclude", code, end - start > 2 ? bytes.subarray(start + 2, end) : nothing)
  }

  override ended(): void {}

  // InboundOwner: nothing that is read is answered here.

  readonly pauseSource = ignore
  readonly batchBegins = ignore
  readonly batchEnds = ignore
  readonly pingReceived = ignore
  readonly pongReceived = ignore
  readonly closeFrame = ignore
  readonly sourceEnded = ignore
  readonly sourceClosed = ignore

  resumeSource(): void {
    const { done } = this
    this.done = undefined
    done?.()
  }

  closeDelivered(): void {
    this.inbound.conclude()
  }

  protocolError(violation: Violation): void {
    const { done } = this
    this.done = undefined
    this.inbound.conclude()
    done?.(errorOf(violation))
  }
}

/**
 * Reads what is written to it as frames. Emits `message` (data, isBinary), `ping`, `pong`, and `conclude` (code, reason)
 * for a close frame, after which it ends; a violation of the protocol is an `error`.
 *
 * @category classes
 * @since 0.1.0
 */
export class Receiver extends Writable {
  readonly #source: ReceiverSource

  /** Reads what is written to it, or stands for the input of a connection. */
  constructor(options: ReceiverOptions | ReceiverSource = {}) {
    super()
    if ("inbound" in options) {
      this.#source = options
    } else {
      this.#source = new Reading(this, options)
      this.once("conclude", () => this.end())
    }
  }

  get _isServer(): boolean {
    return this.#source.isServer
  }

  get _extensions(): Extensions {
    return this.#source.extensions
  }

  /** How bytes are given to `message` listeners. */
  get _binaryType(): BinaryType {
    return this.#source.binaryType
  }

  set _binaryType(type: BinaryType) {
    this.#source.binaryType = type
  }

  /** Longest message in bytes, 0 for no limit. Programs change it, for example once a client has authenticated. */
  get _maxPayload(): number {
    const { maxMessageSize } = this.#source.inbound
    return maxMessageSize === Infinity ? 0 : maxMessageSize
  }

  set _maxPayload(limit: number) {
    this.#source.inbound.maxMessageSize = limitOf(limit)
  }

  override _write(chunk: Buffer, _: BufferEncoding, callback: Done): void {
    this.#source.read(chunk, callback)
  }
}
