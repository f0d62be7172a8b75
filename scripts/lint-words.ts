/**
 * Finds words of the glossary's left column (docs/language.md), public exports without a docstring, and long subjects of
 * commits:
 *
 *   node scripts/lint-words.ts [--since COMMIT] [--possible] [--count] [path…]
 *
 * Prints file, line and word, then how often each word occurs, and exits with 1 when there is any. Words that are wrong in one
 * sense only are listed by `--possible`, and don't count. `--count` leaves out the lines.
 */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { render } from "./api-docs.ts"

const root = fileURLToPath(new URL("../", import.meta.url))

interface Rule {
  readonly word: RegExp
  readonly use: string
  /** Files where the word is wrong; everywhere without it. */
  readonly within?: RegExp
  /** Lines where it is right: terms of the standards and of other programs. */
  readonly except?: RegExp
  /** Whether it is wrong in one sense only, which a pattern can't tell. */
  readonly possible?: boolean
}

/** The words are searched in text whose camel case was split: `keepUp` is "keep Up". */
export const rules: ReadonlyArray<Rule> = [
  { word: /\bfaces?\b/i, use: "API, handler" },
  { word: /\b(?:tells?|told|telling)\b/i, use: "deliver, emit, dispatch" },
  { word: /\b(?:hears?|heard|hearing)\b/i, use: "receives, is called with" },
  { word: /\banswers\b/i, use: "returns", possible: true },
  { word: /\b(?:lent|lends?|lending|loans?)\b/i, use: "borrowed, borrow" },
  { word: /\b(?:nobody|somebody|anybody)(?:'s)?\b/i, use: "the actor's name" },
  { word: /\b(?:who|whom|whose)\b/i, use: "the actor's name", possible: true },
  {
    word: /\bbehind\b/i,
    use: "after",
    except:
      /behind (?:an?|the|trusted|other|your|one|two)? ?\w*(?:prox|balancer|NAT|nginx|HAProxy|Caddy|Apache|Varnish)/i
  },
  { word: /\b(?:beneath|on top)\b/i, use: "implementation, transport" },
  { word: /\bke(?:ep|eps|pt|eping) ?up\b/i, use: "reconnect, reconnecting connection" },
  { word: /\b(?:gates?|takers?)\b/i, use: "upgrade handler" },
  { word: /\binbox(?:es)?\b/i, use: "receive buffer" },
  { word: /\bquestions?\b/i, use: "request" },
  { word: /\b(?:ask|asks|asked|asking)\b/i, use: "request, buildRequest" },
  {
    word: /\b(?:confirm|confirms|confirmed)\b/i,
    use: "verifyResponse",
    within: /^src\/(?:Handshake|internal\/(?:protocol|handshake|client))/
  },
  { word: /\bviolat(?:ions?|es?|ed)\b/i, use: "protocol error, ProtocolError", except: /policy violation/i },
  {
    word: /\bfaults?\b/i,
    use: "invalid field",
    within: /^src\/(?:Handshake|internal\/(?:protocol\/opening|handshake))/
  },
  { word: /\btall(?:y|ies)\b/i, use: "counters" },
  { word: /\b(?:spoken|speaks?)\b/i, use: "supported, support" },
  { word: /\b(?:say|says|said|saying)\b/i, use: "support", possible: true },
  { word: /\bmost [A-Z]\w*/, use: "max…" },
  { word: /\b(?:patience|deaf)\b/i, use: "grace period, discarding" },
  { word: /\b(?:retire[ds]?|retiring|departures?)\b/i, use: "shut down, disconnect" },
  { word: /\b(?:leave|leaves|leaving)\b/i, use: "disconnect", possible: true },
  { word: /\bRare\b/, use: "lazily allocated state" },
  { word: /\b(?:sealed|spent)\b/i, use: "closed, used up" },
  { word: /\bgone\b/i, use: "closed", except: /\b410\b/ },
  { word: /\bhouses?\b/i, use: "code base" },
  { word: /\brooms?\b/i, use: "module; space", except: /\bchat|rooms?\//i, within: /^(?!examples\/chat\/)/ },
  { word: /(?:\/\*\*|^\s*\*|^\s*\/\/) What\b(?!.*\?)/, use: "a noun phrase" }
]

const extensions = /\.(?:ts|mts|mjs|js|md|html|yml)$/

/** What holds words of others: generated pages, the glossary and this file, recorded cases, and the history. */
const excluded =
  /^(?:docs\/api\/|docs\/language\.md$|scripts\/lint-words\.ts$|test\/lint-words\.test\.ts$|CHANGELOG\.md$|bench\/results|site\/package)/

const splitCamelCase = (line: string): string => line.replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, " ")

export interface Found {
  readonly file: string
  readonly line: number
  readonly word: string
  readonly use: string
  readonly possible: boolean
}

/** The words of a text that the glossary replaces. */
export const wordsOf = (file: string, text: string): ReadonlyArray<Found> =>
  text.split("\n").flatMap((line, at) => {
    const split = splitCamelCase(line)
    return rules.flatMap(({ except, possible = false, use, within, word }): ReadonlyArray<Found> => {
      if (within?.test(file) === false || except?.test(split) === true) return []
      const found = word.exec(split)?.[0].trim()
      return found === undefined ? [] : [{ file, line: at + 1, possible, use, word: found }]
    })
  })

const git = (...args: ReadonlyArray<string>): ReadonlyArray<string> =>
  execFileSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 })
    .split("\n")
    .filter((line) => line !== "")

/** Subjects of more than 72 characters after a commit. */
const longSubjects = (since: string): ReadonlyArray<string> =>
  git("log", "--format=%h %s", `${since}..HEAD`).filter((line) => line.slice(line.indexOf(" ") + 1).length > 72)

const main = async (): Promise<void> => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { count: { type: "boolean" }, possible: { type: "boolean" }, since: { type: "string" } }
  })
  const files = git("ls-files", "--", ...positionals).filter((file) => extensions.test(file) && !excluded.test(file))
  const found = files.flatMap((file) => wordsOf(file, readFileSync(`${root}${file}`, "utf8")))
  const wanted = found.filter(({ possible }) => possible === (values.possible === true))
  if (values.count !== true) {
    for (const { file, line, use, word } of wanted) console.log(`${file}:${line}: "${word}"; use: ${use}`)
  }
  const counts = new Map<string, number>()
  for (const { word } of wanted) counts.set(word.toLowerCase(), (counts.get(word.toLowerCase()) ?? 0) + 1)
  for (const [word, count] of [...counts].sort(([, a], [, b]) => b - a)) console.log(`${count} × ${word}`)
  console.log(`${wanted.length} words in ${new Set(wanted.map(({ file }) => file)).size} of ${files.length} files`)
  const { undocumented } = await render()
  for (const name of undocumented) console.log(`no docstring: ${name}`)
  const long = values.since === undefined ? [] : longSubjects(values.since)
  for (const subject of long) console.log(`longer than 72 characters: ${subject}`)
  if (found.some(({ possible }) => !possible) || undocumented.length > 0 || long.length > 0) process.exitCode = 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
