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
 * `wscat` as a command of `effect/cli`, for `Command.withSubcommands`. It reads and writes through `Streams`, and
 * fails with a `WscatError`.
 *
 * **Gotchas**
 *
 * It parses options as `effect/cli` does: a value that begins with a dash is written after `=`.
 *
 * @category commands
 * @since 0.1.0
 */
export const command = internal.command

/**
 * Runs a command line and succeeds with its exit code, one of `exitCode`. `argv` are the arguments after the name
 * of the program. An error is one line on the error stream of `Streams`.
 *
 * @category running
 * @since 0.1.0
 */
export const run: (argv: ReadonlyArray<string>) => Effect.Effect<number> = program.run

/**
 * Runs a command line as the process, and exits when its output is written. A signal starts the closing handshake,
 * a second one exits at once.
 *
 * @category running
 * @since 0.1.0
 */
export const main: (argv: ReadonlyArray<string>) => void = program.main
