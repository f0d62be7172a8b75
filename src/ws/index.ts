/**
 * The API of `ws` 8 over this library's engine: `import WebSocket, { WebSocketServer } from "effect-ws/ws"`, or
 * `const WebSocket = require("effect-ws/ws")`, which is the `WebSocket` class with all the rest on it.
 */
import * as extension from "./extension.ts"
import { PerMessageDeflate } from "./PerMessageDeflate.ts"
import { Receiver } from "./Receiver.ts"
import { Sender } from "./Sender.ts"
import { createWebSocketStream } from "./stream.ts"
import * as subprotocol from "./subprotocol.ts"
import { WebSocket } from "./WebSocket.ts"
import { WebSocketServer } from "./WebSocketServer.ts"

WebSocket.createWebSocketStream = createWebSocketStream
WebSocket.extension = extension
WebSocket.PerMessageDeflate = PerMessageDeflate
WebSocket.Receiver = Receiver
WebSocket.Sender = Sender
WebSocket.Server = WebSocketServer
WebSocket.subprotocol = subprotocol
WebSocket.WebSocket = WebSocket
WebSocket.WebSocketServer = WebSocketServer

export {
  createWebSocketStream,
  extension,
  PerMessageDeflate,
  Receiver,
  Sender,
  subprotocol,
  WebSocket,
  WebSocketServer,
  WebSocketServer as Server
}
export { WebSocket as default, WebSocket as "module.exports" }
export type { PerMessageDeflateOptions } from "./PerMessageDeflate.ts"
export type * from "./types.ts"
