/**
 * Playwright with this package in the place of the `ws` that it carries: driving Chromium through a server of its own, and
 * driving one that runs already through the browser's debugging port.
 */
import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Browser, chromium } from "playwright-core"
import { createInterface } from "node:readline"
import { WebSocket, WebSocketServer } from "ws"
import { first, listen } from "../../dependants/programs/support.ts"
import { args, executablePath } from "../chromium.ts"

/** Where the messages of all our WebSockets went: to the URL of a client's, or to "a client" of a server's. */
const sentTo = new Set<string>()
WebSocket.prototype.send = new Proxy(WebSocket.prototype.send, {
  apply: (send, socket: WebSocket, message: ReadonlyArray<unknown>) => {
    sentTo.add(socket.url ?? "a client")
    Reflect.apply(send, socket, message)
  }
})

const html = `<!doctype html><title>A page</title>
<input><button onclick="document.querySelector('output').value = document.querySelector('input').value">Go</button><output></output>`

const { port, server: web } = await listen((_, response) => {
  response.setHeader("content-type", "text/html; charset=utf-8")
  response.end(html)
})
const server = new WebSocketServer({ server: web, perMessageDeflate: true })
server.on("connection", (socket) => socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary })))

/** What a page of the browser sends to the server and gets back, and how its connection ends. */
const echo = `new Promise((resolve) => {
  const socket = new WebSocket("ws://" + location.host)
  const answers = []
  socket.binaryType = "arraybuffer"
  socket.onopen = () => {
    socket.send("text ✓")
    socket.send(new Uint8Array(70000).fill(7))
    socket.send("long ".repeat(50000))
  }
  socket.onmessage = ({ data }) => {
    answers.push(typeof data === "string" ? data.slice(0, 10) + data.length : new Uint8Array(data).lastIndexOf(7))
    if (answers.length === 3) socket.close(3000, "enough")
  }
  socket.onclose = ({ code, reason, wasClean }) => resolve([...answers, socket.extensions, code, reason, wasClean])
})`

const exercise = async (browser: Browser): Promise<void> => {
  const page = await browser.newPage()
  await page.goto(`http://127.0.0.1:${port}/`)
  assert.equal(await page.title(), "A page")
  await page.locator("input").fill("typed ✓")
  await page.getByRole("button").click()
  assert.equal(await page.locator("output").innerText(), "typed ✓")

  // Messages of many sizes, a large one in either direction among them
  for (const length of [0, 1, 125, 126, 65_535, 65_536, 3_000_000]) {
    const text = "ö".repeat(length)
    assert.equal(await page.evaluate((given) => `${given}.`, text), `${text}.`)
  }
  const picture = await page.screenshot()
  assert.deepEqual(picture.subarray(0, 8), Buffer.from("89504e470d0a1a0a", "hex"))
  assert.deepEqual(
    await Promise.all(Array.from({ length: 200 }, (_, index) => page.evaluate(`${index} * 2`))),
    Array.from({ length: 200 }, (_, index) => index * 2)
  )
  assert.deepEqual(await page.evaluate(echo), [
    "text ✓6",
    69_999,
    "long long 250000",
    "permessage-deflate",
    3000,
    "enough",
    true
  ])
  await page.close()
}

const launched = await chromium.launchServer({ executablePath, args: [...args] })
const remote = await chromium.connect(launched.wsEndpoint())
await exercise(remote)
assert.deepEqual([...sentTo].toSorted(), ["a client", launched.wsEndpoint()])
const disconnected = first((listener) => remote.on("disconnected", listener))
await launched.close()
await disconnected

const profile = mkdtempSync(join(tmpdir(), "effect-ws-chromium-"))
const running = spawn(
  executablePath,
  [...args, "--headless", "--remote-debugging-port=0", `--user-data-dir=${profile}`, "about:blank"],
  { stdio: ["ignore", "ignore", "pipe"] }
)
try {
  const endpoint = await new Promise<string>((resolve) => {
    createInterface(running.stderr).on("line", (line) => {
      const found = /^DevTools listening on (?<url>ws:.+)$/.exec(line)
      if (found?.groups?.["url"] !== undefined) resolve(found.groups["url"])
    })
  })
  const browser = await chromium.connectOverCDP(endpoint)
  await exercise(browser)
  assert.ok(sentTo.has(endpoint))
  const session = await browser.newBrowserCDPSession()
  const left = first((listener) => browser.on("disconnected", listener))
  await session.send("Browser.close")
  await left
  await once(running, "close")
} finally {
  running.kill()
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
}
server.close()
web.close()
