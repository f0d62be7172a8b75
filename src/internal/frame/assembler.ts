/** Messages out of frames. */
import { MessageAssembler } from "../protocol/messageAssembler.ts"
import { Opcode } from "../protocol/opcode.ts"
import * as Violation from "../protocol/protocolError.ts"
import { decodeUtf8 } from "../protocol/utf8.ts"
import { FrameError } from "./error.ts"
import { type Frame, isControl, opcode } from "./model.ts"

/**
 * Joins the frames of each message. It takes frames one by one, as `makeParser` delivers them.
 *
 * @category decoding
 * @since 0.2.0
 */
export interface Assembler {
  /**
   * Takes the next frame and returns the error when it breaks the order of fragments or completes a text that
   * isn't UTF-8. Control frames are ignored.
   */
  readonly feed: (frame: Frame) => FrameError | undefined
}

/**
 * Creates an assembler, which calls `onMessage` for each complete message: with a string for text, with a
 * `Uint8Array` for binary (RFC 6455 §5.4).
 *
 * **Example** (Reading messages out of bytes)
 *
 * ```ts
 * import { Frame } from "effect-ws"
 * import assert from "node:assert"
 *
 * const messages: Array<string | Uint8Array> = []
 * const assembler = Frame.makeAssembler((message) => messages.push(message))
 * const parser = Frame.makeParser((frame) => assembler.feed(frame), { role: "client" })
 *
 * parser.feed(Frame.encode(Frame.text("Hel", { fin: false })))
 * parser.feed(Frame.encode(Frame.continuation("lo")))
 * assert.deepStrictEqual(messages, ["Hello"])
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const makeAssembler = (onMessage: (message: string | Uint8Array) => void): Assembler => {
  let assembler: MessageAssembler | undefined
  const whole = (opcode: number, payload: Buffer): FrameError | undefined => {
    if (opcode !== Opcode.text) {
      onMessage(payload)
      return undefined
    }
    const content = decodeUtf8(payload, 0, payload.length)
    if (content === undefined) return new FrameError({ reason: Violation.invalidUtf8 })
    onMessage(content)
    return undefined
  }
  return {
    feed(frame) {
      if (isControl(frame)) return undefined
      const first = frame._tag !== "Continuation"
      if (first !== (assembler === undefined))
        return new FrameError({ reason: Violation.unexpectedOpcode(opcode(frame)) })
      const payload = Buffer.from(frame.payload.buffer, frame.payload.byteOffset, frame.payload.length)
      if (first && frame.fin) return whole(opcode(frame), payload)
      assembler ??= new MessageAssembler(opcode(frame), frame.rsv, payload.length)
      assembler.append(payload, 0, payload.length)
      if (!frame.fin) return undefined
      const { opcode: kind } = assembler
      const message = assembler.take()
      assembler = undefined
      return whole(kind, message)
    }
  }
}
