/** Run times: `require` and `import` of the package by its own name, and in the place of `ws` where that is another matter. */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { commands } from "../runtimes/binaries.ts"
import type { Cell, Group, Row } from "./cell.ts"
import { expectOutput, project, run } from "./project.ts"

type Command = () => readonly [string, ...ReadonlyArray<string>]

const programs = ["require.cjs", "import.mjs", "legacy.cjs"] as const

/** What a program writes; `undefined` for the outcome of the exchange. */
const outputs = { "require.cjs": undefined, "import.mjs": undefined, "legacy.cjs": "hello" }

const sourceOf = (program: string): string => readFileSync(new URL(`programs/${program}`, import.meta.url), "utf8")

const byOwnName = (command: Command, program: keyof typeof outputs): Cell => ({
  run: async () => {
    const source = sourceOf(program).replaceAll(`"ws`, `"@effect-ws/ws`)
    const folder = await project({ names: ["@effect-ws/ws"], files: { [program]: source } })
    const [file, ...args] = command()
    expectOutput((await run(file, [...args, program], { cwd: folder })).stdout, outputs[program])
  }
})

const row = (name: string, command: Command): Row => {
  const [file, ...args] = command()
  const shown = execFileSync(file, [...args.filter((arg) => arg === "--bun"), "--version"], { encoding: "utf8" })
  const [version] = /\d+\.\d+\.\d+/.exec(shown) ?? [""]
  return { name: `${name} ${version}`, cells: programs.map((program) => byOwnName(command, program)) }
}

const node =
  (name: string): Command =>
  () => [fileURLToPath(new URL(`../nodes/node_modules/${name}/bin/node`, import.meta.url))]

/** Whether a module `ws` is the package. */
const whose = `
const WebSocket = require("ws")
console.log(JSON.stringify(require.resolve("ws").includes("node_modules") && "_sender" in WebSocket.prototype))
`

const bunBuiltIn: Cell = {
  note: "Bun has a module `ws` of its own, which nothing in a project replaces: import `@effect-ws/ws`.",
  run: async () => {
    const folder = await project({ files: { "whose.cjs": whose } })
    const [file, ...args] = commands.bun()
    expectOutput((await run(file, [...args, "whose.cjs"], { cwd: folder })).stdout, false)
  }
}

export const runtimes = (): Group => ({
  title: "Run times",
  columns: ["`require`", "`import`", "`/legacy`"],
  rows: [
    row("Node", node("node20")),
    row("Node", node("node22")),
    row("Node", () => [process.execPath]),
    row("Node", node("node26")),
    row("Deno", commands.deno),
    row("Bun", commands.bun),
    { name: "Bun, in the place of `ws`", cells: [bunBuiltIn, undefined, undefined] }
  ]
})
