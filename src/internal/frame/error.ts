/** What is wrong with bytes that are no frames, or with a frame that may not be sent. */
import * as Data from "effect/Data"
import { isWireCloseCode, maxReasonSize } from "../protocol/closeCode.ts"
import { Opcode } from "../protocol/opcode.ts"
import * as Violation from "../protocol/protocolError.ts"

/**
 * The reasons of a `FrameError`. Each has a message, its section of the standard and its close code.
 *
 * @category errors
 * @since 0.1.0
 */
export type FrameErrorReason = Violation.Violation

/**
 * The error of bytes that are not valid frames, and of a frame that may not be sent. `reason` is the broken rule.
 *
 * **Details**
 *
 * `Effect.catchTag("FrameError", …)` catches it; `Effect.catchReason("FrameError", tag, …)` catches one reason of
 * it.
 *
 * **Example** (Catching one reason)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Frame } from "effect-ws"
 * import assert from "node:assert"
 *
 * const size = Stream.make(Frame.encode(Frame.text("too long"))).pipe(
 *   Stream.pipeThroughChannel(Frame.decode({ role: "client", maxMessageSize: 4 })),
 *   Stream.runCount,
 *   Effect.catchReason("FrameError", "MessageTooLarge", (reason) => Effect.succeed(-reason.limit))
 * )
 *
 * assert.strictEqual(await Effect.runPromise(size), -4)
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class FrameError extends Data.TaggedError("FrameError")<{ readonly reason: FrameErrorReason }> {
  /** The rule that is broken, and the section of the standard that has it. */
  override get message(): string {
    return `${this.reason.message} (${this.reason.section})`
  }

  /** The close code with which a connection ends for this error. */
  get closeCode(): FrameErrorReason["closeCode"] {
    return this.reason.closeCode
  }
}

/**
 * Returns the rule that keeps a close frame with this code and reason from being sent, or `undefined` when none
 * does.
 *
 * @category guards
 * @since 0.1.0
 */
export const closeViolation = (code: number | undefined, reason: string): FrameErrorReason | undefined => {
  if (code === undefined) return reason === "" ? undefined : Violation.invalidClosePayload
  if (!isWireCloseCode(code)) return Violation.invalidCloseCode(code)
  return Buffer.byteLength(reason) > maxReasonSize ? Violation.controlTooLong(Opcode.close) : undefined
}
