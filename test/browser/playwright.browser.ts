import { assert, describe, it } from "@effect/vitest"
import { run } from "../dependants/run.ts"

/** Milliseconds that the program may take: many times what it does on a machine that has other things to do. */
const limit = 120_000

describe("Playwright", () => {
  it(
    "drives Chromium, with this package in the place of the ws that it carries",
    { timeout: limit + 5000 },
    async () => {
      const { output, status, substituted } = await run(new URL("programs/playwright.ts", import.meta.url), limit)
      assert.deepStrictEqual([status, output], [0, ""])
      assert.deepStrictEqual(substituted, ["node_modules/playwright-core/lib/utilsBundle.js"])
    }
  )
})
