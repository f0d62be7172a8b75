/** The constructors of frames. */
import { encodeClose } from "../protocol/closeFrame.ts"
import { Opcode } from "../protocol/opcode.ts"
import * as Violation from "../protocol/protocolError.ts"
import { closeViolation, FrameError } from "./error.ts"
import { type Binary, type Close, type Continuation, maxControlSize, type Ping, type Pong, type Text } from "./model.ts"

/**
 * The header bits of a data frame.
 *
 * @category options
 * @since 0.1.0
 */
export interface DataOptions {
  /** Whether the frame is the last one of its message. Default: `true`. */
  readonly fin?: boolean | undefined
  /** The reserved bits: RSV1 is 4, RSV2 is 2, RSV3 is 1. Default: 0. */
  readonly rsv?: number | undefined
}

const bytesOf = (payload: string | Uint8Array): Uint8Array =>
  typeof payload === "string" ? new TextEncoder().encode(payload) : expectBytes(payload)

/** Callers without types give anything, and what has no length would be written with one of its own. */
export const expectBytes = (payload: unknown): Uint8Array => {
  if (payload instanceof Uint8Array) return payload
  throw new TypeError(`a payload is a string or a Uint8Array, not ${typeof payload}`)
}

/**
 * Creates a text frame.
 *
 * @category constructors
 * @since 0.1.0
 */
export const text = (content: string, options?: DataOptions): Text => ({
  _tag: "Text",
  fin: options?.fin ?? true,
  rsv: options?.rsv ?? 0,
  payload: bytesOf(content)
})

/**
 * Creates a binary frame.
 *
 * @category constructors
 * @since 0.1.0
 */
export const binary = (payload: Uint8Array, options?: DataOptions): Binary => ({
  _tag: "Binary",
  fin: options?.fin ?? true,
  rsv: options?.rsv ?? 0,
  payload: expectBytes(payload)
})

/**
 * Creates a continuation frame: the last one of its message, unless `fin` is `false`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const continuation = (payload: string | Uint8Array, options?: DataOptions): Continuation => ({
  _tag: "Continuation",
  fin: options?.fin ?? true,
  rsv: options?.rsv ?? 0,
  payload: bytesOf(payload)
})

const controlPayload = (opcode: number, payload: string | Uint8Array | undefined): Uint8Array => {
  const bytes = bytesOf(payload ?? "")
  if (bytes.length > maxControlSize) throw new FrameError({ reason: Violation.controlTooLong(opcode) })
  return bytes
}

/**
 * Creates a ping frame. Throws a `FrameError` for a payload of more than 125 bytes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const ping = (payload?: string | Uint8Array): Ping => ({
  _tag: "Ping",
  fin: true,
  rsv: 0,
  payload: controlPayload(Opcode.ping, payload)
})

/**
 * Creates a pong frame. Throws a `FrameError` for a payload of more than 125 bytes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const pong = (payload?: string | Uint8Array): Pong => ({
  _tag: "Pong",
  fin: true,
  rsv: 0,
  payload: controlPayload(Opcode.pong, payload)
})

/**
 * Creates a close frame (RFC 6455 §5.5.1).
 *
 * **Gotchas**
 *
 * Throws a `FrameError` for a code that may not be sent, for a reason of more than 123 bytes, and for a reason
 * without a code.
 *
 * @category constructors
 * @since 0.1.0
 */
export const close = (code?: number, reason = ""): Close => {
  const violation = closeViolation(code, reason)
  if (violation !== undefined) throw new FrameError({ reason: violation })
  return { _tag: "Close", fin: true, rsv: 0, code, reason, payload: encodeClose({ code, reason }) }
}
