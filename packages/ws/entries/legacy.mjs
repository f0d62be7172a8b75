// The exports of ./legacy.js for `import`: the same objects, so that a program may mix `import` and `require`.
import WebSocket from "./legacy.js"

export const { connect, createConnection, createServer, Receiver, Sender, Server } = WebSocket
export { WebSocket, WebSocket as default }
