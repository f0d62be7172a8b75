import { deflateRawSync } from "node:zlib"
import {
  type Context,
  deflateKey,
  deflateOptions,
  type DeflateParameters,
  type Driver,
  openDeflate,
  type Outcome
} from "./context.ts"
import { Job } from "./limiter.ts"
import { deflatePool, kept, keptChunkSize, limiter, nothing, pooledChunkSize, tail } from "./shared.ts"

/** Longest message in bytes that is compressed synchronously: about a quarter of a millisecond of work. */
export const syncSize = (level: number): number => (level >= 0 && level <= 3 ? 64 * 1024 : 32 * 1024)

/** Where synchronous output goes. Grows to what the longest message needs. */
let scratch = Buffer.allocUnsafeSlow(16 * 1024)

const grow = (): void => {
  const larger = Buffer.allocUnsafeSlow(scratch.length * 2)
  scratch.copy(larger)
  scratch = larger
}

const failed = "zlib failed to compress"

/** The pieces as one, without the tail that they end in. */
const withoutTail = (outcome: Outcome): Uint8Array => {
  const size = outcome.size - tail.length
  const [first] = outcome.pieces
  if (first !== undefined && outcome.pieces.length === 1) return first.subarray(0, size)
  const result = Buffer.allocUnsafeSlow(size)
  let offset = 0
  for (const piece of outcome.pieces) {
    result.set(piece.length <= size - offset ? piece : piece.subarray(0, Math.max(0, size - offset)), offset)
    offset = Math.min(size, offset + piece.length)
  }
  return result
}

/** Compresses the messages of one connection, one at a time, in the order in which they are sent. */
export class Compressor extends Job {
  private readonly parameters: DeflateParameters
  private readonly takeover: boolean
  private readonly driver: Driver
  private readonly key: number
  /** The context that the connection keeps. */
  private own: Context | undefined = undefined
  /** The context that is at work on the thread pool. */
  private working: Context | undefined = undefined
  private payload: Uint8Array = nothing
  private done: ((result: Uint8Array | Error) => void) | undefined = undefined
  private closed = false

  constructor(parameters: DeflateParameters, takeover: boolean, driver: Driver) {
    super()
    this.parameters = parameters
    this.takeover = takeover
    this.driver = driver
    this.key = deflateKey(parameters, driver)
  }

  /** See `Deflate.compressSync`. */
  compressSync(payload: Uint8Array): Uint8Array | undefined {
    this.expectIdle()
    if (payload.length === 0) {
      // RFC 7692 §7.2.3.6. zlib itself gives nothing at all when it flushes twice in a row.
      scratch[0] = 0
      return scratch.subarray(0, 1)
    }
    if (payload.length > syncSize(this.parameters.level)) return undefined
    if (this.driver === "public") return this.takeover ? undefined : this.compressAlone(payload)
    const context = this.acquire()
    const size = this.fill(context, payload)
    this.release(context)
    return scratch.subarray(0, size - tail.length)
  }

  /** See `Deflate.compress`. */
  compress(payload: Uint8Array, done: (result: Uint8Array | Error) => void): void {
    this.expectIdle()
    this.payload = payload
    this.done = done
    if (payload.length === 0) queueMicrotask(() => this.settle(Uint8Array.of(0)))
    else limiter.add(this)
  }

  /** Begins the message's turn on the thread pool. */
  override start(): void {
    const context = this.acquire()
    this.working = context
    context.feed(this.payload, undefined, Infinity, (outcome) => {
      this.working = undefined
      this.release(context)
      limiter.finished()
      if (!this.closed) this.settle(outcome.failure === undefined ? withoutTail(outcome) : new Error(failed))
    })
  }

  /** See `Deflate.close`. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.payload = nothing
    this.done = undefined
    limiter.drop(this)
    this.working?.abandon()
    if (this.own !== undefined) {
      if (this.own !== this.working) this.own.close()
      this.own = undefined
      kept.count--
    }
  }

  private settle(result: Uint8Array | Error): void {
    const done = this.done
    this.payload = nothing
    this.done = undefined
    done?.(result)
  }

  private expectIdle(): void {
    if (this.done !== undefined) throw new Error("a message is still being compressed")
  }

  /**
   * A sender may start from an empty window whenever it likes (RFC 7692 §7.1.1), until it has a context of its own: that
   * one counts distances by the messages it saw, so the connection stays with it.
   */
  private acquire(): Context {
    if (this.own !== undefined) return this.own
    if (this.takeover && kept.count < kept.limit) {
      this.own = openDeflate(this.parameters, this.driver, keptChunkSize)
      kept.count++
      return this.own
    }
    return deflatePool.take(this.key) ?? openDeflate(this.parameters, this.driver, pooledChunkSize)
  }

  private release(context: Context): void {
    if (context !== this.own) {
      deflatePool.give(context)
    } else if (context.dead) {
      context.close()
      this.own = undefined
      kept.count--
    }
  }

  /** Compresses into the scratch buffer, and answers how many bytes came out. */
  private fill(context: Context, payload: Uint8Array): number {
    let taken = 0
    let size = 0
    for (;;) {
      context.write(payload, taken, payload.length, scratch, size, scratch.length)
      if (context.dead) {
        this.release(context)
        throw new Error(failed)
      }
      taken = payload.length - context.inputLeft
      size = scratch.length - context.outputLeft
      if (size < scratch.length) return size
      grow()
    }
  }

  private compressAlone(payload: Uint8Array): Uint8Array {
    const result = deflateRawSync(payload, deflateOptions(this.parameters))
    return result.subarray(0, result.length - tail.length)
  }
}
