/**
 * The code and the reason of a close frame.
 *
 * @category models
 * @since 0.1.0
 */
export interface CloseFrame {
  /** The close code; `undefined` for a close frame without one, which RFC 6455 §7.1.5 calls 1005. */
  readonly code: number | undefined
  /** The reason; empty without a code. */
  readonly reason: string
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
