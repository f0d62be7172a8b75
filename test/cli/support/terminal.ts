/** A real terminal to run programs in: tmux, which draws the screen that a person would see. */
import { Effect, type Scope } from "effect"
import { execFileSync, spawnSync } from "node:child_process"
import { setTimeout } from "node:timers/promises"
import { program } from "./program.ts"

const found = spawnSync("tmux", ["-V"])

/** Why there is no terminal to test in: a test that can't run must not look as if it had. */
export const missing: string | undefined =
  found.error === undefined ? undefined : "tmux is needed for the tests of the terminal: apt-get install tmux"

let count = 0

/** A program in a terminal. */
export interface Terminal {
  /** Types text, as it is. */
  readonly type: (text: string) => void
  /** Presses a key, by its name: `Enter`, `Up`, `C-c`. */
  readonly press: (...keys: ReadonlyArray<string>) => void
  /** Pastes text, all at once. */
  readonly paste: (text: string) => void
  /** Pastes text as a terminal does that marks what is pasted. */
  readonly pasteMarked: (text: string) => void
  /** Changes the size, and waits until the program can know. */
  readonly resize: (columns: number, rows: number) => Effect.Effect<void>
  /** The lines on the screen, without the empty ones below. */
  readonly screen: () => ReadonlyArray<string>
  /** The lines with their colours. */
  readonly colors: () => string
  /** Waits until the screen is as it should be, and answers it. */
  readonly until: (what: (screen: ReadonlyArray<string>) => boolean) => Effect.Effect<ReadonlyArray<string>>
}

const tmux = (server: string, ...args: ReadonlyArray<string>): string =>
  execFileSync("tmux", ["-L", server, ...args], { encoding: "utf8" })

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`

/** How long a screen may take to be as it should, in milliseconds, on a machine that has much to do. */
const patience = 15_000

/** Runs `wscat` in a terminal; its exit code is shown when it ends. The end of the scope closes the terminal. */
export const terminal = (
  args: ReadonlyArray<string>,
  options: {
    readonly columns?: number
    readonly rows?: number
    readonly env?: Readonly<Record<string, string>>
    /** Which program; default: ours. */
    readonly file?: string
    /** A shell to type command lines into, instead of a program. */
    readonly shell?: boolean
  } = {}
): Effect.Effect<Terminal, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const server = `wscat-${process.pid}-${count++}`
      const run =
        options.shell === true ? ["bash", "--norc", "-i"] : [process.execPath, options.file ?? program(), ...args]
      const command = run.map(quote).join(" ")
      const variables = Object.entries({ WSCAT_HISTORY: "", ...options.env }).map(
        ([name, value]) => `${name}=${quote(value)} `
      )
      const size = ["-x", String(options.columns ?? 60), "-y", String(options.rows ?? 20)]
      const script = `${variables.join("")}${command}; echo "exit $?"; exec sleep 1000`
      tmux(server, "-f", "/dev/null", "new-session", "-d", ...size, script)
      return server
    }),
    (server) => Effect.sync(() => tmux(server, "kill-server"))
  ).pipe(
    Effect.map((server) => {
      const screen = (): ReadonlyArray<string> => {
        const lines = tmux(server, "capture-pane", "-p").split("\n")
        while (lines.at(-1) === "") lines.pop()
        return lines
      }
      return {
        type: (text) => tmux(server, "send-keys", "-l", "--", text),
        press: (...keys) => tmux(server, "send-keys", ...keys),
        paste: (text) => {
          execFileSync("tmux", ["-L", server, "load-buffer", "-"], { input: text })
          tmux(server, "paste-buffer", "-r")
        },
        pasteMarked: (text) => {
          execFileSync("tmux", ["-L", server, "load-buffer", "-"], { input: text })
          tmux(server, "paste-buffer", "-p", "-r")
        },
        resize: (columns, rows) =>
          Effect.promise(async () => {
            tmux(server, "resize-window", "-x", String(columns), "-y", String(rows))
            // tmux breaks the lines anew at once, and tells the program somewhat later.
            const tty = tmux(server, "display-message", "-p", "#{pane_tty}").trim()
            const size = (): string => execFileSync("stty", ["-F", tty, "size"], { encoding: "utf8" }).trim()
            while (size() !== `${rows} ${columns}`) await setTimeout(20)
          }),
        screen,
        colors: () => tmux(server, "capture-pane", "-p", "-e"),
        until: (what) =>
          Effect.promise(async () => {
            const deadline = Date.now() + patience
            for (let lines = screen(); ; lines = screen()) {
              if (what(lines)) return lines
              if (Date.now() > deadline) throw new Error(`the screen stays like this:\n${lines.join("\n")}`)
              await setTimeout(20)
            }
          })
      }
    })
  )
