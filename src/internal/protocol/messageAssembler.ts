const initialSize = 1024

/** What a message gets at once, as long as the one before it may be: at most so many bytes, and so many times what it had. */
const aheadSize = 1024 * 1024
const aheadFactor = 16

/** Size of the message that was assembled last. */
let usual = 0

/**
 * Gathers the fragments of a message in one growing buffer, so that many tiny or empty fragments cost no more than
 * their bytes.
 */
export class MessageAssembler {
  /** Opcode of the message's first frame. */
  readonly opcode: number
  /** Reserved bits of the message's first frame. */
  readonly rsv: number
  size = 0
  private buffer: Buffer

  constructor(opcode: number, rsv: number, expected: number) {
    this.opcode = opcode
    this.rsv = rsv
    this.buffer = Buffer.allocUnsafeSlow(Math.max(initialSize, expected))
  }

  /** Answers memory with room for `length` bytes behind the first `size` ones, good until the next call. */
  reserve(length: number): Buffer {
    const size = this.size + length
    const { length: before } = this.buffer
    if (size > before) {
      const likely = Math.min(usual, aheadFactor * before, Math.max(aheadSize, 2 * before))
      const grown = Buffer.allocUnsafeSlow(likely >= size ? likely : Math.max(size, 2 * before))
      this.buffer.copy(grown, 0, 0, this.size)
      this.buffer = grown
    }
    return this.buffer
  }

  /** Takes the next bytes, which may stand where `reserve` made room. */
  append(bytes: Buffer, start: number, end: number): void {
    if (bytes !== this.buffer) bytes.copy(this.reserve(end - start), this.size, start, end)
    this.size += end - start
  }

  /** The whole message; its buffer is not much larger than what it holds. */
  take(): Buffer {
    const { buffer, size } = this
    usual = size
    return buffer.length > 2 * size + initialSize ? Buffer.from(buffer.subarray(0, size)) : buffer.subarray(0, size)
  }
}
