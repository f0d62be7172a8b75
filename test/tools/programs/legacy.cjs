"use strict"

const WebSocket = require("ws/legacy")

const server = new WebSocket.Server({ port: 0 }, () => {
  const client = new WebSocket(`ws://127.0.0.1:${server._server.address().port}`)
  client.on("open", () => client.send("hello"))
  client.on("message", (text) => {
    console.log(JSON.stringify(text))
    server.close()
  })
})
server.on("connection", (socket) => socket.on("message", (text) => socket.send(text)))
