import { randomBytes } from "node:crypto"
import { sha1 } from "./digest.ts"

/** RFC 6455 §1.3. */
const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/** The answer to a `Sec-WebSocket-Key`: its SHA-1 with the GUID, in base64 (RFC 6455 §4.2.2). */
export const acceptFor = (key: string): string => sha1(key + guid)

/** RFC 6455 §4.1: a nonce of 16 bytes in base64, chosen at random for each connection. */
export const makeKey = (): string => randomBytes(16).toString("base64")
