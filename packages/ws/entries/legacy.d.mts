/// <reference types="node" />
export {
  connect,
  connect as createConnection,
  createServer,
  Receiver,
  Sender,
  Server,
  WebSocket,
  WebSocket as default
} from "./types/ws/legacy/index.js"
export type * from "./types/ws/legacy/types.js"
export type { CloseEvent, MessageEvent, OpenEvent } from "./types/ws/legacy/events.js"
