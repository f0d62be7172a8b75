// Child processes: started on a core of their own where the system can, ended by their own id.
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { availableParallelism } from "node:os"
import { createInterface } from "node:readline"

const hasTaskset = process.platform === "linux" && spawnSync("taskset", ["--version"]).status === 0

/** Whether load and peer run on different cores by order. */
export const pinned = hasTaskset && availableParallelism() > 1

/** The core that makes load, and the one that is measured. */
export type Core = "load" | "measured"

const coreNumber: Readonly<Record<Core, string>> = { load: "0", measured: "1" }

const start = (
  core: Core,
  command: string,
  args: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>>,
  ipc: boolean
): ChildProcess => {
  const [program, rest] = pinned ? ["taskset", ["-c", coreNumber[core], command, ...args]] : [command, [...args]]
  return spawn(program, rest, {
    env: { ...process.env, ...environment },
    stdio: ipc ? ["ignore", "inherit", "inherit", "ipc"] : ["pipe", "pipe", "pipe"]
  })
}

const within = <A>(milliseconds: number, what: string, work: Promise<A>): Promise<A> => {
  let timer: NodeJS.Timeout | undefined
  return Promise.race([
    work,
    new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${what} within ${milliseconds / 1000} s`)), milliseconds)
    })
  ]).finally(() => clearTimeout(timer))
}

/** A peer's program, which says JSON lines and obeys words. */
export class Program {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  #errors = ""
  readonly pid: number

  constructor(
    command: string,
    args: ReadonlyArray<string>,
    environment: Readonly<Record<string, string>>,
    core: Core = "measured"
  ) {
    const child = start(core, command, args, environment, false)
    if (child.stdout === null || child.stderr === null || child.pid === undefined)
      throw new Error(`cannot start ${command}`)
    this.#child = child
    this.pid = child.pid
    child.stdin?.on("error", () => undefined)
    child.stderr.on("data", (text) => {
      if (this.#errors.length < 2000) this.#errors += String(text)
    })
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  }

  /** The next JSON line. Fails when the program ends or says nothing in time. */
  async next(milliseconds: number): Promise<Readonly<Record<string, unknown>>> {
    const line = await within(milliseconds, "said nothing", this.#lines.next())
    if (line.done === true) throw new Error(`ended early: ${this.#why()}`)
    return JSON.parse(line.value)
  }

  /** The line of standard error that names the error, or the last one. */
  #why(): string {
    const lines = this.#errors.trim().split("\n")
    return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1) ?? ""
  }

  order(word: string): void {
    this.#child.stdin?.write(`${word}\n`)
  }

  /** Closes its input, which ends it; one that does not end in time is killed. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()))
    this.#child.stdin?.end()
    await within(3000, "did not end", ended).catch(() => this.#child.kill("SIGKILL"))
    await ended
  }
}

/** One of the harness's own processes, which answers each command with one message. */
export class Helper<Command, Answer> {
  readonly #child: ChildProcess

  constructor(script: string, environment: Readonly<Record<string, string>> = {}) {
    this.#child = start(
      "load",
      process.execPath,
      ["--max-semi-space-size=64", "--disable-warning=ExperimentalWarning", script],
      environment,
      true
    )
  }

  async ask(command: Command & object, milliseconds: number): Promise<Answer> {
    const child = this.#child
    let settle: (() => void) | undefined
    const answered = new Promise<Answer>((resolve, reject) => {
      const onMessage = (message: Answer): void => resolve(message)
      const onExit = (): void => reject(new Error("the load generator ended early"))
      child.once("message", onMessage)
      child.once("exit", onExit)
      settle = () => {
        child.off("message", onMessage)
        child.off("exit", onExit)
      }
    })
    child.send(command)
    try {
      return await within(milliseconds, "the run did not end", answered)
    } finally {
      settle?.()
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()))
    this.#child.kill("SIGKILL")
    await ended
  }
}
