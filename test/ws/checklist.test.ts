// Every row of the API has a test.
import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { checklist } from "./checklist.ts"

const tagged = new Set(
  readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith(".test.ts"))
    .flatMap((name) => {
      const text = readFileSync(`${import.meta.dirname}/${name}`, "utf8")
      return [...text.matchAll(/\[([a-z-]+:[\w.-]+)\]/g)].map(([, tag = ""]) => tag)
    })
)

describe("the API of ws 8", () => {
  it("has a test for every row", () => {
    const missing = checklist.filter(({ tag }) => !tagged.has(tag)).map(({ area, tag }) => `${area}: [${tag}]`)
    assert.deepStrictEqual(missing, [])
  })
  it("knows the tag of every test", () => {
    const known = new Set(checklist.map(({ tag }) => tag))
    assert.deepStrictEqual(
      [...tagged].filter((tag) => !known.has(tag)),
      []
    )
  })
})
