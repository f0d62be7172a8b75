/** This library as a package that stands where `ws` does: what an override of a package manager puts there. */
import { cpSync, existsSync, linkSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { bundle } from "../../scripts/bundle.ts"

const exportsOfWs = [
  "createWebSocketStream",
  "extension",
  "PerMessageDeflate",
  "Receiver",
  "Sender",
  "subprotocol",
  "WebSocket",
  "WebSocketServer"
].join(", ")

/**
 * Writes the package into a folder. A process that loads it notes that in the file that the environment names. Once
 * `packages/ws` is built, `substitute` can copy that folder in place of calling this function.
 */
export const writeStandIn = async (folder: string): Promise<void> => {
  mkdirSync(folder, { recursive: true })
  const { code } = await bundle({ input: "test/dependants/entry.ts" })
  const files = {
    "package.json": JSON.stringify({
      name: "ws",
      version: "8.23.0",
      main: "index.js",
      exports: {
        ".": { import: "./wrapper.mjs", require: "./index.js" },
        "./package.json": "./package.json"
      }
    }),
    "bundle.js": code,
    "index.js": `const { WS_STAND_IN } = process.env
if (WS_STAND_IN) require("node:fs").appendFileSync(WS_STAND_IN, "loaded\\n")
module.exports = require("./bundle.js")
`,
    "wrapper.mjs": `import api from "./index.js"
export const { ${exportsOfWs} } = api
export default api
`
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
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
  for (const place of others) cpSync(dirname(join(first, "index.js")), place, { recursive: true })
}
