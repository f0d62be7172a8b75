/**
 * The whole suite from the command line, with 1000 messages in each compressed series as in the original:
 *
 *   node test/conformance/cli.ts [--target ws] [--role server|client] [--case 12.1] [--messages 1000]
 *     [--concurrency 8] [--slowest 5] [--update]
 *
 * Prints every verdict that differs from the expected one and exits with 1 if there is any. `--case` takes beginnings
 * of case numbers and may stand several times. `--update` writes the verdicts down as the expected ones.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { allCases } from "./cases/index.ts"
import { differences, type Expected, type Role, run, type Verdicts, verdictsOf } from "./run.ts"
import { targets } from "./targets/index.ts"

const { values } = parseArgs({
  options: {
    target: { type: "string", multiple: true },
    role: { type: "string", multiple: true },
    case: { type: "string", multiple: true },
    messages: { type: "string", default: "1000" },
    concurrency: { type: "string", default: "8" },
    slowest: { type: "string", default: "0" },
    update: { type: "boolean", default: false }
  }
})

const roles: ReadonlyArray<Role> = ["server", "client"]

const cases = allCases.filter(
  ({ id }) => values.case === undefined || values.case.some((prefix) => `${id}.`.startsWith(`${prefix}.`))
)

const count = (verdicts: Verdicts): string => {
  const counts = new Map<string, number>()
  for (const [behavior, close] of Object.values(verdicts)) {
    const key = close === "OK" || close === behavior ? behavior : `${behavior} (close ${close})`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return [...counts].map(([key, n]) => `${n} ${key}`).join(", ")
}

for (const target of targets) {
  if (values.target !== undefined && !values.target.includes(target.name)) continue
  const file = new URL(`expected/${target.name}.json`, import.meta.url)
  let expected: Expected = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { server: {}, client: {} }
  for (const role of roles) {
    if (values.role !== undefined && !values.role.includes(role)) continue
    const start = performance.now()
    const results = await run(target, role, cases, {
      messages: Number(values.messages),
      concurrency: Number(values.concurrency)
    })
    const verdicts = verdictsOf(results)
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    console.log(`${target.name} as ${role}: ${cases.length} cases in ${seconds} s: ${count(verdicts)}`)
    const slowest = [...results].sort((a, b) => b.ms - a.ms).slice(0, Number(values.slowest))
    for (const { id, ms } of slowest) console.log(`  ${id} took ${ms} ms`)
    const lines = differences(cases, results, expected[role])
    if (values.update) {
      const merged: Verdicts = { ...expected[role], ...verdicts }
      const ordered = allCases.flatMap(({ id }) => (merged[id] === undefined ? [] : [[id, merged[id]] as const]))
      expected = { ...expected, [role]: Object.fromEntries(ordered) }
      console.log(`  ${lines.length} expected verdicts changed`)
    } else if (lines.length > 0) {
      process.exitCode = 1
      for (const line of lines) console.log(line)
    }
  }
  if (values.update) {
    // A case a line, as the formatter wants it.
    const json = JSON.stringify(expected, null, 2).replaceAll(/\[\s+("[^"]+"),\s+("[^"]+")\s+\]/g, "[$1, $2]")
    writeFileSync(file, `${json}\n`)
  }
}
