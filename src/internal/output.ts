/**
 * Where a connection's frames gather until they are written at once.
 *
 * All outputs carve their bytes from one slab per process, one after the other. Consecutive frames of one
 * connection lie side by side, so that a flush is one `write` of one view. A view that the transport could not
 * take at once keeps its slab; the process then goes on with a fresh one.
 */

/** Size of the shared slab, in bytes. */
export const slabSize = 256 * 1024

/** Payloads from this many bytes on are referenced, not copied, when they need no masking. */
export const referenceSize = 16 * 1024

/** Up to this many bytes, several pieces are copied together into one write. */
const joinSize = 64 * 1024

let slab = Buffer.allocUnsafeSlow(slabSize)
let cursor = 0
/** Outputs that hold bytes of the present slab not yet handed to a transport. */
let holders = 0

/** Takes bytes; answers whether they may be overwritten now, because the system has them all. */
export interface Sink {
  write(bytes: Uint8Array): boolean
  writeAll(pieces: ReadonlyArray<Uint8Array>): void
}

export class Output {
  /** Bytes waiting for the next flush. */
  size = 0
  private pieces: Array<Uint8Array> | undefined = undefined
  /** The slab that the open piece lies in; undefined while there is no open piece. */
  private open: Buffer | undefined = undefined
  private start = 0
  private end = 0

  /** The buffer that `reserve` made room in. */
  buffer: Buffer = slab

  /** Makes room for `length` contiguous bytes and answers where in `buffer` they begin. */
  reserve(length: number): number {
    if (this.open === slab && this.end === cursor && cursor + length <= slabSize) {
      return cursor
    }
    this.seal()
    if (length > slabSize) {
      this.open = this.buffer = Buffer.allocUnsafeSlow(length)
      this.start = this.end = 0
      return 0
    }
    if (cursor + length > slabSize) {
      slab = Buffer.allocUnsafeSlow(slabSize)
      cursor = 0
      holders = 0
    }
    this.open = this.buffer = slab
    this.start = this.end = cursor
    holders++
    return cursor
  }

  /** Keeps the first `length` bytes of what was reserved. */
  commit(length: number): void {
    this.end += length
    this.size += length
    if (this.open === slab) cursor = this.end
  }

  /** Appends bytes by reference: they must not change until they are written. */
  reference(bytes: Uint8Array): void {
    this.seal()
    ;(this.pieces ??= []).push(bytes)
    this.size += bytes.length
  }

  private seal(): void {
    const open = this.open
    if (open !== undefined) {
      if (this.end > this.start) (this.pieces ??= []).push(open.subarray(this.start, this.end))
      this.open = undefined
    }
  }
}
