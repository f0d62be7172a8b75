import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { fuzz } from "./run.ts"
import { targets } from "./targets.ts"

/** Executions of each target here; `npm run fuzz` does as many as its time allows. */
const executions = 100

describe("fuzzing", () => {
  for (const target of targets) {
    it(target.name, async () => {
      const { executions: done, finding } = await fuzz(target, { seed: 6455, executions })
      assert.isUndefined(finding)
      assert.isAtLeast(done, executions)
    })
  }

  it("coverage leads to a fault that chance alone doesn't reach", async () => {
    const program = fileURLToPath(new URL("guidedCheck.ts", import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, [program])
    const { blind, guided } = JSON.parse(stdout)
    assert.match(guided, /found/)
    assert.isNull(blind)
  })
})
