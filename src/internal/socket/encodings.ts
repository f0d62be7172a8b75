import type { Connection } from "../connection.ts"
import type { Message } from "./inbox.ts"

/**
 * Messages as they travel, one behind the other. They are encoded and compressed once for all connections on which they
 * are the same bytes.
 */
export class Encodings {
  readonly messages: ReadonlyArray<Message>
  /** Whether only drafts that know binary messages can say them. */
  readonly needsBinary: boolean
  private readonly byKind = new Map<string, Uint8Array | undefined>()

  constructor(messages: ReadonlyArray<Message>) {
    this.messages = messages
    this.needsBinary = messages.some((message) => typeof message !== "string")
  }

  /**
   * The bytes for this connection, and for all with its `shareKey`, which is given. `undefined` when a message is too large to
   * be compressed at once.
   */
  for(connection: Connection, shareKey: string): Uint8Array | undefined {
    const known = this.byKind.get(shareKey)
    if (known !== undefined || this.byKind.has(shareKey)) return known
    const bytes = joined(this.messages.map((message) => connection.encode(message)))
    this.byKind.set(shareKey, bytes)
    return bytes
  }
}

const joined = (frames: ReadonlyArray<Uint8Array | undefined>): Uint8Array | undefined => {
  const defined = frames.filter((frame) => frame !== undefined)
  if (defined.length < frames.length) return undefined
  const [only] = defined
  return defined.length === 1 ? only : Buffer.concat(defined)
}
