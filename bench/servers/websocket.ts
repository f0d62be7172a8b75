import { createRequire } from "node:module"
import type { Server } from "node:http"
import { listen, makeHttpServer } from "./httpServer.ts"
import { largestMessage, mode, unsupported } from "./program.ts"

interface Connection {
  readonly on: {
    (event: "message", listener: (message: Message) => void): void
    (event: "error", listener: () => void): void
  }
  readonly sendUTF: (text: string) => void
  readonly sendBytes: (bytes: Buffer) => void
}

type Message =
  | { readonly type: "utf8"; readonly utf8Data: string }
  | { readonly type: "binary"; readonly binaryData: Buffer }

interface WebSocketServer {
  readonly connections: ReadonlyArray<Connection>
  readonly on: (
    event: "request",
    listener: (request: { accept(protocol: null, origin: string | undefined): Connection }) => void
  ) => void
}

const library: {
  readonly server: new (options: {
    readonly httpServer: Server
    readonly maxReceivedFrameSize: number
    readonly maxReceivedMessageSize: number
    readonly fragmentOutgoingMessages: boolean
  }) => WebSocketServer
} = createRequire(import.meta.url)("websocket")

if (mode.compression !== "off") unsupported("has no permessage-deflate")

const httpServer = makeHttpServer()
const server = new library.server({
  httpServer,
  maxReceivedFrameSize: largestMessage,
  maxReceivedMessageSize: largestMessage,
  fragmentOutgoingMessages: false
})

const send = (connection: Connection, message: Message): void => {
  if (message.type === "utf8") connection.sendUTF(message.utf8Data)
  else connection.sendBytes(message.binaryData)
}

server.on("request", (request) => {
  const connection = request.accept(null, undefined)
  connection.on("error", () => undefined)
  connection.on("message", (message) => {
    if (mode.scenario === "echo") send(connection, message)
    else for (const other of server.connections) send(other, message)
  })
})
listen(httpServer)
