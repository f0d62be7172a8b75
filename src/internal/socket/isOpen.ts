import { WebSocketConnection } from "./webSocketConnection.ts"
import type { Socket } from "./model.ts"

/** Whether a socket takes messages still. Of a socket that isn't this library's own nothing else is known. */
export const isOpen = (socket: Socket): boolean => !(socket instanceof WebSocketConnection) || socket.connection.isOpen
