/** Reads declaration files as the compiler writes them: what a module exports, with signature and docstring. */
import { existsSync, readFileSync } from "node:fs"
import { dirname, resolve } from "node:path"

/** One statement of a declaration file: its text without `export`, and the docstring above it. */
interface Statement {
  readonly code: string
  readonly doc: string
}

/** A name's statements: several when a value and a type share it. */
interface Declared {
  readonly kind: "declared"
  readonly file: string
  readonly name: string
  readonly statements: ReadonlyArray<Statement>
  /** The declarations of base classes that the compiler had to name, by their names. */
  readonly bases: ReadonlyMap<string, string>
}

/** A module under a name. */
interface Namespace {
  readonly kind: "namespace"
  readonly file: string
}

/** What a module exports under a name. */
export type Export = Declared | Namespace

/** Reads modules by the path of their declaration file, and each file once. */
export interface Reader {
  readonly exportsOf: (file: string) => ReadonlyMap<string, Export>
}

interface Scan {
  readonly declared: ReadonlyMap<string, ReadonlyArray<Statement>>
  /** The names that are exported where they are declared. */
  readonly exported: ReadonlySet<string>
  /** Local names, and where they come from: a name of another file, or all of it as `*`. */
  readonly imported: ReadonlyMap<string, { readonly from: string; readonly name: string }>
  /** Names that an export list gives; `from` is absent for local ones. */
  readonly listed: ReadonlyArray<{ readonly as: string; readonly from: string | undefined; readonly name: string }>
  /** Files all of whose exports are passed on, or all that are types. */
  readonly passedOn: ReadonlyArray<{ readonly from: string; readonly types: boolean }>
}

/** Where the comment, string or template at `at` ends; `at` itself when there is none. */
const skip = (source: string, at: number): number => {
  const end = (mark: string, from: number): number => {
    const found = source.indexOf(mark, from)
    return found < 0 ? source.length : found + mark.length
  }
  if (source.startsWith("/*", at)) return end("*/", at + 2)
  if (source.startsWith("//", at)) return end("\n", at)
  const quote = source[at]
  if (quote !== '"' && quote !== "'" && quote !== "`") return at
  let to = at + 1
  while (to < source.length && source[to] !== quote) to += source[to] === "\\" ? 2 : 1
  return to + 1
}

const blocks = /^(?:export )?(?:default )?(?:declare )?(?:abstract )?(?:class|interface|namespace|module|enum)\b/

/** Where the statement at `at` ends: at its semicolon, or at the brace that closes its block and ends the line. */
const endOf = (source: string, at: number): number => {
  const block = blocks.test(source.slice(at, at + 80))
  let depth = 0
  for (let to = at; to < source.length; to++) {
    const past = skip(source, to)
    if (past > to) {
      to = past - 1
      continue
    }
    const character = source[to] ?? ""
    if ("([{".includes(character)) depth++
    else if (")]}".includes(character)) depth--
    if (depth === 0 && (character === ";" || (block && /^\}\s/.test(source.slice(to, to + 2))))) return to + 1
  }
  return source.length
}

/** What a docstring says. */
export const textOf = (comment: string): string =>
  comment
    .replace(/^\/\*\*\s*/, "")
    .replace(/\s*\*\/$/, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, ""))
    .join("\n")
    .trim()

/** Members that are nobody else's business, with their docstrings. */
const hidden =
  /^ {4}(?:\/\*\* @internal \*\/\n {4}[^\n]*|(?:\/\*\*(?:(?!\*\/)[^])*\*\/\n {4})?(?:#private;|(?:static )?private [^\n]*))\n/gm

const names = (list: string): ReadonlyArray<{ readonly as: string; readonly name: string }> =>
  list
    .split(",")
    .map((item) => item.trim().replace(/^type /, ""))
    .filter((item) => item !== "")
    .map((item) => {
      const [name = "", as = name] = item.split(" as ").map((part) => part.replaceAll('"', ""))
      return { as, name }
    })

const scan = (file: string): Scan => {
  const source = readFileSync(file, "utf8")
  const declared = new Map<string, Array<Statement>>()
  const exported = new Set<string>()
  const imported = new Map<string, { from: string; name: string }>()
  const listed: Array<{ as: string; from: string | undefined; name: string }> = []
  const passedOn: Array<{ from: string; types: boolean }> = []
  const fileOf = (specifier: string): string =>
    specifier.startsWith(".") ? resolve(dirname(file), specifier.replace(/\.ts$/, ".d.ts")) : specifier
  let doc = ""
  for (let at = 0; at < source.length;) {
    if (/\s/.test(source[at] ?? "")) {
      at++
      continue
    }
    const past = source.startsWith("/", at) ? skip(source, at) : at
    if (past > at) {
      const comment = source.slice(at, past)
      if (comment.startsWith("/**")) doc = textOf(comment)
      at = past
      continue
    }
    const end = endOf(source, at)
    const code = source.slice(at, end)
    const list = /^(import|export) (?:type )?\{([^}]*)\}(?: from "([^"]+)")?;$/.exec(code)
    const all = /^(import|export) (?:type )?\*(?: as (\w+))? from "([^"]+)";$/.exec(code)
    const name = /^(?:export )?(?:declare )?(?:abstract )?(?:\w+) (\w+)/.exec(code)?.[1]
    if (list !== null) {
      const from = list[3] === undefined ? undefined : fileOf(list[3])
      for (const item of names(list[2] ?? "")) {
        if (list[1] === "export") listed.push({ ...item, from })
        else imported.set(item.as, { from: from ?? "", name: item.name })
      }
    } else if (all !== null) {
      const from = fileOf(all[3] ?? "")
      if (all[2] === undefined) passedOn.push({ from, types: code.startsWith("export type ") })
      else if (all[1] === "export") listed.push({ as: all[2], from, name: "*" })
      else imported.set(all[2], { from, name: "*" })
    } else if (name !== undefined && !code.startsWith("import")) {
      const statement = { code: code.replace(/^export /, "").replace(hidden, ""), doc }
      declared.set(name, [...(declared.get(name) ?? []), statement])
      if (code.startsWith("export ")) exported.add(name)
    }
    doc = ""
    at = end
  }
  return { declared, exported, imported, listed, passedOn }
}

/** A docstring: its text, and what its tags say. */
export interface Doc {
  readonly text: string
  readonly category: string | undefined
  readonly since: string | undefined
}

/** Separates a docstring's tags from its text. */
export const docOf = (text: string): Doc => {
  const tag = (name: string): string | undefined => new RegExp(`^@${name} (.+)$`, "m").exec(text)?.[1]
  return {
    category: tag("category"),
    since: tag("since"),
    text: text.replaceAll(/^@(?:category|since|deprecated)\b.*$\n?/gm, "").trim()
  }
}

/** A member of an interface, a class or an object type. */
export interface Member {
  readonly name: string
  readonly doc: string
}

/** The name of a member that is declared on a line; `undefined` where none is. */
const memberName = (line: string): string | undefined =>
  /^(?:(?:readonly|static|abstract|get|set|declare) )*("[^"]+"|\[[\w.]+\]|[\w$]+)\??[:(<;]/.exec(line)?.[1]

/** What has members: of a constant, that is an object and no schema. The alternatives of a type are described in its code. */
const withMembers = /^(?:declare )?(?:abstract )?(?:interface|class|const \w+: \{)/

/**
 * The members of a declaration that has a block, in order, and its code without their docstrings. What a class says to its
 * base class is no member.
 */
export const membersOf = (code: string): { readonly code: string; readonly members: ReadonlyArray<Member> } => {
  if (!withMembers.test(code)) return { code, members: [] }
  const members = new Map<string, Member>()
  const lines: Array<string> = []
  let doc = ""
  const source = code.split("\n")
  const base = /^(?:declare )?(?:abstract )?class .*<\{$/.test(source[0] ?? "")
  const first = base ? source.findIndex((line) => /^\}.* \{$/.test(line)) : 0
  for (let at = 0; at < source.length; at++) {
    const line = source[at] ?? ""
    if (/^ {4}\/\*\*/.test(line)) {
      const from = at
      while (at < source.length && !(source[at] ?? "").includes("*/")) at++
      doc = textOf(
        source
          .slice(from, at + 1)
          .join("\n")
          .trim()
      )
      continue
    }
    lines.push(line)
    const name = at > first && /^ {4}\S/.test(line) ? memberName(line.trim()) : undefined
    if (name !== undefined) {
      const { text } = docOf(doc)
      if (!members.has(name) || text !== "") members.set(name, { name, doc: text })
      doc = ""
    }
  }
  return { code: lines.join("\n"), members: [...members.values()] }
}

/** Whether an export is no type: a module is both. */
const isValue = (of: Export): boolean =>
  of.kind === "declared" && of.statements.every(({ code }) => /^(?:declare )?(?:const|let|var|function)\b/.test(code))

/** A reader. It throws for an export whose declaration it does not find. */
export const makeReader = (): Reader => {
  const scans = new Map<string, Scan>()
  const scanOf = (file: string): Scan => {
    const known = scans.get(file)
    if (known !== undefined) return known
    if (!existsSync(file)) throw new Error(`${file}: an export comes from there, and it is no file`)
    const made = scan(file)
    scans.set(file, made)
    return made
  }

  const local = (file: string, name: string): Export | undefined => {
    const { declared, imported } = scanOf(file)
    const statements = declared.get(name)
    if (statements !== undefined) {
      const bases = new Map<string, string>()
      for (const [base, of] of declared) if (base.endsWith("_base")) bases.set(base, of[0]?.code ?? "")
      return { bases, file, kind: "declared", name, statements }
    }
    const source = imported.get(name)
    if (source === undefined) return undefined
    return source.name === "*" ? { file: source.from, kind: "namespace" } : find(source.from, source.name)
  }

  const find = (file: string, name: string): Export | undefined => {
    const { exported, listed, passedOn } = scanOf(file)
    if (exported.has(name)) return local(file, name)
    const item = listed.find(({ as }) => as === name)
    if (item === undefined) {
      for (const { from, types } of passedOn) {
        const found = find(from, name)
        if (found !== undefined && !(types && isValue(found))) return found
      }
      return undefined
    }
    if (item.name === "*" && item.from !== undefined) return { file: item.from, kind: "namespace" }
    return item.from === undefined ? local(file, item.name) : find(item.from, item.name)
  }

  const namesOf = (file: string): ReadonlySet<string> => {
    const { exported, listed, passedOn } = scanOf(file)
    const others = passedOn.flatMap(({ from }) => [...namesOf(from)].filter((name) => find(file, name) !== undefined))
    return new Set([...exported, ...listed.map(({ as }) => as), ...others])
  }

  return {
    exportsOf: (file) => {
      const exports = new Map<string, Export>()
      for (const name of namesOf(file)) {
        const found = find(file, name)
        if (found === undefined) throw new Error(`${file}: ${name} is exported, and declared nowhere`)
        exports.set(name, found)
      }
      return exports
    }
  }
}
