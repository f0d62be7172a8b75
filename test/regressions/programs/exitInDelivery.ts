// A listener of one connection feeds another one and exits the process.
import { writeSync } from "node:fs"
import { IncomingMessage } from "node:http"
import { Socket } from "node:net"
import { Duplex } from "node:stream"
import { type WebSocket, WebSocketServer } from "../../../src/ws/index.ts"

class Pipe extends Duplex {
  private readonly name: string

  constructor(name: string) {
    super()
    this.name = name
  }

  override _read(): void {}

  override _write(bytes: Buffer, _: BufferEncoding, done: () => void): void {
    if (!bytes.toString("latin1").startsWith("HTTP")) writeSync(1, `${this.name} wrote ${bytes.toString("hex")}\n`)
    done()
  }
}

const server = new WebSocketServer({ noServer: true })

const open = (name: string): { readonly pipe: Pipe; readonly client: WebSocket } => {
  const pipe = new Pipe(name)
  const request = new IncomingMessage(new Socket())
  request.method = "GET"
  request.url = "/"
  request.headers = {
    upgrade: "websocket",
    connection: "Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="
  }
  let client: WebSocket | undefined
  server.handleUpgrade(request, pipe, Buffer.alloc(0), (accepted) => {
    client = accepted
  })
  if (client === undefined) throw new Error("not accepted")
  return { pipe, client }
}

const text = (): Buffer => Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x61])
const depth = Number(process.argv[2])
const all = Array.from({ length: depth + 1 }, (_, at) => open(String(at)))
for (const [at, { client }] of all.entries()) {
  client.on("message", () => {
    client.send("bye")
    const next = all[at + 1]
    if (next === undefined) process.exit(0)
    next.pipe.push(text())
    process.exit(0)
  })
}
setImmediate(() => all[0]?.pipe.push(text()))
