import * as Effect from "effect/Effect"
import type * as net from "node:net"
import { dropOnError } from "../transport/duplex.ts"
import type { SocketError } from "../socket/error.ts"
import { openFailed } from "../socket/failure.ts"
import { holding } from "../socket/opened.ts"

/** Waits until a socket of `node:net` or `node:tls` is connected; `place` names the other end in the error. */
export const established = (
  connect: () => net.Socket,
  event: "connect" | "secureConnect",
  place: string
): Effect.Effect<net.Socket, SocketError> =>
  Effect.flatMap(holding, (hold) =>
    Effect.callback((resume) => {
      let socket: net.Socket
      try {
        socket = connect()
      } catch (cause) {
        return resume(Effect.fail(openFailed(`cannot connect to ${place}`, cause)))
      }
      hold(socket)
      const fail = (cause: Error): void => resume(Effect.fail(openFailed(`cannot connect to ${place}`, cause)))
      socket.on("error", fail)
      socket.once(event, () => {
        socket.off("error", fail)
        // Until the connection is open, the socket has no other listener at times.
        dropOnError(socket)
        resume(Effect.succeed(socket))
      })
      return Effect.sync(() => socket.destroy())
    })
  )
