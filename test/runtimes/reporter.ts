/** Writes down how each test ended, for `run.ts`. */
import { writeFileSync } from "node:fs"
import type { Reporter, SerializedError, TestModule } from "vitest/node"

/** How the tests ended, by file and full name. */
export interface Outcome {
  readonly runtime: string
  readonly passed: Array<string>
  /** With the message of the failure. */
  readonly failed: Record<string, string>
  /** What went wrong outside of any test. */
  readonly errors: Array<string>
}

export default class implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, errors: ReadonlyArray<SerializedError>): void {
    const outcome: Outcome = {
      runtime: `${process.versions["bun"] ?? ""}${process.versions["deno"] ?? ""}`,
      passed: [],
      failed: {},
      errors: errors.map(({ message, stack }) => stack ?? message)
    }
    for (const module of modules) {
      outcome.errors.push(...module.errors().map(({ message }) => `${module.relativeModuleId}: ${message}`))
      for (const test of module.children.allTests()) {
        const name = `${module.relativeModuleId} > ${test.fullName}`
        const result = test.result()
        if (result.state === "passed") outcome.passed.push(name)
        if (result.state === "failed") outcome.failed[name] = result.errors[0]?.message ?? ""
      }
    }
    writeFileSync(process.env["OUTCOME"] ?? "outcome.json", JSON.stringify(outcome))
  }
}
