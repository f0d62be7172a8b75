/** Writes the tables of sizes in docs/browser.md: run it after a change to the browser entry, or to Effect's version. */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { bundle, bundleWithEsbuild, type Size } from "../test/platform/bundle.ts"

const page = fileURLToPath(new URL("../docs/browser.md", import.meta.url))

/** A program, and its size by the way in which it imports what it uses. */
export interface Row {
  readonly name: string
  /** Each module from an entry point of its own. */
  readonly modules: Size
  /** Namespaces from `effect` and `effect-ws/browser`. */
  readonly namespaces: Size
}

export interface Table {
  readonly bundler: "rolldown" | "esbuild"
  readonly rows: ReadonlyArray<Row>
}

const modules = `
  import * as Effect from "effect/Effect"
  import * as Schema from "effect/Schema"
  import * as Stream from "effect/Stream"
  import * as Socket from "effect-ws/browser/Socket"
`

const namespaces = `
  import { Effect, Schema, Stream } from "effect"
  import { Socket } from "effect-ws/browser"
`

const programs: Readonly<Record<string, string>> = {
  "Effect and Stream alone": `
    Effect.runFork(Effect.scoped(Effect.flatMap(
      Effect.acquireRelease(Effect.callback((resume) => { globalThis.open = resume }), () => Effect.void),
      (pull) => Stream.runForEach(Stream.fromPull(pull), Effect.log)
    )))`,
  "`Socket.connect`": `
    Effect.runFork(Effect.scoped(
      Effect.flatMap(Socket.connect("/ws"), ({ messages }) => Stream.runForEach(messages, Effect.log))
    ))`,
  "`Socket.reconnecting`": `
    Effect.runFork(Effect.scoped(
      Effect.flatMap(Socket.reconnecting("/ws"), ({ messages }) => Stream.runForEach(messages, Effect.log))
    ))`,
  "`Socket.connect` and `Socket.withSchema`": `
    Effect.runFork(Effect.scoped(
      Effect.flatMap(Socket.connect("/ws"), (socket) =>
        Stream.runForEach(Socket.withSchema(socket, Schema.Struct({ count: Schema.Int })).messages, Effect.log))
    ))`
}

const bundlers = {
  rolldown: (code: string): Promise<Size> => bundle({ code }, "source"),
  esbuild: bundleWithEsbuild
} as const

/** Bundles every program with every bundler. */
export const measure = (): Promise<ReadonlyArray<Table>> =>
  Promise.all(
    (["rolldown", "esbuild"] as const).map(async (bundler) => ({
      bundler,
      rows: await Promise.all(
        Object.entries(programs).map(async ([name, program]) => ({
          name,
          modules: await bundlers[bundler](modules + program),
          namespaces: await bundlers[bundler](namespaces + program)
        }))
      )
    }))
  )

const kB = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`

const cells = ({ gzip, minified }: Size): ReadonlyArray<string> => [kB(minified), kB(gzip)]

const line = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

const render = ({ bundler, rows }: Table): string =>
  [
    line([`bundled by ${bundler}`, "modules", "compressed", "namespaces", "compressed"]),
    line(Array.from({ length: 5 }, () => "---")),
    ...rows.map(({ modules, name, namespaces }) => line([name, ...cells(modules), ...cells(namespaces)]))
  ].join("\n")

const marked = /(?<=<!-- sizes: written by `npm run docs:sizes` -->\n)[^]*?(?=\n<!-- end of the sizes -->)/

/** The figures of the page, in bytes, by bundler and program: minified and compressed, of modules, then of namespaces. */
export const written = (): ReadonlyMap<string, ReadonlyArray<number>> => {
  const found = marked.exec(readFileSync(page, "utf8"))?.[0] ?? ""
  const figures = new Map<string, ReadonlyArray<number>>()
  let bundler = ""
  for (const row of found.split("\n")) {
    bundler = /^\| bundled by (\w+)/.exec(row)?.[1] ?? bundler
    const [, name = ""] = /^\| (.+?) +\| +[\d.]+ kB/.exec(row) ?? []
    if (name === "") continue
    figures.set(
      `${bundler}: ${name}`,
      [...row.matchAll(/([\d.]+) kB/g)].map(([, kB]) => Number(kB) * 1000)
    )
  }
  return figures
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const tables = (await measure()).map(render).join("\n\n")
  const before = readFileSync(page, "utf8")
  if (!marked.test(before)) throw new Error("docs/browser.md has no place for the sizes")
  writeFileSync(
    page,
    before.replace(marked, () => `\n${tables}\n`)
  )
}
