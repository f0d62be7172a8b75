import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { SocketError } from "../socket/error.ts"
import type { Message } from "../socket/receiveBuffer.ts"
import { attemptOf, reconnectBy } from "../client/connectAgain.ts"
import type { Platform, ReconnectingSocket, ReconnectOptions } from "../client/reconnect.ts"
import { lost } from "../socket/lost.ts"
import { connect } from "./connect.ts"
import type { Closed, ConnectOptions, Socket } from "./model.ts"
import { endCode, PlatformSocket, readBufferFull } from "./socket.ts"

/**
 * How a client connects, and connects again. `E` and `R` are those of the effects and functions in it.
 *
 * @category reconnecting
 * @since 0.1.0
 */
export interface ReconnectingOptions<E = never, R = never, EU = E, RD = R>
  extends ConnectOptions, Omit<ReconnectOptions<Socket, ConnectOptions, E, R, never, never, EU, RD>, "headers"> {}

/**
 * A connection that is opened again when it is lost. It ends for good when either side closes it normally. `E` is the errors of
 * the effects that it was given.
 *
 * @category reconnecting
 * @since 0.1.0
 */
export type Reconnecting<E = never> = ReconnectingSocket<Socket, Message, SocketError | E>

/**
 * Connects to a server, and connects again when the connection is lost, until the end of the scope, which closes it. Tries again
 * as `schedule` says. Doesn't wait for the first connection: `current` does. Browsers don't report why a connection could not be
 * opened, so it is tried again whatever the server answered: let `schedule` end where that is no good.
 *
 * **Details**
 *
 * The URL may be an effect, which each attempt runs: for tokens that expire, or a list of servers to choose from.
 *
 * @category constructors
 * @since 0.1.0
 */
export const reconnecting = <E = never, R = never, EU = never, RU = never, RD = never>(
  url: string | URL | Effect.Effect<string | URL, EU, RU>,
  options: ReconnectingOptions<E, R, EU, RD> = {}
): Effect.Effect<Reconnecting<E | EU>, never, R | RU | RD | Scope.Scope> =>
  reconnectBy(
    attemptOf(url, undefined, (url) => (options.connect ?? connect)(url, options)),
    options,
    platform
  )

const outcomeOf = ({ cause, received, sent }: Closed): Effect.Effect<void, SocketError> => {
  if (cause._tag === "ReadBufferFull") return Effect.fail(readBufferFull(cause.limit))
  return sent !== undefined || received?.code === 1000 ? Effect.void : Effect.fail(lost(received))
}

const platform: Platform<Socket> = {
  isOpen: (socket) => !(socket instanceof PlatformSocket) || socket.isOpen,
  close: (socket, code, reason) => socket.close(code, reason),
  drop: (socket) => {
    if (socket instanceof PlatformSocket) socket.drop()
  },
  outcome: (socket) => Effect.flatMap(socket.closed, outcomeOf),
  watch: (socket, arrived) => {
    if (socket instanceof PlatformSocket) socket.watch(arrived)
  },
  // The platform keeps what it has of a message to itself.
  partialSize: () => 0,
  endCode
}
