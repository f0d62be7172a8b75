import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { DeflateOptions, Negotiated } from "../../Extension.ts"
import type { Frame } from "../../Frame.ts"
import type { Closed } from "../protocol/closeFrame.ts"
import type { WireFrame } from "../connection/frameObserver.ts"
import type { ObservabilityOptions } from "../observability/options.ts"
import type { ClientRequest, Draft, Request } from "../handshake/model.ts"
import type { SocketError } from "./error.ts"
import type { Message } from "./receiveBuffer.ts"

/**
 * A live connection, of either side.
 *
 * It has one reader, of `messages` or of `frames`, and any number of senders. Pings are answered and close frames
 * returned whether anybody reads or not; what arrives before the reader comes waits for it, up to `readBufferSize`.
 */
export interface Socket<out Context = unknown> {
  /**
   * The frames as they arrive, control frames included, after decompression. A close frame is the last. Fails when the
   * connection ends without one, or the peer breaks the protocol.
   */
  readonly frames: Stream.Stream<Frame, SocketError>
  /**
   * The messages as they arrive: text as strings, bytes as `Uint8Array`s. Ends when the peer closes with 1000, 1001 or
   * no code; any other end is a failure.
   */
  readonly messages: Stream.Stream<Message, SocketError>
  /**
   * Sends a message, or a single frame. Done when the transport took it: a peer that doesn't read suspends it. Messages
   * of concurrent senders never mix: while one is sent in fragments, the others wait for its last frame. A large
   * `Uint8Array` is sent without a copy, so it must not change before it is written.
   */
  readonly send: (message: Message | Frame) => Effect.Effect<void, SocketError>
  /** Sends several messages in one write. */
  readonly sendAll: (messages: Iterable<Message | Frame>) => Effect.Effect<void, SocketError>
  /**
   * Sends one message out of a stream: a fragment for each piece. The first piece says whether it is text or binary.
   * When the stream fails or is interrupted midway the message can't be completed, and the connection closes with 1011.
   */
  readonly sendStream: <E, R>(pieces: Stream.Stream<Message, E, R>) => Effect.Effect<void, SocketError | E, R>
  /** Sends a ping and waits for its pong; succeeds with the round-trip time. At most 125 bytes (RFC 6455 §5.5.2). */
  readonly ping: (payload?: Uint8Array) => Effect.Effect<Duration.Duration, SocketError>
  /**
   * The closing handshake (RFC 6455 §7.1.2): sends a close frame, and waits until the connection is closed. Default
   * code 1000. The reason has at most 123 bytes. What was sent before leaves before. What still comes from the peer is
   * kept up to `readBufferSize`, and the rest of it dropped: `messages` has no gap, but may end before the peer's last.
   */
  readonly close: (code?: number, reason?: string) => Effect.Effect<Closed, SocketError>
  /** Waits until the connection is closed: both close frames, their order, and why. */
  readonly closed: Effect.Effect<Closed>
  /** The subprotocol that was agreed on. */
  readonly protocol: string | undefined
  readonly draft: Draft
  /** The extensions that were agreed on. */
  readonly extensions: ReadonlyArray<Negotiated>
  /** The request that opened the connection. */
  readonly request: Request | ClientRequest
  /** What the server's `authorize` answered for this connection. */
  readonly context: Context
}

/** Keepalive by ping and pong. */
export interface KeepAliveOptions {
  /** Time between pings. Default 20 seconds. */
  readonly interval?: Duration.Input | undefined
  /** How long the peer may be silent after a ping. Default 20 seconds. */
  readonly timeout?: Duration.Input | undefined
}

/** Hears of each frame of a socket: when it was read whole, and when it is put in line to be written. Must not throw. */
export type FrameObserver = (frame: WireFrame, socket: Socket) => void

/** What both sides can choose. */
export interface SocketOptions extends ObservabilityOptions {
  /** Longest message in bytes, after decompression. Default 1 MiB; `Infinity` lifts the limit. Beyond it: 1009. */
  readonly maxMessageSize?: number | undefined
  /** Bytes that may wait for the reader before the transport is paused. Default 64 KiB. */
  readonly readBufferSize?: number | undefined
  /** Bytes that may wait for the transport before senders are. Default 64 KiB. */
  readonly writeBufferSize?: number | undefined
  /** How long the closing handshake may take before the transport is dropped. Default 10 seconds. */
  readonly closeTimeout?: Duration.Input | undefined
  /** Default: on, see `KeepAliveOptions`. */
  readonly keepAlive?: boolean | KeepAliveOptions | undefined
  /** permessage-deflate (RFC 7692). Default: off; without context takeover when it is on. */
  readonly compression?: boolean | DeflateOptions | undefined
  /** Hears of each frame on the wire, in both directions; for looking at a connection, not for working with it. */
  readonly onFrame?: FrameObserver | undefined
}

/** Makes sockets end with their scope. */
export type Scoped<A, E> = Effect.Effect<A, E, Scope.Scope>
