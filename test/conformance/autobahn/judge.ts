/** Fails when the original suite's report has a verdict that isn't good: `node judge.ts reports/index.json`. */
import { readFileSync } from "node:fs"

interface Verdict {
  readonly behavior: string
  readonly behaviorClose: string
}

const [, , file = "reports/index.json"] = process.argv

const agents: Readonly<Record<string, Readonly<Record<string, Verdict>>>> = JSON.parse(readFileSync(file, "utf8"))

const good = ["OK", "INFORMATIONAL", "NON-STRICT"]

for (const [agent, cases] of Object.entries(agents)) {
  const entries = Object.entries(cases)
  const bad = entries.filter(
    ([, { behavior, behaviorClose }]) => !good.includes(behavior) || !good.includes(behaviorClose)
  )
  console.log(`${agent}: ${entries.length} cases, ${bad.length} of them not good`)
  for (const [id, { behavior, behaviorClose }] of bad) console.log(`  ${id}: ${behavior}, close ${behaviorClose}`)
  if (bad.length > 0 || entries.length < 517) process.exitCode = 1
}
if (Object.keys(agents).length === 0) throw new Error(`${file} has no agent`)
