/**
 * Runs the core of the tests under Bun and Deno: `npm run test:runtimes`, or with the name of one of them. What differs is
 * expected by name in `expected.ts`: a test that fails and isn't there is a failure of the run, and so is one that is
 * there and passes.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { commands, type Runtime } from "./binaries.ts"
import { core } from "./core.ts"
import { expected } from "./expected.ts"
import type { Outcome } from "./reporter.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** Milliseconds that one run time may take: many times what it does on a machine that has other things to do. */
const limit = 15 * 60_000

const outcomeOf = (runtime: Runtime): Outcome => {
  const folder = mkdtempSync(join(tmpdir(), "effect-ws-runtimes-"))
  const file = join(folder, "outcome.json")
  const [command, ...args] = commands[runtime]()
  const files = core.filter((file) => !expected[runtime].notRun.some(({ what }) => what === file))
  const reporter = "./test/runtimes/reporter.ts"
  const config = "test/runtimes/vitest.config.ts"
  const vitest = ["node_modules/vitest/vitest.mjs", "run", "--config", config, "--reporter", reporter, ...files]
  const { signal, status } = spawnSync(command, [...args, ...vitest], {
    cwd: root,
    env: { ...process.env, OUTCOME: file },
    stdio: "inherit",
    timeout: limit
  })
  try {
    return JSON.parse(readFileSync(file, "utf8"))
  } catch (cause) {
    throw new Error(`${runtime} ended with ${status ?? signal} before its tests had`, { cause })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** What isn't as expected. */
const surprises = (runtime: Runtime, outcome: Outcome): ReadonlyArray<string> => {
  const { differences, errors } = expected[runtime]
  const known = (name: string) => differences.some(({ tests }) => tests.test(name))
  const lines = outcome.errors
    .filter((error) => !errors.some(({ what }) => error.startsWith(what)))
    .map((error) => `outside of the tests: ${error}`)
  for (const { what, why } of errors) {
    if (!outcome.errors.some((error) => error.startsWith(what))) lines.push(`doesn't happen any more (${why}): ${what}`)
  }
  for (const [name, message] of Object.entries(outcome.failed)) {
    if (!known(name)) lines.push(`fails: ${name}: ${message.split("\n", 1)[0]}`)
  }
  for (const { always = true, tests, why } of differences) {
    if (!always) continue
    const passing = outcome.passed.filter((name) => tests.test(name))
    for (const name of passing) lines.push(`passes, and isn't different any more (${why}): ${name}`)
    if (passing.length === 0 && !Object.keys(outcome.failed).some((name) => tests.test(name))) {
      lines.push(`there is no test ${tests} any more (${why})`)
    }
  }
  return lines
}

/** What the page for users doesn't say of the differences. */
const untold = (runtime: Runtime): ReadonlyArray<string> => {
  const { differences, errors, notRun } = expected[runtime]
  const page = readFileSync(join(root, "docs/runtimes.md"), "utf8").replaceAll(/\n {2}/g, " ")
  const reasons = new Set([...differences, ...errors, ...notRun].map(({ why }) => why))
  return [...reasons].filter((why) => !page.includes(`- ${why}`)).map((why) => `docs/runtimes.md doesn't say: ${why}`)
}

const runtimes: ReadonlyArray<Runtime> = ["bun", "deno"]
const asked = process.argv.slice(2)
let failed = false
for (const runtime of runtimes) {
  if (asked.length > 0 && !asked.includes(runtime)) continue
  const outcome = outcomeOf(runtime)
  const lines = [...surprises(runtime, outcome), ...untold(runtime)]
  const different = Object.keys(outcome.failed).length
  console.log(`== ${runtime} ${outcome.runtime}: ${outcome.passed.length} tests pass, ${different} differ`)
  for (const line of lines) console.log(`  ${line}`)
  failed ||= lines.length > 0
}
process.exit(failed ? 1 : 0)
