import { assert, describe, it } from "@effect/vitest"
import { fuzz } from "./run.ts"
import { targets } from "./targets.ts"

/** Executions of each target here; `npm run fuzz` does as many as its time allows. */
const executions = 100

describe("fuzzing", () => {
  for (const target of targets) {
    it(target.name, { timeout: 60_000 }, async () => {
      const { executions: done, finding } = await fuzz(target, { seed: 6455, executions })
      assert.isUndefined(finding)
      assert.strictEqual(done, executions)
    })
  }
})
