import type * as Effect from "effect/Effect"
import type * as Node from "../protocol/closeHandshake.ts"
import type { CommonClosed, CommonSocket } from "../socket/common.ts"
import type { ConnectOptions as NodeConnectOptions } from "../client/connect.ts"
import type { ReadBufferFull, SocketError } from "../socket/error.ts"
import type { PlatformConstructor } from "./platform.ts"

/**
 * Why a connection ended. A platform tells less than this library's own sockets know.
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
 * How a connection ended: `received` is the peer's close frame, `sent` the one that was asked for here; it is `undefined`
 * when the peer closed first, and the platform answered.
 *
 * @category models
 * @since 0.1.0
 */
export interface Closed extends CommonClosed {
  readonly cause: CloseCause
}

/**
 * A live connection over the platform's `WebSocket`: what this library's own sockets are, as far as the platform can do
 * it. There is no way to send a ping, a frame or a message in fragments, and none to see one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Socket extends CommonSocket {
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
 * How a client connects.
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
