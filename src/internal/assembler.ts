const initialSize = 1024

/**
 * Gathers the fragments of a message in one growing buffer, so that many tiny or empty fragments cost no more than
 * their bytes.
 */
export class Assembler {
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

  append(bytes: Buffer, start: number, end: number): void {
    const size = this.size + end - start
    if (size > this.buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(size, 2 * this.buffer.length))
      this.buffer.copy(grown, 0, 0, this.size)
      this.buffer = grown
    }
    bytes.copy(this.buffer, this.size, start, end)
    this.size = size
  }

  /** The whole message; its buffer is not much larger than what it holds. */
  take(): Buffer {
    const { buffer, size } = this
    return buffer.length > 2 * size + initialSize ? Buffer.from(buffer.subarray(0, size)) : buffer.subarray(0, size)
  }
}
