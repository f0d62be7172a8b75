import type { Connection } from "../connection/connection.ts"
import type { Message } from "./receiveBuffer.ts"

/** Messages for one kind of connection: each as it travels, and all of them, one behind the other. */
export interface Encoded {
  readonly frames: ReadonlyArray<Uint8Array>
  readonly joined: Uint8Array
}

/** Messages as they travel. They are encoded and compressed once for all connections on which they are the same bytes. */
export class Encodings {
  readonly messages: ReadonlyArray<Message>
  /** Whether only drafts that know binary messages can say them. */
  readonly needsBinary: boolean
  private readonly byKind = new Map<string, Encoded | undefined>()

  constructor(messages: ReadonlyArray<Message>) {
    this.messages = messages
    this.needsBinary = messages.some((message) => typeof message !== "string")
  }

  /**
   * For this connection, and for all with its `shareKey`, which is given. `undefined` when a message is too large to be
   * compressed at once.
   */
  for(connection: Connection, shareKey: string): Encoded | undefined {
    const known = this.byKind.get(shareKey)
    if (known !== undefined || this.byKind.has(shareKey)) return known
    const encoded = joined(this.messages.map((message) => connection.encode(message)))
    this.byKind.set(shareKey, encoded)
    return encoded
  }
}

const joined = (all: ReadonlyArray<Uint8Array | undefined>): Encoded | undefined => {
  const frames = all.filter((frame) => frame !== undefined)
  if (frames.length < all.length) return undefined
  const [first] = frames
  return { frames, joined: frames.length === 1 && first !== undefined ? first : Buffer.concat(frames) }
}
