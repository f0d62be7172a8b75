import { messageOf } from "../messageOf.ts"
import type { InvalidOption } from "../socket/optionRules.ts"
import { ServerError } from "./error.ts"

/** The error for a key, a certificate or other setting of TLS that can't be used, from what Node threw. */
export const tlsInvalid = (cause: unknown): ServerError =>
  new ServerError({
    reason: {
      _tag: "TlsInvalid",
      message: `cannot set TLS up: ${messageOf(cause)}`,
      code: codeOf(cause),
      cause
    }
  })

/** The error for a place that can't be listened on, as a person names it, from what Node emitted. */
export const listenFailed = (place: string, cause: unknown): ServerError =>
  new ServerError({
    reason: {
      _tag: "ListenFailed",
      message: `cannot listen on ${place}: ${messageOf(cause)}`,
      code: codeOf(cause),
      cause
    }
  })

const codeOf = (cause: unknown): string | undefined =>
  cause instanceof Error && "code" in cause ? String(cause.code) : undefined

/** The error for an option with a value that isn't allowed. */
export const invalidOptions = ({ allowed, message, option }: InvalidOption): ServerError =>
  new ServerError({ reason: { _tag: "InvalidOptions", message, option, allowed } })
