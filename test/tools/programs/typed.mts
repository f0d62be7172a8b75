// A program as it is written against `@types/ws`, for `import`.
import type { AddressInfo } from "node:net"
// oxlint-disable-next-line import/no-named-as-default -- it is how programs import it
import WebSocket, { createWebSocketStream, type RawData, type ServerOptions, WebSocketServer } from "ws"

class Counted extends WebSocket {
  count = 0
}

const options: ServerOptions<typeof Counted> = { port: 0, WebSocket: Counted }
const server = new WebSocketServer(options, () => {
  const { port } = server.address() as AddressInfo
  const client: WebSocket = new WebSocket(`ws://127.0.0.1:${port}`)
  client.on("open", () => client.send("hello"))
  client.on("message", (data: RawData) => {
    console.log(JSON.stringify(data.toString()))
    client.close()
    server.close()
  })
})
server.on("connection", (socket, request) => {
  const url: string | undefined = request.url
  socket.on("message", (data: WebSocket.RawData, isBinary: boolean) => {
    socket.count++
    if (url === "/") socket.send(data, { binary: isBinary })
  })
})

export const streamOf = (socket: WebSocket) => createWebSocketStream(socket, { encoding: "utf8" })
