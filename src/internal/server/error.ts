import * as Data from "effect/Data"

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
