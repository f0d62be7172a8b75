/**
 * What a peer did wrong, as plain values: each names the section of the
 * standard it breaks and the close code that answers it. They carry no stack,
 * so that refusing hostile input stays cheap. `Frame.FrameError` wraps them.
 */

interface Base<Tag extends string, Code extends number> {
  readonly _tag: Tag
  /** The close code that the standard answers with. */
  readonly closeCode: Code
  /** The section of the standard that is broken, such as `RFC 6455 §5.2`. */
  readonly section: string
  /** What happened, for a person. Never sent on the wire. */
  readonly message: string
}

/** A reserved bit is set that no negotiated extension gave a meaning. */
export interface UnexpectedReservedBits extends Base<"UnexpectedReservedBits", 1002> {
  /** The three bits as a number: RSV1 is 4, RSV2 is 2, RSV3 is 1. */
  readonly rsv: number
}

/** The opcode is reserved by the standard. */
export interface ReservedOpcode extends Base<"ReservedOpcode", 1002> {
  readonly opcode: number
}

/** A continuation without a message to continue, or a new message inside an unfinished one. */
export interface UnexpectedOpcode extends Base<"UnexpectedOpcode", 1002> {
  readonly opcode: number
}

/** A control frame without FIN. */
export interface FragmentedControl extends Base<"FragmentedControl", 1002> {
  readonly opcode: number
}

/** A control frame whose payload is longer than 125 bytes. */
export interface ControlTooLong extends Base<"ControlTooLong", 1002> {
  readonly opcode: number
  /** The length, as far as it is known: 126 and 127 stand for longer ones in a frame's header. */
  readonly length: number
}

/** A length that was not written in its shortest form. */
export interface NonMinimalLength extends Base<"NonMinimalLength", 1002> {}

/** A 64-bit length with its most significant bit set. */
export interface InvalidLength extends Base<"InvalidLength", 1002> {}

/** A 64-bit length beyond 2^53 - 1, which no number holds exactly. */
export interface UnsupportedLength extends Base<"UnsupportedLength", 1009> {}

/** A server received a frame that was not masked. */
export interface ExpectedMask extends Base<"ExpectedMask", 1002> {}

/** A client received a frame that was masked. */
export interface UnexpectedMask extends Base<"UnexpectedMask", 1002> {}

/** A close frame with a payload of one byte. */
export interface InvalidClosePayload extends Base<"InvalidClosePayload", 1002> {}

/** A close frame whose code may not stand on the wire. */
export interface InvalidCloseCode extends Base<"InvalidCloseCode", 1002> {
  readonly code: number
}

/** Text, or the reason of a close frame, that is not UTF-8. */
export interface InvalidUtf8 extends Base<"InvalidUtf8", 1007> {}

/** A compressed payload that does not inflate. */
export interface InvalidCompressedData extends Base<"InvalidCompressedData", 1007> {}

/** A message longer than the limit, after inflation too. */
export interface MessageTooLarge extends Base<"MessageTooLarge", 1009> {
  /** The limit in bytes. */
  readonly limit: number
}

/** More fragments of a message, or more chunks of a frame, than the limit. */
export interface TooManyParts extends Base<"TooManyParts", 1008> {
  readonly parts: "fragments" | "chunks"
  readonly limit: number
}

/** Bytes that are no frame of the draft at all (Hixie-76 knows two kinds). */
export interface MalformedFrame extends Base<"MalformedFrame", 1002> {}

/** The bytes ended inside a frame, or before the last frame of a message. */
export interface IncompleteFrame extends Base<"IncompleteFrame", 1002> {}

export type Violation =
  | UnexpectedReservedBits
  | ReservedOpcode
  | UnexpectedOpcode
  | FragmentedControl
  | ControlTooLong
  | NonMinimalLength
  | InvalidLength
  | UnsupportedLength
  | ExpectedMask
  | UnexpectedMask
  | InvalidClosePayload
  | InvalidCloseCode
  | InvalidUtf8
  | InvalidCompressedData
  | MessageTooLarge
  | TooManyParts
  | MalformedFrame
  | IncompleteFrame

export const unexpectedReservedBits = (rsv: number): UnexpectedReservedBits => ({
  _tag: "UnexpectedReservedBits",
  closeCode: 1002,
  section: "RFC 6455 §5.2",
  message: `reserved bits ${rsv.toString(2).padStart(3, "0")} are set, and no extension gave them a meaning`,
  rsv
})

export const reservedOpcode = (opcode: number): ReservedOpcode => ({
  _tag: "ReservedOpcode",
  closeCode: 1002,
  section: "RFC 6455 §5.2",
  message: `opcode ${opcode} is reserved`,
  opcode
})

export const unexpectedOpcode = (opcode: number): UnexpectedOpcode => ({
  _tag: "UnexpectedOpcode",
  closeCode: 1002,
  section: "RFC 6455 §5.4",
  message:
    opcode === 0
      ? "a continuation frame, but no message is under way"
      : "a new message before the last fragment of another",
  opcode
})

export const fragmentedControl = (opcode: number): FragmentedControl => ({
  _tag: "FragmentedControl",
  closeCode: 1002,
  section: "RFC 6455 §5.5",
  message: `control frame with opcode ${opcode} is fragmented`,
  opcode
})

export const controlTooLong = (opcode: number, length = 126): ControlTooLong => ({
  _tag: "ControlTooLong",
  closeCode: 1002,
  section: "RFC 6455 §5.5",
  message: `control frame with opcode ${opcode} carries more than 125 bytes`,
  opcode,
  length
})

export const nonMinimalLength: NonMinimalLength = {
  _tag: "NonMinimalLength",
  closeCode: 1002,
  section: "RFC 6455 §5.2",
  message: "the payload length is not in its shortest form"
}

export const invalidLength: InvalidLength = {
  _tag: "InvalidLength",
  closeCode: 1002,
  section: "RFC 6455 §5.2",
  message: "the most significant bit of a 64-bit payload length is set"
}

export const unsupportedLength: UnsupportedLength = {
  _tag: "UnsupportedLength",
  closeCode: 1009,
  section: "RFC 6455 §10.4",
  message: "a payload is longer than 2^53 - 1 bytes"
}

export const expectedMask: ExpectedMask = {
  _tag: "ExpectedMask",
  closeCode: 1002,
  section: "RFC 6455 §5.1",
  message: "a client's frame is not masked"
}

export const unexpectedMask: UnexpectedMask = {
  _tag: "UnexpectedMask",
  closeCode: 1002,
  section: "RFC 6455 §5.1",
  message: "a server's frame is masked"
}

export const invalidClosePayload: InvalidClosePayload = {
  _tag: "InvalidClosePayload",
  closeCode: 1002,
  section: "RFC 6455 §5.5.1",
  message: "a close frame carries a single byte"
}

export const invalidCloseCode = (code: number): InvalidCloseCode => ({
  _tag: "InvalidCloseCode",
  closeCode: 1002,
  section: "RFC 6455 §7.4",
  message: `close code ${code} may not be sent in a close frame`,
  code
})

export const invalidUtf8: InvalidUtf8 = {
  _tag: "InvalidUtf8",
  closeCode: 1007,
  section: "RFC 6455 §8.1",
  message: "text is not UTF-8"
}

export const invalidCompressedData: InvalidCompressedData = {
  _tag: "InvalidCompressedData",
  closeCode: 1007,
  section: "RFC 7692 §7.2.2",
  message: "a compressed message does not inflate"
}

export const messageTooLarge = (limit: number): MessageTooLarge => ({
  _tag: "MessageTooLarge",
  closeCode: 1009,
  section: "RFC 6455 §10.4",
  message: `a message is longer than ${limit} bytes`,
  limit
})

export const tooManyParts = (parts: TooManyParts["parts"], limit: number): TooManyParts => ({
  _tag: "TooManyParts",
  closeCode: 1008,
  section: "RFC 6455 §10.4",
  message:
    parts === "fragments"
      ? `a message came in more than ${limit} fragments`
      : `a frame came in more than ${limit} chunks`,
  parts,
  limit
})

export const malformedFrame = (section: string, message: string): MalformedFrame => ({
  _tag: "MalformedFrame",
  closeCode: 1002,
  section,
  message
})

export const incompleteFrame: IncompleteFrame = {
  _tag: "IncompleteFrame",
  closeCode: 1002,
  section: "RFC 6455 §5.2",
  message: "the bytes end inside a frame or a message"
}
