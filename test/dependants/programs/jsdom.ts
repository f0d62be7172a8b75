/** A page in jsdom with its `WebSocket`: text, Blobs and ArrayBuffers, the subprotocol, cookies, the events of the end. */
import assert from "node:assert/strict"
import { once } from "node:events"
import type { IncomingMessage } from "node:http"
import { createRequire } from "node:module"
import { type WebSocket, WebSocketServer } from "ws"
import { bytes, first, listen } from "./support.ts"

/** As much of jsdom, which has no types of its own, as is used here. */
interface Jsdom {
  readonly VirtualConsole: new () => object
  readonly JSDOM: new (
    html: string,
    options: { readonly url: string; readonly runScripts: "dangerously"; readonly virtualConsole: object }
  ) => {
    readonly window: {
      tell: (event: string, ...values: ReadonlyArray<unknown>) => void
      readonly start: (url: string) => void
      readonly close: () => void
      document: { cookie: string }
    }
  }
}
const { JSDOM, VirtualConsole } = createRequire(import.meta.url)("jsdom") as Jsdom

const { port, server: web } = await listen()
const server = new WebSocketServer({ server: web, handleProtocols: () => "second", perMessageDeflate: true })

const page = `<!doctype html><script>
  window.start = (url) => {
    const socket = new WebSocket(url, ["first", "second"])
    socket.onopen = () => {
      tell("open", socket.url, socket.protocol, socket.readyState, socket.binaryType)
      socket.send("text ✓")
      socket.send(new Uint8Array([1, 2, 3]))
      socket.send(new Blob(["a ", "Blob"]))
    }
    socket.onmessage = async ({ data, origin }) => {
      if (typeof data === "string") return tell("message", data, origin)
      if (data instanceof Blob) {
        const reader = new FileReader()
        reader.onload = () => {
          tell("message", "Blob", [...new Uint8Array(reader.result)])
          socket.binaryType = "arraybuffer"
          socket.send("next")
        }
        return reader.readAsArrayBuffer(data)
      }
      tell("message", "ArrayBuffer", data.byteLength)
      socket.close(3001, "enough")
    }
    socket.onerror = () => tell("error")
    socket.onclose = ({ code, reason, wasClean }) => tell("close", code, reason, wasClean)
  }
</script>`

const { window } = new JSDOM(page, {
  url: `http://127.0.0.1:${port}/page`,
  runScripts: "dangerously",
  virtualConsole: new VirtualConsole()
})
window.document.cookie = "crumb=1"
const told: Array<ReadonlyArray<unknown>> = []
let wake = (): void => {}
window.tell = (...event) => {
  told.push(event.map((value) => (typeof value === "object" ? JSON.stringify(value) : value)))
  wake()
}
const until = async (count: number): Promise<void> => {
  while (told.length < count) {
    await first<[]>((listener) => {
      wake = listener
    })
  }
}

const connected = once(server, "connection") as Promise<[WebSocket, IncomingMessage]>
window.start(`ws://127.0.0.1:${port}/socket`)
const [socket, request] = await connected
assert.equal(request.headers.origin, `http://127.0.0.1:${port}`)
assert.equal(request.headers.cookie, "crumb=1")
assert.equal(request.headers["sec-websocket-protocol"], "first,second")
assert.match(String(request.headers["user-agent"]), /jsdom/)

const received: Array<string> = []
await new Promise<void>((resolve) => {
  socket.on("message", (data: Buffer, isBinary) => {
    received.push(isBinary ? data.toString("hex") : data.toString())
    if (received.length === 3) resolve()
  })
})
assert.deepEqual(received, ["text ✓", "010203", Buffer.from("a Blob").toString("hex")])

const closed = once(socket, "close")
socket.send("from the server")
socket.send(bytes(5))
await once(socket, "message")
socket.send(bytes(200_000))
assert.deepEqual(await closed, [3001, Buffer.from("enough")])
await until(5)
assert.deepEqual(told, [
  ["open", `ws://127.0.0.1:${port}/socket`, "second", 1, "blob"],
  ["message", "from the server", `ws://127.0.0.1:${port}`],
  ["message", "Blob", "[0,1,2,3,4]"],
  ["message", "ArrayBuffer", 200_000],
  ["close", 3001, "enough", true]
])

// Nobody listens
told.length = 0
server.close()
web.close()
await once(web, "close")
window.start(`ws://127.0.0.1:${port}/socket`)
await until(2)
assert.deepEqual(told, [["error"], ["close", 1006, "", false]])
window.close()
