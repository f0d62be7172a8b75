import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { render } from "../scripts/reliability.ts"

describe("docs/reliability.md", () => {
  it("has the list of advisories that the tests have", () => {
    const page = readFileSync(new URL("../docs/reliability.md", import.meta.url), "utf8")
    assert.strictEqual(page, render(page), "run node scripts/reliability.ts")
  })
})
