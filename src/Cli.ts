/**
 * `wscat`, the command line: `command` is a `Command` of `effect/cli`, which programs can have among their own, `run`
 * the program with the manners of the `wscat`s before it, and `main` that as a process.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { Argument, CliConfig, type CliError, CliOutput, Command } from "effect/cli"
import { answer, errorLine, version } from "./internal/cli/answer.ts"
import { read } from "./internal/cli/argv.ts"
import { exitCode } from "./internal/cli/exitCode.ts"
import { misuse, WscatError } from "./internal/cli/failure.ts"
import { benchFlags, doctorFlags, wscatFlags } from "./internal/cli/flags.ts"
import { harmless } from "./internal/cli/format.ts"
import { type CliStreams, Streams } from "./internal/cli/streams.ts"
import { type Verb, verbs } from "./internal/cli/words.ts"

export { exitCode, Streams, WscatError }
export type { CliStreams }

const [wscatVerb, benchVerb, doctorVerb] = verbs

/** What a subcommand does is loaded when it is asked for. */
const load = <A>(module: () => Promise<A>): Effect.Effect<A> => Effect.promise(module)

const url = Argument.String("url")

const examplesOf = ({ examples }: Verb) => examples.map(([command, description]) => ({ command, description }))

const bench = Command.make("bench", { ...benchFlags, url }, ({ url, ...flags }) =>
  Effect.flatMap(
    load(() => import("./internal/cli/bench.ts")),
    (module) => module.bench(url, flags)
  )
).pipe(Command.withDescription(benchVerb.summary), Command.withExamples(examplesOf(benchVerb)))

const doctor = Command.make("doctor", { ...doctorFlags, url }, ({ url, ...flags }) =>
  Effect.flatMap(
    load(() => import("./internal/cli/doctor.ts")),
    (module) => module.doctor(url, flags)
  )
).pipe(Command.withDescription(doctorVerb.summary), Command.withExamples(examplesOf(doctorVerb)))

/**
 * `wscat` as a command, for `Command.withSubcommands`. It talks through `Streams`, fails with a `WscatError`, and reads
 * its options as `effect/cli` does: a value that begins with a dash stands behind `=`.
 */
export const command = Command.make("wscat", wscatFlags, (flags) => {
  const { connect: target, listen: place } = flags
  if (target !== undefined && place === undefined) {
    return Effect.flatMap(
      load(() => import("./internal/cli/connect.ts")),
      (module) => module.connect(target, flags)
    )
  }
  if (place !== undefined && target === undefined) {
    return Effect.flatMap(
      load(() => import("./internal/cli/listen.ts")),
      (module) => module.listen(place, flags)
    )
  }
  return Effect.fail(misuse("use either --listen or --connect"))
}).pipe(
  Command.withDescription(wscatVerb.summary),
  Command.withExamples(examplesOf(wscatVerb)),
  Command.withSubcommands([bench, doctor])
)

const hint = "wscat --help lists the options"

/** What is wrong with the values of options, in one line. */
const explainUsage = (error: CliError.CliError): string => {
  const problem = error._tag === "ShowHelp" ? error.errors[0] : error
  if (problem?._tag !== "InvalidValue") {
    return errorLine(problem?.message.replaceAll(/\s*\n\s*/g, " ") ?? "the options can't be understood", hint)
  }
  const { expected, option, value } = problem
  const wanted = expected.replaceAll('"', "").replaceAll(" | ", ", ")
  return errorLine(`--${option} ${JSON.stringify(value)} can't be used; expected: ${wanted}`, hint)
}

/** What `effect/cli` would do by itself: help, version and completions are answered before, and errors are one line. */
const manners = { builtIns: [] }

/**
 * Does what a command line says, and succeeds with the exit code, which `exitCode` names. `argv` is what follows the
 * name of the program. What goes wrong is one line on the errors of `Streams`.
 */
export const run = (argv: ReadonlyArray<string>): Effect.Effect<number, never, Command.Environment> =>
  Effect.gen(function* () {
    const streams = yield* Streams
    const said = answer(argv)
    if (said !== undefined) {
      streams[said.to].write(said.text)
      return said.exitCode
    }
    const invocation = read(argv)
    const args = invocation._tag === "Run" ? invocation.args : []
    const complain = (line: string): Effect.Effect<void> =>
      Effect.sync(() => {
        const colored = streams.errors.isTTY === true && !streams.env["NO_COLOR"] && !args.includes("--no-color")
        streams.errors.write(colored ? `\u001B[33m${harmless(line)}\u001B[39m\n` : `${harmless(line)}\n`)
      })
    return yield* Command.runWith(command, { version: version(), renderErrors: false })(args).pipe(
      Effect.provideService(CliConfig.CliConfig, manners),
      Effect.provideService(CliOutput.Presenter, { present: () => Effect.void }),
      Effect.as<number>(exitCode.clean),
      Effect.catch((error) =>
        error instanceof WscatError
          ? Effect.as(
              error.reported === true ? Effect.void : complain(errorLine(error.message, error.hint)),
              exitCode[error.kind]
            )
          : Effect.as(complain(explainUsage(error)), exitCode.usage)
      )
    )
  })

/** Exit codes of a process that a signal ended, as shells have them. */
const signals = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

/**
 * Runs a command line as this process: a signal starts the closing handshake, a second one ends the process at once.
 * The process exits when everything is written.
 */
export const main = (argv: ReadonlyArray<string>): void => {
  let signal: keyof typeof signals | undefined
  const fiber = Effect.runFork(Effect.provide(run(argv), NodeServices.layer))
  for (const name of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (signal !== undefined) process.exit(signals[name])
      signal = name
      fiber.interruptUnsafe()
    })
  }
  // Nobody reads any more: what is left to be said is not.
  for (const output of [process.stdout, process.stderr]) output.on("error", () => {})
  fiber.addObserver((exit) => {
    const code = signal === undefined ? codeOf(exit) : signals[signal]
    process.stdout.write("", () => process.exit(code))
  })
}

const codeOf = (exit: Exit.Exit<number>): number => {
  if (exit._tag === "Success") return exit.value
  process.stderr.write(`error: this should not happen\n${Cause.pretty(exit.cause)}\n`)
  return exitCode.unexpected
}
