import * as Schema from "effect/Schema"
import { errorSchema, reason, type ErrorClass, withSchema } from "../errorSchema.ts"
import { FrameError as Base, type FrameErrorReason } from "./error.ts"

const { Number: Num, String: Str } = Schema

const violation = <Tag extends string, Code extends number, const Fields extends Schema.Struct.Fields>(
  tag: Tag,
  closeCode: Code,
  fields: Fields
) => reason(tag, { closeCode: Schema.Literal(closeCode), section: Str, ...fields })

/** What a peer did wrong, or what can't be sent. */
export const Violation: Schema.Codec<FrameErrorReason, unknown> = Schema.Union([
  violation("UnexpectedReservedBits", 1002, { rsv: Num }),
  violation("ReservedOpcode", 1002, { opcode: Num }),
  violation("UnexpectedOpcode", 1002, { opcode: Num }),
  violation("FragmentedControl", 1002, { opcode: Num }),
  violation("ControlTooLong", 1002, { opcode: Num, length: Num }),
  violation("NonMinimalLength", 1002, {}),
  violation("InvalidLength", 1002, {}),
  violation("UnsupportedLength", 1009, {}),
  violation("ExpectedMask", 1002, {}),
  violation("UnexpectedMask", 1002, {}),
  violation("InvalidClosePayload", 1002, {}),
  violation("InvalidCloseCode", 1002, { code: Num }),
  violation("InvalidUtf8", 1007, {}),
  violation("InvalidCompressedData", 1007, {}),
  violation("MessageTooLarge", 1009, { limit: Num }),
  violation("TooManyParts", 1008, { parts: Schema.Literals(["fragments", "chunks"]), limit: Num }),
  violation("MalformedFrame", 1002, {}),
  violation("IncompleteFrame", 1002, {})
])

/**
 * Bytes that are no frames, or a frame that may not be sent. `reason` says which rule is broken; `closeCode` is how a connection
 * ends for it. A Schema of its instances.
 *
 * @category errors
 * @since 0.1.0
 */
export const FrameError: ErrorClass<typeof Base> = withSchema(Base, errorSchema(Base, "FrameError", Violation))

/**
 * An instance of the class `FrameError`.
 *
 * @category errors
 * @since 0.1.0
 */
export type FrameError = Base
