import type { Connection } from "../connection/connection.ts"
import { Opcode, rsv1 } from "../protocol/opcode.ts"
import { OutputBuffer } from "../protocol/outputBuffer.ts"
import type { Message } from "./receiveBuffer.ts"

/** Messages for one kind of connection: each as it is written, and all of them in order. */
export interface Encoded {
  readonly frames: ReadonlyArray<Uint8Array>
  readonly joined: Uint8Array
}

/**
 * The same for all connections on which a message is the same bytes; `undefined` where each has its own, since it masks,
 * keeps a compression window, or its frames are observed.
 */
export const shareKeyOf = ({ compression, inbound, settings }: Connection): string | undefined => {
  const { codec, role } = settings
  if (inbound.isObserved || (role === "client" && codec.capabilities.masking)) return undefined
  const wire = codec.capabilities.binary ? "binary" : "text"
  if (compression === undefined) return wire
  return compression.shareKey === undefined ? undefined : `${wire} ${compression.shareKey}`
}

/** Messages as they are written. They are encoded and compressed once for all connections on which they are the same bytes. */
export class Encodings {
  readonly messages: ReadonlyArray<Message>
  /** Whether only drafts with binary messages can carry them. */
  readonly needsBinary: boolean
  private readonly byKey = new Map<string, Encoded | undefined>()
  private copies: ReadonlyArray<Message> | undefined = undefined

  constructor(messages: ReadonlyArray<Message>) {
    this.messages = messages
    this.needsBinary = messages.some((message) => typeof message !== "string")
  }

  /** The messages in memory of their own, which the caller can't change. */
  get owned(): ReadonlyArray<Message> {
    return (this.copies ??= this.messages.map((message) =>
      typeof message === "string" ? message : Uint8Array.from(message)
    ))
  }

  /**
   * For this connection, and for all with the same `shareKey`, which may be given. `undefined` for connections that share
   * nothing, and when a message is too large to be compressed at once.
   */
  for(connection: Connection, shareKey = shareKeyOf(connection)): Encoded | undefined {
    if (shareKey === undefined) return undefined
    const known = this.byKey.get(shareKey)
    if (known !== undefined || this.byKey.has(shareKey)) return known
    const encoded = joined(this.messages.map((message) => encode(connection, message)))
    this.byKey.set(shareKey, encoded)
    return encoded
  }
}

/** A message as it is written on a connection; `undefined` when it is too large to be compressed at once. */
const encode = ({ compression, settings: { codec, role } }: Connection, message: Message): Uint8Array | undefined => {
  // What is encoded here is counted when it is sent.
  const encoder = codec.encoder(role)
  const kind = typeof message === "string" ? Opcode.text : Opcode.binary
  const out = new OutputBuffer()
  if (compression !== undefined && message.length * 3 >= compression.threshold) {
    const payload = typeof message === "string" ? Buffer.from(message) : message
    if (payload.length >= compression.threshold) {
      const compressed = compression.compressSync(payload)
      if (compressed === undefined) return undefined
      encoder.frame(out, kind, true, rsv1, compressed)
      return out.take()
    }
  }
  if (typeof message === "string") encoder.text(out, kind, true, message)
  else encoder.frame(out, kind, true, 0, message)
  return out.take()
}

const joined = (all: ReadonlyArray<Uint8Array | undefined>): Encoded | undefined => {
  const frames = all.filter((frame) => frame !== undefined)
  if (frames.length < all.length) return undefined
  const [first] = frames
  return { frames, joined: frames.length === 1 && first !== undefined ? first : Buffer.concat(frames) }
}
