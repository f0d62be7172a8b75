// Programs as they are written against `@types/ws`, compiled against this library. Nothing here runs.
/* oxlint-disable unicorn/prefer-add-event-listener, unicorn/no-invalid-remove-event-listener -- they are what is tested */
/* oxlint-disable unicorn/consistent-function-scoping -- helpers stand with the tests that they serve */
import WebSocket, { createWebSocketStream, type RawData, type Server, WebSocketServer } from "effect-ws/ws"
import * as ws from "effect-ws/ws"
import type {
  AddressInfo,
  ClientOptions,
  CloseEvent,
  Data,
  ErrorEvent,
  Event,
  EventListenerOptions,
  FinishRequestCallback,
  MessageEvent,
  PerMessageDeflateOptions,
  ServerOptions,
  VerifyClientCallbackAsync,
  VerifyClientCallbackSync
} from "effect-ws/ws"
import * as http from "node:http"
import * as https from "node:https"
import type { Duplex } from "node:stream"
import { checkServerIdentity } from "node:tls"

export const client = (): void => {
  const socket = new WebSocket("ws://www.host.com/path")
  socket.on("open", () => socket.send("something"))
  socket.on("message", (data) => {
    const text: string = data.toString()
    void text
  })
  socket.on("message", (data, isBinary) => {
    const raw: RawData = data
    const binary: boolean = isBinary
    if (Array.isArray(raw)) raw.map((part) => part.length)
    else if (raw instanceof ArrayBuffer) void raw.byteLength
    else void raw.readUInt8(0)
    void binary
  })
  // As code of older versions has it.
  socket.on("message", (message: string) => message.length)
  socket.on("close", (code: number, reason: Buffer) => void [code, reason.toString()])
  socket.once("error", (error) => void error.message)
  socket.off("error", () => {})
  socket.on("ping", (data) => socket.pong(data))
  socket.on("upgrade", (response) => void response.headers["x"])
  socket.on("redirect", (url, request) => void [url.length, request.setHeader("a", "b")])
  socket.on("unexpected-response", (request, response) => void [request.path, response.statusCode])
  socket.on("something of its own", (one: number, two: string) => void [one, two])
  socket.on("message", function (data) {
    this.send(String(data))
    this.close()
  })
  const state: 0 | 1 | 2 | 3 = socket.readyState
  if (socket.readyState === WebSocket.OPEN || socket.readyState === socket.CONNECTING) void state
  const [protocol, extensions, url, amount, paused]: [string, string, string, number, boolean] = [
    socket.protocol,
    socket.extensions,
    socket.url,
    socket.bufferedAmount,
    socket.isPaused
  ]
  void [protocol, extensions, url, amount, paused]
  socket.binaryType = "arraybuffer"
  socket.pause()
  socket.resume()
  socket.terminate()
}

export const everyConstructor = (): void => {
  void new WebSocket(null)
  void new WebSocket(new URL("ws://localhost"))
  void new WebSocket("ws://localhost", "protocol")
  void new WebSocket("ws://localhost", ["a", "b"], { origin: "http://a" })
  void new WebSocket("ws://localhost", { perMessageDeflate: false })
  void new WebSocket("ws://localhost", undefined, { headers: { Authorization: "x" } })
  const options: ClientOptions = {
    followRedirects: true,
    generateMask: (mask) => void mask.fill(0),
    handshakeTimeout: 1000,
    maxRedirects: 1,
    localAddress: "127.0.0.1",
    protocolVersion: 13,
    headers: { a: "b" },
    agent: new http.Agent(),
    family: 4,
    rejectUnauthorized: false,
    ca: Buffer.alloc(0),
    allowSynchronousEvents: false,
    autoPong: false,
    closeTimeout: 1,
    maxPayload: 1,
    maxBufferedChunks: 1,
    maxFragments: 1,
    maxPendingAutoPongs: 1,
    skipUTF8Validation: true,
    finishRequest: (request, socket) => {
      socket.close()
      request.end()
    }
  }
  void new WebSocket("wss://localhost", options)
  options.handshakeTimeout = 2000
  void new WebSocket("wss://localhost", { checkServerIdentity: () => false })
  void new WebSocket("wss://localhost", {
    checkServerIdentity: (name, certificate) => checkServerIdentity(name, certificate)
  })
  const requestArgs: http.ClientRequestArgs = { headers: { a: ["b", "c"] } }
  void new WebSocket("wss://localhost", requestArgs)
}

export const sending = (socket: WebSocket): void => {
  const callback = (error?: Error): void => void error?.message
  socket.send("text")
  socket.send(5)
  socket.send(Buffer.alloc(1), callback)
  socket.send(new Float32Array(5))
  socket.send(new DataView(new ArrayBuffer(1)))
  socket.send(new ArrayBuffer(1), { binary: true, compress: false, fin: true, mask: true }, callback)
  socket.send(new DataView(new ArrayBuffer(1)) as ArrayBufferView, undefined, callback)
  socket.send([1, 2, 3])
  socket.send(new Blob([]))
  socket.ping()
  socket.ping("data", false, (error: Error) => void error)
  socket.pong(Buffer.alloc(1), true)
  socket.close()
  socket.close(1000)
  socket.close(1000, "why")
  socket.close(1000, Buffer.from("why"))
}

export const asInBrowsers = (socket: WebSocket): void => {
  socket.onopen = (event: Event) => void event.type
  socket.onmessage = (event: MessageEvent) => {
    const data: Data = event.data
    event.target.send(typeof data === "string" ? data : "bytes")
  }
  socket.onclose = ({ code, reason, wasClean }: CloseEvent) => void [code.toFixed(), reason.length, wasClean]
  socket.onerror = (event: ErrorEvent) => void [event.message.length, event.error.code, event.error]
  const before = socket.onmessage
  socket.onmessage = (event) => before?.(event)
  socket.onmessage = null
  const once: EventListenerOptions = { once: true }
  socket.addEventListener("message", (event) => void event.data, once)
  socket.addEventListener("close", { handleEvent: (event) => void event.code })
  socket.removeEventListener("open", () => {})
  const map: keyof WebSocket.WebSocketEventMap = "close"
  void map
}

export const server = (): void => {
  const options: ServerOptions = {
    port: 8080,
    host: "localhost",
    backlog: 1,
    path: "/",
    clientTracking: true,
    maxPayload: 1,
    perMessageDeflate: {
      zlibDeflateOptions: { chunkSize: 1024, memLevel: 7, level: 3 },
      zlibInflateOptions: { chunkSize: 10 * 1024 },
      clientNoContextTakeover: true,
      serverNoContextTakeover: true,
      serverMaxWindowBits: 10,
      concurrencyLimit: 10,
      threshold: 1024
    },
    handleProtocols: (protocols, request) => (protocols.has("a") && request.url === "/" ? "a" : false),
    verifyClient: (info: { origin: string; secure: boolean; req: http.IncomingMessage }) =>
      info.origin === "http://a" && info.secure && info.req.headers.cookie !== undefined
  }
  options.maxPayload = 2
  const sockets = new WebSocketServer(options, () => {})
  const path: string = sockets.path
  const alone: boolean = sockets.options.noServer
  sockets.options.clientTracking = alone
  void path
  sockets.on("connection", (socket, request) => {
    const ip: string | undefined = request.socket.remoteAddress
    socket.on("message", (data, isBinary) => {
      for (const client of sockets.clients) {
        if (client !== socket && client.readyState === WebSocket.OPEN) client.send(data, { binary: isBinary })
      }
    })
    void ip
  })
  sockets.on("headers", (headers, request) => void [headers.push("a: b"), request.url])
  sockets.on("wsClientError", (error, socket: Duplex, request) => void [error.message, socket.destroy(), request.url])
  sockets.on("error", (error) => void error.message)
  sockets.on("listening", () => {})
  sockets.on("close", function () {
    void this.clients.size
  })
  const address: AddressInfo | string | null = sockets.address()
  if (address !== null && typeof address !== "string") void address.port.toFixed()
  sockets.close((error?: Error) => void error)
}

export const everyVerifier: ReadonlyArray<ServerOptions["verifyClient"]> = [
  (info: { origin: string; secure: boolean; req: http.IncomingMessage }) => info.secure,
  (info, callback) => callback(info.secure, 401, "no", { "X-Why": "so" }),
  ((info) => info.origin !== "") satisfies VerifyClientCallbackSync,
  ((_, callback) => callback(false)) satisfies VerifyClientCallbackAsync
]

export const byHand = (): void => {
  const outer = http.createServer()
  const secure = https.createServer()
  void new WebSocketServer({ server: outer })
  void new WebSocketServer({ server: secure })
  const sockets = new WebSocket.Server({ noServer: true })
  outer.on("upgrade", (request, socket, head) => {
    if (!sockets.shouldHandle(request)) return
    sockets.handleUpgrade(request, socket, head, (client) => sockets.emit("connection", client, request))
  })
}

class Chatter extends WebSocket {
  nickname = ""
}

class ChatRequest extends http.IncomingMessage {
  room = ""
}

export const classes = (): void => {
  const sockets = new WebSocketServer<typeof Chatter, typeof ChatRequest>({ noServer: true, WebSocket: Chatter })
  sockets.on("connection", (chatter, request) => void [chatter.nickname.length, request.room.length])
  for (const chatter of sockets.clients) void chatter.nickname
  class Own extends WebSocketServer {
    override shouldHandle(request: http.IncomingMessage): boolean {
      return request.url === "/"
    }
  }
  void new Own({ noServer: true })
  // What ours have beneath is in nobody's way.
  class Stateful extends WebSocketServer {
    state = "new"
    attach(): void {}
    reject(): void {}
  }
  void new Stateful({ noServer: true }).state
}

export const names = (socket: WebSocket, sockets: WebSocket.Server, other: Server, raw: WebSocket.RawData): void => {
  const data: WebSocket.Data = raw
  const options: WebSocket.ServerOptions = { noServer: true }
  const clientOptions: WebSocket.ClientOptions = { origin: "a" }
  const deflate: WebSocket.PerMessageDeflateOptions = { threshold: 1 }
  const same: PerMessageDeflateOptions = deflate
  const finish: WebSocket.FinishRequestCallback = (request) => request.end()
  const finishToo: FinishRequestCallback = finish
  const info: WebSocket.AddressInfo = { address: "", family: "", port: 0 }
  const event: WebSocket.MessageEvent = { data: "", type: "message", target: socket }
  const certificate: WebSocket.CertMeta = "a"
  const itself: WebSocket.WebSocket = socket
  const instance: InstanceType<typeof WebSocketServer> = sockets
  for (const client of instance.clients) client.ping()
  void [certificate, itself]
  const server: WebSocket.WebSocketServer = sockets
  const again: WebSocketServer = other
  void [data, options, clientOptions, same, finishToo, info, event, server, again]
  void [WebSocket.CONNECTING, WebSocket.WebSocket, WebSocket.WebSocketServer, ws.WebSocket, ws.default]
}

export const streams = (socket: WebSocket): void => {
  const stream: Duplex = createWebSocketStream(socket, { encoding: "utf8" })
  stream.pipe(process.stdout)
  void WebSocket.createWebSocketStream(socket)
}

// What must not compile.
export const wrong = (socket: WebSocket): void => {
  // @ts-expect-error a string is no code
  socket.close("1000")
  // @ts-expect-error there is no such type
  socket.binaryType = "bytes"
  // @ts-expect-error it is read-only
  socket.readyState = 1
  // @ts-expect-error options are needed
  void new WebSocketServer({ port: "80" })
  // @ts-expect-error no server can make its sockets of it
  void new WebSocketServer({ noServer: true, WebSocket: http.Server })
  // @ts-expect-error there are no event objects for it
  socket.addEventListener("ping", () => {})
}
