import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { sections } from "./cases/index.ts"
import { differences, type Expected, run } from "./run.ts"
import type { Target } from "./targets/target.ts"

const none: Expected = { server: {}, client: {} }

/** The verdicts on record for a target. */
export const expectedOf = (target: Target): Expected => {
  const file = new URL(`expected/${target.name}.json`, import.meta.url)
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : none
}

/** The whole case list as tests, a section each, in both roles. */
export const suite = (target: Target): void => {
  const expected = expectedOf(target)
  for (const role of ["server", "client"] as const) {
    describe(`${target.name} as ${role}`, () => {
      for (const { cases, number, title } of sections) {
        it(`${number} ${title}: ${cases.length} cases`, async () => {
          const results = await run(target, role, cases, { messages: 10, concurrency: 8 })
          assert.strictEqual(differences(cases, results, expected[role]).join("\n"), "")
          // Plain echoes would pass, too: the standard leaves it to the sender. Here they must come compressed.
          const plain = number === 12 ? results.filter(({ compressed }) => compressed === 0) : []
          assert.deepStrictEqual(plain, [])
        })
      }
    })
  }
}
