import type { Written } from "../protocol/outputBuffer.ts"

/**
 * A sender that waits for its turn in the queue, and may hold it: to send a message in fragments, to read a payload
 * first, or only to be able to give up waiting.
 */
export interface Turn {
  /** Bytes that it counts for while it waits and while it holds the queue. */
  readonly size: number
  /** Whether a close frame waits for the end of the turn; otherwise it is revoked when the connection closes. */
  readonly endsSoon: boolean
  /** Whether the turn has sent a part of a message, so that no other message can follow until its last part. */
  readonly isUnfinished: boolean
  /** What is under way while the turn holds the queue, for the error of what is lost with it: `the blob was being read`. */
  readonly work?: string
  /** Everything sent before is encoded. Returns whether the turn holds the queue until `endTurn`. */
  begin(): boolean
  /** The connection closes, before the turn has begun or while it holds the queue. It can't send any more. */
  revoked(): void
}

/** How encoded frames are sent. */
export interface EncodedOptions {
  /** Whether they are sent before queued messages, as a control frame may be. Default `false`. */
  readonly urgent?: boolean | undefined
  /** The turn that holds the queue and to which they belong. */
  readonly turn?: Turn | undefined
  readonly written?: Written | undefined
}

/** How one frame is sent. */
export interface FrameOptions extends EncodedOptions {
  /** The reserved bits; RSV1 is 4. Default 0. */
  readonly rsv?: number | undefined
  /** Whether the frame is compressed: then all frames of its message are (RFC 7692 §6). Default `false`. */
  readonly compress?: boolean | undefined
}
