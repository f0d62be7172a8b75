/** Digests of short texts. */
import * as crypto from "node:crypto"

/** The digest of one value, in one call: Node has it from version 20.12 on. */
const hash: typeof crypto.hash | undefined = crypto.hash

/** The SHA-1 of a text, in base64. */
export const sha1 = (text: string): string =>
  hash === undefined ? crypto.createHash("sha1").update(text).digest("base64") : hash("sha1", text, "base64")

/** The MD5 of some bytes. */
export const md5 = (bytes: Uint8Array): Uint8Array =>
  hash === undefined ? crypto.createHash("md5").update(bytes).digest() : hash("md5", bytes, "buffer")
