import * as Data from "effect/Data"
import { messageOf } from "../messageOf.ts"

/** The server can't listen there: the port is in use, forbidden, or no such address exists. */
export interface ListenFailed {
  readonly _tag: "ListenFailed"
  readonly message: string
  /** The system's name for it, such as `EADDRINUSE`. */
  readonly code: string | undefined
  readonly cause: unknown
}

/** What was given for TLS can't be used: a key that is no key, or not the certificate's. */
export interface TlsInvalid {
  readonly _tag: "TlsInvalid"
  readonly message: string
  /** The code that Node or OpenSSL gave, such as `ERR_OSSL_X509_KEY_VALUES_MISMATCH`. */
  readonly code: string | undefined
  readonly cause: unknown
}

/** Why a server can't do its work. */
export type ServerErrorReason = ListenFailed | TlsInvalid

/** A server can't do its work. */
export class ServerError extends Data.TaggedError("ServerError")<{ readonly reason: ServerErrorReason }> {
  override get message(): string {
    return this.reason.message
  }
}

const codeOf = (cause: unknown): string | undefined =>
  cause instanceof Error && "code" in cause ? String(cause.code) : undefined

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
