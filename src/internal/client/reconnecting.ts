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
import { keepUp, type KeepUpOptions, type KeptUp, type Platform } from "./reconnect.ts"
import { lost } from "../socket/lost.ts"
import type { Socket } from "../socket/model.ts"

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
export interface Reconnecting extends KeptUp<Socket, Message | Frame> {}

/**
 * Connects to a server, and connects again whenever the connection is lost, until the end of the scope.
 *
 * **Details**
 *
 * It waits between attempts as `schedule` says, and not less than a `Retry-After` of the server's, up to 5
 * minutes. It doesn't wait for the first connection; `current` does.
 *
 * @category reconnecting
 * @since 0.1.0
 */
export const reconnecting = <R = never>(
  url: string | URL,
  options: ReconnectingOptions<R> = {}
): Effect.Effect<Reconnecting, never, R | Scope.Scope> =>
  keepUp<Message | Frame, Socket, R>(url, options, {
    ...platform,
    connect: (url) => connect(url, options)
  })

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

const platform: Omit<Platform<Socket>, "connect"> = {
  isOpen,
  close: (socket, code, reason) => (socket.draft.capabilities.closeCode ? socket.close(code, reason) : socket.close()),
  outcome: (socket) => Effect.flatMap(socket.closed, outcomeOf),
  endCode: (exit) => (Exit.isSuccess(exit) ? 1000 : Cause.hasInterruptsOnly(exit.cause) ? 1001 : 1011)
}
