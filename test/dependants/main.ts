/**
 * Runs programs on dependants of `ws` from the registry, each with `ws` and with this library in its place, and compares
 * what they print: `npm run dependants`. The versions are pinned in `registry/`. Names of programs run those alone.
 */
import { spawn } from "node:child_process"
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { outcomeOf } from "./run.ts"
import { substitute } from "./standIn.ts"

const registry = fileURLToPath(new URL("registry/", import.meta.url))
const programs = fileURLToPath(new URL("programs/", import.meta.url))

/** Milliseconds that a program may take: many times what it does on a machine that has other things to do. */
const limit = 60_000

/** The programs, each of which begins with what it does. Other files of the folder are parts of them, or need this repository. */
const names = [
  "engine.io.ts",
  "socket.io.ts",
  "graphql-ws.ts",
  "y-websocket.ts",
  "jsdom.ts",
  "mqtt.mjs",
  "trpc.mjs",
  "express-ws.mjs",
  "nestjs.mjs",
  "puppeteer.mjs",
  "ethers.mjs",
  "viem.mjs"
]

interface Ran {
  readonly status: number | NodeJS.Signals | null
  readonly output: string
  readonly seconds: number
}

/** Runs a program of a folder. `loaded` is the file in which the stand-in notes that it was loaded. */
const run = async (folder: string, name: string, loaded: string): Promise<Ran> => {
  const start = performance.now()
  const child = spawn(process.execPath, [join(folder, "programs", name)], {
    env: { ...process.env, NODE_OPTIONS: "", NODE_NO_WARNINGS: "1", WS_STAND_IN: loaded },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: limit
  })
  const { status, stderr, stdout } = await outcomeOf(child)
  return { status, output: stdout + stderr, seconds: (performance.now() - start) / 1000 }
}

const folders = { ws: join(registry, ".ws"), ours: join(registry, ".ours") }

const prepare = async (): Promise<void> => {
  rmSync(folders.ws, { recursive: true, force: true })
  mkdirSync(folders.ws)
  await substitute(registry, folders.ours)
  for (const folder of Object.values(folders)) {
    mkdirSync(join(folder, "programs"))
    for (const file of readdirSync(programs)) {
      if (/\.m?[jt]s$/.test(file)) cpSync(join(programs, file), join(folder, "programs", file))
    }
  }
}

/** Why the two runs of a program are not the same, or are no runs. */
const problemOf = (theirs: Ran, ours: Ran, loaded: { readonly ws: string; readonly ours: string }): string => {
  if (theirs.status !== 0) return `with ws it ends with ${theirs.status}\n${theirs.output}`
  if (ours.status !== 0) return `in the place of ws it ends with ${ours.status}\n${ours.output}`
  if (theirs.output !== ours.output) return `with ws\n${theirs.output}in its place\n${ours.output}`
  if (existsSync(loaded.ws)) return "this library was loaded where ws should be"
  return existsSync(loaded.ours) ? "" : "this library was not loaded"
}

const { dependencies, overrides } = JSON.parse(readFileSync(join(registry, "package.json"), "utf8"))
const version = (name: string): string =>
  JSON.parse(readFileSync(join(registry, "node_modules", name, "package.json"), "utf8")).version
if (overrides.ws !== "$ws" || version("ws") !== dependencies.ws)
  throw new Error("npm --prefix test/dependants/registry ci")

const only = process.argv.slice(2)
const chosen = names.filter((name) => only.length === 0 || only.includes(name.replace(/\.\w+$/, "")))
if (chosen.length === 0) throw new Error(`no program is called ${only.join(" or ")}`)

await prepare()
let failures = 0
for (const name of chosen) {
  const loaded = { ws: join(folders.ws, `${name}.loaded`), ours: join(folders.ours, `${name}.loaded`) }
  const [theirs, ours] = await Promise.all([run(folders.ws, name, loaded.ws), run(folders.ours, name, loaded.ours)])
  const problem = problemOf(theirs, ours, loaded)
  const lines = ours.output.split("\n").length - 1
  const what = lines === 0 ? "by its own assertions" : `${lines} lines`
  console.log(`${problem === "" ? "same" : "DIFFERENT"}  ${name.padEnd(16)} ${ours.seconds.toFixed(1)} s  ${what}`)
  if (problem !== "") {
    failures++
    console.log(problem)
  }
}
for (const folder of Object.values(folders)) rmSync(folder, { recursive: true, force: true })
console.log(
  `${chosen.length - failures} of ${chosen.length} programs do the same with ws ${version("ws")} and with this library`
)
process.exit(failures === 0 ? 0 : 1)
