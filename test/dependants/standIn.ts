/** `@effect-ws/ws` in the place of `ws`: what an override of a package manager puts there. */
import { cpSync, existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { writeWs } from "../../packages/ws/build.mts"
import { root } from "../../scripts/bundle.ts"

const ws = join(root, "packages", "ws")

/** Notes in the file that the environment names that a process loaded the package. */
const note = `const { WS_STAND_IN } = process.env
if (WS_STAND_IN) require("node:fs").appendFileSync(WS_STAND_IN, "loaded\\n")
`

/** Writes `@effect-ws/ws` into a folder, as its tarball has it. A process that loads it notes that. */
const writeStandIn = async (folder: string): Promise<void> => {
  mkdirSync(folder, { recursive: true })
  for (const name of ["package.json", "legacy"]) cpSync(join(ws, name), join(folder, name), { recursive: true })
  await writeWs(join(folder, "dist"))
  const main = join(folder, "dist", "index.js")
  writeFileSync(main, note + readFileSync(main, "utf8"))
}

/** Links a tree of files, without the folders of the original `ws`; returns where those were. */
const linkWithoutWs = (from: string, to: string): ReadonlyArray<string> => {
  mkdirSync(to)
  return readdirSync(from, { withFileTypes: true }).flatMap((entry) => {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.name === "ws" && from.endsWith("node_modules") && existsSync(join(source, "package.json")))
      return [target]
    if (entry.isDirectory()) return linkWithoutWs(source, target)
    if (entry.isSymbolicLink()) cpSync(source, target, { verbatimSymlinks: true })
    else linkSync(source, target)
    return []
  })
}

/** Makes `folder` a copy of an installation with this library in the place of every `ws`. */
export const substitute = async (installation: string, folder: string): Promise<void> => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const places = linkWithoutWs(join(installation, "node_modules"), join(folder, "node_modules"))
  const [first, ...others] = places
  if (first === undefined) throw new Error(`${installation} has no ws`)
  await writeStandIn(first)
  for (const place of others) cpSync(first, place, { recursive: true })
}
