import * as Data from "effect/Data"

/** The server can't listen there: the port is in use, forbidden, or no such address exists. */
export interface ListenFailed {
  readonly _tag: "ListenFailed"
  readonly message: string
  /** The system's name for it, such as `EADDRINUSE`. */
  readonly code: string | undefined
  readonly cause: unknown
}

export type ServerErrorReason = ListenFailed

/** A server can't do its work. */
export class ServerError extends Data.TaggedError("ServerError")<{ readonly reason: ServerErrorReason }> {
  override get message(): string {
    return this.reason.message
  }
}

export const listenFailed = (place: string, cause: unknown): ServerError =>
  new ServerError({
    reason: {
      _tag: "ListenFailed",
      message: `cannot listen on ${place}: ${cause instanceof Error ? cause.message : String(cause)}`,
      code: cause instanceof Error && "code" in cause ? String(cause.code) : undefined,
      cause
    }
  })
