import { isUtf8 } from "node:buffer"
import { closeViolation } from "../frame/error.ts"
import { type Frame, isControl, opcode } from "../frame/model.ts"
import type { Draft } from "../handshake/model.ts"
import { Opcode } from "../protocol/opcode.ts"
import * as Violation from "../protocol/protocolError.ts"
import { SocketError, type Unsupported } from "./error.ts"
import type { Message } from "./receiveBuffer.ts"

/** Longest payload of a control frame in bytes (RFC 6455 §5.5). */
const maxControlSize = 125

/** Checks bytes of callers without types: anything else would make the encoder write uninitialized memory. */
export const expectBytes = (payload: unknown): Uint8Array => {
  if (payload instanceof Uint8Array) return payload
  throw new TypeError(`a payload is a Uint8Array, not ${typeof payload}`)
}

export const bytesOf = (message: Message): Uint8Array =>
  typeof message === "string" ? Buffer.from(message) : expectBytes(message)

/** The error of a feature that a draft does not have. */
export const unsupported = ({ id }: Draft, feature: Unsupported["feature"]): SocketError =>
  new SocketError({
    reason: {
      _tag: "Unsupported",
      message: `${id} does not support ${featureNames[feature]}`,
      feature,
      draft: id
    }
  })

const featureNames: { readonly [Feature in Unsupported["feature"]]: string } = {
  binary: "binary messages",
  ping: "ping frames",
  closeCode: "close codes",
  fragments: "fragmented messages"
}

/** The error of a frame that must not be sent. */
export const invalidSend = (violation: Violation.Violation): SocketError =>
  new SocketError({
    reason: { _tag: "InvalidSend", message: `${violation.message} (${violation.section})`, violation }
  })

/** Why a close frame can't be sent; `undefined` when it can. */
export const invalidClose = (draft: Draft, code: number | undefined, reason: string): SocketError | undefined => {
  if (!draft.capabilities.closeCode && (code !== undefined || reason !== "")) return unsupported(draft, "closeCode")
  const violation = closeViolation(code, reason)
  return violation === undefined ? undefined : invalidSend(violation)
}

/** Why a ping or pong can't be sent; `undefined` when it can. */
export const invalidControl = (draft: Draft, kind: number, payload: Uint8Array): SocketError | undefined => {
  if (!draft.capabilities.ping) return unsupported(draft, "ping")
  return payload.length > maxControlSize ? invalidSend(Violation.controlTooLong(kind)) : undefined
}

/**
 * Why a frame can't be sent; `undefined` when it can. `claimedRsv` are the reserved bits that an extension gave a meaning,
 * and `continues` says whether a message in fragments was begun.
 */
export const invalidFrame = (
  draft: Draft,
  frame: Frame,
  claimedRsv: number,
  continues: boolean
): SocketError | undefined => {
  const { capabilities } = draft
  expectBytes(frame.payload)
  if (frame._tag === "Close") return invalidClose(draft, frame.code, frame.reason)
  if (isControl(frame)) return invalidControl(draft, opcode(frame), frame.payload)
  if (!capabilities.fragments && (!frame.fin || frame._tag === "Continuation")) return unsupported(draft, "fragments")
  if (!capabilities.binary && frame._tag === "Binary") return unsupported(draft, "binary")
  if ((frame.rsv & ~claimedRsv) !== 0) return invalidSend(Violation.unexpectedReservedBits(frame.rsv))
  if (frame._tag === "Text" && frame.fin && frame.rsv === 0 && !isUtf8(frame.payload)) {
    return invalidSend(Violation.invalidUtf8)
  }
  if (frame._tag === "Continuation" && !continues) {
    return invalidSend(Violation.unexpectedOpcode(Opcode.continuation))
  }
  return undefined
}
