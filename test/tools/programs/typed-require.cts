// A program as it is written against `@types/ws`, for `require`.
import net = require("node:net")
import WebSocket = require("ws")

class Server extends WebSocket.Server {
  count = 0
}

const server = new Server({ port: 0 }, () => {
  const { port } = server.address() as net.AddressInfo
  const client: WebSocket.WebSocket = new WebSocket.WebSocket(`ws://127.0.0.1:${port}`)
  client.on("open", () => client.send("hello"))
  client.on("message", (data: WebSocket.RawData) => {
    console.log(JSON.stringify(data.toString()))
    client.close()
    server.close()
  })
})
server.on("connection", (socket: WebSocket, request) => {
  const url: string | undefined = request.url
  socket.on("message", (data: WebSocket.Data, isBinary: boolean) => {
    server.count++
    if (url === "/" && !(typeof data === "string")) socket.send(data, { binary: isBinary })
  })
})

const options: WebSocket.ClientOptions = {
  perMessageDeflate: { threshold: 0 } satisfies WebSocket.PerMessageDeflateOptions
}
export = options
