import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { WscatError } from "../errors/failure.ts"
import { codeOf, plain } from "../errors/plain.ts"
import { errorLine } from "../help/answer.ts"
import { type Shown } from "./format.ts"
import { harmless } from "./safeText.ts"
import { openHistory } from "./history.ts"
import { type Lines, recordsOf } from "./lines.ts"
import type { RecordSplitter } from "./records.ts"
import { type CliStreams, Streams } from "./streams.ts"

/** Colours of a terminal, as ever: what comes in is blue, what happens green, what is wrong yellow. */
const colors = { blue: 34, green: 32, yellow: 33, dim: 90 } as const

export type Color = keyof typeof colors

/** Where messages are shown and lines come from. */
export interface Screen {
  /** Whether a person sees the output. */
  readonly terminal: boolean
  /** Whether a person types the input, at a prompt. */
  readonly interactive: boolean
  /** Puts something on the output; on a terminal above the prompt. */
  readonly show: (text: Shown, color: Color | undefined) => void
  /** Has what is shown meanwhile leave in one write. */
  readonly together: (show: () => void) => void
  /** Says what happens, to a person. */
  readonly status: (text: string) => void
  /** Says what belongs to `--verbose`: above the prompt of a terminal, on the errors of a pipe. */
  readonly trace: (text: string) => void
  /** Writes a line that matters without a terminal too: it then goes to the errors. */
  readonly announce: (text: string) => void
  /** Says what is wrong. The program goes on. */
  readonly complain: (message: string, hint?: string) => void
  /** Shows the prompt, from now on. */
  readonly prompt: () => void
  readonly lines: Lines
  /** Waits until the output has room, or is closed. */
  readonly drained: Effect.Effect<void>
  /** Waits until the reader of the output is gone, or a person wants to quit; fails when the output can't be written. */
  readonly quit: Effect.Effect<void, WscatError>
}

/** How a screen is to be. */
export interface ScreenOptions {
  /** Messages alone, no status. */
  readonly quiet: boolean
  /** Status in a pipe too, on the errors. */
  readonly verbose: boolean
  readonly color: boolean
  /** Whether lines are wanted from the input at all. */
  readonly reads: boolean
  /** Cuts the input into records, where no person types it. */
  readonly splitter: RecordSplitter
}

/** Whether colours may be used: by the terminal, and by `NO_COLOR` (no-color.org). */
export const hasColors = ({ env, output }: CliStreams): boolean =>
  output.isTTY === true && !env["NO_COLOR"] && env["TERM"] !== "dumb"

/** Whether an output failed because nothing reads it any more, which ends a program quietly. */
export const isReaderGone = (cause: unknown): boolean => codeOf(cause) === "EPIPE"

/** An output that can't be written. */
export const unwritable = (cause: unknown): WscatError =>
  new WscatError({ kind: "output", message: `cannot write the output: ${plain(cause)}` })

/** Opens the screen, until the end of the scope. */
export const openScreen = (options: ScreenOptions): Effect.Effect<Screen, never, Scope.Scope> =>
  Effect.gen(function* () {
    const streams = yield* Streams
    const { errors, output } = streams
    const terminal = output.isTTY === true
    const interactive = options.reads && terminal && streams.input.isTTY === true
    const gone = Deferred.makeUnsafe<void, WscatError>()
    const leave = (): void => {
      Deferred.doneUnsafe(gone, Effect.void)
    }
    const broken = (cause: Error): void => {
      Deferred.doneUnsafe(gone, isReaderGone(cause) ? Effect.void : Effect.fail(unwritable(cause)))
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => output.on("error", broken)),
      () => Effect.sync(() => output.off("error", broken))
    )
    const editor = interactive
      ? yield* Effect.acquireRelease(
          // The widths of characters take a while to load; a program without a prompt has no use for them.
          Effect.promise(
            async () => new (await import("./editor.ts")).Editor(streams, openHistory(streams.env), leave)
          ),
          (editor) => Effect.sync(() => editor.close())
        )
      : undefined
    const paint = (text: Shown, color: Color | undefined): Shown =>
      typeof text === "string" && options.color && color !== undefined
        ? `\u001B[${colors[color]}m${text.replace(/\n$/, "")}\u001B[39m\n`
        : text
    const show: Screen["show"] = (text, color) => {
      if (editor === undefined) output.write(paint(text, color))
      else editor.above(paint(text, color))
    }
    const draining = Effect.raceFirst(
      Effect.ignore(Deferred.await(gone)),
      Effect.callback<void>((resume) => {
        const done = (): void => resume(Effect.void)
        output.once("drain", done)
        return Effect.sync(() => output.off("drain", done))
      })
    )
    const status: Screen["status"] = (text) => {
      if (terminal && !options.quiet) show(`${harmless(text)}\n`, "green")
      else if (options.verbose) errors.write(`${harmless(text)}\n`)
    }
    return {
      terminal,
      interactive,
      show,
      together: (run) => {
        output.cork()
        try {
          run()
        } finally {
          output.uncork()
        }
      },
      status,
      trace: (text) => {
        if (terminal) show(`${harmless(text)}\n`, "dim")
        else errors.write(`${harmless(text)}\n`)
      },
      announce: (text) => {
        if (terminal || options.verbose) status(text)
        else errors.write(`${text}\n`)
      },
      complain: (message, hint) => {
        const line = `${harmless(errorLine(message, hint))}\n`
        if (editor === undefined) errors.write(errors.isTTY === true ? paint(line, "yellow") : line)
        else show(line, "yellow")
      },
      prompt: () => editor?.begin(),
      lines: editor?.lines ?? (options.reads ? recordsOf(streams.input, options.splitter) : Effect.never),
      drained: Effect.suspend(() => (output.writableNeedDrain ? draining : Effect.void)),
      quit: Deferred.await(gone)
    }
  })
