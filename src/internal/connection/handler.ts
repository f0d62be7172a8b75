import type { Closed } from "../protocol/closeHandshake.ts"
import type { Violation } from "../protocol/protocolError.ts"

/**
 * What a connection delivers to. The calls between two `batchEnd`s all come from one read, and whatever the handler sends
 * before `batchEnd` returns leaves in one write, unless it exceeds the high-water mark. If a handler throws, that event is
 * lost; delivery resumes on the next tick.
 */
export interface ConnectionHandler extends InputHandler {
  /** The connection is closed. Called once, last. */
  closed(closed: Closed): void
}

/** The part of a handler that concerns what arrives. */
export interface InputHandler {
  /** Whether the frames of a fragmented message are delivered one by one, to `fragment`, instead of as one message. */
  readonly wantsFragments: boolean
  /** Whether `message` keeps no bytes of text, so that it may get borrowed ones. Default `false`. */
  readonly borrowsText?: boolean
  /** Whether a frame of which `length` bytes are still to come is delivered in fragments, as its bytes come. Default: never. */
  wantsPieces?(length: number): boolean
  /** A whole message. Text is not validated yet: the handler that decodes it does that. */
  message(opcode: number, bytes: Buffer, start: number, end: number): Violation | undefined
  fragment(opcode: number, fin: boolean, bytes: Buffer, start: number, end: number): Violation | undefined
  /** A ping, pong or close frame, which the connection answers itself. */
  control(opcode: number, bytes: Buffer, start: number, end: number): void
  /** Everything of one read was delivered. */
  batchEnd(): void
  /** Nothing more will come. Called once, before `closed`. */
  ended(): void
}
