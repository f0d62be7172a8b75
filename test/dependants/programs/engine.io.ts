/** engine.io, server and client: the way from polling to the WebSocket, heartbeats, compression, limits, refusals. */
import { Socket } from "engine.io-client"
import assert from "node:assert/strict"
import { attach } from "engine.io"
import { WebSocket } from "ws"
import { bytes, first, listen } from "./support.ts"

const { port, server: web } = await listen()
const server = attach(web, {
  pingInterval: 50,
  pingTimeout: 5000,
  maxHttpBufferSize: 100_000,
  perMessageDeflate: { threshold: 100 },
  allowRequest: (request, decide) => decide(null, request.headers["x-refused"] === undefined)
})
server.on("connection", (socket) => socket.on("message", (data: string | Buffer) => socket.send(data)))

const options = { hostname: "127.0.0.1", port }

const opened = async (socket: Socket): Promise<Socket> => {
  await first((listener) => socket.on("open", listener))
  return socket
}

const echo = async (socket: Socket, data: string | Buffer): Promise<unknown> => {
  const answer = first((listener) => socket.once("message", listener))
  socket.send(data)
  return (await answer)[0]
}

// From polling to the WebSocket
const upgrading = new Socket({ ...options, transports: ["polling", "websocket"] })
await first((listener) => upgrading.on("upgrade", listener))
assert.equal(upgrading.transport.name, "websocket")
assert.equal(await echo(upgrading, "after the upgrade"), "after the upgrade")

// Over the WebSocket alone
const direct = await opened(new Socket({ ...options, transports: ["websocket"] }))
assert.ok(Reflect.get(direct.transport, "ws") instanceof WebSocket)
for (const length of [1, 99, 100, 126, 70_000, 99_000]) {
  const text = "ö".repeat(Math.ceil(length / 2))
  assert.equal(await echo(direct, text), text)
  assert.deepEqual(await echo(direct, bytes(length)), bytes(length))
}

// The server's heartbeats are messages of the transport
for (let beats = 0; beats < 3; beats++) await first((listener) => direct.once("ping", listener))

// One byte over the server's limit ends the connection
const tooMuch = first((listener) => direct.on("close", listener))
direct.send(bytes(100_001))
const [reason, description] = await tooMuch
assert.equal(reason, "transport close")
assert.equal(Reflect.get(Object(Reflect.get(Object(description), "context")), "code"), 1009)

// A refusal
const refused = new Socket({ ...options, transports: ["websocket"], extraHeaders: { "x-refused": "yes" } })
const [error] = await first((listener) => refused.on("error", listener))
assert.equal(
  Reflect.get(Object(Reflect.get(Object(error), "description")), "message"),
  "Unexpected server response: 400"
)

const closed = first((listener) => upgrading.on("close", listener))
server.close()
assert.equal((await closed)[0], "transport close")
web.close()
