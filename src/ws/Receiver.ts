import { Writable } from "node:stream"
import { decodeClose } from "../internal/protocol/closeFrame.ts"
import { Connection } from "../internal/connection/connection.ts"
import { hybi } from "../internal/protocol/hybi/codec.ts"
import type { Timers } from "../internal/connection/timers.ts"
import type { Transport } from "../internal/transport/transport.ts"
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

/** Nothing that is read is answered: where the answers go. */
const nowhere: Transport = {
  attach: () => {},
  write: () => true,
  writeAll: () => true,
  buffered: 0,
  congested: false,
  pause: () => {},
  resume: () => {},
  end: () => {},
  destroy: () => {}
}

const noTimers: Timers = { now: () => 0, after: () => ({ cancel: () => {} }) }

class ReceiverIncoming extends Incoming<Receiver> {
  /** Called when everything that was written so far has been read. */
  done: Done | undefined = undefined

  override concluded(bytes: Buffer, start: number, end: number): void {
    const { code = 1005 } = decodeClose(bytes, start, end)
    this.emitter.emit("conclude", code, end - start > 2 ? bytes.subarray(start + 2, end) : nothing)
  }

  /** A violation is known only after the batch. */
  override batchEnd(): void {
    if (this.done !== undefined) process.nextTick(settle, this)
  }

  override ended(): void {}

  override closed(): void {}

  settle(): void {
    const { connection, done } = this
    if (done === undefined) return
    const { cause } = connection
    if (cause?._tag === "Violation") {
      this.done = undefined
      done(errorOf(cause.violation))
    } else if (!connection.isSuspended) {
      this.done = undefined
      done()
    }
  }
}

const settle = (incoming: ReceiverIncoming): void => incoming.settle()

/**
 * Reads what is written to it as frames. Emits `message` (data, isBinary), `ping`, `pong`, and `conclude` (code, reason)
 * for a close frame, after which it ends; a violation of the protocol is an `error`.
 */
export class Receiver extends Writable {
  readonly #incoming: ReceiverIncoming
  readonly #connection: Connection

  constructor(options: ReceiverOptions = {}) {
    super()
    this.#incoming = new ReceiverIncoming(this, options.binaryType ?? "nodebuffer", options)
    this.#connection = new Connection(this.#incoming, {
      transport: nowhere,
      codec: hybi,
      role: options.isServer === true ? "server" : "client",
      timers: noTimers,
      maxMessageSize: limitOf(options.maxPayload),
      maxFragments: limitOf(options.maxFragments),
      maxChunks: limitOf(options.maxBufferedChunks),
      minimalLength: false,
      skipUtf8Validation: options.skipUTF8Validation,
      writeHighWaterMark: Infinity,
      closeTimeout: 0,
      compression: options.extensions?.["permessage-deflate"]?.makeCompression(),
      autoPong: false
    })
    this.#incoming.connection = this.#connection
    this.once("conclude", () => this.end())
  }

  /** How bytes are given to `message` listeners. */
  get _binaryType(): BinaryType {
    return this.#incoming.binaryType
  }

  set _binaryType(type: BinaryType) {
    this.#incoming.binaryType = type
  }

  override _write(chunk: Buffer, _: BufferEncoding, callback: Done): void {
    this.#incoming.done = callback
    this.#connection.received(chunk)
    // After a close frame or a violation nothing is read any more.
    this.#incoming.settle()
  }
}
