import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { HeadersInput } from "../handshake/model.ts"
import { isSocketError, type SocketError } from "../socket/error.ts"
import type { Message } from "../socket/receiveBuffer.ts"

/**
 * How a client connects again, on every platform; `S` is its sockets, `Options` those of its `connect`.
 *
 * @category reconnecting
 * @since 0.1.0
 */
export interface ReconnectOptions<S, Options, E = never, R = never, EH = never, RH = never, EU = never, RD = never> {
  /**
   * When to try again; its input is the error, and its end gives up. It starts anew once a connection has lasted for
   * `stableAfter`. Default: 1, 2, 4, … up to 30 seconds, each varied at random between a half and one and a half, so
   * that the clients of a server that was restarted don't all come back at once.
   */
  readonly schedule?: Schedule.Schedule<unknown, SocketError | NoInfer<E | EH | EU>, never, R> | undefined
  /** How long a connection has to last before the schedule starts anew. From 0 to 2 147 483 647 ms. Default 10 seconds. */
  readonly stableAfter?: Duration.Input | undefined
  /**
   * How long nothing may arrive before the connection is given up as lost and another one is opened as `schedule` says. A
   * message counts, and a part of one; pings and pongs don't. While the reader has more unread than its buffer holds,
   * nothing can arrive, and that time doesn't count. `onDisconnect` is called with the reason `IdleTimeout`. Above 0, up to
   * 2 147 483 647 ms, or `Infinity`. Default: no limit.
   */
  readonly idleTimeout?: Duration.Input | undefined
  /**
   * The header fields of the request, as a value, or as an effect that each attempt runs, for tokens that expire. An error
   * of the effect is one of the attempt. `openTimeout` doesn't cover it.
   */
  readonly headers?: HeadersInput | Effect.Effect<HeadersInput, EH, RH> | undefined
  /**
   * Whether to try again after this error. Default: `isTransient`, so that errors of the caller's own effects, which are
   * no `SocketError`s, end it. TypeScript infers the errors in the order of the properties: write `headers`, `connect` and
   * `onConnect` before `retry` and `onDisconnect`.
   */
  readonly retry?: ((error: SocketError | NoInfer<E | EH | EU>) => boolean) | undefined
  /**
   * Runs on each new connection, before anything else is sent on it and before `messages` reads it: the place to log in
   * and to subscribe again. What it reads of `socket.messages` isn't seen by `messages`. Its failure is one of the
   * connection.
   */
  readonly onConnect?: ((socket: S) => Effect.Effect<unknown, SocketError | E, R>) | undefined
  /** Called with the error after each failed attempt and each lost connection, before the next delay. */
  readonly onDisconnect?: ((error: SocketError | NoInfer<E | EH | EU>) => Effect.Effect<unknown, never, RD>) | undefined
  /** Opens one connection. Default: `connect`. `options` are these, with the header fields of this attempt. */
  readonly connect?: ((url: string, options: Options) => Effect.Effect<S, SocketError | E, R | Scope.Scope>) | undefined
}

/**
 * A connection that is opened again when it is lost. It ends for good when either side closes it normally. `E` is its errors:
 * `SocketError`s, and those of the effects that it was given.
 *
 * @category reconnecting
 * @since 0.1.0
 */
export interface ReconnectingSocket<out S, in Sent, out E = SocketError> {
  /**
   * The messages of all connections, in order; what a lost connection had brought is read before the next one's. Ends
   * when the connection was closed for good, and fails with what isn't tried again. Has one reader. Of connections that
   * were lost with unread messages, the last 16 are kept.
   */
  readonly messages: Stream.Stream<Message, E>
  /**
   * Takes exactly one message of `messages`: waits while there is no connection. Fails with `Cause.Done` where `messages`
   * ends, and with the error with which it fails. Interruption takes nothing.
   */
  readonly receive: Effect.Effect<Message, E | Cause.Done>
  /**
   * Sends a message; waits while there is no connection, and as a socket's `send` does. Fails when its connection is
   * lost while it waits for room: whether the peer has it is not known then, so it isn't sent again.
   */
  readonly send: (message: Sent) => Effect.Effect<void, E>
  /** Sends several messages as a socket's `sendAll` does, on one connection. */
  readonly sendAll: (messages: Iterable<Sent>) => Effect.Effect<void, E>
  /**
   * Drops the connection and connects again at once, without the delay of `schedule`; during a delay, ends it. Completes
   * without waiting for the next connection: `current` does. Does nothing while an attempt is under way, and once the
   * connection was closed for good.
   *
   * **Details**
   *
   * The closing handshake of the connection before, with 1000, goes on beside the next attempt for at most a second. What
   * arrives until then is read before the messages of the next connection.
   */
  readonly reconnect: Effect.Effect<void>
  /** Closes for good: the closing handshake where there is a connection, and no attempt after it. */
  readonly close: (code?: number, reason?: string) => Effect.Effect<void, SocketError>
  /** The connection there is; waits while there is none. */
  readonly current: Effect.Effect<S, E>
  /** Waits for the end: succeeds when it was closed for good, fails with what isn't tried again. */
  readonly ended: Effect.Effect<void, E>
}

/** The operations of a platform's sockets that reconnecting needs. */
export interface Platform<S> {
  /** Whether the socket accepts messages. */
  readonly isOpen: (socket: S) => boolean
  readonly close: (socket: S, code?: number, reason?: string) => Effect.Effect<unknown, SocketError>
  /** Ends the socket without a closing handshake. */
  readonly drop: (socket: S) => void
  /** Waits for the socket's end: succeeds when this side closed it, or the peer did so normally. */
  readonly outcome: (socket: S) => Effect.Effect<void, SocketError>
  /** Calls `arrived` whenever messages arrive. */
  readonly watch: (socket: S, arrived: () => void) => void
  /** Bytes of a message whose end hasn't come; `undefined` while reading is paused, so that nothing can arrive. */
  readonly partialSize: (socket: S) => number | undefined
  /** The close code at the end of the scope. */
  readonly endCode: (exit: Exit.Exit<unknown, unknown>) => number
}

/** HTTP statuses that say "not now". */
const transientStatuses: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504])

/** Close codes that say "not now": going away, none, lost, internal error, restart, try again later, bad gateway. */
const transientCodes: ReadonlySet<number> = new Set([1001, 1005, 1006, 1011, 1012, 1013, 1014])

/**
 * Whether another attempt may go better. It may after a transport that could not be opened, or not in time; after HTTP
 * 408, 425, 429, 500, 502, 503 and 504; after close codes 1001, 1011 to 1014 and none at all, and a connection that was
 * lost. It won't after any other HTTP status, such as 401, 403 and 404; after a handshake or messages that break the
 * protocol or a limit; after any other close code, such as 1002, 1008 and those of applications, 3000 to 4999; nor after
 * anything that is no `SocketError`.
 *
 * @category reconnecting
 * @since 0.1.0
 */
export const isTransient = (error: unknown): boolean => {
  if (!isSocketError(error)) return false
  const { reason } = error
  switch (reason._tag) {
    case "OpenFailed":
    case "OpenTimeout":
    case "IdleTimeout":
      return true
    case "HandshakeFailed":
      return reason.error.reason._tag === "UnexpectedStatus" && transientStatuses.has(reason.error.reason.status)
    case "ConnectionClosed":
      return transientCodes.has(reason.closeCode)
    default:
      return false
  }
}
