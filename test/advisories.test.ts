// One test or more for each advisory of `advisories/list.ts`, on each face that could suffer from it.
import { assert, describe, it } from "@effect/vitest"
import "./advisories/calls.ts"
import "./advisories/fragments.ts"
import "./advisories/heads.ts"
import "./advisories/hixie.ts"
import "./advisories/inflation.ts"
import "./advisories/injection.ts"
import "./advisories/opening.ts"
import "./advisories/redirects.ts"
import { held } from "./advisories/hold.ts"
import { advisories } from "./advisories/list.ts"

describe("the list", () => {
  it("names every place that is tested, and no other", () => {
    const named = advisories.flatMap(({ id, places }) => places.map((place) => `${id} | ${place}`))
    assert.deepStrictEqual([...held].sort(), named.sort())
  })

  it("says of each what would let it in again, or why it can't apply", () => {
    for (const { breaks, holds, places } of advisories) {
      assert.isNotEmpty(holds)
      assert.strictEqual(places.length > 0, breaks !== undefined)
    }
    assert.strictEqual(new Set(advisories.map(({ id }) => id)).size, advisories.length)
  })
})
