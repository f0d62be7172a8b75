import { WebSocket, WebSocketServer } from "ws"
import type { Target, TargetOptions } from "./target.ts"

/** Cases 9.3.1 and 9.4.1 send one message in 65,536 fragments; the default is a quarter of that. */
const optionsOf = ({ maxMessageSize }: TargetOptions) => ({
  perMessageDeflate: { threshold: 0 },
  maxPayload: maxMessageSize,
  maxFragments: 65_536
})

const echo = (socket: WebSocket): void => {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }))
  // A protocol error is what many cases provoke; "close" follows.
  socket.on("error", () => undefined)
}

/** `ws` 8, the control: a case that it fails points at the driver. */
export const ws: Target = {
  name: "ws",
  startServer: (options) =>
    new Promise((resolve) => {
      const server = new WebSocketServer({ host: "127.0.0.1", port: 0, ...optionsOf(options) }, () => {
        const address = server.address()
        resolve({
          port: typeof address === "object" && address !== null ? address.port : 0,
          close: () =>
            new Promise((done) => {
              for (const client of server.clients) client.terminate()
              server.close(() => done())
            })
        })
      })
      server.on("connection", echo)
    }),
  runClient: (url, options) =>
    new Promise((resolve) => {
      const socket = new WebSocket(url, optionsOf(options))
      echo(socket)
      socket.on("close", () => resolve())
    })
}
