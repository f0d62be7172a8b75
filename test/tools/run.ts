/**
 * Tries @effect-ws/ws, as it is packed, with run times, test runners, bundlers, compilers and package managers, and
 * writes the outcome into docs/migrating.md: `npm run test:tools`, or with the beginning of a group's title.
 * Fails, and writes nothing, when a tool doesn't do with it what the table says.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { argv, exit } from "node:process"
import { bundlers } from "./bundlers.ts"
import type { Cell, Group } from "./cell.ts"
import { compilers } from "./compilers.ts"
import { managers } from "./managers.ts"
import { cleanUp } from "./project.ts"
import { runners } from "./runners.ts"
import { runtimes } from "./runtimes.ts"
import { render } from "./table.ts"

const page = new URL("../../docs/migrating.md", import.meta.url)

/** Cells that are tried at the same time. */
const lanes = 2

interface Trial {
  readonly name: string
  readonly cell: Cell
}

const trialsOf = ({ columns, rows, title }: Group): ReadonlyArray<Trial> =>
  rows.flatMap((row) =>
    row.cells.flatMap((cell, at) =>
      cell === undefined ? [] : [{ name: `${title}: ${row.name}, ${columns[at]}`, cell }]
    )
  )

/** Tries everything, and gives the names of what failed. */
const tryAll = async (trials: ReadonlyArray<Trial>): Promise<ReadonlyArray<string>> => {
  const waiting = [...trials]
  const failed: Array<string> = []
  const lane = async (): Promise<void> => {
    for (let trial = waiting.shift(); trial !== undefined; trial = waiting.shift()) {
      const begun = performance.now()
      const error = await trial.cell.run().then(
        () => undefined,
        (error: unknown) => error
      )
      const seconds = ((performance.now() - begun) / 1000).toFixed(1)
      const verdict = error === undefined ? (trial.cell.note === undefined ? "works" : "as noted") : "FAILS"
      console.log(`${verdict.padEnd(9)}${seconds.padStart(5)} s  ${trial.name}`)
      if (error === undefined) continue
      failed.push(trial.name)
      console.log(String(error instanceof Error ? error.message : error).replaceAll(/^/gm, "    "))
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return failed
}

const groups = [runtimes(), runners(), bundlers(), compilers(), managers()]
const asked = argv.slice(2)
const chosen = groups.filter(({ title }) => asked.length === 0 || asked.some((name) => title.startsWith(name)))
const trials = chosen.flatMap(trialsOf)

const failed = await tryAll(trials).finally(cleanUp)
console.log(`\n${trials.length - failed.length} of ${trials.length} are as they should be`)
if (failed.length > 0) {
  console.log(`not as docs/migrating.md says:\n${failed.map((name) => `  ${name}`).join("\n")}`)
  exit(1)
}
if (asked.length === 0) writeFileSync(page, render(readFileSync(page, "utf8"), groups))
