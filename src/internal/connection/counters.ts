import type { Encoder } from "../protocol/codec.ts"
import { Opcode } from "../protocol/opcode.ts"
import type { OutputBuffer } from "../protocol/outputBuffer.ts"

/** What connections count, in plain numbers: for each read and each write, and for each message as it is encoded. */
export class Counters {
  /** Bytes of frames, their headers included. */
  bytesReceived = 0
  bytesSent = 0
  /** Messages that a reader took. */
  messagesReceived = 0
  messagesSent = 0
  /** Hears how many milliseconds passed between a ping and its pong. */
  readonly roundTrip: (millis: number) => void

  constructor(roundTrip: (millis: number) => void) {
    this.roundTrip = roundTrip
  }

  countReceivedBytes(count: number): void {
    this.bytesReceived += count
  }

  countSentBytes(count: number): void {
    this.bytesSent += count
  }

  /** `count` is negative for messages that a reader put back. */
  countReceived(count: number): void {
    this.messagesReceived += count
  }

  countSent(count: number): void {
    this.messagesSent += count
  }
}

/** Counts the messages that are encoded. */
export class CountedEncoder implements Encoder {
  private readonly encoder: Encoder
  private readonly counters: Counters

  constructor(encoder: Encoder, counters: Counters) {
    this.encoder = encoder
    this.counters = counters
  }

  text(out: OutputBuffer, opcode: number, fin: boolean, text: string): void {
    if (fin) this.counters.countSent(1)
    this.encoder.text(out, opcode, fin, text)
  }

  frame(out: OutputBuffer, opcode: number, fin: boolean, rsv: number, payload: Uint8Array): void {
    if (fin && opcode <= Opcode.binary) this.counters.countSent(1)
    this.encoder.frame(out, opcode, fin, rsv, payload)
  }

  close(out: OutputBuffer, payload: Uint8Array): void {
    this.encoder.close(out, payload)
  }
}
