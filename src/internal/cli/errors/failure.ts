import * as Data from "effect/Data"
import * as Runtime from "effect/Runtime"
import { CliError } from "effect/cli"
import { errorLine } from "../help/answer.ts"
import { type Ending, exitCode } from "./exitCode.ts"

/** A response that opens no connection. */
export interface Refusal {
  readonly status: number
  /** By lower-case names. */
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  /** The body as text, as far as it was read. */
  readonly body: string | undefined
}

/**
 * The error of a command that doesn't succeed. `kind` names its exit code in `exitCode`.
 *
 * @category errors
 * @since 0.1.0
 */
export class WscatError extends Data.TaggedError("WscatError")<{
  readonly kind: Exclude<Ending, "clean">
  readonly message: string
  /** What can be done about it. */
  readonly hint?: string | undefined
  /** What a server answered that refused the handshake. */
  readonly refusal?: Refusal | undefined
  /** It was shown already. */
  readonly reported?: boolean | undefined
}> {
  /** With which the process ends: `Runtime` knows it by this name. */
  override readonly [Runtime.errorExitCode]: number = exitCode[this.kind]

  /** The line that a program shows which has this command among its own. */
  override readonly [CliError.userMessage]: string = errorLine(this.message, this.hint)
}

/** A command line, or input, that can't be used. */
export const misuse = (message: string, hint?: string): WscatError => new WscatError({ kind: "usage", message, hint })
