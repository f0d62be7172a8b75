import type * as Effect from "effect/Effect"
import type { Closed } from "../protocol/closeHandshake.ts"
import type { SocketError } from "./error.ts"
import type { Message } from "./receiveBuffer.ts"
import type { Socket } from "./model.ts"

/**
 * How a connection ended, as far as every platform can tell.
 *
 * @category models
 * @since 0.1.0
 */
export type CommonClosed = Pick<Closed, "sent" | "received">

/**
 * What a socket is on every platform, browsers among them: this library's own on Node, and the platform's `WebSocket` of
 * `effect-ws/browser`. Code that is written against it runs on both.
 *
 * @category models
 * @since 0.1.0
 */
export interface CommonSocket<in Sent = Message> extends Pick<Socket, "messages" | "protocol" | "receive"> {
  /** Sends a message. Done when the transport took it: a peer that doesn't read suspends it. */
  readonly send: (message: Sent) => ReturnType<Socket["send"]>
  /** Sends several messages, in order. */
  readonly sendAll: (messages: Iterable<Sent>) => ReturnType<Socket["sendAll"]>
  /** The closing handshake (RFC 6455 §7.1.2). Codes that every platform can send: 1000, the default, and 3000 to 4999. */
  readonly close: (code?: number, reason?: string) => Effect.Effect<CommonClosed, SocketError>
  /** Waits until the connection is closed. */
  readonly closed: Effect.Effect<CommonClosed>
}
