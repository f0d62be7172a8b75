/** The header `traceparent` of W3C Trace Context, §3.2. */
import * as Tracer from "effect/Tracer"

/** Longer values are not looked at; version 00 has 55 characters, and what a later one may add is not ours to keep. */
export const longest = 256

const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

const isZero = (digits: string): boolean => /^0+$/.test(digits)

/** Reads the header of a request. Anything but one valid value is as good as none: `undefined`. */
export const parseTraceparent = (
  value: string | ReadonlyArray<string> | undefined
): Tracer.ExternalSpan | undefined => {
  if (typeof value !== "string" || value.length > longest) return undefined
  const found = form.exec(value)
  if (found === null) return undefined
  const [, version = "", traceId = "", spanId = "", flags = "", rest] = found
  if (version === "ff" || (version === "00" && rest !== undefined)) return undefined
  if (isZero(traceId) || isZero(spanId)) return undefined
  return Tracer.externalSpan({ traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 })
}

/** The header that continues a span; `undefined` when its ids are not of that form, as those of a span that is not traced. */
export const formatTraceparent = ({ sampled, spanId, traceId }: Tracer.AnySpan): string | undefined => {
  const value = `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`
  return parseTraceparent(value) === undefined ? undefined : value
}
