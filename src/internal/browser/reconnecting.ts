import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { SocketError } from "../socket/error.ts"
import type { Message } from "../socket/receiveBuffer.ts"
import { keepUp, type KeepUpOptions, type KeptUp, type Platform } from "../client/reconnect.ts"
import { lost } from "../socket/lost.ts"
import { connect } from "./connect.ts"
import type { Closed, ConnectOptions, Socket } from "./model.ts"
import { endCode, PlatformSocket, readBufferFull } from "./socket.ts"

/**
 * Options of `reconnecting`.
 *
 * @category reconnecting
 * @since 0.1.0
 */
export interface ReconnectingOptions<R = never> extends ConnectOptions, KeepUpOptions<Socket, R> {}

/**
 * A connection that is opened again when it is lost. It ends when either side closes it normally.
 *
 * @category reconnecting
 * @since 0.1.0
 */
export interface Reconnecting extends KeptUp<Socket, Message> {}

/**
 * Connects to a server, and connects again whenever the connection is lost, until the end of the scope.
 *
 * **Details**
 *
 * It waits between attempts as `schedule` says. It doesn't wait for the first connection; `current` does.
 *
 * **Gotchas**
 *
 * Browsers don't tell why a connection could not be opened, so it is tried again whatever the server responded.
 * Give it a `schedule` that ends where that matters.
 *
 * @category reconnecting
 * @since 0.1.0
 */
export const reconnecting = <R = never>(
  url: string | URL,
  options: ReconnectingOptions<R> = {}
): Effect.Effect<Reconnecting, never, R | Scope.Scope> =>
  keepUp<Message, Socket, R>(url, options, { ...platform, connect: (url) => connect(url, options) })

const outcomeOf = ({ cause, received, sent }: Closed): Effect.Effect<void, SocketError> => {
  if (cause._tag === "ReadBufferFull") return Effect.fail(readBufferFull(cause.limit))
  return sent !== undefined || received?.code === 1000 ? Effect.void : Effect.fail(lost(received))
}

const platform: Omit<Platform<Socket>, "connect"> = {
  isOpen: (socket) => !(socket instanceof PlatformSocket) || socket.isOpen,
  close: (socket, code, reason) => socket.close(code, reason),
  outcome: (socket) => Effect.flatMap(socket.closed, outcomeOf),
  endCode
}
