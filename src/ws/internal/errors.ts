import type * as Violation from "../../internal/protocol/protocolError.ts"

/** The codes that programs look for in the `code` of an error. */
export type ErrorCode =
  | "WS_ERR_EXPECTED_FIN"
  | "WS_ERR_EXPECTED_MASK"
  | "WS_ERR_INVALID_CLOSE_CODE"
  | "WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH"
  | "WS_ERR_INVALID_OPCODE"
  | "WS_ERR_INVALID_UTF8"
  | "WS_ERR_TOO_MANY_BUFFERED_PARTS"
  | "WS_ERR_UNEXPECTED_MASK"
  | "WS_ERR_UNEXPECTED_RSV_1"
  | "WS_ERR_UNEXPECTED_RSV_2_3"
  | "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH"
  | "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH"

const range = (code: ErrorCode, message: string): Error => Object.assign(new RangeError(message), { code })

const frame = (code: ErrorCode, message: string): Error => range(code, `Invalid WebSocket frame: ${message}`)

/** The error that listeners get for what a peer did wrong. */
export const errorOf = (violation: Violation.Violation): Error => {
  switch (violation._tag) {
    case "UnexpectedReservedBits":
      return (violation.rsv & 3) === 0
        ? frame("WS_ERR_UNEXPECTED_RSV_1", "RSV1 must be clear")
        : frame("WS_ERR_UNEXPECTED_RSV_2_3", "RSV2 and RSV3 must be clear")
    case "ReservedOpcode":
    case "UnexpectedOpcode":
      return frame("WS_ERR_INVALID_OPCODE", `invalid opcode ${violation.opcode}`)
    case "FragmentedControl":
      return frame("WS_ERR_EXPECTED_FIN", "FIN must be set")
    case "ControlTooLong":
      return frame("WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH", `invalid payload length ${violation.length}`)
    case "InvalidClosePayload":
      return frame("WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH", "invalid payload length 1")
    case "ExpectedMask":
      return frame("WS_ERR_EXPECTED_MASK", "MASK must be set")
    case "UnexpectedMask":
      return frame("WS_ERR_UNEXPECTED_MASK", "MASK must be clear")
    case "InvalidCloseCode":
      return frame("WS_ERR_INVALID_CLOSE_CODE", `invalid status code ${violation.code}`)
    case "InvalidUtf8":
      return Object.assign(new Error("Invalid WebSocket frame: invalid UTF-8 sequence"), {
        code: "WS_ERR_INVALID_UTF8" satisfies ErrorCode
      })
    case "InvalidCompressedData":
      return Object.assign(new Error("invalid compressed data"), { errno: -3, code: "Z_DATA_ERROR" })
    case "MessageTooLarge":
      return range("WS_ERR_UNSUPPORTED_MESSAGE_LENGTH", "Max payload size exceeded")
    case "UnsupportedLength":
      return range("WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH", "Unsupported WebSocket frame: payload length > 2^53 - 1")
    case "TooManyParts":
      return range(
        "WS_ERR_TOO_MANY_BUFFERED_PARTS",
        violation.parts === "fragments" ? "Too many message fragments" : "Too many buffered chunks"
      )
    default:
      return new RangeError(`Invalid WebSocket frame: ${violation.message}`)
  }
}
