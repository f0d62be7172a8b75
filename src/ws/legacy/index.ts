/**
 * The API of `ws` 0.4.32, of 2012, over this library's engine: `const WebSocket = require("effect-ws/ws/legacy")` is the
 * `WebSocket` class with all the rest on it; `import WebSocket, { Server } from "effect-ws/ws/legacy"` does as well.
 */
import { callable } from "./callable.ts"
import { Receiver } from "./Receiver.ts"
import { Sender } from "./Sender.ts"
import type * as Types from "./types.ts"
import { initialise, WebSocket as WebSocketClass, type WebSocketEvents } from "./WebSocket.ts"
import { initialiseServer, type ServerEvents, WebSocketServer } from "./WebSocketServer.ts"

/**
 * Accepts connections.
 *
 * @category classes
 * @since 0.1.0
 */
export const Server = callable(WebSocketServer, initialiseServer)

/** Accepts connections. */
export type Server = WebSocketServer

/**
 * Makes a server whose `connection` is listened to.
 *
 * @category constructors
 * @since 0.1.0
 */
export const createServer = (
  options?: Types.ServerOptions | null,
  connectionListener?: Types.Loose<[client: WebSocketClass]>
): WebSocketServer => {
  const server = new Server(options)
  if (typeof connectionListener === "function") server.on("connection", connectionListener)
  return server
}

/**
 * Opens a connection whose `open` is listened to.
 *
 * @category constructors
 * @since 0.1.0
 */
export const connect = (address: string | URL, openListener?: Types.Loose<[]>): WebSocketClass => {
  const client = new WebSocket(address)
  if (typeof openListener === "function") client.on("open", openListener)
  return client
}

/**
 * A connection, of either side.
 *
 * @category classes
 * @since 0.1.0
 */
export const WebSocket = Object.assign(callable(WebSocketClass, initialise), {
  Server,
  Sender,
  Receiver,
  createServer,
  connect,
  createConnection: connect
})

/** A connection, of either side. */
export type WebSocket = WebSocketClass

/** The types that go with it. */
export declare namespace WebSocket {
  export type Server = WebSocketServer
  export type ServerOptions = Types.ServerOptions
  export type ClientOptions = Types.ClientOptions
  export type SendOptions = Types.SendOptions
  export type Flags = Types.Flags
  export type Data = Types.Data
  export type ClientInfo = Types.ClientInfo
  export type VerifyClient = Types.VerifyClient
  export type HandleProtocols = Types.HandleProtocols
  export type Events = WebSocketEvents
  export type ServerEventMap = ServerEvents
}

export { Receiver, Sender, connect as createConnection }
export { WebSocket as default, WebSocket as "module.exports" }
export type { CloseEvent, MessageEvent, OpenEvent } from "./events.ts"
export type * from "./types.ts"
