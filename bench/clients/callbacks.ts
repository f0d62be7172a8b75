// The program measured for `ws` and for everything with the same API: the same lines for each.
import type { WebSocket } from "ws"
import { drive, fail, mode } from "./program.ts"

const compression = {
  off: false,
  reset: { serverNoContextTakeover: true, clientNoContextTakeover: true },
  kept: true
} as const

/** Connects with the given `WebSocket`. */
export const connectWith = (Client: typeof WebSocket): void =>
  drive((url, listener) => {
    const socket = new Client(url, { perMessageDeflate: compression[mode.compression] })
    socket.on("open", () => listener.onOpen({ send: (data) => socket.send(data), close: () => socket.close(1000) }))
    socket.on("message", (data) => {
      if (Array.isArray(data)) fail("a message came in pieces")
      else listener.onMessage(data)
    })
    socket.on("close", () => listener.onClose())
    socket.on("error", (error) => fail(String(error)))
  })
