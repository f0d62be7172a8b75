import * as Data from "effect/Data"
import * as Predicate from "effect/Predicate"
import type { Violation } from "../protocol/protocolError.ts"
import type { Closed } from "../protocol/closeHandshake.ts"
import type { HandshakeError } from "../handshake/error.ts"

/**
 * An option has a value that is not allowed. Nothing was sent.
 *
 * @category errors
 * @since 0.2.0
 */
export interface InvalidOptions {
  readonly _tag: "InvalidOptions"
  /** The option, its value and the values that are allowed. */
  readonly message: string
  /** The option's name, such as `maxMessageSize` or `keepAlive.interval`. */
  readonly option: string
  /** The values that are allowed, in words. */
  readonly allowed: string
}

/**
 * The transport could not be opened: the name was not found, the connection was refused, TLS failed, or the proxy
 * refused.
 *
 * @category errors
 * @since 0.1.0
 */
export interface OpenFailed {
  readonly _tag: "OpenFailed"
  /** The failure, in words. */
  readonly message: string
  /** The error of the system, if there is one. */
  readonly cause: unknown
}

/**
 * The connection was not open within `openTimeout`.
 *
 * @category errors
 * @since 0.1.0
 */
export interface OpenTimeout {
  readonly _tag: "OpenTimeout"
  /** What took too long, and the limit. */
  readonly message: string
  /** The limit in milliseconds. */
  readonly limit: number
}

/**
 * Nothing arrived on a reconnecting connection for its `idleTimeout`. It is given up as lost.
 *
 * @category errors
 * @since 0.2.0
 */
export interface IdleTimeout {
  readonly _tag: "IdleTimeout"
  /** What failed, in words. */
  readonly message: string
  /** The limit in milliseconds. */
  readonly limit: number
}

/**
 * The opening handshake failed: the server refused, or its response breaks the protocol.
 *
 * @category errors
 * @since 0.1.0
 */
export interface HandshakeFailed {
  readonly _tag: "HandshakeFailed"
  /** The failure, in words. */
  readonly message: string
  /** The error of the handshake, with its reason. */
  readonly error: HandshakeError
}

/**
 * The connection is closed or closing, so it can't be used.
 *
 * @category errors
 * @since 0.1.0
 */
export interface ConnectionClosed {
  readonly _tag: "ConnectionClosed"
  /** That the connection is closed, with the close code and reason. */
  readonly message: string
  /** The peer's close code; 1005 when its close frame had none, 1006 when there was no close frame. */
  readonly closeCode: number
  /** The peer's reason. */
  readonly closeReason: string
  /** How it ended, once it has. */
  readonly closed: Closed | undefined
}

/**
 * The peer broke the protocol or exceeded a limit. The connection is closed with the error's close code.
 *
 * @category errors
 * @since 0.1.0
 */
export interface ProtocolViolation {
  readonly _tag: "ProtocolViolation"
  /** The broken rule and its section. */
  readonly message: string
  /** The close code with which the connection is closed. */
  readonly closeCode: Violation["closeCode"]
  /** The broken rule, with its section and the values concerned. */
  readonly violation: Violation
}

/**
 * The draft of the connection, or the platform's `WebSocket`, can't send this. Nothing was sent.
 *
 * @category errors
 * @since 0.1.0
 */
export interface Unsupported {
  readonly _tag: "Unsupported"
  /** What can't be sent, and why. */
  readonly message: string
  /** The feature that was asked for. */
  readonly feature: "binary" | "ping" | "closeCode" | "fragments"
  /** The draft's `id`. */
  readonly draft: string
}

/**
 * The argument of `send` or `close` breaks the protocol, such as a close code that may not be sent. Nothing was
 * sent.
 *
 * @category errors
 * @since 0.1.0
 */
export interface InvalidSend {
  readonly _tag: "InvalidSend"
  /** The broken rule and its section. */
  readonly message: string
  /** The broken rule, with its section and the values concerned. */
  readonly violation: Violation
}

/**
 * The socket already has a reader. A socket has one reader at a time, of frames or of messages.
 *
 * @category errors
 * @since 0.1.0
 */
export interface AlreadyReading {
  readonly _tag: "AlreadyReading"
  /** That the socket already has a reader. */
  readonly message: string
}

/**
 * More bytes waited for the reader than are allowed, on a platform that can't stop reading: a browser's
 * `WebSocket` has no backpressure. The connection is closed with 4008.
 *
 * @category errors
 * @since 0.1.0
 */
export interface ReadBufferFull {
  readonly _tag: "ReadBufferFull"
  /** The limit that was exceeded. */
  readonly message: string
  /** The limit in bytes. */
  readonly limit: number
}

/**
 * The reasons of a `SocketError`.
 *
 * @category errors
 * @since 0.1.0
 */
export type SocketErrorReason =
  | InvalidOptions
  | OpenFailed
  | OpenTimeout
  | IdleTimeout
  | HandshakeFailed
  | ConnectionClosed
  | ProtocolViolation
  | Unsupported
  | InvalidSend
  | AlreadyReading
  | ReadBufferFull

const TypeId = "~effect-ws/Socket/SocketError"

/**
 * Returns whether a value is a `SocketError` of this library, of whichever copy of it. The `SocketError` of `effect/socket` is none.
 *
 * @category guards
 * @since 0.2.0
 */
export const isSocketError = (value: unknown): value is SocketError => Predicate.hasProperty(value, TypeId)

/**
 * The error of a connection, and of what is done with it. `reason` says why.
 *
 * **Details**
 *
 * `Effect.catchTag("WebSocketError", …)` catches it, `Effect.catchReason("WebSocketError", tag, …)` one reason of it.
 *
 * **Example** (Catching one reason)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Socket } from "effect-ws"
 * import assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const [client, server] = yield* Socket.makePair()
 *   yield* Effect.forkScoped(server.close(4000, "enough"))
 *   yield* client.closed
 *   return yield* client.send("too late").pipe(
 *     Effect.as("sent"),
 *     Effect.catchReason("WebSocketError", "ConnectionClosed", ({ closeCode }) => Effect.succeed(`closed with ${closeCode}`))
 *   )
 * })
 *
 * assert.strictEqual(await Effect.runPromise(Effect.scoped(program)), "closed with 4000")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class SocketError extends Data.TaggedError("WebSocketError")<{ readonly reason: SocketErrorReason }> {
  get [TypeId](): typeof TypeId {
    return TypeId
  }

  /** What failed, in words. */
  override get message(): string {
    return this.reason.message
  }

  /** The close code that belongs to the failure, if there is one. */
  get closeCode(): number | undefined {
    return "closeCode" in this.reason ? this.reason.closeCode : undefined
  }
}
