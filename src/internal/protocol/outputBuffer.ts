/**
 * Where a connection's frames gather until they are written at once.
 *
 * All outputs carve their bytes from one slab per process. Consecutive frames of one connection lie side by side,
 * so that a flush is a single write of a single view. Once every output that used the slab has handed its bytes to
 * the system, the slab is used again from its beginning; bytes that a transport could not take at once keep it. Where it
 * is known that bytes will wait, they move to memory of their own, so that a slow peer keeps no more than what it is sent.
 */

/** Size of the shared slab, in bytes: the frames that one full read of 64 KiB causes always fit. */
export const slabSize = 128 * 1024

/** Payloads from this many bytes on are referenced, not copied, unless they are masked. */
export const referenceSize = 16 * 1024

/** Up to this many bytes, several pieces are copied together into one write. */
const joinSize = 64 * 1024

/** Memory that an output gets, in bytes, when a little has to wait in it: more may come. */
const keptSize = 16 * 1024

/** The memory of all slabs. */
const slabs = new WeakSet<ArrayBufferLike>()

class Slab {
  readonly buffer = Buffer.allocUnsafeSlow(slabSize)
  cursor = 0
  /** Outputs with bytes in here that were not yet handed to a transport. */
  holders = 0
  /** A transport still reads from it: it must not be written again from the beginning. */
  kept = false

  constructor() {
    slabs.add(this.buffer.buffer)
  }
}

let current = new Slab()

/** The buffer of an output that holds nothing. */
const none = Buffer.alloc(0)

/** Called, later than the write, when the system has taken the bytes, or with the reason why it never will. */
export type Written = (error?: Error | null) => void

/** What a flush writes to. */
export interface Sink {
  /** Bytes that were taken before and still wait: what is written now waits behind them. */
  readonly buffered: number
  /** Takes bytes, and answers whether they may be overwritten at once. */
  write(bytes: Uint8Array, written?: Written): boolean
  /** Takes several pieces as one write. */
  writeAll(pieces: ReadonlyArray<Uint8Array>, written?: Written): boolean
}

export class OutputBuffer {
  /** Bytes waiting for the next flush. */
  size = 0
  /** The buffer that the last `reserve` made room in. */
  buffer: Buffer = none
  private pieces: Array<Uint8Array> | undefined = undefined
  private start = 0
  private end = 0
  /** The slab that this output holds bytes of. */
  private held: Slab | undefined = undefined
  /** Whether `buffer` is this output's own: what was reserved was too long for the slab, or waits. */
  private own = false
  /** How many of the first pieces lie in no slab. */
  private apart = 0

  /**
   * Makes room for `length` contiguous bytes and answers where in `buffer` they begin. Until `commit`, reserving as
   * many bytes or fewer answers the same room again, with what was written there.
   */
  reserve(length: number): number {
    const slab = current
    if (
      this.held === slab &&
      this.buffer === slab.buffer &&
      this.end === slab.cursor &&
      slab.cursor + length <= slabSize
    ) {
      return slab.cursor
    }
    return this.reserveAnew(length)
  }

  private reserveAnew(length: number): number {
    if (this.own && this.end + length <= this.buffer.length) return this.end
    this.seal()
    this.own = length > slabSize
    if (this.own) {
      this.buffer = Buffer.allocUnsafeSlow(length)
      this.start = this.end = 0
      return 0
    }
    if (current.cursor + length > slabSize) current = new Slab()
    if (this.held !== current) {
      current.holders++
      this.held = current
    }
    this.buffer = current.buffer
    this.start = this.end = current.cursor
    return this.start
  }

  /** Keeps the first `length` bytes of what was reserved last. */
  commit(length: number): void {
    this.end += length
    this.size += length
    if (this.buffer === current.buffer) current.cursor = this.end
  }

  /** Appends bytes by reference: they must not change until they are written. */
  reference(bytes: Uint8Array): void {
    this.seal()
    ;(this.pieces ??= []).push(bytes)
    this.size += bytes.length
  }

  /** Hands everything to the transport, in one write. */
  flush(sink: Sink, written?: Written): void {
    if (this.size === 0) return
    const waits = sink.buffered > 0
    if (waits) this.moveOut(0)
    let free: boolean
    if (this.pieces === undefined) {
      free = sink.write(this.buffer.subarray(this.start, this.end), written)
    } else if (!waits && this.size <= joinSize && this.pieces.length + (this.end > this.start ? 1 : 0) > 1) {
      free = this.flushJoined(sink, this.size, written)
    } else {
      this.seal()
      const pieces = this.pieces
      this.pieces = undefined
      const [only] = pieces
      free = pieces.length === 1 && only !== undefined ? sink.write(only, written) : sink.writeAll(pieces, written)
    }
    this.size = 0
    this.release(free)
  }

  /** Moves what gathered out of the slab: it will wait for longer than this tick. */
  keep(): void {
    this.moveOut(keptSize)
  }

  /** `spare` is the memory to take where less than a quarter of it is needed. */
  private moveOut(spare: number): void {
    if (this.held === undefined || this.size === 0) return
    this.seal()
    const pieces = (this.pieces ??= [])
    const shared = pieces.splice(this.apart)
    const room = shared.reduce((sum, piece) => sum + (slabs.has(piece.buffer) ? piece.length : 0), 0)
    this.release(true)
    this.buffer = Buffer.allocUnsafeSlow(room < spare / 4 ? spare : room)
    this.own = true
    for (const piece of shared) {
      if (slabs.has(piece.buffer)) {
        this.buffer.set(piece, this.end)
        this.end += piece.length
      } else {
        this.seal()
        pieces.push(piece)
      }
    }
    this.apart = pieces.length
    if (pieces.length === 0) this.pieces = undefined
  }

  /** What gathered, in memory of its own, in place of a flush. */
  take(): Buffer {
    let taken: Buffer = Buffer.alloc(0)
    const copy = (pieces: ReadonlyArray<Uint8Array>): boolean => {
      taken = Buffer.concat(pieces)
      return true
    }
    this.flush({ buffered: 0, write: (bytes) => copy([bytes]), writeAll: copy })
    return taken
  }

  /** Forgets what was not written. */
  discard(): void {
    this.size = 0
    this.pieces = undefined
    this.release(true)
  }

  private flushJoined(sink: Sink, size: number, written: Written | undefined): boolean {
    this.seal()
    const pieces = this.pieces ?? []
    this.pieces = undefined
    let at = this.reserveAnew(size)
    const { buffer, start } = this
    for (const piece of pieces) {
      buffer.set(piece, at)
      at += piece.length
    }
    this.end = at
    if (buffer === current.buffer) current.cursor = at
    return sink.write(buffer.subarray(start, at), written)
  }

  private seal(): void {
    if (this.end > this.start) {
      ;(this.pieces ??= []).push(this.buffer.subarray(this.start, this.end))
      this.start = this.end
    }
  }

  private release(free: boolean): void {
    // An idle output holds neither a slab nor a buffer of its own alive.
    this.buffer = none
    this.own = false
    this.start = this.end = this.apart = 0
    const { held } = this
    if (held === undefined) return
    this.held = undefined
    held.holders--
    if (!free) held.kept = true
    if (held === current && held.holders === 0 && !held.kept) held.cursor = 0
  }
}

/** Outputs that hold nothing. */
const resting: Array<OutputBuffer> = []
const mostResting = 8

/** An empty output. */
export const takeOutput = (): OutputBuffer => resting.pop() ?? new OutputBuffer()

/** Takes back an output that holds nothing. */
export const recycleOutput = (output: OutputBuffer): void => {
  if (resting.length < mostResting) resting.push(output)
}
