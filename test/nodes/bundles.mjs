/**
 * Uses the bundled packages on the Node that runs this file, which may be one that the tests can't run on:
 * `npm run build --workspaces && node test/nodes/bundles.mjs`.
 */
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"

const require = createRequire(import.meta.url)
const path = (name) => fileURLToPath(new URL(`../../packages/${name}`, import.meta.url))

const { version } = require(path("wscat/package.json"))
const wscat = (...args) => spawnSync(process.execPath, [path("wscat/dist/wscat.cjs"), ...args], { encoding: "utf8" })
assert.equal(wscat("--version").stdout, `${version}\n`)
assert.match(wscat("--help").stdout, /wscat/)
console.log(`wscat ${version}: starts`)

if (existsSync(path("ws"))) {
  const { WebSocket, WebSocketServer } = require(path("ws"))
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" })
  server.on("connection", (socket) => socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary })))
  await once(server, "listening")
  const client = new WebSocket(`ws://127.0.0.1:${server.address().port}/`)
  await once(client, "open")
  client.send("hello")
  const [data] = await once(client, "message")
  assert.equal(String(data), "hello")
  client.close()
  await once(client, "close")
  server.close()
  console.log("ws: echoes a message")
}

console.log(`passed on Node ${process.version}`)
