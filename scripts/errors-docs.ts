/** Writes the reasons of each error into docs/errors.md from their docstrings: run it after changing one. */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = new URL("../", import.meta.url)

const begin = "<!-- written by scripts/errors-docs.ts -->"
const end = "<!-- the end of what it writes -->"

interface Errors {
  readonly title: string
  readonly about: string
  readonly file: string
  /** What the number beside a reason is. */
  readonly number?: string
}

const sources: ReadonlyArray<Errors> = [
  {
    title: "SocketError",
    about: "Connections, of `Socket` and `Server`: opening, sending and reading.",
    file: "src/internal/socket/error.ts"
  },
  {
    title: "HandshakeError",
    about: "The opening handshake; in `SocketError` as `HandshakeFailed`, and in the response that a server sends.",
    file: "src/internal/protocol/opening/reason.ts",
    number: "HTTP status"
  },
  {
    title: "FrameError",
    about: "Frames that break the protocol or a limit; in `SocketError` with the reason `ProtocolViolation`.",
    file: "src/internal/protocol/protocolError.ts",
    number: "close code"
  },
  {
    title: "MessageError",
    about: "Messages that are no value of the schema given to `Socket.withSchema`.",
    file: "src/internal/socket/messageError.ts",
    number: "close code"
  },
  { title: "ServerError", about: "Servers that don't start.", file: "src/internal/server/error.ts" },
  { title: "TopicError", about: "Topics and their brokers.", file: "src/internal/topic/error.ts" }
]

export interface Reason {
  readonly name: string
  readonly doc: string
  readonly number: string | undefined
}

/** The reasons of a source: each declaration whose `_tag` is its own name, with the docstring before it. */
export const reasonsOf = (source: string): ReadonlyArray<Reason> => {
  const declaration =
    /\/\*\*((?:(?!\*\/)[^])*?)\*\/\s+export (?:interface|class|const|type) (\w+)\b((?:(?!^\/\*\*)[^])*?^\}|[^\n]*\{\}$)/gm
  return [...source.matchAll(declaration)].flatMap(([, comment = "", name = "", body = ""]) => {
    if (name.endsWith("Error") || !body.includes(`"${name}"`)) return []
    const doc = comment
      .replaceAll(/^ *\* ?/gm, "")
      .replaceAll(/\s+/g, " ")
      .trim()
    const [, numbers] = new RegExp(`Base<"${name}", ([\\d| ]+)>`).exec(body) ?? /closeCode: (\d+)/.exec(body) ?? []
    return [{ doc: doc.replace(/ @\w+ .*/, ""), name, number: numbers?.replaceAll(" | ", ", ") }]
  })
}

const escape = (text: string): string => text.replaceAll("|", "\\|")

const sectionOf = ({ about, file, number, title }: Errors): string => {
  const reasons = reasonsOf(readFileSync(new URL(file, root), "utf8"))
  if (reasons.length === 0) throw new Error(`${file} has no reason`)
  const columns = number === undefined ? ["reason", "when"] : ["reason", number, "when"]
  const rows = reasons.map(({ doc, name, number: given }) => [
    `\`${name}\``,
    ...(number === undefined ? [] : [given ?? "the server's"]),
    escape(doc)
  ])
  const table = [columns, columns.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n")
  return `## ${title}\n\n${about}\n\n${table}`
}

/** The page with the reasons as they should be. */
export const render = (page: string): string => {
  const [before, rest] = page.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`docs/errors.md lacks ${begin} or ${end}`)
  return `${before}${begin}\n\n${sources.map(sectionOf).join("\n\n")}\n\n${end}${after}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const page = new URL("docs/errors.md", root)
  writeFileSync(page, render(readFileSync(page, "utf8")))
}
