import * as Data from "effect/Data"

/**
 * The server can't listen at the address: the port is taken or forbidden, or the address doesn't exist.
 *
 * @category errors
 * @since 0.1.0
 */
export interface ListenFailed {
  readonly _tag: "ListenFailed"
  /** The failure, in words. */
  readonly message: string
  /** The system's code, such as `EADDRINUSE`. */
  readonly code: string | undefined
  /** The error of the system. */
  readonly cause: unknown
}

/**
 * The options of TLS can't be used: the key can't be read, or doesn't belong to the certificate.
 *
 * @category errors
 * @since 0.1.0
 */
export interface TlsInvalid {
  readonly _tag: "TlsInvalid"
  /** The problem, in words. */
  readonly message: string
  /** The code that Node or OpenSSL gave, such as `ERR_OSSL_X509_KEY_VALUES_MISMATCH`. */
  readonly code: string | undefined
  /** The error of Node or OpenSSL. */
  readonly cause: unknown
}

/**
 * An option has a value that is not allowed. It is found when the server is made.
 *
 * @category errors
 * @since 0.2.0
 */
export interface InvalidOptions {
  readonly _tag: "InvalidOptions"
  /** The option, its value and the values that are allowed. */
  readonly message: string
  /** The option, such as `maxMessageSize` or `maxRate.connections`. */
  readonly option: string
  /** The values that are allowed, in words. */
  readonly allowed: string
}

/**
 * The reasons of a `ServerError`.
 *
 * @category errors
 * @since 0.1.0
 */
export type ServerErrorReason = ListenFailed | TlsInvalid | InvalidOptions

/**
 * The error of a server that can't start. `reason` says why.
 *
 * **Details**
 *
 * `Effect.catchTag("ServerError", …)` catches it, `Effect.catchReason("ServerError", tag, …)` one reason of it.
 *
 * **Example** (Catching one reason)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Server } from "effect-ws"
 * import assert from "node:assert"
 *
 * const program = Server.make({ port: 0, maxMessageSize: -1 }).pipe(
 *   Effect.as("listening"),
 *   Effect.catchReason("ServerError", "InvalidOptions", ({ option }) => Effect.succeed(`wrong: ${option}`))
 * )
 *
 * assert.strictEqual(await Effect.runPromise(Effect.scoped(program)), "wrong: maxMessageSize")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class ServerError extends Data.TaggedError("ServerError")<{ readonly reason: ServerErrorReason }> {
  /** The problem, in words. */
  override get message(): string {
    return this.reason.message
  }
}
