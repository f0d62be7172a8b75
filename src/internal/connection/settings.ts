import type { Codec, DecoderOptions } from "../protocol/codec.ts"
import type { Tally } from "./counters.ts"
import type { Timers } from "./timers.ts"

/** What connections can be alike in. */
export interface Settings extends DecoderOptions {
  readonly codec: Codec
  readonly timers: Timers
  readonly maxFragments: number
  readonly writeHighWaterMark: number
  readonly closeTimeout: number
  readonly autoPong: boolean
  readonly echoReason: boolean
  readonly clientEnds: boolean
  readonly tally: Tally | undefined
}

const keys: ReadonlyArray<keyof Settings> = [
  "codec",
  "timers",
  "role",
  "maxMessageSize",
  "allowedRsv",
  "skipUtf8Validation",
  "minimalLength",
  "maxChunks",
  "maxFragments",
  "writeHighWaterMark",
  "closeTimeout",
  "autoPong",
  "echoReason",
  "clientEnds",
  "tally"
]

const last: { server: Settings | undefined; client: Settings | undefined } = { server: undefined, client: undefined }

/** The same settings, as one object for all connections that are alike, as those of a server are: it costs them nothing. */
export const shareSettings = (settings: Settings): Settings => {
  const before = last[settings.role]
  if (before !== undefined && keys.every((key) => before[key] === settings[key])) return before
  last[settings.role] = settings
  return settings
}
