/** What callers give to be sent, and what they get. */
import type { Blob } from "node:buffer"

/** How binary messages are given to listeners. */
export type BinaryType = "nodebuffer" | "arraybuffer" | "fragments" | "blob"

export const isBinaryType = (value: unknown): value is BinaryType =>
  value === "nodebuffer" || value === "arraybuffer" || value === "fragments" || value === "blob"

/** No bytes. */
export const nothing = Buffer.alloc(0)

/** Whether a value is a `Blob` or a `File`, of whatever realm or library. */
export const isBlob = (value: unknown): value is Blob =>
  typeof value === "object" &&
  value !== null &&
  "arrayBuffer" in value &&
  typeof value.arrayBuffer === "function" &&
  "stream" in value &&
  typeof value.stream === "function" &&
  "type" in value &&
  typeof value.type === "string" &&
  Symbol.toStringTag in value &&
  (value[Symbol.toStringTag] === "Blob" || value[Symbol.toStringTag] === "File")

/** The bytes of anything that `Buffer.from` takes, without a copy where there are bytes. Throws a `TypeError` for the rest. */
export const toBytes = (data: unknown): Uint8Array => {
  if (data instanceof Uint8Array) return data
  if (data instanceof ArrayBuffer) return new Uint8Array(data)
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  // It checks what it is given.
  return Buffer.from(data as string)
}

/** Size of what `toBytes` or a `Blob` gives, in bytes. */
export const sizeOf = (data: unknown): number => {
  if (typeof data === "string") return Buffer.byteLength(data)
  return isBlob(data) ? data.size : toBytes(data).length
}

/** An `ArrayBuffer` that holds these bytes and nothing else. */
export const toArrayBuffer = (bytes: Buffer): ArrayBuffer => {
  const { buffer, byteOffset, length } = bytes
  if (buffer instanceof ArrayBuffer) {
    return length === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + length)
  }
  return Uint8Array.from(bytes).buffer
}
