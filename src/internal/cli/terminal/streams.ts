import * as Context from "effect/Context"
import type { Readable, Writable } from "node:stream"

/** An input or output that may be a terminal. */
interface Terminal {
  readonly isTTY?: boolean | undefined
}

/**
 * The streams and the environment of the command line.
 *
 * @category models
 * @since 0.1.0
 */
export interface CliStreams {
  /** The standard input. */
  readonly input: Readable & Terminal
  /** The standard output. */
  readonly output: Writable & Terminal
  /** The standard error stream. */
  readonly errors: Writable & Terminal
  /** The environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>
}

/**
 * The streams and the environment of the command line. Default: those of the process, which are used only when
 * they are needed.
 *
 * @category services
 * @since 0.1.0
 */
export const Streams = Context.Reference<CliStreams>("effect-ws/Cli/Streams", {
  defaultValue: () => ({
    get input() {
      return process.stdin
    },
    get output() {
      return process.stdout
    },
    get errors() {
      return process.stderr
    },
    get env() {
      return process.env
    }
  })
})
