import { assert, describe, it } from "@effect/vitest"
import { fuzzGuided } from "./guided.ts"
import { planted } from "./planted.ts"
import { fuzz } from "./run.ts"
import { targets } from "./targets.ts"

/** Executions of each target here; `npm run fuzz` does as many as its time allows. */
const executions = 100

describe("fuzzing", () => {
  for (const target of targets) {
    it(target.name, { timeout: 60_000 }, async () => {
      const { executions: done, finding } = await fuzz(target, { seed: 6455, executions })
      assert.isUndefined(finding)
      assert.isAtLeast(done, executions)
    })
  }

  it("coverage leads to a fault that chance alone doesn't reach", { timeout: 60_000 }, async () => {
    const target = { seeds: [Buffer.alloc(8)], check: planted, sources: /\/planted\.ts/ }
    const { finding } = await fuzzGuided(target, { executions: 4000, seed: 1 })
    assert.match(finding ?? "", /found/)
    const blind = { ...target, sources: /nothing/ }
    assert.isUndefined((await fuzzGuided(blind, { executions: 4000, seed: 1 })).finding)
  })
})
