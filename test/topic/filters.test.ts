import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { Topic } from "effect-ws"
import { Filters } from "../../src/internal/topic/filters.ts"

const segment = fc.constantFrom("a", "b", "c")

const name = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join("."))

const filter = fc
  .tuple(fc.array(fc.oneof(segment, fc.constant("*")), { maxLength: 4 }), fc.boolean())
  .filter(([segments, rest]) => rest || segments.length > 0)
  .map(([segments, rest]) => [...segments, ...(rest ? [">"] : [])].join("."))

/** What a filter means, said another way. */
const meaning = (filter: string): RegExp =>
  new RegExp(`^${filter.replaceAll(".", "\\.").replaceAll("*", "[^.]+").replace(/>$/, ".+")}$`)

describe("filters", () => {
  it("find what a look at each of them finds, as they come and go", () => {
    const change = fc.record({ filter, add: fc.boolean() })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), fc.array(name, { maxLength: 10 }), (changes, names) => {
        const filters = new Filters<{ readonly filter: string }>()
        const present = new Set<string>()
        for (const { add, filter } of changes) {
          const known = filters.get(filter)
          if (add && known === undefined) {
            filters.add({ filter })
            present.add(filter)
          } else if (!add && known !== undefined) {
            filters.delete(known)
            present.delete(filter)
          }
        }
        assert.strictEqual(filters.size, present.size)
        for (const name of names) {
          const found = filters.matching(name).map(({ filter }) => filter)
          const expected = [...present].filter((filter) => meaning(filter).test(name))
          assert.deepStrictEqual([...found].sort(), expected.sort())
        }
      })
    )
  })

  it("match as `Topic.matches` says", () => {
    fc.assert(
      fc.property(filter, name, (filter, name) => {
        assert.strictEqual(Topic.matches(filter, name), meaning(filter).test(name))
      })
    )
  })
})
