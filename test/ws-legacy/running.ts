/** Programs in processes of their own. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { assert } from "@effect/vitest"
import type { Resources } from "./support.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))
const hooks = ["resolve-src.mjs", "announce-port.mjs"].map(
  (name) => new URL(`../support/${name}`, import.meta.url).href
)

/** What a program writes, and how it ends. */
export class Running {
  readonly child: ChildProcess
  private readonly output = { stdout: "", stderr: "" }
  private wake: Array<() => void> = []

  constructor(resources: Resources, code: string) {
    const imports = hooks.flatMap((hook) => ["--import", hook])
    this.child = spawn(process.execPath, [...imports, "--no-warnings", "--eval", code], { cwd: root })
    resources.add(() => void this.child.kill())
    for (const name of ["stdout", "stderr"] as const) {
      this.child[name]?.setEncoding("utf8").on("data", (text: string) => {
        this.output[name] += text
        for (const wake of this.wake.splice(0)) wake()
      })
    }
    this.child.on("exit", () => {
      for (const wake of this.wake.splice(0)) wake()
    })
  }

  get stderr(): string {
    return this.output.stderr
  }

  /** Waits until something was written, and answers what the pattern found. */
  async says(pattern: RegExp, where: "stdout" | "stderr" = "stdout"): Promise<ReadonlyArray<string>> {
    for (;;) {
      const found = pattern.exec(this.output[where])
      if (found !== null) return found
      assert.isNull(this.child.exitCode, `${this.output.stdout}${this.output.stderr}`)
      await new Promise<void>((resolve) => this.wake.push(resolve))
    }
  }

  async port(): Promise<number> {
    const [, port] = await this.says(/listening on (\d+)/, "stderr")
    return Number(port)
  }

  async ended(): Promise<number | null> {
    if (this.child.exitCode === null) await once(this.child, "close")
    return this.child.exitCode
  }
}
