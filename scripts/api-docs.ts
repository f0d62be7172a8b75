/** Writes docs/api from the docstrings of the public modules: run it after changing one. */
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { format, type FormatConfig } from "oxfmt"
import { docOf, type Export, makeReader, type Member, membersOf, type Reader, textOf } from "./declarations.ts"

const root = fileURLToPath(new URL("../", import.meta.url))
const folder = join(root, "docs", "api")

/** A page of the reference, and the module that it is about. */
interface Page {
  readonly title: string
  /** The module's path below `src`, without `.ts`. */
  readonly path: string
  readonly importing: string
}

/** What is written, and what is wrong with it. */
export interface Reference {
  /** The pages' contents by file name. */
  readonly pages: ReadonlyMap<string, string>
  /** Modules, exports and members that have no docstring, and exports without `@category` or `@since`. */
  readonly undocumented: ReadonlyArray<string>
}

const pages: ReadonlyArray<Page> = [
  ...readdirSync(join(root, "src"))
    .filter((file) => file.endsWith(".ts") && file !== "index.ts")
    .map((file) => basename(file, ".ts"))
    .toSorted()
    .map((name) => ({
      importing:
        name === "browser"
          ? `import { Socket } from "effect-ws/browser"`
          : `import * as ${name} from "effect-ws/${name}"`,
      path: name,
      title: name
    })),
  { importing: `import WebSocket, { WebSocketServer } from "effect-ws/ws"`, path: "ws/index", title: "ws" },
  {
    importing: `import WebSocket, { Server } from "effect-ws/ws/legacy"`,
    path: "ws/legacy/index",
    title: "ws-legacy"
  }
]

/** The declaration files of `src`, made by the compiler in a folder that is gone afterwards. */
const withDeclarations = <A>(use: (folder: string) => A): A => {
  const made = mkdtempSync(join(tmpdir(), "effect-ws-api-"))
  try {
    const tsc = join(root, "node_modules", ".bin", "tsc")
    const project = ["-p", join(root, "tsconfig.build.json"), "--outDir", made]
    execFileSync(tsc, [...project, "--noCheck", "--emitDeclarationOnly", "--declarationMap", "false"], {
      encoding: "utf8"
    })
    return use(made)
  } finally {
    rmSync(made, { force: true, recursive: true })
  }
}

/** What a base class was written as, where the compiler gave it a name; else its declaration stands before the class. */
const withBase = (code: string, bases: ReadonlyMap<string, string>): string => {
  const name = / extends (\w+_base)\b/.exec(code)?.[1]
  const base = name === undefined ? undefined : bases.get(name)
  if (name === undefined || base === undefined) return code
  const service = /: Context\.ServiceClass<(\w+), ("[^"]+"), ([^]+)>;$/.exec(base)
  const tag = base.includes("YieldableError") ? /_tag: ("\w+");/.exec(base)?.[1] : undefined
  if (service !== null) return code.replace(name, `Context.Service<${service[1]}, ${service[3]}>()(${service[2]})`)
  return tag === undefined ? `${base}\n${code}` : code.replace(name, `Data.TaggedError(${tag})`)
}

const kindOf = (code: string): string => {
  const [, kind = "", type = ""] = /^(?:declare )?(?:abstract )?(\w+) \w+(?:: )?([^]*)$/.exec(code) ?? []
  return kind === "const" ? (/^[(<]/.test(type) && type.includes("=>") ? "function" : "constant") : kind
}

/** GitHub's anchors: the heading in lower case without punctuation, numbered when it was there before. */
const makeAnchors = () => {
  const seen = new Map<string, number>()
  return (heading: string): string => {
    const slug = heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-")
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    return count === 0 ? slug : `${slug}-${count}`
  }
}

/** A source file's docstring: what stands at its top, before what it imports or passes on. */
const moduleDoc = (path: string): string => {
  const source = readFileSync(join(root, "src", `${path}.ts`), "utf8")
  return docOf(textOf(/^(\/\*\*(?:(?!\*\/)[^])*\*\/)\s+(?:import\b|export (?:type )?[*{])/.exec(source)?.[1] ?? ""))
    .text
}

interface Entry {
  readonly name: string
  readonly kinds: ReadonlyArray<string>
  readonly doc: string
  readonly category: string | undefined
  readonly since: string | undefined
  readonly signature: string
  readonly members: ReadonlyArray<Member>
  /** The name of the entry that this is another name of. */
  readonly same: string | undefined
}

const identity = (of: Export): string => (of.kind === "namespace" ? of.file : `${of.file}:${of.name}`)

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a.toLowerCase() < b.toLowerCase() ? -1 : a.toLowerCase() > b.toLowerCase() ? 1 : a < b ? -1 : 1

const entriesOf = (reader: Reader, made: string, path: string, prefix: string): ReadonlyArray<Entry> => {
  const exports = [...reader.exportsOf(join(made, `${path}.d.ts`))].toSorted(byName)
  const first = new Map<string, string>()
  for (const [name, of] of exports) {
    if (!first.has(identity(of)) || (of.kind === "declared" && of.name === name)) first.set(identity(of), name)
  }
  return exports.flatMap(([name, of]): ReadonlyArray<Entry> => {
    const own = first.get(identity(of)) ?? name
    const same = own === name ? undefined : prefix + own
    if (of.kind === "namespace") {
      const inner = relative(made, of.file).replace(/\.d\.ts$/, "")
      const entry = {
        category: "modules",
        doc: moduleDoc(inner),
        kinds: ["module"],
        members: [],
        name: prefix + name,
        same,
        signature: "",
        since: undefined
      }
      return [entry, ...(same === undefined ? entriesOf(reader, made, inner, `${prefix}${name}.`) : [])]
    }
    const docs = of.statements.map(({ doc }) => docOf(doc)).filter(({ text }) => text !== "")
    const codes = of.statements.map(({ code }) => membersOf(withBase(code, of.bases)))
    return [
      {
        category: docs.find(({ category }) => category !== undefined)?.category,
        doc: [...new Set(docs.map(({ text }) => text))].join("\n\n"),
        kinds: [...new Set(of.statements.map(({ code }) => kindOf(code)))],
        members: codes.flatMap(({ members }) => members),
        name: prefix + name,
        same,
        signature: codes.map(({ code }) => code).join("\n\n"),
        since: docs.find(({ since }) => since !== undefined)?.since
      }
    ]
  })
}

/** Members that say themselves what they are: tags, brands, constructors, what `ws` marks as internal, and an emitter's. */
const evident = /^(?:_\w+|constructor|"?~.*|\[.*\]|on|once|off|(?:add|remove|prepend|prependOnce)Listener)$/

/** What an entry lacks. */
const lacksOf = ({ category, doc, kinds, members, same, since }: Entry): ReadonlyArray<string> => {
  if (same !== undefined) return []
  const tags = kinds.includes("module") ? [] : [...(category ? [] : ["@category"]), ...(since ? [] : ["@since"])]
  const without = members.filter(({ doc, name }) => doc === "" && !evident.test(name)).map(({ name }) => `.${name}`)
  return [...(doc === "" ? ["a docstring"] : []), ...tags, ...without]
}

const note = "<!-- Written by `npm run docs:api` from the docstrings: change those. -->"

const pageOf = ({ importing, title }: Page, doc: string, entries: ReadonlyArray<Entry>): string => {
  const anchorOf = makeAnchors()
  anchorOf(title)
  const grouped = [...new Set(entries.map(({ category = "other" }) => category))].toSorted()
  const anchors = new Map<string, string>()
  for (const category of grouped) {
    anchorOf(category)
    for (const { name } of inCategory(entries, category)) anchors.set(name, anchorOf(name))
  }
  const link = (name: string): string => `[\`${name}\`](#${anchors.get(name)})`
  const section = ({ doc, kinds, members, name, same, signature, since }: Entry): ReadonlyArray<string> =>
    same === undefined
      ? [
          `### \`${name}\``,
          `_${[...kinds, ...(since === undefined ? [] : [`since ${since}`])].join(", ")}_`,
          doc,
          signature === "" ? "" : `\`\`\`ts\n${signature}\n\`\`\``,
          members.some(({ doc }) => doc !== "") ? membersTable(members) : ""
        ]
      : [`### \`${name}\``, `The same as ${link(same)}.`]
  return [
    note,
    `# ${title}`,
    doc,
    `\`\`\`ts\n${importing}\n\`\`\``,
    grouped
      .map(
        (category) =>
          `- ${category}: ${inCategory(entries, category)
            .map(({ name }) => link(name))
            .join(", ")}`
      )
      .join("\n"),
    ...grouped.flatMap((category) => [`## ${category}`, ...inCategory(entries, category).flatMap(section)])
  ]
    .filter((part) => part !== "")
    .join("\n\n")
}

const inCategory = (entries: ReadonlyArray<Entry>, category: string): ReadonlyArray<Entry> =>
  entries.filter((entry) => (entry.category ?? "other") === category)

/** What each member is, one after the other. */
const membersTable = (members: ReadonlyArray<Member>): string =>
  members
    .filter(({ doc }) => doc !== "")
    .map(({ doc, name }) => `- \`${name}\`: ${doc.replaceAll("\n", "\n  ")}`)
    .join("\n")

const contentsOf = (docs: ReadonlyMap<string, string>): string => {
  const items = pages.map(({ importing, title }) => {
    const path = /"(.+)"/.exec(importing)?.[1] ?? ""
    return `- [\`${path}\`](${title}.md): ${(docs.get(title) ?? "").split("\n\n")[0]?.replaceAll("\n", " ")}`
  })
  return [
    note,
    "# API reference",
    "Every export of every public module: its signature as the compiler declares it, and what its docstring says.",
    items.join("\n")
  ].join("\n\n")
}

/** The reference as it should be, formatted. Types are not checked here: `npm run check` does that. */
export const render = async (): Promise<Reference> => {
  const undocumented: Array<string> = []
  const docs = new Map<string, string>()
  const texts = withDeclarations((made) => {
    const reader = makeReader()
    return pages.map((page): readonly [string, string] => {
      const doc = moduleDoc(page.path)
      const entries = entriesOf(reader, made, page.path, "")
      if (doc === "") undocumented.push(page.title)
      for (const entry of entries) {
        for (const lack of lacksOf(entry)) undocumented.push(`${page.title}: ${entry.name}: ${lack}`)
      }
      docs.set(page.title, doc)
      return [`${page.title}.md`, pageOf(page, doc, entries)]
    })
  })
  const options: FormatConfig = JSON.parse(readFileSync(join(root, ".oxfmtrc.json"), "utf8"))
  const contents = [["README.md", contentsOf(docs)] as const, ...texts].map(async ([name, text]) => {
    const { code, errors } = await format(join(folder, name), text, options)
    if (errors.length > 0) throw new Error(`${name}: ${errors.map(({ message }) => message).join("; ")}`)
    return [name, code] as const
  })
  return { pages: new Map(await Promise.all(contents)), undocumented }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { pages, undocumented } = await render()
  if (undocumented.length > 0) throw new Error(`These lack something:\n${undocumented.join("\n")}`)
  rmSync(folder, { force: true, recursive: true })
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of pages) writeFileSync(join(folder, name), text)
}
