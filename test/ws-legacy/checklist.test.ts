import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { differences, rows } from "./rows.ts"
import { scenarios } from "./scenarios.ts"

const folder = new URL("./", import.meta.url)

/** The titles of the tests in this folder, as they stand in the sources. */
const titles = new Set(Object.keys(scenarios))
for (const file of readdirSync(folder).filter((file) => file.endsWith(".test.ts"))) {
  const source = readFileSync(new URL(file, folder), "utf8")
  for (const [, title = ""] of source.matchAll(/\bit(?:\.\w+)?\(\s*"([^"]+)"/g)) titles.add(title)
}

describe("every row of the API", () => {
  for (const [name, { says, tests }] of Object.entries(rows)) {
    it(`${name}: ${says}`, () => {
      assert.isAbove(tests.length, 0, "no test")
      for (const test of tests) assert.isTrue(titles.has(test), `no such test: ${test}`)
    })
  }

  it("has no scenario that holds nothing", () => {
    const held = new Set(Object.values(rows).flatMap(({ tests }) => tests))
    const idle = Object.keys(scenarios).filter((name) => !held.has(name))
    assert.deepStrictEqual(idle, [])
  })
})

describe("every difference in docs/ws-legacy.md", () => {
  const page = readFileSync(new URL("../../docs/ws-legacy.md", folder), "utf8")
  const [, section = ""] = page.split("\n## Differences\n")
  const cells = [...section.matchAll(/^\| ((?!what |--)[^|]+) \|(?:[^|]+\|){3}$/gm)].map(([, cell = ""]) => cell.trim())

  it("has tests, and a reason", () => {
    assert.isAbove(cells.length, 30)
    assert.deepStrictEqual(cells, Object.keys(differences))
    for (const test of Object.values(differences).flat()) assert.isTrue(titles.has(test), `no such test: ${test}`)
  })
})
