/** What is wrong with bytes that are no frames, or with a frame that may not be sent. */
import * as Data from "effect/Data"
import { isWireCloseCode, maxReasonSize } from "../protocol/closeCode.ts"
import { Opcode } from "../protocol/opcode.ts"
import * as Violation from "../protocol/protocolError.ts"

/**
 * What is wrong with bytes, or with a frame that can't be sent. Each kind names its section and its close code.
 *
 * @category errors
 * @since 0.1.0
 */
export type FrameErrorReason = Violation.Violation

/**
 * Bytes that are no frames, or a frame that may not be sent. `reason` says which rule is broken; `closeCode` is how
 * a connection ends for it.
 *
 * @category errors
 * @since 0.1.0
 */
export class FrameError extends Data.TaggedError("FrameError")<{ readonly reason: FrameErrorReason }> {
  override get message(): string {
    return `${this.reason.message} (${this.reason.section})`
  }

  /** The close code that answers this error. */
  get closeCode(): FrameErrorReason["closeCode"] {
    return this.reason.closeCode
  }
}

/**
 * What keeps a close frame from being sent; `undefined` when nothing does.
 *
 * @category guards
 * @since 0.1.0
 */
export const closeViolation = (code: number | undefined, reason: string): FrameErrorReason | undefined => {
  if (code === undefined) return reason === "" ? undefined : Violation.invalidClosePayload
  if (!isWireCloseCode(code)) return Violation.invalidCloseCode(code)
  return Buffer.byteLength(reason) > maxReasonSize ? Violation.controlTooLong(Opcode.close) : undefined
}
