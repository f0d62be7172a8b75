import { isUtf8 } from "node:buffer"
import type { Message } from "../../socket/receiveBuffer.ts"

/** How messages stand in the input and the output. */
export type Encoding = "text" | "binary" | "hex" | "base64"

type Decoded = { readonly message: Message } | { readonly problem: string }

/** A message out of what was typed, or came in a pipe; otherwise what is wrong with it. */
export const decodeInput = (input: string | Buffer, encoding: Encoding, escapes = false): Decoded => {
  if (escapes && (encoding === "text" || encoding === "binary")) return unescaped(input, encoding)
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

const simpleEscapes = new Map([
  ["0", "\0"],
  ["a", "\u0007"],
  ["b", "\b"],
  ["e", "\u001B"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
  ["\\", "\\"]
])

/** `\xHH`, `\uHHHH`, `\u{H…}`, or one character. In binary messages `\xHH` is a byte. */
const escape = /\\(?:x([\da-f]{2})|u([\da-f]{4})|u\{([\da-f]{1,6})\}|([^]|$))/gi

const unescaped = (input: string | Buffer, encoding: "text" | "binary"): Decoded => {
  if (typeof input !== "string" && encoding === "text" && !isUtf8(input)) {
    return { problem: "it is not UTF-8; --binary sends bytes" }
  }
  const bytes = encoding === "binary"
  // A character for a byte, so that all bytes stay as they are.
  const source = Buffer.from(input).toString(bytes ? "latin1" : "utf8")
  let problem: string | undefined
  const text = source.replaceAll(escape, (whole, byte?: string, unit?: string, point?: string, letter?: string) => {
    if (byte !== undefined) return String.fromCharCode(Number.parseInt(byte, 16))
    const code = Number.parseInt(unit ?? point ?? "", 16)
    const found =
      letter === undefined ? (code <= 0x10ffff ? String.fromCodePoint(code) : undefined) : simpleEscapes.get(letter)
    if (found === undefined) problem ??= `there is no escape ${whole}`
    return bytes && letter === undefined ? Buffer.from(found ?? "").toString("latin1") : (found ?? "")
  })
  if (problem !== undefined) return { problem }
  if (!bytes && /\p{Cs}/u.test(text)) return { problem: "an escape is half of a surrogate pair" }
  return { message: bytes ? Buffer.from(text, "latin1") : text }
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
