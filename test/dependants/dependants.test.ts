/**
 * Programs on real dependants of `ws`, with this package in its place. Each makes its own assertions, and has to end by
 * itself, without a word: a connection, a timer or a listener that is left behind keeps it running, or warns.
 */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { build } from "./build.ts"
import { run } from "./run.ts"

/** Milliseconds after which a program hangs, however busy the machine is. */
const limit = 300_000

/** The programs, and the files of the dependants which ask for `ws`. */
const programs = {
  "effect-http-server": ["@effect/platform-node-shared/dist/NodeWS.js"],
  "effect-socket-server": ["@effect/platform-node-shared/dist/NodeWS.js"],
  "engine.io": ["engine.io-client/build/esm-debug/transports/websocket.node.js", "engine.io/build/server.js"],
  // Its server and its client are given what they use
  "graphql-ws": [],
  jsdom: ["jsdom/lib/jsdom/living/websockets/WebSocket-impl.js"],
  "socket.io": [
    "engine.io-client/build/esm-debug/transports/websocket.node.js",
    "engine.io/build/server.js",
    "socket.io-adapter/dist/in-memory-adapter.js"
  ],
  wscat: ["wscat/bin/wscat"],
  // Its provider is given what it uses
  "y-websocket": []
} as const

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

describe("dependants of ws", () => {
  beforeAll(build)

  for (const [name, files] of Object.entries(programs)) {
    it(name, async () => {
      const { output, status, substituted } = await run(new URL(`programs/${name}.ts`, import.meta.url), limit)
      assert.deepStrictEqual([status, output], [0, ""])
      assert.deepStrictEqual(
        [...new Set(substituted)],
        files.map((file) => `node_modules/${file}`)
      )
    })
  }

  it("are written against @types/ws, and compile with our types in their place", async () => {
    const tsc = promisify(execFile)(at("../../node_modules/.bin/tsc"), ["-p", at("programs")])
    const { stdout } = await tsc.catch((error: { readonly stdout: string }) => error)
    assert.strictEqual(stdout, "")
  })
})
