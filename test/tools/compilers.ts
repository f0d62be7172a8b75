/** TypeScript: the modes in which it resolves packages, with strict checks of the declarations, too. */
import { join } from "node:path"
import type { Cell, Group, Row } from "./cell.ts"
import { expectFailure, expectOutput, node, project, tool, versionOf } from "./project.ts"

interface Mode {
  readonly options: object
  /** The columns that it has: what is compiled, and what comes of it. */
  readonly columns: ReadonlyArray<Column>
}

interface Column {
  readonly title: string
  readonly program: "typed.mts" | "typed-require.cts"
  readonly compiled: "typed.mjs" | "typed-require.cjs"
}

const asImport = (title: string): Column => ({ title, program: "typed.mts", compiled: "typed.mjs" })

const asRequire = (title: string): Column => ({ title, program: "typed-require.cts", compiled: "typed-require.cjs" })

const node10: Mode = {
  options: { module: "commonjs", moduleResolution: "node10" },
  columns: [asRequire("`node10`")]
}

const modes: ReadonlyArray<Mode> = [
  node10,
  { options: { module: "node16" }, columns: [asRequire("`node16`, CommonJS"), asImport("`node16`, ESM")] },
  { options: { module: "nodenext" }, columns: [asRequire("`nodenext`, CommonJS"), asImport("`nodenext`, ESM")] },
  { options: { module: "esnext", moduleResolution: "bundler" }, columns: [asImport("`bundler`")] }
]

/** Compiles the programs of a mode, and gives the folder of what comes of it. */
const compile = async (compiler: string, { columns, options }: Mode, besideTypes: boolean): Promise<string> => {
  const compilerOptions = {
    strict: true,
    target: "es2022",
    types: ["node"],
    outDir: "out",
    esModuleInterop: true,
    // The declarations are checked once.
    skipLibCheck: besideTypes,
    ...options
  }
  const folder = await project({
    links: {
      "@types/node": "@types/node",
      "undici-types": "undici-types",
      ...(besideTypes ? { "@types/ws": "@types/ws" } : {})
    },
    files: { "tsconfig.json": JSON.stringify({ compilerOptions, files: columns.map(({ program }) => program) }) }
  })
  await node([tool(compiler, "tsc"), "-p", folder], { cwd: folder })
  return join(folder, "out")
}

const cellsOf = (compiler: string, mode: Mode, besideTypes: boolean): ReadonlyArray<Cell> => {
  if (mode === node10 && versionOf(compiler).startsWith("7.")) {
    const fails = () => expectFailure(compile(compiler, mode, besideTypes), /node10/)
    return [{ note: "TypeScript 7 has no `node10`.", run: fails }]
  }
  let folder: Promise<string> | undefined
  return mode.columns.map(({ compiled }) => ({
    run: async () => {
      folder ??= compile(compiler, mode, besideTypes)
      expectOutput((await node([join(await folder, compiled)])).stdout, "hello")
    }
  }))
}

const rowsOf = (compiler: string): ReadonlyArray<Row> => {
  const name = `TypeScript ${versionOf(compiler)}`
  return [
    { name, cells: modes.flatMap((mode) => cellsOf(compiler, mode, false)) },
    { name: `${name} beside \`@types/ws\``, cells: modes.flatMap((mode) => cellsOf(compiler, mode, true)) }
  ]
}

export const compilers = (): Group => ({
  title: "Compilers",
  columns: modes.flatMap(({ columns }) => columns.map(({ title }) => title)),
  rows: ["typescript59", "typescript"].flatMap(rowsOf)
})
