// The program measured for `ws` and for everything with the same API: the same lines for each.
import type { WebSocketServer } from "ws"
import { listen, makeHttpServer } from "./httpServer.ts"
import { mode } from "./program.ts"

const compression = {
  off: false,
  reset: { serverNoContextTakeover: true, clientNoContextTakeover: true },
  kept: true
} as const

/** Serves with the given `WebSocketServer`. */
export const serve = (Server: typeof WebSocketServer): void => {
  const server = makeHttpServer()
  const sockets = new Server({ server, perMessageDeflate: compression[mode.compression] })
  sockets.on("connection", (socket) => {
    socket.on("error", () => undefined)
    if (mode.scenario === "echo") {
      socket.on("message", (data, binary) => socket.send(data, { binary }))
    } else {
      socket.on("message", (data, binary) => {
        for (const client of sockets.clients) client.send(data, { binary })
      })
    }
  })
  listen(server)
}
