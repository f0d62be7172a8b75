// @effect-ws/ws as it is published: what it contains, and that it loads as `ws` does.
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { once } from "node:events"
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { createRequire, isBuiltin } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { compileFunction, createContext } from "node:vm"
import type WebSocket from "effect-ws/ws"
import { writeWs } from "../../packages/ws/build.mts"

const root = fileURLToPath(new URL("../../", import.meta.url))
const source = join(root, "packages/ws")

const read = (path: string) => JSON.parse(readFileSync(join(root, path), "utf8"))

const manifest = read("packages/ws/package.json")

const project = mkdtempSync(join(tmpdir(), "effect-ws-published-"))

/** The package as `npm install` leaves it. */
const folder = join(project, "node_modules/@effect-ws/ws")

beforeAll(async () => {
  await writeWs(join(folder, "dist"))
  for (const name of ["legacy", "package.json", "README.md", "LICENSE"]) {
    cpSync(join(source, name), join(folder, name), { recursive: true })
  }
})

afterAll(() => rmSync(project, { recursive: true }))

const require = createRequire(import.meta.url)

const original = require("ws")

/** What a condition of `exports` leads to. */
const target = (subpath: "." | "./legacy", condition: "browser" | "import" | "require"): string =>
  join(folder, manifest.exports[subpath][condition].default)

/** The classes that a module exports, by their own names. */
const classNames = (exported: object): ReadonlyArray<[string, string]> =>
  Object.entries(exported).flatMap(([key, value]): Array<[string, string]> =>
    typeof value === "function" ? [[key, value.name]] : []
  )

describe("@effect-ws/ws", () => {
  it("has the version of effect-ws, and no dependencies", () => {
    assert.strictEqual(manifest.version, read("package.json").version)
    for (const kind of ["dependencies", "optionalDependencies", "peerDependencies"]) {
      assert.notProperty(manifest, kind)
    }
    assert.strictEqual(manifest.engines.node, ">=20")
  })

  it("is named with its version wherever a line for a package manager is given", () => {
    for (const page of ["docs/migrating.md", "packages/ws/README.md"]) {
      const versions = [...readFileSync(join(root, page), "utf8").matchAll(/npm:@effect-ws\/ws@([^"`\s]+)/g)]
      assert.isAtLeast(versions.length, 3, page)
      for (const [, version] of versions) assert.strictEqual(version, manifest.version, page)
    }
  })

  it("has the entries of ws, in the order of its conditions, and every file that they name", () => {
    const { browser, exports, main } = read("node_modules/ws/package.json")
    assert.includeMembers(Object.keys(manifest.exports), Object.keys(exports))
    assert.deepStrictEqual(Object.keys(manifest.exports["."]), Object.keys(exports["."]))
    assert.deepStrictEqual(Object.keys(manifest.exports["./legacy"]), Object.keys(exports["."]))
    assert.isString(main)
    assert.isString(browser)
    const files = [JSON.stringify(manifest), readFileSync(join(folder, "legacy/package.json"), "utf8")].flatMap(
      (text, at) =>
        [...text.matchAll(/"(\.{1,2}\/dist\/[^"]+)"/g)].map(([, file = ""]) => join(["", "legacy"][at] ?? "", file))
    )
    assert.includeMembers(files, ["dist/index.js", "dist/wrapper.mjs", "dist/browser.js", "dist/legacy.js"])
    for (const file of files) assert.isTrue(existsSync(join(folder, file)), file)
  })

  it("contains nothing of Effect, and requires Node's modules by the names that mocks know", () => {
    for (const name of ["index.js", "legacy.js"]) {
      const code = readFileSync(join(folder, "dist", name), "utf8")
      assert.match(code, /^"use strict";?\n/)
      const required = [...code.matchAll(/\brequire\((["'`])(.+?)\1\)/g)].map(([, , id = ""]) => id)
      assert.includeMembers(required, ["http", "https", "events", "stream"])
      for (const id of required) assert.isTrue(isBuiltin(id) && !id.startsWith("node:"), id)
      assert.notInclude(code, "getBuiltinModule")
      assert.notInclude(code, "node_modules")
    }
  })

  it("gives require what ws gives it, and classes with the same names", () => {
    const WebSocket = require(target(".", "require"))
    assert.deepStrictEqual(Object.keys(WebSocket), Object.keys(original))
    assert.deepStrictEqual(classNames(WebSocket), classNames(original))
    assert.strictEqual(WebSocket.name, "WebSocket")
    assert.notProperty(WebSocket, "default")
    assert.notProperty(WebSocket, "__esModule")
    const legacy = require(target("./legacy", "require"))
    assert.strictEqual(legacy.name, "WebSocket")
    assert.deepStrictEqual(classNames(legacy).slice(0, 3), [
      ["Server", "WebSocketServer"],
      ["Sender", "Sender"],
      ["Receiver", "Receiver"]
    ])
  })

  it("gives import the objects that it gives require", async () => {
    const names = {
      ".": Object.keys(await import("effect-ws/ws")),
      "./legacy": Object.keys(await import("effect-ws/ws/legacy"))
    }
    for (const subpath of [".", "./legacy"] as const) {
      const required = require(target(subpath, "require"))
      const imported: Record<string, unknown> = await import(pathToFileURL(target(subpath, "import")).href)
      assert.sameMembers(
        Object.keys(imported),
        names[subpath].filter((name) => name !== "module.exports")
      )
      for (const [name, value] of Object.entries(imported)) {
        assert.strictEqual(value, name === "default" || name === "WebSocket" ? required : required[name], name)
      }
    }
  })

  it("takes bytes and errors of another realm for what they are, as test runners with a DOM give them", async () => {
    // The module's own `Uint8Array`, `ArrayBuffer` and `RangeError` are not those of Node.
    const context = createContext({ Buffer, clearTimeout, performance, process, queueMicrotask, setTimeout, URL })
    const file = target(".", "require")
    const names = ["module", "exports", "require"]
    const load = compileFunction(readFileSync(file, "utf8"), names, { parsingContext: context, filename: file })
    const module = { exports: {} }
    load(module, module.exports, require)
    const Other = module.exports as typeof WebSocket

    const server = new Other.Server({ port: 0, maxPayload: 1000, perMessageDeflate: { clientNoContextTakeover: true } })
    await once(server, "listening")
    const address = server.address()
    const url = `ws://127.0.0.1:${address !== null && typeof address === "object" ? address.port : ""}`
    server.on("connection", (socket) => socket.on("error", () => {}))
    const closedBy = async (act: (socket: WebSocket) => void): Promise<[number, string]> => {
      const client = new Other(url)
      await once(client, "open")
      const closed = once(client, "close")
      act(client)
      const [code, reason] = await closed
      return [code, String(reason)]
    }
    try {
      assert.deepStrictEqual(await closedBy((client) => client.close(4000, "done")), [4000, "done"])
      assert.deepStrictEqual(await closedBy((client) => client.close(4001, Buffer.from("bytes"))), [4001, "bytes"])
      // Longer than is allowed once it is decompressed.
      assert.deepStrictEqual(await closedBy((client) => client.send("a".repeat(100_000))), [1009, ""])
    } finally {
      server.close()
    }
  })

  it("has a stub for browsers that throws when it is called, as that of ws does", () => {
    const stubs = [
      require(target(".", "browser")),
      require(target("./legacy", "browser")),
      require(join(root, "node_modules/ws/browser.js"))
    ]
    for (const stub of stubs) {
      assert.typeOf(stub, "function")
      assert.deepStrictEqual(Object.keys(stub), [])
      assert.throws(() => stub(), /browser/)
      assert.throws(() => new stub("ws://localhost"), /browser/)
    }
  })

  it("has declarations that need no other package, and can be read outside of nodenext", () => {
    const files = globSync("dist/**/*.d.{ts,mts}", { cwd: folder })
    assert.isAbove(files.length, 10)
    for (const file of files) {
      const code = readFileSync(join(folder, file), "utf8")
      for (const [, id = ""] of code.matchAll(/(?:^(?:import|export) .*?from |\bimport\()"([^"]+)"/gm)) {
        if (!id.startsWith(".")) assert.isTrue(isBuiltin(id), `${file}: ${id}`)
        else assert.isTrue(existsSync(join(folder, dirname(file), id.replace(/\.js$/, ".d.ts"))), `${file}: ${id}`)
      }
      assert.notMatch(code, /\bas "/)
    }
  })

  it("takes less than 1 MB on disk", () => {
    const files = globSync("**/*", { cwd: folder }).map((file) => statSync(join(folder, file)))
    // In blocks of 4 KiB, as file systems count.
    const size = files.reduce((sum, file) => sum + Math.ceil(file.size / 4096) * 4096, 0)
    assert.isBelow(size, 1_000_000)
  })
})
