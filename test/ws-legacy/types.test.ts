import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type Resources, using } from "./support.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** What the compiler says of a CommonJS program. `types.ts`, which the rest of the project is checked with, has the others. */
const compile = (resources: Resources, program: string): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), "effect-ws-"))
  resources.add(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, "program.cts"), program)
  const config = {
    extends: join(root, "tsconfig.base.json"),
    compilerOptions: {
      noEmit: true,
      erasableSyntaxOnly: false,
      typeRoots: [join(root, "node_modules/@types")],
      paths: {
        "effect-ws/ws/legacy": [join(root, "src/ws/legacy/index.ts")],
        effect: [join(root, "node_modules/effect")],
        "effect/*": [join(root, "node_modules/effect/dist/*")]
      }
    },
    include: ["program.cts"]
  }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config))
  return new Promise((resolve) => {
    execFile(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", folder], (_, stdout, stderr) =>
      resolve(stdout + stderr)
    )
  })
}

describe("the types, from CommonJS", () => {
  it(
    "require gives the class, with all the rest on it",
    using(async (resources) => {
      const program = `
        import WebSocket = require("effect-ws/ws/legacy")
        const wss: WebSocket.Server = new WebSocket.Server({ port: 8080 })
        wss.on("connection", (ws: WebSocket) => {
          ws.on("message", (message: string, flags: { binary: boolean }) => flags.binary || message.length)
          ws.send(new Float32Array(5), { binary: true, mask: true })
        })
        class Mine extends WebSocket {}
        export = Mine
      `
      assert.strictEqual(await compile(resources, program), "")
    })
  )

  it(
    "and says what is wrong",
    using(async (resources) => {
      const program = `
        import WebSocket = require("effect-ws/ws/legacy")
        const ws = new WebSocket("ws://example.com", { protocolVersion: 12 })
        ws.send("x", { mask: "yes" })
        export = ws
      `
      const said = await compile(resources, program)
      assert.match(said, /program\.cts\(3,/)
      assert.match(said, /program\.cts\(4,/)
    })
  )
})
