import type * as ByteSize from "effect/ByteSize"
import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { DeflateOptions, Negotiated } from "../handshake/extension.ts"
import type { Frame } from "../frame/model.ts"
import type { Closed } from "../protocol/closeHandshake.ts"
import type { WireFrame } from "../connection/frameObserver.ts"
import type { ObservabilityOptions } from "../observability/options.ts"
import type { ClientRequest, Draft, Request } from "../handshake/model.ts"
import type { SocketError } from "./error.ts"
import type { Message } from "./receiveBuffer.ts"
import { isMarked, type SocketMark } from "./typeId.ts"

/**
 * A live connection, of either side.
 *
 * It has one reader at a time, of `messages`, of `frames` or by `receive`, and any number of senders. Pings are answered
 * and close frames returned whether anything is read or not; what arrives before the reader comes waits for it, up to
 * `readBufferSize`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Socket<out Context = unknown> extends SocketMark {
  /**
   * The frames as they arrive, control frames included, after decompression. A close frame is the last. Fails when the
   * connection ends without one, or the peer breaks the protocol.
   *
   * A reader loses nothing: its first pull brings one frame, so that `Stream.runHead` leaves the others to the next reader.
   * To take a number of frames and go on later, use `Stream.peel`; `Stream.take(n)` drops the rest of the batch in which the
   * last one came.
   */
  readonly frames: Stream.Stream<Frame, SocketError>
  /**
   * The messages as they arrive: text as strings, bytes as `Uint8Array`s. Ends when the peer closes with 1000, 1001 or
   * no code; any other end is a failure.
   *
   * A reader loses nothing: its first pull brings one message, so that `Stream.runHead` leaves the others to the next
   * reader. To take a number of messages and go on later, use `receive` or `Stream.peel`; `Stream.take(n)` drops the rest of
   * the batch in which the last one came.
   */
  readonly messages: Stream.Stream<Message, SocketError>
  /**
   * Takes exactly one message: the next one, or the one that waited longest. Fails with `Cause.Done` where `messages` ends,
   * and with a `SocketError` where it fails. Interruption takes nothing.
   */
  readonly receive: Effect.Effect<Message, SocketError | Cause.Done>
  /**
   * Waits for the next message, and gives it as a Stream of its fragments, without joining them. Fails as `receive` does.
   *
   * **Details**
   *
   * The pieces come under backpressure: beyond `readBufferSize` the transport is paused until they are taken. A frame that
   * is longer than one read is given as its bytes come, so the peer need not send fragments. A piece of text may be empty,
   * and never ends inside a character.
   *
   * Where the reader stops early, running `pieces` again goes on from there. The next message that is asked for, in this way
   * or as a whole, skips the rest. Then `pieces` fails with `AlreadyReading`. It fails with the connection's error when
   * that ends before the message does.
   *
   * `maxMessageSize` holds for the whole message: `Infinity` allows any length, and what waits in memory stays bounded as
   * long as messages are read only in this way. A compressed message is one piece, and so is a message over Hixie-76.
   */
  readonly receiveStream: Effect.Effect<StreamedMessage, SocketError | Cause.Done>
  /**
   * Sends a message, or a single frame. Completes when the transport has accepted the bytes; suspends while the peer doesn't
   * read. When it completes, the caller may change the buffer. Messages of concurrent senders never mix: while one is sent in
   * fragments, the others wait for its last frame, and interruption gives up the wait.
   */
  readonly send: (message: Message | Frame) => Effect.Effect<void, SocketError>
  /** Sends several messages in one write. */
  readonly sendAll: (messages: Iterable<Message | Frame>) => Effect.Effect<void, SocketError>
  /**
   * Sends one message out of a Stream: a fragment for each piece. The first piece decides whether it is text or binary.
   * When the Stream fails or is interrupted after its first piece, the message can't be completed, and the connection closes
   * with 1011; before its first piece nothing is sent and nothing is closed.
   */
  readonly sendStream: <E, R>(pieces: Stream.Stream<Message, E, R>) => Effect.Effect<void, SocketError | E, R>
  /** Sends a ping and waits for its pong; succeeds with the round-trip time. At most 125 bytes (RFC 6455 §5.5.2). */
  readonly ping: (payload?: Uint8Array) => Effect.Effect<Duration.Duration, SocketError>
  /**
   * Starts the closing handshake (RFC 6455 §7.1.2): sends a close frame, and waits until the connection is closed. Default
   * code 1000. The reason has at most 123 bytes. What was sent before leaves before.
   *
   * Closing loses nothing: a reader that goes on reading gets everything that the peer sent before its close frame, at its
   * own pace, for at most `closeTimeout`. Where nothing is read, up to `readBufferSize` bytes are kept and the rest is
   * discarded: that is when no reader has come, the last Stream or `run` has ended, or a program that takes single messages by
   * `receive` took none for half of `closeTimeout`.
   */
  readonly close: (code?: number, reason?: string) => Effect.Effect<Closed, SocketError>
  /** Waits until the connection is closed: both close frames, their order, and why. */
  readonly closed: Effect.Effect<Closed>
  /**
   * Identifies the connection in logs: a text that no other connection of the process has, with a part that differs between
   * processes. The two sides of a connection have ids of their own.
   *
   * @since 0.2.0
   */
  readonly id: string
  /** The subprotocol that was agreed on. */
  readonly protocol: string | undefined
  /** The draft of the connection. */
  readonly draft: Draft
  /** The extensions that were agreed on. */
  readonly extensions: ReadonlyArray<Negotiated>
  /** The request that opened the connection. */
  readonly request: Request | ClientRequest
  /** What the server's `authorize` answered for this connection. */
  readonly context: Context
}

/**
 * A message as its pieces come: text or bytes, as the peer sent it.
 *
 * @category models
 * @since 0.2.0
 */
export type StreamedMessage =
  | { readonly _tag: "Text"; readonly pieces: Stream.Stream<string, SocketError> }
  | { readonly _tag: "Binary"; readonly pieces: Stream.Stream<Uint8Array, SocketError> }

/**
 * Returns whether a value is a `Socket` of this library: of either side, or an object that inherits from one. A typed socket and one
 * that reconnects are none, nor is a copy such as `{ ...socket }`.
 *
 * @category guards
 * @since 0.2.0
 */
export const isSocket = (value: unknown): value is Socket => isMarked(value)

/**
 * Options of the keepalive by ping and pong.
 *
 * @category options
 * @since 0.1.0
 */
export interface KeepAliveOptions {
  /** Time between pings. Default 20 seconds. */
  readonly interval?: Duration.Input | undefined
  /**
   * How long the peer may be silent after a ping. Default 20 seconds. Any received byte is a sign of life, since a pong may
   * come after a long message, and so is any progress of what is sent. While the reader has paused reading, each ping lets
   * one more read arrive, up to 1 MiB in all: so a peer that closed or vanished is noticed although nothing is read.
   */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Called with each frame of a socket: when it was read completely, and when it is queued to be written. It must
 * not throw.
 *
 * @category models
 * @since 0.1.0
 */
export type FrameObserver = (frame: WireFrame, socket: Socket) => void

/**
 * What both sides can choose. Sizes are numbers of bytes, or Effect's `ByteSize` inputs such as `"1 MiB"`.
 *
 * @category options
 * @since 0.1.0
 */
export interface SocketOptions extends ObservabilityOptions {
  /** Longest message in bytes, after decompression. Default 1 MiB; `Infinity` lifts the limit. Beyond it: 1009. */
  readonly maxMessageSize?: ByteSize.Input | undefined
  /** Bytes that may wait for the reader before the transport is paused. Default 64 KiB. */
  readonly readBufferSize?: ByteSize.Input | undefined
  /** Bytes that may wait for the transport before senders are. Default 64 KiB. */
  readonly writeBufferSize?: ByteSize.Input | undefined
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
