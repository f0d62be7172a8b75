/** The outcome as tables in Markdown. */
import type { Group } from "./cell.ts"

const begin = "<!-- the table: written by test/tools/run.ts -->"
const end = "<!-- the end of the table -->"

/** The number of a note, which begins the list or is already in it. */
const numberOf = (note: string, notes: Array<string>): number => {
  const at = notes.indexOf(note)
  return at < 0 ? notes.push(note) : at + 1
}

const tableOf = ({ columns, rows, title }: Group, notes: Array<string>): string =>
  [
    `| ${[title, ...columns].join(" | ")} |`,
    `| ${[title, ...columns].map(() => "---").join(" | ")} |`,
    ...rows.map(({ cells, name }) => {
      const shown = cells.map((cell) => {
        if (cell === undefined) return ""
        return cell.note === undefined ? "works" : `note ${numberOf(cell.note, notes)}`
      })
      return `| ${[name, ...shown].join(" | ")} |`
    })
  ].join("\n")

/** The page with the tables of these groups. Throws when it has no place for them. */
export const render = (page: string, groups: ReadonlyArray<Group>): string => {
  const [before, rest] = page.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`docs/migrating.md lacks ${begin} or ${end}`)
  const notes: Array<string> = []
  const tables = groups.map((group) => tableOf(group, notes))
  const list = notes.map((note, at) => `${at + 1}. ${note}`).join("\n")
  return `${before}${begin}\n\n${[...tables, list].join("\n\n")}\n\n${end}${after}`
}
