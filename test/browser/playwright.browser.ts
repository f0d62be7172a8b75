import { assert, describe, it } from "@effect/vitest"
import { run } from "../dependants/run.ts"

describe("Playwright", () => {
  it("drives Chromium, with this package in the place of the ws that it carries", async () => {
    const { output, status, substituted } = await run(new URL("programs/playwright.ts", import.meta.url), 55_000)
    assert.deepStrictEqual([status, output], [0, ""])
    assert.deepStrictEqual(substituted, ["node_modules/playwright-core/lib/utilsBundle.js"])
  })
})
