import * as EffectSocket from "effect/socket/Socket"
import type { SocketError } from "../socket/error.ts"

/** What was going on when a connection failed. */
export type During = "open" | "read" | "write"

/** An end of the connection, with the code and reason of its close frame: 1005 without a code, 1006 without a frame. */
export const closeError = (code: number, closeReason?: string): EffectSocket.SocketError =>
  new EffectSocket.SocketError({
    reason: new EffectSocket.SocketCloseError({ code, closeReason: closeReason === "" ? undefined : closeReason })
  })

/** Our failure as one of Effect's, which keeps ours as its `cause` unless it is the connection's end. */
export const effectError = (error: SocketError, during: During): EffectSocket.SocketError => {
  const { reason } = error
  if (reason._tag === "ConnectionClosed" && during !== "write") return closeError(reason.closeCode, reason.closeReason)
  return new EffectSocket.SocketError({
    reason:
      during === "open"
        ? new EffectSocket.SocketOpenError({
            kind: reason._tag === "OpenTimeout" ? "Timeout" : "Unknown",
            cause: error
          })
        : during === "read"
          ? new EffectSocket.SocketReadError({ cause: error })
          : new EffectSocket.SocketWriteError({ cause: error })
  })
}
