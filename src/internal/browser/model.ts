import type * as Effect from "effect/Effect"
import type * as Node from "../protocol/closeHandshake.ts"
import type { CommonClosed, CommonSocket } from "../socket/common.ts"
import type { ConnectOptions as NodeConnectOptions } from "../client/connect.ts"
import { isMarked, type SocketMark } from "../socket/typeId.ts"
import type { ReadBufferFull, SocketError } from "../socket/error.ts"
import type { PlatformConstructor } from "./platform.ts"

/** Why a connection ended. A platform tells less than this library's own sockets know. */
export type CloseCause =
  | Extract<Node.CloseCause, { readonly _tag: "Handshake" | "CloseTimeout" }>
  /** The transport was lost, or one side broke the protocol. */
  | { readonly _tag: "Lost" }
  | Pick<ReadBufferFull, "_tag" | "limit">

/**
 * How a connection ended: `received` is the peer's close frame, `sent` the one that was asked for here; it is `undefined`
 * when the peer closed first, and the platform answered.
 */
export interface Closed extends CommonClosed {
  readonly cause: CloseCause
}

/**
 * A live connection over the platform's `WebSocket`: what this library's own sockets are, as far as the platform can do
 * it. There is no way to send a ping, a frame or a message in fragments, and none to see one.
 */
export interface Socket extends CommonSocket, SocketMark {
  /**
   * The closing handshake (RFC 6455 §7.1.2); waits until the connection is closed. Code 1000, the default, or 3000 to
   * 4999: the platform sends no other, and they fail with `Unsupported`. The reason has at most 123 bytes. What arrives
   * after it is not read.
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

/** How a client connects. */
export interface ConnectOptions extends Pick<
  NodeConnectOptions,
  "closeTimeout" | "openTimeout" | "protocols" | "writeBufferSize"
> {
  /**
   * Bytes of messages that may wait for the reader. The platform can't stop reading: beyond it the connection is closed
   * with 4008, and `messages` fails with `ReadBufferFull` behind what waited. A message counts its bytes, two for each
   * UTF-16 unit of a text, and 64 more; one that the reader waits for doesn't count. Default 16 MiB; `Infinity` lifts
   * the limit.
   */
  readonly maxReadBufferSize?: number | undefined
  /** The platform's class. Default: the global `WebSocket`. */
  readonly WebSocket?: PlatformConstructor | undefined
}
