import { type ChildProcessByStdio, spawn } from "node:child_process"
import type { Readable } from "node:stream"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))
const hook = new URL("../support/ws-is-ours.mjs", import.meta.url).href

const substituted = /^effect-ws\/ws is the ws of (?<file>.+)\n/gm

/** How a program ended. */
export interface Ended {
  /** The exit code, or the signal that killed it. */
  readonly status: number | NodeJS.Signals | null
  /** What it wrote to its standard output, then to its standard error. */
  readonly output: string
  /** The files of dependants that asked for `ws` and were given this package. */
  readonly substituted: ReadonlyArray<string>
}

/** Waits for the end of a process, and returns what it wrote. */
export const outcomeOf = async (
  child: ChildProcessByStdio<null, Readable, Readable>
): Promise<{ readonly status: Ended["status"]; readonly stdout: string; readonly stderr: string }> => {
  const ended = new Promise<Ended["status"]>((resolve, reject) => {
    child.once("error", reject)
    child.once("close", (code, signal) => resolve(signal ?? code))
  })
  const [stdout, stderr, status] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  return { status, stdout, stderr }
}

/** Runs a program with this package in the place of `ws`, for `limit` ms at most. */
export const run = async (program: URL, limit: number): Promise<Ended> => {
  const child = spawn(process.execPath, ["--import", hook, fileURLToPath(program)], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: limit
  })
  const { status, stderr, stdout } = await outcomeOf(child)
  const files = [...stderr.matchAll(substituted)].map((match) => match.groups?.["file"] ?? "")
  return {
    status,
    output: stdout + stderr.replaceAll(substituted, ""),
    substituted: files.filter((file) => !file.startsWith("test/")).toSorted()
  }
}
