import type * as Effect from "effect/Effect"
import type { Closed } from "../protocol/closeHandshake.ts"
import type { SocketError } from "./error.ts"
import type { Message } from "./receiveBuffer.ts"
import type { Socket } from "./model.ts"

/**
 * The end of a connection, as far as every platform can tell.
 *
 * @category models
 * @since 0.1.0
 */
export type CommonClosed = Pick<Closed, "sent" | "received">

/**
 * The part of a socket that exists on every platform: this library's own on Node, and that of `effect-ws/browser`.
 * Code that is written against it runs on both.
 *
 * @category models
 * @since 0.1.0
 */
export interface CommonSocket<in Sent = Message> extends Pick<Socket, "messages" | "protocol" | "receive"> {
  /** Sends a message. Completes when the transport has accepted the bytes; suspends while the peer doesn't read. */
  readonly send: (message: Sent) => ReturnType<Socket["send"]>
  /** Sends several messages, in order. */
  readonly sendAll: (messages: Iterable<Sent>) => ReturnType<Socket["sendAll"]>
  /**
   * Performs the closing handshake (RFC 6455 §7.1.2). Every platform can send 1000, which is the default, and 3000
   * to 4999.
   */
  readonly close: (code?: number, reason?: string) => Effect.Effect<CommonClosed, SocketError>
  /** Waits until the connection is closed. */
  readonly closed: Effect.Effect<CommonClosed>
}
