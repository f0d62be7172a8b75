import * as Data from "effect/Data"

/** The server can't listen there: the port is in use, forbidden, or no such address exists. */
export interface ListenFailed {
  readonly _tag: "ListenFailed"
  readonly message: string
  /** The system's name of the error, such as `EADDRINUSE`. */
  readonly code: string | undefined
  readonly cause: unknown
}

/** The options for TLS can't be used: a key that is no key, or not the certificate's. */
export interface TlsInvalid {
  readonly _tag: "TlsInvalid"
  readonly message: string
  /** The code that Node or OpenSSL gave, such as `ERR_OSSL_X509_KEY_VALUES_MISMATCH`. */
  readonly code: string | undefined
  readonly cause: unknown
}

/** An option has a value that the server can't work with. Found when the server is made. */
export interface InvalidOptions {
  readonly _tag: "InvalidOptions"
  /** Names the option, its value and the values that are allowed. */
  readonly message: string
  /** The option, such as `maxMessageSize` or `maxRate.connections`. */
  readonly option: string
  /** The values that are allowed, in words. */
  readonly allowed: string
}

/** Why a server can't do its work. */
export type ServerErrorReason = ListenFailed | TlsInvalid | InvalidOptions

/** A server can't do its work. `reason` says why. */
export class ServerError extends Data.TaggedError("ServerError")<{ readonly reason: ServerErrorReason }> {
  override get message(): string {
    return this.reason.message
  }
}
