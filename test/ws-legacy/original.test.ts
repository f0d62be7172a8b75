import { assert, describe, it } from "@effect/vitest"
import { WebSocket } from "effect-ws/ws/legacy"
import original from "./original.json" with { type: "json" }
import { runScenario } from "./run.ts"
import { scenarios } from "./scenarios.ts"

/** Where the original was wrong, and what is right. */
const mended: Readonly<Record<string, { readonly why: string; readonly log: Array<unknown> }>> = {
  "an error knows its target": {
    why: "a connection that can't be opened is closed; the original left it connecting",
    log: [[0], [true, "ECONNREFUSED", true, 3]]
  },
  "a server that refuses": {
    why: "a connection that can't be opened is closed; the original left it connecting",
    log: [[["Error: unexpected server response (401)"]], ["response", 401, "no"], [3, 3]]
  }
}

const recorded = new Map<string, unknown>(Object.entries(original))

describe("as ws 0.4.32 did it", () => {
  for (const [name, scenario] of Object.entries(scenarios)) {
    const expected = mended[name]?.log ?? recorded.get(name)
    it(mended[name] === undefined ? name : `${name}; but ${mended[name].why}`, async () => {
      assert.isDefined(expected, "recorded")
      assert.deepStrictEqual(await runScenario(scenario, WebSocket), expected)
    })
  }
})
