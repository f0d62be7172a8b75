/** How a `Sender` with a socket of its own writes: the header of a frame and its payload one after the other, as `ws` does. */
import type { Encoder } from "../../internal/protocol/codec.ts"
import { encodeFrame } from "../../internal/protocol/hybi/encoder.ts"
import { Opcode } from "../../internal/protocol/opcode.ts"
import type { OutputBuffer, Written } from "../../internal/protocol/outputBuffer.ts"
import type { OutputTransport } from "../../internal/transport/transport.ts"

/** A socket, of which no more is used than this. */
export interface Writable {
  readonly destroyed?: boolean
  readonly writableLength?: number
  write(bytes: Uint8Array | string, written?: Written): unknown
  cork?(): void
  uncork?(): void
  end?(): void
}

/** Such a socket as the transport of a send queue. */
export class WritableOutput implements OutputTransport {
  readonly congested = false
  private readonly socket: Writable
  /** A header was written, and its payload is to follow: in place of its bytes the text that they encode, if any. */
  private begun: { readonly text: string | undefined } | undefined = undefined

  constructor(socket: Writable) {
    this.socket = socket
  }

  get buffered(): number {
    return this.socket.writableLength ?? 0
  }

  /** Writes the header of a frame. The next write is its payload, which may be given as text, too. */
  writeHeader(header: Uint8Array, text: string | undefined): void {
    this.socket.cork?.()
    this.begun = { text }
    this.socket.write(header)
  }

  write(bytes: Uint8Array, written?: Written): boolean {
    const { begun } = this
    this.begun = undefined
    this.socket.write(begun?.text ?? bytes, written)
    if (begun !== undefined) this.socket.uncork?.()
    return false
  }

  writeAll(pieces: ReadonlyArray<Uint8Array>, written?: Written): boolean {
    this.socket.cork?.()
    pieces.forEach((piece, at) => this.socket.write(piece, at === pieces.length - 1 ? written : undefined))
    this.socket.uncork?.()
    return false
  }

  end(): void {
    this.socket.end?.()
  }
}

/** Writes headers at once, and leaves payloads to the next flush: such a sender gathers nothing. */
export class PiecewiseEncoder implements Encoder {
  private readonly output: WritableOutput
  private readonly nextKey: (() => number) | undefined

  /** Masks with the keys of `nextKey`, if any. */
  constructor(output: WritableOutput, nextKey: (() => number) | undefined) {
    this.output = output
    this.nextKey = nextKey
  }

  text(out: OutputBuffer, opcode: number, fin: boolean, text: string): void {
    this.write(out, opcode, fin, 0, Buffer.from(text), this.nextKey === undefined ? text : undefined)
  }

  frame(out: OutputBuffer, opcode: number, fin: boolean, rsv: number, payload: Uint8Array): void {
    this.write(out, opcode, fin, rsv, payload, undefined)
  }

  close(out: OutputBuffer, payload: Uint8Array): void {
    this.frame(out, Opcode.close, true, 0, payload)
  }

  private write(
    out: OutputBuffer,
    opcode: number,
    fin: boolean,
    rsv: number,
    payload: Uint8Array,
    text: string | undefined
  ): void {
    const frame = encodeFrame(opcode, fin, rsv, payload, this.nextKey?.())
    const header = payload.length === 0 ? 0 : frame.length - payload.length
    if (header > 0) this.output.writeHeader(frame.subarray(0, header), text)
    out.reference(frame.subarray(header))
  }
}
