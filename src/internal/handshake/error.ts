import * as Data from "effect/Data"
import * as Result from "effect/Result"
import * as Reasons from "../protocol/opening/reason.ts"

export type * from "../protocol/opening/reason.ts"
export type { InvalidField } from "../protocol/opening/rules.ts"

/**
 * The opening handshake failed. Catch it once, then look at `reason._tag`.
 *
 * @category errors
 * @since 0.1.0
 */
export class HandshakeError extends Data.TaggedError("HandshakeError")<{ readonly reason: Reasons.Reason }> {
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
 * The peer did not finish its part of the handshake within so many milliseconds.
 *
 * @category errors
 * @since 0.1.0
 */
export const timeout = (limit: number): HandshakeError => handshakeError(Reasons.timeout(limit))

/**
 * The client opens connections too fast; it may try again in so many seconds.
 *
 * @category errors
 * @since 0.1.0
 */
export const tooManyRequests = (retryAfter?: number): HandshakeError =>
  handshakeError(Reasons.tooManyRequests(retryAfter))

/**
 * The head of the peer's message is larger than so many bytes.
 *
 * @category errors
 * @since 0.1.0
 */
export const headersTooLarge = (limit: number): HandshakeError => handshakeError(Reasons.headersTooLarge(limit))

/**
 * The server has so many connections, or handshakes under way, and takes no more; it may have room in so many seconds.
 *
 * @category errors
 * @since 0.1.0
 */
export const tooManyConnections = (limit: number, retryAfter?: number): HandshakeError =>
  handshakeError(Reasons.tooManyConnections(limit, retryAfter))

/**
 * The server takes no more connections; another one may in so many seconds.
 *
 * @category errors
 * @since 0.1.0
 */
export const shuttingDown = (retryAfter?: number): HandshakeError => handshakeError(Reasons.shuttingDown(retryAfter))

/** Adds the body of the response to an error for its status. */
export const withBody = ({ reason }: HandshakeError, body: Uint8Array): HandshakeError =>
  handshakeError(reason._tag === "UnexpectedStatus" ? { ...reason, body: new TextDecoder().decode(body) } : reason)
