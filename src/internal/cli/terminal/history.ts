import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, join } from "node:path"
import type { CliStreams } from "./streams.ts"

/** Lines that can be fetched back. */
export const historySize = 1000

/** Lines of earlier sessions. */
export interface History {
  /** The latest first. */
  readonly lines: ReadonlyArray<string>
  readonly add: (line: string) => void
}

const none: History = { lines: [], add: () => {} }

/** Where the history is kept: `WSCAT_HISTORY`, which keeps none when it is empty, or the folder for such files. */
const pathOf = (env: CliStreams["env"]): string | undefined => {
  const { WSCAT_HISTORY: named, XDG_STATE_HOME: state } = env
  if (named !== undefined) return named === "" ? undefined : named
  const folder = state === undefined || state === "" ? join(homedir(), ".local", "state") : state
  return join(folder, "wscat", "history")
}

const parse = (content: string): ReadonlyArray<string> =>
  content.split("\n").flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line)
      return typeof value === "string" ? [value] : []
    } catch {
      return []
    }
  })

/**
 * Reads the history of earlier sessions. A file that can't be read or written is no reason not to talk: the history is
 * then that of this session. As in a shell, a line that begins with a blank is not kept.
 */
export const openHistory = (env: CliStreams["env"]): History => {
  const path = pathOf(env)
  if (path === undefined) return none
  let lines: ReadonlyArray<string> = []
  try {
    lines = parse(readFileSync(path, "utf8"))
    if (lines.length > 2 * historySize) {
      lines = lines.slice(-historySize)
      writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(""))
    }
  } catch {
    // There is none yet.
  }
  return {
    lines: lines.slice(-historySize).toReversed(),
    add: (line) => {
      if (line.trim() === "" || line.startsWith(" ")) return
      try {
        mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
        appendFileSync(path, `${JSON.stringify(line)}\n`, { mode: 0o600 })
      } catch {
        // The line is in the history of this session.
      }
    }
  }
}
