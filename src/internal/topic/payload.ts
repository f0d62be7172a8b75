import { isUtf8 } from "node:buffer"
import type { Message } from "../socket/receiveBuffer.ts"

/**
 * The form of messages in a broker.
 *
 * **Details**
 *
 * - `"tagged"`: after a byte that says whether it is text, `T`, or bytes, `B`.
 * - `"text"` and `"bytes"`: as they are, all of one kind, so that other programs can publish and subscribe too.
 *
 * @category models
 * @since 0.1.0
 */
export type PayloadFormat = "tagged" | "text" | "bytes"

const textTag = 0x54
const bytesTag = 0x42

/** A message as a broker carries it. Where all are of one kind, the other kind is turned into it. */
export const encodePayload = (message: Message, format: PayloadFormat): Buffer => {
  const bytes =
    typeof message === "string"
      ? Buffer.from(message)
      : Buffer.from(message.buffer, message.byteOffset, message.byteLength)
  if (format !== "tagged") return bytes
  const tagged = Buffer.allocUnsafe(bytes.length + 1)
  tagged[0] = typeof message === "string" ? textTag : bytesTag
  tagged.set(bytes, 1)
  return tagged
}

/** The message in it; `undefined` when it is none, since another program wrote it. */
export const decodePayload = (payload: Uint8Array, format: PayloadFormat): Message | undefined => {
  if (format === "bytes") return payload
  const kind = format === "text" ? textTag : payload[0]
  const content = format === "text" ? payload : payload.subarray(1)
  if (kind === bytesTag) return content
  if (kind !== textTag || !isUtf8(content)) return undefined
  return Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString()
}
