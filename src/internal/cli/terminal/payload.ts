import { isUtf8 } from "node:buffer"
import type { Message } from "../../socket/receiveBuffer.ts"

/** How messages stand in the input and the output. */
export type Encoding = "text" | "binary" | "hex" | "base64"

/** A message out of what was typed, or came in a pipe; otherwise what is wrong with it. */
export const decodeInput = (
  input: string | Buffer,
  encoding: Encoding
): { readonly message: Message } | { readonly problem: string } => {
  switch (encoding) {
    case "text": {
      if (typeof input === "string") return { message: input }
      return isUtf8(input) ? { message: input.toString("utf8") } : { problem: "it is not UTF-8; --binary sends bytes" }
    }
    case "binary": {
      return { message: typeof input === "string" ? Buffer.from(input) : input }
    }
    case "hex": {
      return parseHex(String(input))
    }
    case "base64": {
      return parseBase64(String(input))
    }
  }
}

/** Bytes out of hexadecimal digits; white space and colons between them don't count. */
export const parseHex = (text: string): { readonly message: Uint8Array } | { readonly problem: string } => {
  const digits = text.replaceAll(/[\s:]|\b0x/gi, "")
  return digits.length % 2 === 0 && /^[\da-f]*$/i.test(digits)
    ? { message: Buffer.from(digits, "hex") }
    : { problem: "it is not hexadecimal, two digits a byte" }
}

const parseBase64 = (text: string): { readonly message: Uint8Array } | { readonly problem: string } => {
  const digits = text.replaceAll(/\s/g, "")
  return /^[\w+/-]*={0,2}$/.test(digits) && digits.replaceAll("=", "").length % 4 !== 1
    ? { message: Buffer.from(digits, digits.includes("-") || digits.includes("_") ? "base64url" : "base64") }
    : { problem: "it is not base64" }
}

/** What a message looks like in a pipe. */
export const encodeOutput = (message: Message, encoding: Encoding): string | Uint8Array => {
  if (typeof message === "string" || encoding === "text" || encoding === "binary") return message
  return Buffer.from(message.buffer, message.byteOffset, message.byteLength).toString(encoding)
}
