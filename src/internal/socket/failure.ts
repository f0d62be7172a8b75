import type { HandshakeError } from "../handshake/error.ts"
import { SocketError } from "./error.ts"
import { messageOf } from "../messageOf.ts"
import type { InvalidOption } from "./optionRules.ts"

/** An option has a value that is not allowed. */
export const invalidOptions = ({ allowed, message, option }: InvalidOption): SocketError =>
  new SocketError({ reason: { _tag: "InvalidOptions", message, option, allowed } })

/** The transport could not be opened, or was lost before the connection was. */
export const openFailed = (what: string, cause: unknown): SocketError =>
  new SocketError({
    reason: {
      _tag: "OpenFailed",
      message: `${what}: ${messageOf(cause)}`,
      cause
    }
  })

/** The opening handshake failed. */
export const handshakeFailed = (error: HandshakeError): SocketError =>
  new SocketError({ reason: { _tag: "HandshakeFailed", message: `the handshake failed: ${error.message}`, error } })
