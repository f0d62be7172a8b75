import * as Context from "effect/Context"
import type { Readable, Writable } from "node:stream"

/** An input or output that may be a terminal. */
interface Terminal {
  readonly isTTY?: boolean | undefined
}

/**
 * What the command line talks through.
 *
 * @category models
 * @since 0.1.0
 */
export interface CliStreams {
  readonly input: Readable & Terminal
  readonly output: Writable & Terminal
  readonly errors: Writable & Terminal
  readonly env: Readonly<Record<string, string | undefined>>
}

/**
 * Default: those of the process, touched only when they are needed.
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
