/** express-ws: routes with parameters and middleware, a broadcast to the clients of a route, a refusal, errors. */
import express from "express"
import expressWs from "express-ws"
import { once } from "node:events"
import { WebSocket } from "ws"
import { log } from "./support.ts"

const { app, getWss } = expressWs(express())
app.use((request, _, next) => {
  request.seen = "by the middleware"
  next()
})
app.get("/plain", (_, response) => response.send("plain"))
app.ws("/echo/:name", (socket, request) => {
  socket.on("message", (data, isBinary) => {
    socket.send(isBinary ? data : `${request.params.name}, ${request.query.q}, ${request.seen}: ${data}`)
  })
  socket.on("close", (code, reason) => log("server", "close", code, String(reason)))
})
app.ws("/all", (socket) => {
  socket.on("message", (data) => {
    for (const client of getWss().clients) client.send(String(data))
  })
})
const server = app.listen(0, "127.0.0.1")
await once(server, "listening")
const { port } = server.address()

const connect = async (path) => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`)
  await once(socket, "open")
  return socket
}
const next = async (socket) => {
  const [data, isBinary] = await once(socket, "message")
  return isBinary ? data.length : String(data)
}

log(await (await fetch(`http://127.0.0.1:${port}/plain`)).text())
const echo = await connect("/echo/anna?q=1")
echo.send("text ✓")
log(await next(echo))
echo.send(Buffer.alloc(100_000, 1))
log(await next(echo))

const several = await Promise.all(Array.from({ length: 5 }, () => connect("/all")))
const received = [echo, ...several].map(next)
several[0]?.send("to all")
log(await Promise.all(received))

const refused = new WebSocket(`ws://127.0.0.1:${port}/nothing`)
const [{ message }] = await Promise.race([
  once(refused, "error"),
  once(refused, "close").then(() => [{ message: "closed" }])
])
log("refused", message)

for (const socket of [echo, ...several]) {
  socket.close(4000, "done")
  const [code, reason] = await once(socket, "close")
  if (socket === echo) log("client", "close", code, String(reason))
}
server.closeAllConnections()
server.close()
