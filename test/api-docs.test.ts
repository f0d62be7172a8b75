import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { render } from "../scripts/api-docs.ts"

const folder = new URL("../docs/api/", import.meta.url)

describe("docs/api", () => {
  it("has a docstring for every export, and says what the docstrings say", async () => {
    const { pages, undocumented } = await render()
    assert.deepStrictEqual(undocumented, [])
    assert.deepStrictEqual(readdirSync(folder).toSorted(), [...pages.keys()].toSorted())
    for (const [name, page] of pages) {
      assert.isTrue(readFileSync(new URL(name, folder), "utf8") === page, `${name} is stale: run npm run docs:api`)
    }
  })
})
