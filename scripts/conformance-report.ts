/**
 * Draws the verdicts of the original Autobahn suite and of our own beside each other, as that suite draws its reports: the
 * summary in docs/conformance.md (`node scripts/conformance-report.ts` writes it), and the page with every case for the site.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { allCases } from "../test/conformance/cases/index.ts"

const root = new URL("../", import.meta.url)

type Role = "server" | "client"

const roles: ReadonlyArray<Role> = ["server", "client"]

/** Behaviour, close, and where it was measured the duration in milliseconds. */
type Verdict = readonly [behavior: string, close: string, milliseconds?: number]

type Verdicts = Readonly<Record<Role, Readonly<Record<string, Verdict>>>>

interface Original extends Verdicts {
  readonly suite: string
  readonly date: string
  readonly library: string
  readonly settings: string
  readonly note: string
}

const read = <A>(path: string): A => JSON.parse(readFileSync(new URL(path, root), "utf8"))

const original: Original = read("test/conformance/autobahn/results.json")
const own: Verdicts = read("test/conformance/expected/effect-ws.json")

const sections: Readonly<Record<string, string>> = {
  1: "Framing",
  2: "Pings and pongs",
  3: "Reserved bits",
  4: "Opcodes",
  5: "Fragmentation",
  6: "UTF-8",
  7: "Closing handshake",
  9: "Limits and large messages",
  10: "Chopped writes",
  12: "Compression, parameters by default",
  13: "Compression, parameters negotiated"
}

const sectionOf = (id: string): string => id.slice(0, id.indexOf("."))

const text = ([behavior, close]: Verdict): string =>
  close === "OK" || close === behavior ? behavior : `${behavior} (close ${close})`

/** How often each verdict was given, such as `16 OK`. */
const counts = (verdicts: ReadonlyArray<Verdict>): string => {
  const counted = new Map<string, number>()
  for (const verdict of verdicts) counted.set(text(verdict), (counted.get(text(verdict)) ?? 0) + 1)
  return [...counted].map(([verdict, count]) => `${count} ${verdict}`).join(", ")
}

const of = (verdicts: Verdicts, role: Role, section?: string): ReadonlyArray<Verdict> =>
  Object.entries(verdicts[role]).flatMap(([id, verdict]) =>
    section === undefined || sectionOf(id) === section ? [verdict] : []
  )

const cells = (section?: string): ReadonlyArray<string> =>
  [original, own].flatMap((verdicts) => roles.map((role) => counts(of(verdicts, role, section))))

const begin = "<!-- written by scripts/conformance-report.ts -->"
const end = "<!-- the end of what it writes -->"

/** The page with its table as it should be. */
export const render = (page: string): string => {
  const [before, rest] = page.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`docs/conformance.md lacks ${begin} or ${end}`)
  const rows = [
    ["section", "original, server", "original, client", "own, server", "own, client"],
    ["---", "---", "---", "---", "---"],
    ...Object.entries(sections).map(([section, title]) => [`${section} ${title}`, ...cells(section)]),
    ["all", ...cells()]
  ]
  const table = rows.map((row) => `| ${row.join(" | ")} |`).join("\n")
  return `${before}${begin}\n\n${table}\n\n${end}${after}`
}

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

const cell = (verdict: Verdict | undefined): string => {
  if (verdict === undefined) return `<td class="missing">missing</td>`
  const [behavior, close, milliseconds] = verdict
  const kind = behavior === "OK" ? (close === "OK" ? "ok" : "unclean") : behavior.toLowerCase()
  return `<td class="${kind}">${escape(text(verdict))}${milliseconds === undefined ? "" : ` <small>${milliseconds} ms</small>`}</td>`
}

const style = `
  :root { color-scheme: light dark; --line: #c8ccd1; --ok: #b7f0c1; --info: #c9dcff; --unclean: #ffe9a8; --failed: #ffb3b3 }
  @media (prefers-color-scheme: dark) { :root { --line: #444; --ok: #14532d; --info: #1e3a6e; --unclean: #6b4f00; --failed: #7f1d1d } }
  body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1rem; background: light-dark(#fff, #16181c) }
  .scroll { overflow-x: auto }
  table { border-collapse: collapse; width: 100% }
  th, td { border: 1px solid var(--line); padding: .2rem .5rem; text-align: left; white-space: nowrap }
  td.title { white-space: normal; min-width: 12rem }
  h1, h2, p { overflow-wrap: anywhere }
  .ok { background: var(--ok) } .informational { background: var(--info) } .unclean { background: var(--unclean) }
  .failed, .missing { background: var(--failed) }`

/** The page with every case. */
export const report = (): string => {
  const tables = Object.entries(sections).map(([section, title]) => {
    const rows = allCases
      .filter(({ id }) => sectionOf(id) === section)
      .map(({ id, title }) => {
        const verdicts = [original, own].flatMap((suite) => roles.map((role) => cell(suite[role][id])))
        return `<tr><th>${id}</th><td class="title">${escape(title)}</td>${verdicts.join("")}</tr>`
      })
    return `<h2>${section} ${title}</h2>
<div class="scroll"><table>
<tr><th>case</th><th></th><th colspan="2">original suite</th><th colspan="2">our own suite</th></tr>
<tr><th></th><th></th><th>server</th><th>client</th><th>server</th><th>client</th></tr>
${rows.join("\n")}
</table></div>`
  })
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Conformance of effect-ws</title>
<style>${style}
</style>
</head>
<body>
<h1>Conformance of effect-ws</h1>
<p>Original suite: ${escape(original.suite)}, ${original.date}, ${escape(original.library)}. ${escape(original.settings)}.</p>
<p>${escape(original.note)}.</p>
<p>Our own suite: the verdicts on record in <code>test/conformance/expected</code>; any difference fails the tests.</p>
${tables.join("\n")}
</body>
</html>
`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const page = new URL("docs/conformance.md", root)
  writeFileSync(page, render(readFileSync(page, "utf8")))
}
