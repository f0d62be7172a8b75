import { LiveSocket } from "./webSocketConnection.ts"
import type { Socket } from "./model.ts"

/** Whether a socket takes messages still. Of a socket that isn't this library's own nothing else is known. */
export const isOpen = (socket: Socket): boolean => !(socket instanceof LiveSocket) || socket.connection.isOpen
