// The module as programs load it: from `require`, with its types, in any environment.
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { compileFunction } from "node:vm"
import { bundle } from "../../scripts/bundle.ts"

const execute = promisify(execFile)

const root = fileURLToPath(new URL("../..", import.meta.url))
const library = join(root, "src/ws/index.ts")

/** Runs a program of CommonJS, and answers what it printed. */
const run = async (program: string, env: NodeJS.ProcessEnv = {}): Promise<unknown> => {
  const args = ["--input-type=commonjs", "--eval", program]
  const { stdout } = await execute(process.execPath, args, { env: { ...process.env, ...env } })
  return JSON.parse(stdout)
}

const lines = `const WebSocket = require(${JSON.stringify(library)})\n`

describe("require", () => {
  it("gives the class, with everything on it [export:require] [export:Server]", async () => {
    const program = `${lines}
      console.log(JSON.stringify([
        typeof WebSocket, WebSocket.name, Object.keys(WebSocket), WebSocket.Server === WebSocket.WebSocketServer,
        WebSocket.WebSocket === WebSocket, WebSocket.OPEN
      ]))`
    assert.deepStrictEqual(await run(program), [
      "function",
      "WebSocket",
      [
        "CONNECTING",
        "OPEN",
        "CLOSING",
        "CLOSED",
        "createWebSocketStream",
        "extension",
        "PerMessageDeflate",
        "Receiver",
        "Sender",
        "Server",
        "subprotocol",
        "WebSocket",
        "WebSocketServer"
      ],
      true,
      true,
      1
    ])
  })
  it("gives the same class as import", async () => {
    const program = `${lines}
      import(${JSON.stringify(library)}).then((all) =>
        console.log(JSON.stringify([all.default === WebSocket, all.WebSocket === WebSocket, all.Server === WebSocket.Server])))`
    assert.deepStrictEqual(await run(program), [true, true, true])
  })
  it("serves and connects, and loads nothing of Effect", async () => {
    const program = `
      const asked = []
      require("node:module").registerHooks({
        resolve: (specifier, context, next) => {
          if (!/^(?:[./]|node:|file:)/.test(specifier)) asked.push(specifier)
          return next(specifier, context)
        }
      })
      ${lines}
      const server = new WebSocket.Server({ port: 0 }, () => {
        const client = new WebSocket("ws://localhost:" + server.address().port)
        client.on("message", (data) => { console.log(JSON.stringify([String(data), asked])); client.close(); server.close() })
      })
      server.on("connection", (socket) => socket.send("hello"))`
    assert.deepStrictEqual(await run(program), ["hello", []])
  })
  it("needs no native package, whatever the environment says [environment:WS_NO_BUFFER_UTIL] [environment:WS_NO_UTF_8_VALIDATE]", async () => {
    const program = `
      const Module = require("node:module")
      const asked = []
      const load = Module._load
      Module._load = (request, ...rest) => { asked.push(request); return load(request, ...rest) }
      ${lines}
      console.log(JSON.stringify([asked.filter((name) => /bufferutil|utf-8-validate/.test(name)), typeof WebSocket]))`
    for (const value of ["", "1"]) {
      const env = { WS_NO_BUFFER_UTIL: value, WS_NO_UTF_8_VALIDATE: value }
      assert.deepStrictEqual(await run(program, env), [[], "function"])
    }
  })
})

describe("a bundle", () => {
  it("has everything on the class, though only the class is imported", async () => {
    const { code } = await bundle({ input: "test/ws/bundled.ts" })
    const module = { exports: {} }
    compileFunction(code, ["module", "exports", "require"])(module, module.exports, createRequire(import.meta.url))
    const keys = Object.keys(module.exports)
    assert.includeMembers(keys, [
      "Server",
      "WebSocketServer",
      "createWebSocketStream",
      "Receiver",
      "Sender",
      "extension"
    ])
  })
})

describe("types", () => {
  it("let CommonJS import the module as the class", async () => {
    const folder = mkdtempSync(join(tmpdir(), "effect-ws-types-"))
    try {
      writeFileSync(
        join(folder, "program.cts"),
        `
        import WebSocket = require("effect-ws/ws")
        const server = new WebSocket.Server({ port: 8080 })
        server.on("connection", (socket: WebSocket, request) => {
          socket.on("message", (data: WebSocket.RawData) => socket.send(String(data)))
          const url: string | undefined = request.url
          void url
        })
        const { createWebSocketStream, Receiver, Sender, WebSocketServer } = WebSocket
        void [createWebSocketStream, Receiver, Sender, WebSocketServer, new WebSocket("ws://localhost")]
        `
      )
      const settings = {
        extends: join(root, "tsconfig.base.json"),
        compilerOptions: {
          noEmit: true,
          erasableSyntaxOnly: false,
          verbatimModuleSyntax: false,
          typeRoots: [join(root, "node_modules/@types")],
          paths: { "effect-ws/ws": [library] }
        },
        files: ["program.cts"]
      }
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(settings))
      const { stdout } = await execute(process.execPath, [
        join(root, "node_modules/typescript/bin/tsc"),
        "-p",
        folder
      ]).catch((error: { readonly stdout: string }) => error)
      assert.strictEqual(stdout, "")
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
