import type * as Effect from "effect/Effect"
import type * as Node from "../protocol/closeHandshake.ts"
import type { CommonClosed, CommonSocket } from "../socket/common.ts"
import type { ConnectOptions as NodeConnectOptions } from "../client/connect.ts"
import { isMarked, type SocketMark } from "../socket/typeId.ts"
import type { ReadBufferFull, SocketError } from "../socket/error.ts"
import type { PlatformConstructor } from "./platform.ts"

/**
 * Why a connection ended. A platform tells less than this library's own sockets.
 *
 * @category models
 * @since 0.1.0
 */
export type CloseCause =
  | Extract<Node.CloseCause, { readonly _tag: "Handshake" | "CloseTimeout" }>
  /** The transport was lost, or one side broke the protocol. */
  | { readonly _tag: "Lost" }
  | Pick<ReadBufferFull, "_tag" | "limit">

/**
 * The end of a connection. `received` is the peer's close frame. `sent` is the one that this side asked for; it is
 * `undefined` when the peer closed first.
 *
 * @category models
 * @since 0.1.0
 */
export interface Closed extends CommonClosed {
  /** Why the connection ended, as far as the platform tells. */
  readonly cause: CloseCause
}

/**
 * A connection over the platform's `WebSocket`, with the interface of this library's own sockets as far as the
 * platform has it. It can neither send nor see pings, frames and fragments.
 *
 * @category models
 * @since 0.1.0
 */
export interface Socket extends CommonSocket, SocketMark {
  /**
   * Performs the closing handshake (RFC 6455 §7.1.2), and waits until the connection is closed. The platform sends
   * code 1000, which is the default, and 3000 to 4999; others fail with `Unsupported`. The reason has at most 123
   * bytes. Messages that arrive afterwards are dropped.
   */
  readonly close: (code?: number, reason?: string) => Effect.Effect<Closed, SocketError>
  /** Waits until the connection is closed. */
  readonly closed: Effect.Effect<Closed>
}

/**
 * Returns whether a value is a `Socket` of this library. A typed socket and one that reconnects are none, nor is a copy such as
 * `{ ...socket }`.
 *
 * @category guards
 * @since 0.2.0
 */
export const isSocket = (value: unknown): value is Socket => isMarked(value)

/**
 * Options of `connect`.
 *
 * @category options
 * @since 0.1.0
 */
export interface ConnectOptions extends Pick<NodeConnectOptions, "closeTimeout" | "openTimeout" | "protocols"> {
  /** Bytes that may wait for the platform before senders do. Default 64 KiB. */
  readonly writeBufferSize?: number | undefined
  /**
   * Bytes of messages that wait for the reader before the platform is asked to stop reading, as it does for a peer of
   * `Server`. Holds where the platform can stop: where it has `WebSocketStream`, or where `WebSocket` is a class with
   * `pause` and `resume`. Default: 64 KiB.
   */
  readonly readBufferSize?: number | undefined
  /**
   * Bytes of messages that may wait for the reader where the platform can't stop reading. Beyond it the connection is
   * closed with 4008, and `messages` fails with `ReadBufferFull` after what waited. A message counts its bytes, two for
   * each UTF-16 unit of a text, and 64 more; one that the reader waits for doesn't count. Default: 16 MiB. `Infinity`
   * lifts the limit.
   */
  readonly maxReadBufferSize?: number | undefined
  /**
   * The class that opens connections. Default: one over the platform's `WebSocketStream` where there is one, else the
   * global `WebSocket`. `WebSocket: WebSocket` asks for the latter everywhere.
   */
  readonly WebSocket?: PlatformConstructor | undefined
}
