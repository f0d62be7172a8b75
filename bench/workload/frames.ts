// Frames made before a run starts, so that sending is a write of bytes that lie ready.
import { randomBytes } from "node:crypto"
import { constants, deflateRawSync } from "node:zlib"
import { makeCycle, type Payload } from "./payload.ts"

/** RFC 7692 contexts: none, one that each message starts anew, or one that goes on from message to message. */
export type Compression = "off" | "reset" | "kept"

/** Bytes that a deflate window holds (RFC 7692 §7.1.2.1, 15 bits). */
const deflateWindow = 32_768

const writeHeader = (target: Buffer, at: number, first: number, mask: number, length: number): number => {
  target[at] = first
  if (length < 126) {
    target[at + 1] = mask | length
    return at + 2
  }
  if (length < 65_536) {
    target[at + 1] = mask | 126
    target.writeUInt16BE(length, at + 2)
    return at + 4
  }
  target[at + 1] = mask | 127
  target.writeBigUInt64BE(BigInt(length), at + 2)
  return at + 10
}

/** Encodes one frame (RFC 6455 §5.2): `first` is its first byte, and a masked one gets a random key. */
export const encodeFrame = (first: number, payload: Uint8Array, masked: boolean): Buffer => {
  const frame = Buffer.allocUnsafe(14 + payload.length)
  let at = writeHeader(frame, 0, first, masked ? 0x80 : 0, payload.length)
  if (!masked) {
    frame.set(payload, at)
    return frame.subarray(0, at + payload.length)
  }
  const key = randomBytes(4)
  frame.set(key, at)
  at += 4
  for (let i = 0; i < payload.length; i++) frame[at + i] = (payload[i] ?? 0) ^ (key[i & 3] ?? 0)
  return frame.subarray(0, at + payload.length)
}

/** Compresses one message as RFC 7692 §7.2.1 says, as if `history` had gone through the same context before. */
export const deflateMessage = (message: Uint8Array, history: Uint8Array | undefined): Buffer => {
  const deflated = deflateRawSync(message, {
    finishFlush: constants.Z_SYNC_FLUSH,
    ...(history === undefined || history.length === 0 ? {} : { dictionary: history })
  })
  return deflated.subarray(0, deflated.length - 4)
}

/** The plain bytes that lie before message `index` of an endless repetition, no more than a deflate window of them. */
export const historyBefore = (cycle: ReadonlyArray<Buffer>, index: number): Buffer => {
  const parts: Array<Buffer> = []
  let bytes = 0
  for (let at = index - 1; at >= 0 && bytes < deflateWindow; at--) {
    const part = cycle[at % cycle.length] ?? Buffer.alloc(0)
    parts.unshift(part)
    bytes += part.length
  }
  return Buffer.concat(parts).subarray(-deflateWindow)
}

/** The messages of a run. */
export interface MessageOptions {
  readonly payload: Payload
  readonly compression: Compression
  /** Bytes of each fragment; a message of one frame when undefined. */
  readonly fragmentSize?: number | undefined
}

const encodeMessage = (
  options: MessageOptions,
  masked: boolean,
  cycle: ReadonlyArray<Buffer>,
  index: number
): Buffer => {
  const message = cycle[index % cycle.length] ?? Buffer.alloc(0)
  const opcode = options.payload.kind === "bytes" ? 2 : 1
  if (options.compression !== "off") {
    const history = options.compression === "kept" ? historyBefore(cycle, index) : undefined
    return encodeFrame(0xc0 | opcode, deflateMessage(message, history), masked)
  }
  const step = options.fragmentSize ?? message.length
  if (step >= message.length) return encodeFrame(0x80 | opcode, message, masked)
  const fragments: Array<Buffer> = []
  for (let at = 0; at < message.length; at += step) {
    const last = at + step >= message.length
    fragments.push(
      encodeFrame(
        (last ? 0x80 : 0) | (at === 0 ? opcode : 0),
        message.subarray(at, Math.min(message.length, at + step)),
        masked
      )
    )
  }
  return Buffer.concat(fragments)
}

/** An endless run of encoded messages: some that come once, then a cycle, each run of `depth` of them in one piece. */
export class Outbox {
  readonly #bytes: Buffer
  readonly #offsets: ReadonlyArray<number>
  readonly #lead: number
  readonly #cycle: number

  /**
   * @param depth the most messages that one call of `take` may ask for
   * @param masked whether the frames are a client's (RFC 6455 §5.3)
   */
  constructor(options: MessageOptions, depth: number, masked: boolean) {
    const cycle = makeCycle(options.payload)
    this.#lead = options.compression === "kept" ? cycle.length : 0
    this.#cycle = cycle.length
    const once: Array<Buffer> = []
    for (let index = 0; index < this.#lead + this.#cycle; index++)
      once.push(encodeMessage(options, masked, cycle, index))
    const parts = [...once]
    for (let extra = 0; extra < depth; extra++) {
      parts.push(once[this.#lead + (extra % this.#cycle)] ?? Buffer.alloc(0))
    }
    this.#bytes = Buffer.concat(parts)
    const offsets = [0]
    let end = 0
    for (const part of parts) offsets.push((end += part.length))
    this.#offsets = offsets
  }

  #position(index: number): number {
    return index < this.#lead ? index : this.#lead + ((index - this.#lead) % this.#cycle)
  }

  /** The encoded messages `index` to `index + count`, without a copy. */
  take(index: number, count: number): Buffer {
    const from = this.#position(index)
    return this.#bytes.subarray(this.#offsets[from], this.#offsets[from + count])
  }
}
