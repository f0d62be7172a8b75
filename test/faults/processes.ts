// Sides of connections in processes of their own.
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

const hooks = new URL("../support/resolve-src.mjs", import.meta.url).href

/** A program of ours that says lines. */
export class Side {
  readonly child: ChildProcess
  readonly lines: Array<string> = []
  private readonly wanted: Array<{ readonly what: string; readonly resolve: (line: string) => void }> = []

  /** Starts `programs/<name>.ts` with a plan; `limit` is the most files it may open. */
  constructor(name: string, plan: unknown, limit?: number) {
    const program = fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url))
    const command = [process.execPath, "--import", hooks, program, JSON.stringify(plan)]
    const [file = "", ...rest] =
      limit === undefined ? command : ["sh", "-c", `ulimit -n ${limit}; exec "$0" "$@"`, ...command]
    this.child = spawn(file, rest, { stdio: ["pipe", "pipe", "inherit"] })
    if (this.child.stdout !== null) createInterface(this.child.stdout).on("line", (line) => this.take(line))
  }

  /** The first thing that it says, or has said, by this name. */
  async said(what: string): Promise<unknown> {
    const line = this.lines.find((line) => line.startsWith(`${what} `)) ?? (await this.next(what))
    return JSON.parse(line.slice(what.length + 1))
  }

  private next(what: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.wanted.push({ what, resolve })
      this.child.once("exit", () => reject(new Error(`it ended without a word: ${this.lines.join(", ")}`)))
    })
  }

  /** Ends it, whatever it does, and waits until it has. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const exited = once(this.child, "exit")
    this.child.kill("SIGKILL")
    await exited
  }

  private take(line: string): void {
    this.lines.push(line)
    for (const { resolve, what } of this.wanted) if (line.startsWith(`${what} `)) resolve(line)
  }
}
