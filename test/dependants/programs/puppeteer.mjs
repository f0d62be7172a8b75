/** puppeteer-core with Chromium: its protocol over a WebSocket, large results, and a page that opens one of its own. */
import { once } from "node:events"
import { launch } from "puppeteer-core"
import { WebSocketServer } from "ws"
import { listen, log } from "./support.ts"

const { port, server: web } = await listen((_, response) => response.end("<title>a page</title>"))
const server = new WebSocketServer({ server: web, perMessageDeflate: true })
server.on("connection", (socket) => {
  log("server", socket.extensions, socket.protocol)
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }))
  socket.on("close", (code, reason) => log("server", "close", code, String(reason)))
})

const browser = await launch({
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
})
log(new URL(browser.wsEndpoint()).protocol)
const page = await browser.newPage()
await page.goto(`http://127.0.0.1:${port}/`)
log(await page.title())
log(await page.evaluate((length) => "ä".repeat(length), 1_000_000).then((text) => text.length))
log((await page.screenshot()).length > 1000)
const disconnected = once(server, "connection").then(([socket]) => once(socket, "close"))
log(
  await page.evaluate(async (url) => {
    const socket = new WebSocket(url, ["one", "two"])
    const next = () => new Promise((resolve) => socket.addEventListener("message", resolve, { once: true }))
    socket.binaryType = "arraybuffer"
    await new Promise((resolve) => socket.addEventListener("open", resolve))
    const received = [socket.protocol, socket.extensions]
    for (const data of ["text ✓", "x".repeat(100_000), new Uint8Array(70_000)]) {
      const echo = next()
      socket.send(data)
      const { data: back } = await echo
      received.push(typeof back === "string" ? back.length : back.byteLength)
    }
    const closed = new Promise((resolve) => socket.addEventListener("close", resolve))
    socket.close(4000, "done")
    const { code, reason, wasClean } = await closed
    return [...received, code, reason, wasClean]
  }, `ws://127.0.0.1:${port}/`)
)
await disconnected
await browser.close()
server.close()
web.closeAllConnections()
web.close()
