/**
 * Records what `ws` 0.4.32 does in the scenarios: `node test/ws-legacy/record.ts <folder of ws 0.4.32>` prints the
 * content of `original.json`.
 */
import { createRequire } from "node:module"
import { runScenario } from "./run.ts"
import type { Library } from "./peers.ts"
import { scenarios } from "./scenarios.ts"

const [, , folder = "ws"] = process.argv
const library = createRequire(`${process.cwd()}/`)(folder) as Library

const logs: Record<string, unknown> = {}
for (const [name, scenario] of Object.entries(scenarios)) {
  logs[name] = await runScenario(scenario, library)
}
process.stdout.write(`${JSON.stringify(logs, undefined, 2)}\n`, () => process.exit())
