import type { Encoder } from "../protocol/codec.ts"
import { Opcode } from "../protocol/opcode.ts"
import { type OutputBuffer, recycleOutput, takeOutput } from "../protocol/outputBuffer.ts"
import type { OutputTransport } from "../transport/transport.ts"
import type { Written } from "../protocol/outputBuffer.ts"
import type { Counters } from "./counters.ts"
import { beginBatch, endBatch, flushAtTickEnd, throwLater } from "./flush.ts"

/** What a writer shares with those of other connections. */
export interface WriterSettings {
  /** From this many gathered bytes on, they are written without waiting for the end of the tick or batch. */
  readonly writeHighWaterMark: number
  readonly counters: Counters | undefined
}

/**
 * Encodes frames, and writes what was encoded in one write: at the end of the batch of input that caused it, else at the
 * end of the tick, or as soon as `writeHighWaterMark` bytes are gathered.
 */
export class FrameWriter {
  readonly transport: OutputTransport
  readonly settings: WriterSettings
  private readonly encoder: Encoder
  /** The encoded bytes that the next flush writes; absent while there are none. */
  private output: OutputBuffer | undefined = undefined
  /** The write callbacks of these bytes. */
  private written: Array<Written> | undefined = undefined
  /** When they are flushed; `undefined` while nothing is to be. */
  private flushing: "tick" | "batch" | undefined = undefined
  /** The answer to the latest ping, while the transport takes nothing. */
  private pong: Uint8Array | undefined = undefined

  constructor(transport: OutputTransport, encoder: Encoder, settings: WriterSettings) {
    this.transport = transport
    this.encoder = encoder
    this.settings = settings
  }

  /** Bytes that the next flush writes. */
  get gathered(): number {
    return this.output === undefined ? 0 : this.output.size
  }

  /** Whether the transport takes nothing, or as much is gathered as may be. */
  get full(): boolean {
    return this.transport.congested || this.gathered >= this.settings.writeHighWaterMark
  }

  text(opcode: number, text: string, written: Written | undefined): void {
    this.encoder.text(this.out, opcode, true, text)
    this.touch(written)
  }

  frame(opcode: number, fin: boolean, rsv: number, payload: Uint8Array, written: Written | undefined): void {
    this.encoder.frame(this.out, opcode, fin, rsv, payload)
    this.touch(written)
  }

  close(payload: Uint8Array): void {
    this.encoder.close(this.out, payload)
    this.touch(undefined)
  }

  /** Writes bytes that were encoded before: so many messages. They must not change. */
  encoded(bytes: Uint8Array, messages: number, written: Written | undefined): void {
    const { counters } = this.settings
    counters?.countSent(messages)
    this.out.reference(bytes)
    this.touch(written)
  }

  /** The same without gathering. Returns `false`, and does nothing, where something has to be written before. */
  encodedAtOnce(bytes: Uint8Array, messages: number): boolean {
    if (this.output !== undefined || this.flushing === "batch" || this.transport.congested) return false
    const { counters } = this.settings
    counters?.countSent(messages)
    this.transport.write(bytes)
    return true
  }

  /** Answers a ping. RFC 6455 §5.5.3: while the transport takes nothing, the latest of several pings is answered. */
  answerPing(payload: Uint8Array): void {
    if (this.transport.congested) this.pong = Uint8Array.from(payload)
    else this.frame(Opcode.pong, true, 0, payload, undefined)
  }

  /** Encodes the answer that waited, or forgets it. */
  releasePong(answer: boolean): void {
    const { pong } = this
    this.pong = undefined
    if (pong !== undefined && answer) this.frame(Opcode.pong, true, 0, pong, undefined)
  }

  /** Gathers what is encoded until `endBatch`: a batch of input is being delivered. */
  beginBatch(): void {
    if (this.flushing !== "batch") beginBatch(this)
    this.flushing = "batch"
  }

  /** The batch was delivered: writes what it caused. */
  endBatch(): void {
    this.flushing = undefined
    endBatch(this)
    this.flush()
  }

  /** Writes what was gathered. */
  flush(): void {
    if (this.flushing === "tick") this.flushing = undefined
    if (this.output !== undefined) this.writeOrKeep()
  }

  /** Writes what was gathered, though the transport is congested, and ends the transport. */
  end(): void {
    this.write()
    this.transport.end()
  }

  /** Forgets what was gathered. Returns its write callbacks. */
  discard(): ReadonlyArray<Written> {
    const { output, written } = this
    this.output = this.written = this.pong = undefined
    if (output !== undefined) {
      output.discard()
      recycleOutput(output)
    }
    return written ?? []
  }

  private get out(): OutputBuffer {
    return (this.output ??= takeOutput())
  }

  /** Sees to it that what was encoded is written. */
  private touch(written: Written | undefined): void {
    if (written !== undefined) (this.written ??= []).push(written)
    if (this.gathered >= this.settings.writeHighWaterMark) {
      this.writeOrKeep()
    } else if (this.flushing === undefined) {
      this.flushing = "tick"
      flushAtTickEnd(this)
    }
  }

  /** Writes what was gathered. What has to wait must share its memory with no other connection. */
  private writeOrKeep(): void {
    if (this.transport.congested) this.output?.keep()
    else this.write()
  }

  private write(): void {
    const { output, written } = this
    if (output === undefined) return
    const { counters } = this.settings
    counters?.countSentBytes(output.size)
    this.output = this.written = undefined
    // A closure here would cost its context on every write.
    output.flush(this.transport, written === undefined ? undefined : callingAll(written))
    recycleOutput(output)
  }
}

const callingAll =
  (callbacks: ReadonlyArray<Written>): Written =>
  (error) =>
    callAll(callbacks, error)

/** Calls all of them; what one throws is thrown later, so that the others are called all the same. */
export const callAll = (callbacks: ReadonlyArray<Written>, error?: Error | null): void => {
  for (const callback of callbacks) {
    try {
      callback(error)
    } catch (thrown) {
      throwLater(thrown)
    }
  }
}
