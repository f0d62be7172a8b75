/** Clients and servers of any implementation of the API, and raw peers. */
import type Legacy from "effect-ws/ws/legacy"
import { createHash } from "node:crypto"
import type { EventEmitter } from "node:events"
import type * as http from "node:http"
import type * as net from "node:net"
import { httpServer, portOf, RawClient, type Resources, upgradeRequest } from "./support.ts"

export type Library = typeof Legacy
export type Socket = InstanceType<Library>
export type Server = InstanceType<Library["Server"]>
export type ServerOptions = NonNullable<ConstructorParameters<Library["Server"]>[0]>
export type ClientOptions = NonNullable<ConstructorParameters<Library>[2]>

/** The arguments of the next event of a name. Other than `once` of Node it doesn't care for errors. */
export const once = (emitter: EventEmitter, event: string): Promise<Array<unknown>> =>
  new Promise((resolve) => emitter.once(event, (...args: Array<unknown>) => resolve(args)))

export const serve = async (
  { Server }: Library,
  resources: Resources,
  options: ServerOptions = {}
): Promise<{ server: Server; port: number; url: string; http: http.Server }> => {
  const web = await httpServer(resources)
  const server = new Server({ ...options, server: web })
  server.on("error", () => {})
  const port = portOf(web)
  return { server, port, url: `ws://127.0.0.1:${port}`, http: web }
}

export const connectionOf = async (server: Server): Promise<Socket> => {
  const [socket] = (await once(server, "connection")) as unknown as [Socket]
  return socket
}

/** Both ends of an open connection. */
export const pair = async (
  Library: Library,
  resources: Resources,
  serverOptions: ServerOptions = {},
  clientOptions: ClientOptions = {}
): Promise<{ server: Server; socket: Socket; theirs: Socket }> => {
  const { server, url } = await serve(Library, resources, serverOptions)
  const connected = connectionOf(server)
  const socket = new Library(url, clientOptions)
  await once(socket, "open")
  return { server, socket, theirs: await connected }
}

export const closeOf = async (socket: Socket): Promise<Array<unknown>> => once(socket, "close")

/** A server that speaks with raw bytes: answers the handshake and gives the socket away. */
export const rawServer = async (
  resources: Resources,
  headers: (request: http.IncomingMessage, accept: string) => Array<string> = (_, accept) => [
    `Sec-WebSocket-Accept: ${accept}`
  ]
): Promise<{ url: string; upgraded: Promise<[http.IncomingMessage, RawClient]> }> => {
  const web = await httpServer(resources)
  const upgraded = new Promise<[http.IncomingMessage, RawClient]>((resolve) => {
    web.on("upgrade", (request: http.IncomingMessage, socket: net.Socket) => {
      const accept = createHash("sha1")
        .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
        .digest("base64")
      const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
      socket.write([...lines, ...headers(request, accept), "", ""].join("\r\n"))
      resolve([request, new RawClient(socket)])
    })
  })
  return { url: `ws://127.0.0.1:${portOf(web)}/`, upgraded }
}

export const rawClient = async (
  resources: Resources,
  port: number,
  request: string | Uint8Array = upgradeRequest()
): Promise<RawClient> => {
  const client = await RawClient.connect(resources, port)
  client.write(request)
  return client
}
