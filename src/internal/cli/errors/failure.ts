import * as Data from "effect/Data"
import * as Runtime from "effect/Runtime"
import { CliError } from "effect/cli"
import { errorLine } from "../help/answer.ts"
import { type Ending, exitCode } from "./exitCode.ts"

/** Why `wscat` ends without having done what it was asked to. */
export class WscatError extends Data.TaggedError("WscatError")<{
  readonly kind: Exclude<Ending, "clean">
  readonly message: string
  /** What can be done about it. */
  readonly hint?: string | undefined
  /** The status of a refused handshake. */
  readonly status?: number | undefined
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
