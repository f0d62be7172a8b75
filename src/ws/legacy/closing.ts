import { isWireCloseCode, maxReasonSize } from "../../internal/protocol/closeCode.ts"

/** Whether `close` takes a code: 1000 to 1011 as they may be sent, and 3000 to 4999. */
const isCloseCode = (code: number): boolean =>
  Number.isInteger(code) && isWireCloseCode(code) && (code < 1012 || code > 1014)

/** Why a code and a reason can't be sent in a close frame. */
export const closeFault = (code: unknown, reason: string): Error | undefined => {
  if (code !== undefined && !(typeof code === "number" && isCloseCode(code))) {
    return new Error("first argument must be a valid error code number")
  }
  const size = Buffer.byteLength(reason)
  return size > maxReasonSize
    ? new Error(`the reason of a close frame holds at most ${maxReasonSize} bytes, not ${size}`)
    : undefined
}
