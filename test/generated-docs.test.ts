import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { format } from "oxfmt"
import { draw, layoutOf } from "../scripts/architecture.ts"
import { reasonsOf, render } from "../scripts/errors-docs.ts"
import { render as renderLlms } from "../scripts/llms.ts"

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8")

describe("docs/architecture.svg", () => {
  it("shows the imports of src as they are", () => {
    assert.isTrue(read("docs/architecture.svg") === draw(), "it is stale: run node scripts/architecture.ts")
  })

  it("leaves out arrows that others imply, and puts folders that import each other into one row", () => {
    const graph = new Map(
      Object.entries({ top: ["a", "b", "low"], a: ["b", "low"], b: ["a"], low: [] }).map(([from, to]) => [
        from,
        new Set(to)
      ])
    )
    const { edges, rows } = layoutOf(graph)
    assert.deepStrictEqual(rows, [["low"], ["a", "b"], ["top"]])
    assert.deepStrictEqual(edges, [
      { from: "a", mutual: true, to: "b" },
      { from: "a", mutual: false, to: "low" },
      { from: "top", mutual: false, to: "a" },
      { from: "top", mutual: false, to: "b" }
    ])
  })
})

describe("docs/errors.md", () => {
  it("has every reason of every error, as the docstrings say", async () => {
    const page = read("docs/errors.md")
    const { code } = await format("errors.md", render(page), JSON.parse(read(".oxfmtrc.json")))
    assert.isTrue(code === page, "it is stale: run node scripts/errors-docs.ts && npx oxfmt docs")
    for (const name of [
      "InvalidOptions",
      "OriginRefused",
      "MessageTooLarge",
      "WrongShape",
      "ListenFailed",
      "NotAuthorized"
    ]) {
      assert.include(page, `\`${name}\``)
    }
  })

  it("reads a reason, its number and its docstring from a source", () => {
    const source = `/** Too long. */\nexport interface Long extends Base<"Long", 1009> {\n  readonly limit: number\n}\n`
    assert.deepStrictEqual(reasonsOf(source), [{ doc: "Too long.", name: "Long", number: "1009" }])
  })
})

describe("llms.txt", () => {
  it("lists every page with its first sentence", () => {
    assert.isTrue(read("llms.txt") === renderLlms(), "it is stale: run node scripts/llms.ts")
    for (const page of ["docs/errors.md", "docs/api/Socket.md", "examples/README.md"])
      assert.include(read("llms.txt"), page)
  })
})
