import * as Data from "effect/Data"
import * as Predicate from "effect/Predicate"
import type { Violation } from "../protocol/protocolError.ts"
import type { Closed } from "../protocol/closeHandshake.ts"
import type { HandshakeError } from "../handshake/error.ts"

/** An option has a value that is not allowed. Nothing was sent. */
export interface InvalidOptions {
  readonly _tag: "InvalidOptions"
  readonly message: string
  /** The option's name, such as `maxMessageSize` or `keepAlive.interval`. */
  readonly option: string
  /** The values that are allowed, in words. */
  readonly allowed: string
}

/** The transport could not be opened: name not found, refused, TLS failed, or the proxy would not. */
export interface OpenFailed {
  readonly _tag: "OpenFailed"
  readonly message: string
  readonly cause: unknown
}

/** The connection was not open in time. */
export interface OpenTimeout {
  readonly _tag: "OpenTimeout"
  readonly message: string
  /** The limit in milliseconds. */
  readonly limit: number
}

/** Nothing arrived on a reconnecting connection for its `idleTimeout`. It is given up as lost. */
export interface IdleTimeout {
  readonly _tag: "IdleTimeout"
  readonly message: string
  /** The limit in milliseconds. */
  readonly limit: number
}

/** The opening handshake failed. */
export interface HandshakeFailed {
  readonly _tag: "HandshakeFailed"
  readonly message: string
  readonly error: HandshakeError
}

/** The connection is closed, or closing: what was asked can't be done any more. */
export interface ConnectionClosed {
  readonly _tag: "ConnectionClosed"
  readonly message: string
  /** The peer's close code; 1005 when its close frame had none, 1006 when there was no close frame. */
  readonly closeCode: number
  /** The peer's reason. */
  readonly closeReason: string
  /** How it ended, once it has. */
  readonly closed: Closed | undefined
}

/** The peer broke the protocol, or a limit; the connection is closed for it. */
export interface ProtocolViolation {
  readonly _tag: "ProtocolViolation"
  readonly message: string
  readonly closeCode: Violation["closeCode"]
  readonly violation: Violation
}

/** The draft of this connection, or the platform's own `WebSocket`, has no way to say this. Nothing was sent. */
export interface Unsupported {
  readonly _tag: "Unsupported"
  readonly message: string
  /** What was asked for. */
  readonly feature: "binary" | "ping" | "closeCode" | "fragments"
  /** The draft's `id`. */
  readonly draft: string
}

/** What was to be sent breaks the protocol: a close code that may not travel, a continuation of nothing. Nothing was sent. */
export interface InvalidSend {
  readonly _tag: "InvalidSend"
  readonly message: string
  readonly violation: Violation
}

/** Somebody reads already, or reads the other view: a connection has one reader, of frames or of messages. */
export interface AlreadyReading {
  readonly _tag: "AlreadyReading"
  readonly message: string
}

/**
 * More waited for the reader than may, where reading can't be stopped: a browser's `WebSocket` has no backpressure. The
 * connection is closed for it.
 */
export interface ReadBufferFull {
  readonly _tag: "ReadBufferFull"
  readonly message: string
  /** The limit in bytes. */
  readonly limit: number
}

/** Why a connection failed, or what was asked of it. */
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

/** A connection failed, or what was asked of it can't be done. `reason` says why. */
export class SocketError extends Data.TaggedError("WebSocketError")<{ readonly reason: SocketErrorReason }> {
  get [TypeId](): typeof TypeId {
    return TypeId
  }

  override get message(): string {
    return this.reason.message
  }

  /** The close code that goes with the failure, where there is one. */
  get closeCode(): number | undefined {
    return "closeCode" in this.reason ? this.reason.closeCode : undefined
  }
}
