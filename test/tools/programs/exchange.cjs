"use strict"

/** Sends messages to a server that echoes them, over a compressed connection, and answers what came back. */
exports.exchange = (WebSocket, WebSocketServer) =>
  new Promise((resolve, reject) => {
    const server = new WebSocketServer({ port: 0, perMessageDeflate: { threshold: 0 } })
    server.on("error", reject)
    server.on("connection", (socket) => {
      socket.on("error", reject)
      socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }))
    })
    server.on("listening", () => {
      const client = new WebSocket(`ws://127.0.0.1:${server.address().port}`)
      const sent = ["hello", Buffer.from([1, 2, 3]), "a long text ".repeat(10_000)]
      const received = []
      client.on("error", reject)
      client.on("open", () => {
        for (const message of sent) client.send(message)
      })
      client.on("message", (data, isBinary) => {
        received.push(isBinary ? [...data] : String(data).length)
        if (received.length === sent.length) client.close(4000, "done")
      })
      client.on("close", (code, reason) => {
        server.close(() => resolve({ extensions: client.extensions, received, code, reason: String(reason) }))
      })
    })
  })

/** What the exchange answers where everything works. */
exports.expected = {
  extensions: "permessage-deflate",
  received: [5, [1, 2, 3], 120_000],
  code: 4000,
  reason: "done"
}
