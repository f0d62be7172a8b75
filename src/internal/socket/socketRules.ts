import { deflateRanges } from "../protocol/opening/deflateParams.ts"
import { byteSize } from "./byteSize.ts"
import { duration, integer, type OptionRules, positiveDuration, switchOr } from "./optionRules.ts"

/** The rules of permessage-deflate's options. */
export const deflateRules: OptionRules = Object.fromEntries(
  Object.entries(deflateRanges).map(([option, [minimum, maximum]]) => [option, integer(minimum, maximum)])
)

/** The rules of the options that both sides of a connection have. */
export const socketRules: OptionRules = {
  maxMessageSize: byteSize,
  readBufferSize: byteSize,
  writeBufferSize: byteSize,
  closeTimeout: duration,
  keepAlive: switchOr({ interval: positiveDuration, timeout: duration }),
  compression: switchOr(deflateRules)
}
