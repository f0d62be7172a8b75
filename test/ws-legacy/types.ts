/** Programs as they were typed by the declarations for `ws` 0.4: they have to compile, nobody runs them. */
/* oxlint-disable unicorn/prefer-add-event-listener -- the programs of the time use the properties */
import Default, {
  connect,
  createConnection,
  createServer,
  Receiver,
  Sender,
  Server,
  WebSocket
} from "effect-ws/ws/legacy"
import type { ClientOptions, Data, Flags, SendOptions, ServerOptions } from "effect-ws/ws/legacy"
import * as http from "node:http"

export const text = (): WebSocket => {
  const ws = new WebSocket("ws://www.example.com/path")
  ws.on("open", () => ws.send("something"))
  ws.on("message", (data, flags) => {
    const isBinary: boolean | undefined = flags.binary
    if (typeof data !== "string") ws.send(data, { binary: isBinary })
  })
  ws.on("message", (data: string) => data.charCodeAt(0))
  ws.on("message", (data: Buffer, flags: { binary: boolean; masked: boolean }) => data.readUInt8(flags.binary ? 1 : 0))
  ws.on("close", (code: number, message: string) => [code, message])
  ws.on("error", (error: Error) => error.message)
  ws.on("ping", (data) => ws.pong(data, { mask: true }, true))
  ws.on("unexpected-response", (request, response) => [request.method, response.statusCode])
  ws.once("something else", (anything) => anything)
  return ws
}

export const binary = (): void => {
  const ws = new WebSocket("ws://www.example.com/path", { protocolVersion: 8, origin: "http://example.com" })
  const array = new Float32Array(5)
  ws.send(array, { binary: true, mask: true })
  ws.send(array, (error) => error?.message)
  ws.send("text", {}, (error?: Error | null) => error)
  ws.stream({ binary: true }, (error, send) => (error === null ? send("piece", true) : undefined))
}

export const properties = (ws: WebSocket): unknown => {
  ws.onopen = (event: { target: WebSocket }) => event.target
  ws.onmessage = (event: { data: unknown; type: string; target: WebSocket }) => event.data
  ws.onclose = (event: { wasClean: boolean; code: number; reason: string; target: WebSocket }) => event.code
  ws.onerror = (error: Error) => error.message
  ws.onmessage = null
  ws.addEventListener("message", (event) => [event.data, event.type])
  ws.addEventListener("close", (event) => event.wasClean)
  const state: number | null = ws.readyState
  return [
    state === WebSocket.OPEN || ws.OPEN,
    ws.bytesReceived,
    ws.bufferedAmount,
    ws.supports.binary,
    ws.upgradeReq?.headers.cookie,
    ws.protocol,
    ws.protocolVersion,
    ws.url
  ]
}

export const server = (): WebSocket.Server => {
  const WebSocketServer = WebSocket.Server
  const wss: WebSocket.Server = new WebSocketServer({ port: 8081 }, () => {})
  wss.on("connection", (ws) => {
    ws.on("message", (message) => console.log("received: %s", message))
    ws.send("something")
  })
  wss.on("connection/chat", (ws) => ws)
  wss.on("headers", (lines: Array<string>) => lines.push("X: 1"))
  for (const client of wss.clients) client.send("to all")
  return wss
}

export const options: Array<WebSocket.ServerOptions> = [
  { server: http.createServer(), path: "/path", clientTracking: false },
  { noServer: true, verifyClient: () => true },
  { port: 0, verifyClient: (info: { origin: string; secure: boolean; req: http.IncomingMessage }) => info.secure },
  { port: 0, verifyClient: (info, callback) => callback(info.origin === "http://example.com", 403, "No") },
  { port: 0, handleProtocols: (list, callback) => callback(true, list[0]) },
  { port: 0, disableHixie: true, host: null }
]

export const functions = (): void => {
  const wss = WebSocket.createServer({ port: 0 }, (ws) => ws.terminate())
  const ws: WebSocket = WebSocket.connect("ws://www.example.com", () => {})
  WebSocket.createConnection("ws://www.example.com").close(1000, "bye")
  ws.pause()
  ws.resume()
  wss.close()
}

export class Session extends WebSocket {
  user = ""
}

export const same: [typeof WebSocket, typeof Server] = [Default, WebSocket.Server]

export const socket = (options: ClientOptions): WebSocket => new WebSocket(new URL("wss://example.com"), null, options)

export const withOptions = (options: ServerOptions): Server => new Server(options)

export const send = (ws: WebSocket, data: Data, options: SendOptions): void => ws.send(data, options)

export const isBinary = ({ binary }: Flags): boolean => binary === true

export const made: ReadonlyArray<unknown> = [connect, createConnection, createServer, new Receiver(), Sender]
