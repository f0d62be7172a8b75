// The opening handshake (RFC 6455 §4) as bytes, for both ends of the harness.
import { createHash, randomBytes } from "node:crypto"
import type { Compression } from "./frames.ts"

const acceptFor = (key: string): string =>
  createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")

const offers: Readonly<Record<Compression, string | undefined>> = {
  off: undefined,
  reset: "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
  kept: "permessage-deflate"
}

/** A request and the answer that it must get. */
export interface Opening {
  readonly request: Buffer
  readonly accept: string
}

/** Makes a client's request with a key of its own. */
export const makeOpening = (host: string, compression: Compression): Opening => {
  const key = randomBytes(16).toString("base64")
  const offer = offers[compression]
  const lines = [
    "GET / HTTP/1.1",
    `Host: ${host}`,
    "User-Agent: effect-ws-bench",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${key}`,
    ...(offer === undefined ? [] : [`Sec-WebSocket-Extensions: ${offer}`]),
    "\r\n"
  ]
  return { request: Buffer.from(lines.join("\r\n"), "latin1"), accept: acceptFor(key) }
}

/** A handshake that was not what the run asked for. */
export class WrongHandshake extends Error {}

/** Looks for the end of a header block; the number of bytes before the body, or -1. */
export const headerEnd = (bytes: Buffer): number => {
  const at = bytes.indexOf("\r\n\r\n")
  return at < 0 ? -1 : at + 4
}

/** Throws unless `header` accepts the opening with the compression that was asked for. */
export const verifyAnswer = (header: string, opening: Opening, compression: Compression): void => {
  if (!header.startsWith("HTTP/1.1 101 ")) throw new WrongHandshake(`answered ${header.split("\r\n", 1)[0]}`)
  if (/^sec-websocket-accept:\s*(\S+)/im.exec(header)?.[1] !== opening.accept) {
    throw new WrongHandshake("answered with a wrong Sec-WebSocket-Accept")
  }
  const extensions = /^sec-websocket-extensions:\s*(.*)$/im.exec(header)?.[1]?.trim() ?? ""
  if (compression === "off") return
  if (!extensions.startsWith("permessage-deflate")) throw new WrongHandshake("does not accept permessage-deflate")
  const reset = extensions.includes("server_no_context_takeover")
  if (reset !== (compression === "reset")) {
    throw new WrongHandshake(`asked for a context that is ${compression}, the answer was: ${extensions}`)
  }
}

/** The answer to a client's request. */
export const answer = (header: string, compression: Compression): Buffer => {
  const key = /^sec-websocket-key:\s*(\S+)/im.exec(header)?.[1]
  if (key === undefined) throw new WrongHandshake("a request without Sec-WebSocket-Key")
  const lines = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${acceptFor(key)}`
  ]
  const offer = offers[compression]
  if (offer !== undefined) {
    if (!/^sec-websocket-extensions:.*permessage-deflate/im.test(header)) {
      throw new WrongHandshake("does not offer permessage-deflate")
    }
    lines.push(`Sec-WebSocket-Extensions: ${offer}`)
  }
  return Buffer.from([...lines, "\r\n"].join("\r\n"), "latin1")
}
