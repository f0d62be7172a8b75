import * as Data from "effect/Data"
import * as Result from "effect/Result"
import * as Reasons from "../protocol/opening/reason.ts"

export type * from "../protocol/opening/reason.ts"
export type { InvalidField } from "../protocol/opening/rules.ts"

/**
 * The error of an opening handshake that failed. `reason` says why.
 *
 * **Details**
 *
 * Each reason has a message, the HTTP status with which a server responds, and its section of the standard.
 * `Effect.catchTag("HandshakeError", …)` catches the error, `Effect.catchReason("HandshakeError", tag, …)` one
 * reason of it.
 *
 * **Example** (Catching one reason)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Handshake } from "effect-ws"
 * import assert from "node:assert"
 *
 * const program = Handshake.accept({ method: "GET", url: "/", headers: {} }).pipe(
 *   Effect.as("accepted"),
 *   Effect.catchReason("HandshakeError", "UpgradeRequired", ({ supported }) =>
 *     Effect.succeed(`speak WebSocket, version ${supported.join(" or ")}`)
 *   )
 * )
 *
 * assert.strictEqual(await Effect.runPromise(program), "speak WebSocket, version 13 or 8 or 7")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class HandshakeError extends Data.TaggedError("HandshakeError")<{ readonly reason: Reasons.Reason }> {
  /** The problem, and the section of the standard that has the rule. */
  override get message(): string {
    return `${this.reason.message} (${this.reason.section})`
  }
}

/** The error for a reason. */
export const handshakeError = (reason: Reasons.Reason): HandshakeError => new HandshakeError({ reason })

/** A value, or the failure for the reason why there is none. */
export const resultOf = <A extends object>(result: A | Reasons.Reason): Result.Result<A, HandshakeError> =>
  Reasons.isReason(result) ? Result.fail(handshakeError(result)) : Result.succeed(result)

/**
 * Creates the error with reason `Timeout` for a limit in milliseconds.
 *
 * @category errors
 * @since 0.1.0
 */
export const timeout = (limit: number): HandshakeError => handshakeError(Reasons.timeout(limit))

/**
 * Creates the error with reason `TooManyRequests`. `retryAfter` is in seconds.
 *
 * @category errors
 * @since 0.1.0
 */
export const tooManyRequests = (retryAfter?: number): HandshakeError =>
  handshakeError(Reasons.tooManyRequests(retryAfter))

/**
 * Creates the error with reason `HeadersTooLarge` for a limit in bytes.
 *
 * @category errors
 * @since 0.1.0
 */
export const headersTooLarge = (limit: number): HandshakeError => handshakeError(Reasons.headersTooLarge(limit))

/**
 * Creates the error with reason `TooManyConnections` for a number of connections, or of handshakes at once.
 * `retryAfter` is in seconds.
 *
 * @category errors
 * @since 0.1.0
 */
export const tooManyConnections = (limit: number, retryAfter?: number): HandshakeError =>
  handshakeError(Reasons.tooManyConnections(limit, retryAfter))

/**
 * Creates the error with reason `ShuttingDown`. `retryAfter` is in seconds.
 *
 * @category errors
 * @since 0.1.0
 */
export const shuttingDown = (retryAfter?: number): HandshakeError => handshakeError(Reasons.shuttingDown(retryAfter))

/** Adds the body of the response to an error for its status. */
export const withBody = ({ reason }: HandshakeError, body: Uint8Array): HandshakeError =>
  handshakeError(reason._tag === "UnexpectedStatus" ? Reasons.withBody(reason, body) : reason)
