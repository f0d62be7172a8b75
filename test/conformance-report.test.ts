import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { format } from "oxfmt"
import { render, report } from "../scripts/conformance-report.ts"

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8")

describe("the report of conformance", () => {
  it("has in docs/conformance.md the verdicts on record", async () => {
    const page = read("docs/conformance.md")
    const { code } = await format("conformance.md", render(page), JSON.parse(read(".oxfmtrc.json")))
    assert.isTrue(
      code === page,
      "docs/conformance.md is stale: run node scripts/conformance-report.ts && npx oxfmt docs"
    )
  })

  it("shows each of the 517 cases with four verdicts", () => {
    const rows = report().match(/^<tr><th>\d.*$/gm) ?? []
    assert.lengthOf(rows, 517)
    for (const row of rows) {
      assert.lengthOf(row.match(/<td class="(?:ok|informational|unclean)">/g) ?? [], 4, row)
    }
  })
})
