/**
 * The `wscat` command line for use inside other programs.
 *
 * **Details**
 *
 * `command` is a `Command` of `effect/cli`, `run` runs a command line with the rules and exit codes of `wscat`, and
 * `main` does that as the process.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as internal from "./internal/cli/effectCommand.ts"
import { exitCode } from "./internal/cli/errors/exitCode.ts"
import { WscatError } from "./internal/cli/errors/failure.ts"
import * as program from "./internal/cli/main.ts"
import { type CliStreams, Streams } from "./internal/cli/terminal/streams.ts"

export { exitCode, Streams, WscatError }
export type { CliStreams }

/**
 * `wscat` as a command, for `Command.withSubcommands`. It reads and writes through `Streams`, fails with a
 * `WscatError`, and reads its options as `effect/cli` does: a value that begins with a dash stands after `=`.
 *
 * @category commands
 * @since 0.1.0
 */
export const command = internal.command

/**
 * Runs a command line, and succeeds with its exit code, one of `exitCode`. `argv` is what follows the name of the
 * program. An error is one line on the errors of `Streams`.
 *
 * @category running
 * @since 0.1.0
 */
export const run: (argv: ReadonlyArray<string>) => Effect.Effect<number> = program.run

/**
 * Runs a command line as this process. A signal starts the closing handshake, and a second one ends the process at
 * once. The process exits when its output is written.
 *
 * @category running
 * @since 0.1.0
 */
export const main: (argv: ReadonlyArray<string>) => void = program.main
