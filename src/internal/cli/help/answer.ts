import { read } from "../options/argv.ts"
import { completions } from "./completions.ts"
import { exitCode } from "../errors/exitCode.ts"
import { version } from "../version.ts"
import { briefText, helpText } from "./help.ts"

/** What is said, on which of the two outputs, and how the program ends. */
export interface Answer {
  readonly to: "output" | "errors"
  readonly text: string
  readonly exitCode: number
}

/** One line for an error. */
export const errorLine = (message: string, hint: string | undefined): string =>
  `error: ${message}${hint === undefined ? "" : ` (hint: ${hint})`}`

/**
 * What can be answered at once: the help, the version, and what is wrong with the command line. `undefined` when there
 * is something to do. Loads nothing of Effect, which takes longer than answering.
 */
export const answer = (argv: ReadonlyArray<string>): Answer | undefined => {
  const invocation = read(argv)
  switch (invocation._tag) {
    case "Help": {
      return {
        to: "output",
        text: invocation.brief ? briefText(invocation.verb) : helpText(invocation.verb),
        exitCode: exitCode.clean
      }
    }
    case "Version": {
      return { to: "output", text: `${version()}\n`, exitCode: exitCode.clean }
    }
    case "Completions": {
      return { to: "output", text: completions(invocation.shell), exitCode: exitCode.clean }
    }
    case "Invalid": {
      return { to: "errors", text: `${errorLine(invocation.message, invocation.hint)}\n`, exitCode: exitCode.usage }
    }
    case "Run": {
      return undefined
    }
  }
}
