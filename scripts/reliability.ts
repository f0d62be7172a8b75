/** Writes the list of advisories into docs/reliability.md from that of the tests: run it after changing one. */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { type Advisory, advisories } from "../test/advisories/list.ts"

const file = new URL("../docs/reliability.md", import.meta.url)

const begin = "<!-- the list: written by scripts/reliability.ts -->"
const end = "<!-- the end of the list -->"

const entry = ({ breaks, except, holds, id, places, what }: Advisory): string =>
  [
    `- **${id}**: ${what}.`,
    places.length === 0 ? `Can't apply: ${holds}.` : `Held on ${places.join(", ")}: ${holds}.`,
    except === undefined ? "" : `Not on ${except}.`,
    breaks === undefined ? "" : `A test fails with this change: ${breaks}.`
  ]
    .filter((sentence) => sentence !== "")
    .join("\n  ")

/** The page with the list as it should be. Throws when the page has no place for it. */
export const render = (page: string): string => {
  const [before, rest] = page.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`docs/reliability.md lacks ${begin} or ${end}`)
  return `${before}${begin}\n\n${advisories.map(entry).join("\n")}\n\n${end}${after}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(file, render(readFileSync(file, "utf8")))
