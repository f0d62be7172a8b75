import { types } from "node:util"

/** Whether data are sent as bytes unless the sender says something else: buffers and typed arrays, but no `DataView`. */
export const isBinary = (data: unknown): boolean => types.isAnyArrayBuffer(data) || types.isTypedArray(data)

/** What is sent: a string, or bytes. Nothing stands for no bytes; what is neither text nor bytes is written as text. */
export const payloadOf = (data: unknown): string | Uint8Array => {
  if (typeof data === "string") return data
  if (data instanceof Uint8Array) return data
  if (!data) return ""
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (types.isAnyArrayBuffer(data)) return new Uint8Array(data)
  return Array.isArray(data) ? Buffer.from(data) : String(data)
}

/** The bytes of what is sent. */
export const bytesOf = (data: unknown): Uint8Array => {
  const payload = payloadOf(data)
  return typeof payload === "string" ? Buffer.from(payload) : payload
}
