import { Opcode } from "../../internal/protocol/opcode.ts"
import type * as Violation from "../../internal/protocol/protocolError.ts"

const controlName = (opcode: number): string =>
  opcode === Opcode.close ? "close" : opcode === Opcode.ping ? "ping" : "pong"

/** What a peer did wrong, in the words that `ws` 0.4 had for it: the first argument of `error`. */
export const reasonOf = (violation: Violation.Violation): string => {
  switch (violation._tag) {
    case "UnexpectedReservedBits":
      return "reserved fields must be empty"
    case "ReservedOpcode":
      return `no handler for opcode ${violation.opcode}`
    case "UnexpectedOpcode":
      return violation.opcode === Opcode.continuation
        ? "continuation frame cannot follow current opcode"
        : "data frames after the initial data frame must have opcode 0"
    case "FragmentedControl":
      return `fragmented ${controlName(violation.opcode)} is not supported`
    case "ControlTooLong":
      return "control frames cannot have more than 125 bytes of data"
    case "InvalidClosePayload":
      return "close packets with data must be at least two bytes long"
    case "InvalidCloseCode":
      return "invalid error code"
    case "InvalidUtf8":
      return "invalid utf8 sequence"
    default:
      // `ws` 0.4 did not look for these.
      return violation.message
  }
}
