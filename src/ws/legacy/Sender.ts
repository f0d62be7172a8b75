import { EventEmitter } from "node:events"
import { encodeClose } from "../../internal/protocol/closeFrame.ts"
import { encodeFrame } from "../../internal/protocol/hybi/encoder.ts"
import { randomKey } from "../../internal/protocol/mask.ts"
import { Opcode } from "../../internal/protocol/opcode.ts"
import { closeFault } from "./closing.ts"
import { bytesOf } from "./payload.ts"
import type { Data, SendOptions, Sent } from "./types.ts"

/** What a sender writes to: a socket. */
export interface Sink {
  write(data: Buffer, encoding: "binary", cb?: Sent): unknown
}

/** How `Sender.send` sends. */
export interface SenderOptions extends SendOptions {
  /** Whether this is the last fragment of its message. Default `true`. */
  readonly fin?: boolean | undefined
}

/**
 * Writes HyBi frames to a socket (RFC 6455 §5), each in one write. What the socket throws goes to the callback, or is an
 * `error`. A `WebSocket` has no need of it.
 *
 * @category classes
 * @since 0.1.0
 */
export class Sender extends EventEmitter {
  /** Whether the next data frame begins a message. */
  firstFragment = true
  private readonly sink: Sink

  constructor(socket: Sink) {
    super()
    this.sink = socket
  }

  /** A close frame; code 1000 by default. Throws for a code or a reason that can't be sent. */
  close(code?: number, data?: Data, mask?: boolean): void {
    const reason = Buffer.from(bytesOf(data)).toString("utf8")
    const fault = closeFault(code, reason)
    if (fault !== undefined) throw fault
    this.frameAndSend(Opcode.close, encodeClose({ code: code ?? 1000, reason }), true, mask)
  }

  /** Sends a ping. */
  ping(data?: Data, options?: SendOptions | null): void {
    this.frameAndSend(Opcode.ping, data, true, options?.mask)
  }

  /** Sends a pong. */
  pong(data?: Data, options?: SendOptions | null): void {
    this.frameAndSend(Opcode.pong, data, true, options?.mask)
  }

  /** A message, or one fragment of it. */
  send(data: Data, options?: SenderOptions | null, cb?: Sent): void {
    const final = options?.fin !== false
    const opcode = this.firstFragment ? (options?.binary ? Opcode.binary : Opcode.text) : Opcode.continuation
    this.firstFragment = final
    this.frameAndSend(opcode, data, final, options?.mask, cb)
  }

  /** One frame. */
  frameAndSend(opcode: number, data: Data, finalFragment: boolean, maskData?: boolean, cb?: Sent): void {
    const key = maskData ? randomKey() : undefined
    const frame = encodeFrame(opcode, finalFragment, 0, bytesOf(data), key)
    try {
      this.sink.write(frame, "binary", cb)
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause))
      if (typeof cb === "function") cb(error)
      else this.emit("error", error)
    }
  }
}
