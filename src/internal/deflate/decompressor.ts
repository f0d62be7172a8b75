import { constants as bufferConstants } from "node:buffer"
import { types } from "node:util"
import { constants, inflateRawSync } from "node:zlib"
import { type Context, type Driver, inflateKey, openInflate, type Outcome } from "./context.ts"
import { Job } from "./limiter.ts"
import { inflatePool, keptChunkSize, limiter, nothing, pooledChunkSize, tail } from "./shared.ts"

/** Longest compressed message in bytes that is decompressed synchronously. */
export const syncSize = 64 * 1024

/** Most bytes that are made of it synchronously: about a quarter of a millisecond of work. */
export const syncOutput = 256 * 1024

/**
 * How often decompression starts anew in one message, after a final block (RFC 7692 §7.2.3.4). Each time may cost some
 * 50 µs for two octets of input; a sender has a reason for one, or for one per fragment.
 */
export const maxFinalBlocks = 16

/** Without context takeover all connections share contexts of the largest window: they read what any smaller one wrote. */
const sharedWindowBits = 15

/** Where a message and the tail stand side by side. */
let input: Uint8Array = nothing
/** Where synchronous output goes. */
let scratch: Uint8Array = nothing

/** The last bytes of several pieces in order, at most `length`; a copy. */
const lastBytes = (pieces: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  let size = 0
  let index = pieces.length
  while (index > 0 && size < length) size += pieces[--index]?.length ?? 0
  return Buffer.concat(pieces.slice(index), size).subarray(Math.max(0, size - length))
}

/** The pieces as one, in memory of its own that holds nothing else. */
const join = (pieces: ReadonlyArray<Uint8Array>, size: number): Buffer => {
  const result = Buffer.allocUnsafeSlow(size)
  let offset = 0
  for (const piece of pieces) {
    result.set(piece, offset)
    offset += piece.length
  }
  return result
}

/**
 * What follows a final block: nothing, which is the tail with or without the zero octet that has to precede it
 * (RFC 7692 §7.2.3.4); more blocks; or no message at all, when the block took a part of the tail.
 */
const afterFinalBlock = (payload: Uint8Array, taken: number): "nothing" | "more" | "invalid" => {
  if (taken > payload.length) return "invalid"
  const left = payload.length - taken
  return left === 0 || (left === 1 && payload[taken] === 0) ? "nothing" : "more"
}

/** A decompressed message, or why there is none: it is longer than the limit, or it does not inflate. */
export type Inflated = Buffer | "too large" | "invalid"

/** How far a message came on the thread pool. */
class Progress {
  /** Bytes of the payload and its tail that were read. */
  taken = 0
  /** The output so far, and its size. */
  pieces: Array<Uint8Array> = []
  size = 0
  finalBlocks = 0
}

/** Decompresses the messages of one connection, one at a time, in the order in which they came. */
export class Decompressor extends Job {
  private readonly windowBits: number
  private readonly takeover: boolean
  private readonly driver: Driver
  /** The context that the connection keeps. */
  private own: Context | undefined = undefined
  /** The context that is at work on the thread pool. */
  private working: Context | undefined = undefined
  /** After a message that did not inflate, nothing can follow that refers to it. */
  private broken = false
  private closed = false

  /**
   * The output before the present place, as much as the window holds: kept from the first final block on, because zlib
   * forgets its window there. Without takeover it ends with the message.
   */
  private history: Uint8Array | undefined = undefined
  /** How many bytes of the present message's output stand in `history`. */
  private remembered = 0

  /** The message on the thread pool, and how far it came. */
  private payload: Uint8Array = nothing
  private limit = 0
  private done: ((result: Inflated) => void) | undefined = undefined
  private progress = new Progress()

  constructor(windowBits: number, takeover: boolean, driver: Driver) {
    super()
    this.windowBits = takeover ? Math.max(9, windowBits) : sharedWindowBits
    this.takeover = takeover
    this.driver = driver
  }

  /** See `Deflate.inflateView`. */
  inflateView(payload: Uint8Array, limit: number): Uint8Array | "too large" | "invalid" | undefined {
    this.expectIdle()
    if (this.progress.taken > 0) throw new Error("the message that was begun goes on with inflate")
    if (this.broken) return "invalid"
    if (payload.length === 0) return nothing
    if (payload.length > syncSize) return undefined
    if (this.driver === "public") return this.takeover ? undefined : inflateAlone(payload, limit)
    return this.inflateNow(payload, limit)
  }

  /** See `Deflate.inflate`. */
  inflate(payload: Uint8Array, limit: number, done: (result: Inflated) => void): void {
    this.expectIdle()
    this.payload = payload
    this.limit = Math.min(limit, bufferConstants.MAX_LENGTH)
    this.done = done
    if (this.broken) queueMicrotask(() => this.settle("invalid"))
    else if (payload.length === 0) queueMicrotask(() => this.settle(join([], 0)))
    else limiter.add(this)
  }

  /** Begins the message's turn on the thread pool, or goes on after a final block. */
  override start(): void {
    const context = this.acquire()
    this.working = context
    context.feed(
      this.payload.subarray(this.progress.taken),
      tail.subarray(Math.max(0, this.progress.taken - this.payload.length)),
      this.limit - this.progress.size,
      (outcome) => this.advance(context, outcome)
    )
  }

  /** See `Deflate.close`. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.done = undefined
    limiter.drop(this)
    this.working?.abandon()
    if (this.own !== this.working) this.own?.close()
    this.own = this.history = undefined
    this.forget()
  }

  private expectIdle(): void {
    if (this.done !== undefined) throw new Error("a message is still being decompressed")
  }

  private acquire(): Context {
    if (this.own !== undefined) return this.own
    const dictionary = this.history === undefined || this.history.length === 0 ? undefined : this.history
    if (this.takeover) return (this.own = openInflate(this.windowBits, this.driver, keptChunkSize, dictionary))
    return (
      (dictionary === undefined ? inflatePool.take(inflateKey(this.windowBits, this.driver)) : undefined) ??
      openInflate(this.windowBits, this.driver, pooledChunkSize, dictionary)
    )
  }

  /** Closes a context that is of no further use. */
  private discard(context: Context): void {
    context.close()
    if (context === this.own) this.own = undefined
  }

  private remember(pieces: ReadonlyArray<Uint8Array>, size: number): void {
    const window = 1 << this.windowBits
    const fresh = lastBytes(pieces, Math.min(size - this.remembered, window))
    this.history = lastBytes([this.history ?? nothing, fresh], window)
    this.remembered = size
  }

  /** The message is whole: what stays of it is its window. */
  private endMessage(context: Context, pieces: ReadonlyArray<Uint8Array>, size: number, final: boolean): void {
    if (!this.takeover) {
      this.history = undefined
      inflatePool.give(context)
    } else {
      if (final) this.discard(context)
      if (final || this.history !== undefined) this.remember(pieces, size)
    }
    this.remembered = 0
  }

  /** A context for what follows a final block, at once, with the same window before it. */
  private restart(context: Context, pieces: ReadonlyArray<Uint8Array>, size: number): Context {
    this.remember(pieces, size)
    if (this.history?.length === 0 && context.key !== undefined) {
      context.reset()
      return context
    }
    this.discard(context)
    return this.acquire()
  }

  private fail<Reason>(context: Context, reason: Reason): Reason {
    this.discard(context)
    this.history = undefined
    this.remembered = 0
    this.broken = this.takeover
    return reason
  }

  private inflateNow(payload: Uint8Array, limit: number): Uint8Array | "too large" | "invalid" | undefined {
    if (scratch === nothing) {
      scratch = Buffer.allocUnsafeSlow(syncOutput)
      input = Buffer.allocUnsafeSlow(syncSize + tail.length)
    }
    const end = payload.length + tail.length
    input.set(payload)
    input.set(tail, payload.length)
    const room = Math.min(scratch.length, limit + 1)
    let context = this.acquire()
    let taken = 0
    let size = 0
    let finalBlocks = 0
    for (;;) {
      context.write(input, taken, end, scratch, size, room)
      if (context.dead) return this.fail(context, "invalid")
      taken = end - context.inputLeft
      size = room - context.outputLeft
      if (size > limit) return this.fail(context, "too large")
      if (size === room) {
        this.postpone(context, taken, size, finalBlocks)
        return undefined
      }
      const rest = taken === end ? "end" : afterFinalBlock(payload, taken)
      if (rest === "end" || rest === "nothing") {
        const view = scratch.subarray(0, size)
        this.endMessage(context, [view], size, rest === "nothing")
        return view
      }
      if (rest === "invalid" || ++finalBlocks > maxFinalBlocks) return this.fail(context, "invalid")
      context = this.restart(context, [scratch.subarray(0, size)], size)
    }
  }

  /** More comes out than the synchronous way takes. Only a context of our own has to go on where it is. */
  private postpone(context: Context, taken: number, size: number, finalBlocks: number): void {
    if (this.takeover) {
      this.progress.taken = taken
      this.progress.size = size
      this.progress.finalBlocks = finalBlocks
      this.progress.pieces = [join([scratch.subarray(0, size)], size)]
    } else {
      this.history = undefined
      this.remembered = 0
      inflatePool.give(context)
    }
  }

  /** Takes what one turn through the message gave: all of it, or all up to a final block. */
  private advance(context: Context, outcome: Outcome): void {
    this.working = undefined
    if (this.closed) limiter.finished()
    else this.conclude(this.take(context, outcome))
  }

  private take(context: Context, outcome: Outcome): Inflated | undefined {
    if (outcome.failure !== undefined) {
      return this.fail(context, outcome.failure === "too large" ? "too large" : "invalid")
    }
    for (const piece of outcome.pieces) this.progress.pieces.push(piece)
    this.progress.size += outcome.size
    this.progress.taken += outcome.taken
    const ended = this.progress.taken === this.payload.length + tail.length
    const rest = ended ? "end" : afterFinalBlock(this.payload, this.progress.taken)
    if (rest === "end" || rest === "nothing") {
      this.endMessage(context, this.progress.pieces, this.progress.size, rest === "nothing")
      return join(this.progress.pieces, this.progress.size)
    }
    if (rest === "invalid" || ++this.progress.finalBlocks > maxFinalBlocks) return this.fail(context, "invalid")
    this.remember(this.progress.pieces, this.progress.size)
    this.discard(context)
    return undefined
  }

  private conclude(result: Inflated | undefined): void {
    if (result === undefined) {
      this.start()
    } else {
      limiter.finished()
      this.settle(result)
    }
  }

  private settle(result: Inflated): void {
    const done = this.done
    this.done = undefined
    this.forget()
    done?.(result)
  }

  /** Lets go of the message. */
  private forget(): void {
    this.payload = nothing
    this.progress = new Progress()
  }
}

/** One message without context takeover, by what `node:zlib` documents. */
const inflateAlone = (payload: Uint8Array, limit: number): Uint8Array | "too large" | "invalid" | undefined => {
  const bound = Math.min(limit, syncOutput)
  let result: unknown
  try {
    result = inflateRawSync(Buffer.concat([payload, tail]), {
      finishFlush: constants.Z_SYNC_FLUSH,
      info: true,
      maxOutputLength: Math.max(1, bound)
    })
  } catch (error) {
    if (!isTooLarge(error)) return "invalid"
    return bound === limit ? "too large" : undefined
  }
  if (!isInfo(result)) return undefined
  if (result.buffer.length > bound) return "too large"
  const { bytesWritten } = result.engine
  const ended = bytesWritten === payload.length + tail.length
  return ended || afterFinalBlock(payload, bytesWritten) === "nothing" ? result.buffer : undefined
}

/** Whether zlib gave up because of `maxOutputLength`. Its class is no proof: where tests run, each realm has its own. */
const isTooLarge = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE"

/** What the synchronous functions of `node:zlib` answer with the option `info`. */
const isInfo = (
  value: unknown
): value is { readonly buffer: Uint8Array; readonly engine: { readonly bytesWritten: number } } =>
  typeof value === "object" &&
  value !== null &&
  "buffer" in value &&
  types.isUint8Array(value.buffer) &&
  "engine" in value &&
  typeof value.engine === "object" &&
  value.engine !== null &&
  "bytesWritten" in value.engine &&
  typeof value.engine.bytesWritten === "number"
