import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { Frame } from "../frame/model.ts"
import type { Closed } from "../protocol/closeHandshake.ts"
import { connect, type ConnectOptions } from "./connect.ts"
import { SocketError } from "../socket/error.ts"
import type { Message } from "../socket/receiveBuffer.ts"
import { isOpen } from "../socket/isOpen.ts"
import { attemptOf, reconnectBy } from "./connectAgain.ts"
import type { Platform, ReconnectingSocket, ReconnectOptions } from "./reconnect.ts"
import { lost } from "../socket/lost.ts"
import { WebSocketConnection } from "../socket/webSocketConnection.ts"
import type { Socket } from "../socket/model.ts"

/**
 * How a client connects, and connects again. `E` and `R` are those of the effects and functions in it.
 *
 * @category reconnecting
 * @since 0.1.0
 */
export interface ReconnectingOptions<E = never, R = never, EH = E, RH = R, EU = E, RD = R>
  extends Omit<ConnectOptions, "headers">, ReconnectOptions<Socket, ConnectOptions, E, R, EH, RH, EU, RD> {}

/**
 * A connection that is opened again when it is lost. It ends for good when either side closes it normally. `E` is the errors of
 * the effects that it was given.
 *
 * @category reconnecting
 * @since 0.1.0
 */
export type Reconnecting<E = never> = ReconnectingSocket<Socket, Message | Frame, SocketError | E>

/**
 * Connects to a server, and connects again when the connection is lost, until the end of the scope, which closes it. Tries again
 * as `schedule` says, but not before a `Retry-After` of the server's, of up to 5 minutes. Doesn't wait for the first connection:
 * `current` does.
 *
 * **Details**
 *
 * The URL may be an effect, which each attempt runs: for tokens that expire, or a list of servers to choose from.
 *
 * **Example** (A fresh token for each attempt)
 *
 * ```ts
 * import { Effect, Schema, Stream } from "effect"
 * import { Socket } from "effect-ws"
 *
 * class TokenError extends Schema.TaggedError<TokenError>()("TokenError", {}) {}
 *
 * declare const freshToken: Effect.Effect<string, TokenError>
 *
 * export const program = Effect.gen(function* () {
 *   const prices = yield* Socket.reconnecting("wss://example.com/prices", {
 *     headers: freshToken.pipe(Effect.map((token) => ({ authorization: `Bearer ${token}` }))),
 *     retry: (error) => error._tag === "TokenError" || Socket.isTransient(error),
 *     idleTimeout: "5 seconds",
 *     onConnect: (socket) => socket.send("subscribe EUR USD")
 *   })
 *   yield* Stream.runForEach(prices.messages, (message) => Effect.log(message))
 * }).pipe(Effect.catchTag("TokenError", () => Effect.logError("no token")))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const reconnecting = <E = never, R = never, EH = never, RH = never, EU = never, RU = never, RD = never>(
  url: string | URL | Effect.Effect<string | URL, EU, RU>,
  options: ReconnectingOptions<E, R, EH, RH, EU, RD> = {}
): Effect.Effect<Reconnecting<E | EH | EU>, never, R | RH | RU | RD | Scope.Scope> =>
  reconnectBy(
    attemptOf(url, options.headers, (url, headers) => (options.connect ?? connect)(url, { ...options, headers })),
    options,
    platform
  )

const outcomeOf = (closed: Closed): Effect.Effect<void, SocketError> => {
  const { cause, first, received } = closed
  if (cause._tag === "Violation") {
    const { violation } = cause
    const message = `${violation.message} (${violation.section})`
    return Effect.fail(
      new SocketError({ reason: { _tag: "ProtocolViolation", message, closeCode: violation.closeCode, violation } })
    )
  }
  const asked = first === "sent" && cause._tag !== "KeepAliveTimeout" && cause._tag !== "Terminated"
  return asked || received?.code === 1000 ? Effect.void : Effect.fail(lost(received, closed))
}

const platform: Platform<Socket> = {
  isOpen,
  close: (socket, code, reason) => (socket.draft.capabilities.closeCode ? socket.close(code, reason) : socket.close()),
  drop: (socket) => {
    if (socket instanceof WebSocketConnection) socket.connection.terminate()
  },
  outcome: (socket) => Effect.flatMap(socket.closed, outcomeOf),
  watch: (socket, arrived) => {
    if (socket instanceof WebSocketConnection) socket.receiveBuffer.watch(arrived)
  },
  partialSize: (socket) => {
    if (!(socket instanceof WebSocketConnection)) return 0
    const { inbound } = socket.connection
    return inbound.isPaused || inbound.isWaiting ? undefined : inbound.partialSize
  },
  endCode: (exit) => (Exit.isSuccess(exit) ? 1000 : Cause.hasInterruptsOnly(exit.cause) ? 1001 : 1011)
}
