import type { Closed } from "../protocol/closeHandshake.ts"
import { printable } from "../protocol/printable.ts"
import { withoutStack } from "../withoutStack.ts"
import { SocketError } from "./error.ts"

/** What a connection that ended without anybody's wish fails with. */
export const lost = (received: Closed["received"], closed?: Closed): SocketError => {
  const closeCode = received === undefined ? 1006 : (received.code ?? 1005)
  const closeReason = received?.reason ?? ""
  const message = `the connection is closed: ${closeCode}${closeReason === "" ? "" : ` ${printable(closeReason)}`}`
  return withoutStack(
    () => new SocketError({ reason: { _tag: "ConnectionClosed", message, closeCode, closeReason, closed } })
  )
}
