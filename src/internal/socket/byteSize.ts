/** Sizes in bytes as options have them, and as the engine counts them. */
import * as ByteSize from "effect/ByteSize"
import * as Option from "effect/Option"
import type { OptionRule } from "./optionRules.ts"

const numberOf = (value: unknown): number => {
  if (value === Infinity) return value
  return Option.match(Option.flatMap(ByteSize.fromInput(value as ByteSize.Input), ByteSize.toNumber), {
    onNone: () => Number.NaN,
    onSome: (bytes) => bytes
  })
}

/** A size in bytes, from 0: a number or one of Effect's `ByteSize` inputs; `Infinity` is no limit. */
export const byteSize: OptionRule = {
  allowed: "an integer of at least 0, or Infinity, or a size such as 64 KiB",
  check: (value) => !Number.isNaN(numberOf(value))
}

/** Returns a size that its rule allows as a number of bytes. */
export const bytesOf = (size: ByteSize.Input | undefined, ofDefault: number): number =>
  size === undefined ? ofDefault : numberOf(size)
