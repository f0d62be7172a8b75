/**
 * permessage-deflate (RFC 7692 §7.2): the payloads of messages, compressed and back. What was negotiated comes in as
 * `Settings`; frames, RSV1 and the order of messages are the connection's.
 */
import { Compressor } from "./compressor.ts"
import { defaultDriver, type Driver } from "./context.ts"
import { Decompressor, type Inflated } from "./decompressor.ts"

export type { Driver } from "./context.ts"
export type { Inflated } from "./decompressor.ts"
export { type Limits, setLimits, usage, type Usage } from "./shared.ts"

/** One direction of a connection, as negotiated. */
export interface Direction {
  /** Base-two logarithm of the LZ77 window in bytes (RFC 7692 §7.1.2): 8 to 15, what we send 9 to 15. */
  readonly windowBits: number
  /** Whether a message may refer to those before it (RFC 7692 §7.1.1). */
  readonly takeover: boolean
}

/** What was agreed, and how we compress. */
export interface Settings {
  /** What we send. */
  readonly deflate: Direction
  /** What we receive. */
  readonly inflate: Direction
  /** Messages shorter than this many bytes are better sent as they are. */
  readonly threshold: number
  /** Compression level of zlib, 0 (none) to 9 (smallest), or -1 for zlib's own default, which is 6. */
  readonly level: number
  /** Memory for the state of compression, 1 to 9. */
  readonly memLevel: number
}

const expectInteger = (name: string, value: number, least: number, most: number): void => {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${name} must be an integer from ${least} to ${most}, not ${value}`)
  }
}

/**
 * Compression for one connection. Opens nothing until there is a message for it.
 *
 * Each direction takes one message at a time: a call while an earlier message of that direction is under way is a
 * mistake of the caller, and throws. With context takeover every compressed result has to be sent, in this order.
 * After `close` nothing happens any more: the synchronous calls answer `undefined`, the others never.
 */
export class Deflate {
  /** Messages shorter than this many bytes are better sent as they are. */
  readonly threshold: number
  /**
   * The same for all connections whose messages are compressed to the same bytes; undefined where each message depends
   * on those before it.
   */
  readonly shareKey: string | undefined
  private readonly settings: Settings
  private readonly driver: Driver
  private compressor: Compressor | undefined = undefined
  private decompressor: Decompressor | undefined = undefined
  private closed = false

  /** Throws a `RangeError` on settings that zlib has none of; it takes a window of 8 bits for one of 9 when it compresses. */
  constructor(settings: Settings, driver: Driver = defaultDriver()) {
    expectInteger("deflate.windowBits", settings.deflate.windowBits, 9, 15)
    expectInteger("inflate.windowBits", settings.inflate.windowBits, 8, 15)
    expectInteger("level", settings.level, -1, 9)
    expectInteger("memLevel", settings.memLevel, 1, 9)
    const { deflate, level, memLevel, threshold } = settings
    this.threshold = threshold
    this.shareKey = deflate.takeover ? undefined : `${deflate.windowBits} ${level} ${memLevel} ${threshold}`
    this.settings = settings
    this.driver = driver
  }

  /**
   * The payload of a compressed message, without the last four octets (RFC 7692 §7.2.1), at once. It is a view that
   * stays valid until the next call of `compressSync` in the process. Undefined when the message is too large for doing
   * it at once: then `compress` does it.
   */
  compressSync(payload: Uint8Array): Uint8Array | undefined {
    return this.closed ? undefined : this.outgoing().compressSync(payload)
  }

  /**
   * The same on the thread pool, however large the payload, which must not change until `done` is called: once, later
   * than this call, and not after `close`.
   */
  compress(payload: Uint8Array, done: (result: Uint8Array | Error) => void): void {
    if (!this.closed) this.outgoing().compress(payload, done)
  }

  /**
   * The payload of a received message, decompressed at once, in memory of its own. All fragments of a message come as
   * one payload. `limit` is the longest message in bytes: decompression stops there. Undefined when the message is too
   * large for doing it at once: then `inflate` does it, with the same payload, before anything else.
   */
  inflateSync(payload: Uint8Array, limit: number): Inflated | undefined {
    const result = this.inflateView(payload, limit)
    if (result === undefined || typeof result === "string") return result
    const copy = Buffer.allocUnsafeSlow(result.length)
    copy.set(result)
    return copy
  }

  /**
   * As `inflateSync`, but gives a view that stays valid until the next call of either in the process: for text, which
   * is decoded from it without a copy in between.
   */
  inflateView(payload: Uint8Array, limit: number): Uint8Array | "too large" | "invalid" | undefined {
    return this.closed ? undefined : this.incoming().inflateView(payload, limit)
  }

  /**
   * The same on the thread pool, however large the payload, which must not change until `done` is called: once, later
   * than this call, and not after `close`.
   */
  inflate(payload: Uint8Array, limit: number, done: (result: Inflated) => void): void {
    if (!this.closed) this.incoming().inflate(payload, limit, done)
  }

  /**
   * Gives back or frees what the connection holds. Messages that wait are dropped, those under way stop at their next
   * piece of output. Idempotent.
   */
  close(): void {
    this.closed = true
    this.compressor?.close()
    this.decompressor?.close()
  }

  private outgoing(): Compressor {
    if (this.compressor === undefined) {
      const { deflate, level, memLevel } = this.settings
      this.compressor = new Compressor(
        { windowBits: deflate.windowBits, level, memLevel },
        deflate.takeover,
        this.driver
      )
    }
    return this.compressor
  }

  private incoming(): Decompressor {
    if (this.decompressor === undefined) {
      const { inflate } = this.settings
      this.decompressor = new Decompressor(inflate.windowBits, inflate.takeover, this.driver)
    }
    return this.decompressor
  }
}
