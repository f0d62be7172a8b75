import type { IncomingMessage } from "node:http"
import { createRequire } from "node:module"
import type { Duplex } from "node:stream"
import { listen, makeHttpServer } from "./httpServer.ts"
import { mode, unsupported } from "./program.ts"

interface FayeSocket {
  readonly on: {
    (event: "message", listener: (event: { readonly data: string | Buffer }) => void): void
    (event: "close" | "error", listener: () => void): void
  }
  readonly send: (data: string | Buffer) => void
}

const FayeWebSocket: {
  new (request: IncomingMessage, socket: Duplex, head: Buffer): FayeSocket
  isWebSocket(request: IncomingMessage): boolean
} = createRequire(import.meta.url)("faye-websocket")

if (mode.compression !== "off") unsupported("has no permessage-deflate of its own")

const server = makeHttpServer()
const sockets = new Set<FayeSocket>()
server.on("upgrade", (request, socket, head) => {
  if (!FayeWebSocket.isWebSocket(request)) {
    socket.destroy()
    return
  }
  const webSocket = new FayeWebSocket(request, socket, head)
  sockets.add(webSocket)
  webSocket.on("close", () => sockets.delete(webSocket))
  webSocket.on("error", () => undefined)
  webSocket.on("message", ({ data }) => {
    if (mode.scenario === "echo") webSocket.send(data)
    else for (const other of sockets) other.send(data)
  })
})
listen(server)
