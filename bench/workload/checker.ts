// Checks that what comes back is what was sent, in order, and counts it.
import { constants, inflateRawSync } from "node:zlib"
import { type Compression, encodeFrame, historyBefore, type MessageOptions, type Outbox } from "./frames.ts"
import { makeCycle } from "./payload.ts"

/** One connection's incoming side. `take` gives the number of messages that became whole, and throws at the first wrong byte. */
export interface Checker {
  readonly take: (chunk: Buffer) => number
}

/** A peer that does not echo what it was sent. */
export class WrongEcho extends Error {}

/** The most bytes that one read gives: the expected bytes are laid out so that any read is one comparison. */
export const maxRead = 262_144

/** The bytes that a correct peer sends, for messages that all have the same encoded length. */
export class ExpectedBytes {
  readonly bytes: Buffer
  /** Bytes until the run starts over. */
  readonly cycle: number
  readonly messageLength: number

  /** @param verbatim the peer sends the very bytes it got, as a server without framing does; `sent` are those */
  constructor(options: MessageOptions, verbatim?: { readonly sent: Outbox } | undefined) {
    const messages = makeCycle(options.payload)
    const opcode = options.payload.kind === "bytes" ? 2 : 1
    const once =
      verbatim === undefined
        ? Buffer.concat(messages.map((message) => encodeFrame(0x80 | opcode, message, false)))
        : Buffer.concat(messages.map((_, index) => verbatim.sent.take(index, 1)))
    this.cycle = once.length
    this.messageLength = once.length / messages.length
    const bytes = Buffer.allocUnsafe(once.length + maxRead)
    for (let at = 0; at < bytes.length; at += once.length) once.copy(bytes, at)
    this.bytes = bytes
  }
}

/** Compares with bytes known beforehand: no parsing, one comparison a read. */
export class CyclicChecker implements Checker {
  readonly #expected: ExpectedBytes
  #position = 0
  #partial = 0

  constructor(expected: ExpectedBytes) {
    this.#expected = expected
  }

  take(chunk: Buffer): number {
    const { bytes, cycle, messageLength } = this.#expected
    const length = chunk.length
    const from = this.#position
    if (bytes.compare(chunk, 0, length, from, from + length) !== 0) {
      let at = 0
      while (bytes[from + at] === chunk[at]) at++
      throw new WrongEcho(
        `byte ${at} of a read of ${length} is ${chunk[at]}, expected ${bytes[from + at]} (byte ${(from + at) % messageLength} of a message)`
      )
    }
    this.#position = (from + length) % cycle
    const pending = this.#partial + length
    const messages = Math.floor(pending / messageLength)
    this.#partial = pending - messages * messageLength
    return messages
  }
}

/** Takes the bytes of frames apart; for a peer whose bytes are not known beforehand. */
export class FrameReader {
  readonly #onFrame: (first: number, payload: Buffer) => void
  #kept: Buffer = Buffer.alloc(0)

  /** @param onFrame gets the first byte and the payload, unmasked, valid during the call only */
  constructor(onFrame: (first: number, payload: Buffer) => void) {
    this.#onFrame = onFrame
  }

  feed(chunk: Buffer): void {
    const bytes = this.#kept.length === 0 ? chunk : Buffer.concat([this.#kept, chunk])
    let at = 0
    for (;;) {
      if (bytes.length - at < 2) break
      const first = bytes.readUInt8(at)
      const second = bytes.readUInt8(at + 1)
      const masked = second > 127
      const short = second & 127
      const start = at + 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (masked ? 4 : 0)
      if (bytes.length < start) break
      const length =
        short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2))
      if (bytes.length < start + length) break
      const payload = bytes.subarray(start, start + length)
      if (masked) {
        const key = bytes.subarray(start - 4, start)
        for (let i = 0; i < length; i++) payload[i] = (payload[i] ?? 0) ^ (key[i & 3] ?? 0)
      }
      this.#onFrame(first, payload)
      at = start + length
    }
    this.#kept = at === bytes.length ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at))
  }
}

/** What the connections of one run have in common when each message must be inflated. */
export class DeflatedMessages {
  readonly #cycle: ReadonlyArray<Buffer>
  readonly #histories: ReadonlyArray<Buffer | undefined>
  readonly #seen: Array<Buffer | undefined> = []
  readonly #opcode: number

  constructor(options: MessageOptions & { readonly compression: Exclude<Compression, "off"> }) {
    this.#cycle = makeCycle(options.payload)
    this.#histories = this.#cycle.map((_, index) =>
      options.compression === "kept" ? historyBefore(this.#cycle, index + this.#cycle.length * 4) : undefined
    )
    this.#opcode = options.payload.kind === "bytes" ? 2 : 1
  }

  /** Throws unless the frame is message `index`. The same compressed bytes after the same history are inflated once. */
  check(index: number, first: number, payload: Buffer): void {
    if (first !== (0xc0 | this.#opcode)) {
      throw new WrongEcho(`a frame starts with 0x${first.toString(16)}, expected a whole compressed message`)
    }
    const slot = index % this.#cycle.length
    const lead = index < this.#cycle.length
    if (!lead && this.#seen[slot]?.equals(payload) === true) return
    const history =
      this.#histories[slot] === undefined ? undefined : lead ? historyBefore(this.#cycle, index) : this.#histories[slot]
    const plain = inflateRawSync(Buffer.concat([payload, deflateTail]), {
      finishFlush: constants.Z_SYNC_FLUSH,
      ...(history === undefined || history.length === 0 ? {} : { dictionary: history })
    })
    const expected = this.#cycle[slot]
    if (expected === undefined || !plain.equals(expected))
      throw new WrongEcho(`message ${index} inflates to other bytes`)
    if (!lead) this.#seen[slot] = Buffer.from(payload)
  }
}

/** The bytes that RFC 7692 §7.2.1 takes off the end of each message. */
const deflateTail = Buffer.from([0, 0, 255, 255])

/** Inflates and compares. */
export class DeflateChecker implements Checker {
  readonly #reader: FrameReader
  #messages = 0

  constructor(shared: DeflatedMessages) {
    this.#reader = new FrameReader((first, payload) => shared.check(this.#messages++, first, payload))
  }

  take(chunk: Buffer): number {
    const before = this.#messages
    this.#reader.feed(chunk)
    return this.#messages - before
  }
}
