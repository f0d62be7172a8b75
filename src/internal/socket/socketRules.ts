import * as Redacted from "effect/Redacted"
import type { DeflateOptions } from "../handshake/extension.ts"
import type { TracingOptions } from "../observability/options.ts"
import { deflateRanges } from "../protocol/opening/deflateParams.ts"
import { byteSize } from "./byteSize.ts"
import type { KeepAliveOptions, SocketOptions } from "./model.ts"
import {
  boolean,
  callback,
  duration,
  integer,
  isObject,
  oneOf,
  type OptionRule,
  positiveDuration,
  type RulesOf,
  switchOr
} from "./optionRules.ts"

/** A range of an option of permessage-deflate, both ends included. */
const inRange = ([minimum, maximum]: readonly [number, number]): OptionRule => integer(minimum, maximum)

/** The rules of permessage-deflate's options. */
export const deflateRules = {
  serverNoContextTakeover: boolean,
  clientNoContextTakeover: boolean,
  serverMaxWindowBits: inRange(deflateRanges.serverMaxWindowBits),
  clientMaxWindowBits: inRange(deflateRanges.clientMaxWindowBits),
  threshold: inRange(deflateRanges.threshold),
  level: inRange(deflateRanges.level),
  memLevel: inRange(deflateRanges.memLevel)
} satisfies RulesOf<DeflateOptions>

const keepAliveRules = { interval: positiveDuration, timeout: duration } satisfies RulesOf<KeepAliveOptions>

const tracingRules = { propagation: oneOf("continue", "link", "off") } satisfies RulesOf<TracingOptions>

/** The rules of the options that both sides of a connection have. */
export const socketRules = {
  maxMessageSize: byteSize,
  readBufferSize: byteSize,
  writeBufferSize: byteSize,
  closeTimeout: duration,
  keepAlive: switchOr(keepAliveRules),
  compression: switchOr(deflateRules),
  onFrame: callback,
  metrics: boolean,
  tracing: switchOr(tracingRules)
} satisfies RulesOf<SocketOptions>

const isText = (value: unknown): boolean =>
  typeof value === "string" || (Redacted.isRedacted(value) && typeof Redacted.value(value) === "string")

/** A text, which may be redacted. */
export const secret: OptionRule = { allowed: "a string, which may be redacted", check: isText }

const isHeader = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && typeof value[0] === "string" && isText(value[1])

/** Header fields in either form. Whether they can be written is decided with the handshake. */
export const headerFields: OptionRule = {
  allowed: "an object of strings, or a list of pairs of strings",
  check: (value) =>
    Array.isArray(value) ? value.every(isHeader) : isObject(value) && Object.values(value).every(isText)
}
