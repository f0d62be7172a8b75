/** Messages out of frames. */
import { MessageAssembler } from "../protocol/messageAssembler.ts"
import { Opcode } from "../protocol/opcode.ts"
import * as Violation from "../protocol/protocolError.ts"
import { decodeUtf8 } from "../protocol/utf8.ts"
import { FrameError } from "./error.ts"
import { type Frame, isControl, opcode } from "./model.ts"

/**
 * The second stage: messages out of frames.
 *
 * @category decoding
 * @since 0.2.0
 */
export interface Assembler {
  /** Takes the next frame, which `makeParser` gave; control frames pass by. */
  readonly feed: (frame: Frame) => FrameError | undefined
}

/**
 * Joins the frames of each message; text comes as a string, bytes as a `Uint8Array` (RFC 6455 §5.4).
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
