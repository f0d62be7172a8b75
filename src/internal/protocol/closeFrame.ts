import type { Violation } from "./protocolError.ts"

/** What a close frame said. Without a code nothing was said: RFC 6455 §7.1.5 calls that 1005. */
export interface CloseFrame {
  readonly code: number | undefined
  readonly reason: string
}

/** Why a connection ended. */
export type CloseCause =
  /** Both close frames travelled: the closing handshake of RFC 6455 §7.1.2. */
  | { readonly _tag: "Handshake" }
  /** The peer broke the protocol, or a limit. */
  | { readonly _tag: "Violation"; readonly violation: Violation }
  /** The transport failed. */
  | { readonly _tag: "TransportFailed"; readonly error: Error }
  /** The transport ended without a close frame from the peer. */
  | { readonly _tag: "TransportEnded" }
  /** The peer didn't answer our close frame in time. */
  | { readonly _tag: "CloseTimeout" }
  /** The peer didn't answer a keepalive ping in time. */
  | { readonly _tag: "KeepAliveTimeout" }
  /** Our side dropped the connection without a closing handshake. */
  | { readonly _tag: "Terminated" }

/** How a connection ended. */
export interface Closed {
  /** The close frame we sent. */
  readonly sent: CloseFrame | undefined
  /** The close frame we received. */
  readonly received: CloseFrame | undefined
  /** Which of the two came first. */
  readonly first: "sent" | "received" | undefined
  readonly cause: CloseCause
}

/** The payload of a close frame, RFC 6455 §5.5.1. The caller has checked the code and the length of the reason. */
export const encodeClose = (frame: CloseFrame): Uint8Array => {
  if (frame.code === undefined) return new Uint8Array(0)
  const payload = Buffer.allocUnsafe(2 + Buffer.byteLength(frame.reason))
  payload.writeUInt16BE(frame.code, 0)
  payload.write(frame.reason, 2, "utf8")
  return payload
}

/** Reads the payload of a close frame that a decoder has validated. */
export const decodeClose = (bytes: Buffer, start: number, end: number): CloseFrame =>
  end === start
    ? { code: undefined, reason: "" }
    : { code: bytes.readUInt16BE(start), reason: bytes.toString("utf8", start + 2, end) }
