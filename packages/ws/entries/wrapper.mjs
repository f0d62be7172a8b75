// The exports of ./index.js for `import`: the same objects, so that a program may mix `import` and `require`.
import WebSocket from "./index.js"

export const {
  createWebSocketStream,
  extension,
  PerMessageDeflate,
  Receiver,
  Sender,
  Server,
  subprotocol,
  WebSocketServer
} = WebSocket
export { WebSocket, WebSocket as default }
