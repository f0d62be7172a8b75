/** socket.io, server and clients: an acknowledgement, bytes, a room, compression, the end from either side. */
import assert from "node:assert/strict"
import { once } from "node:events"
import { Server, type Socket as ServerSocket } from "socket.io"
import { io, type Socket } from "socket.io-client"
import { WebSocket } from "ws"
import { bytes, first, listen } from "./support.ts"

const { port, server: web } = await listen()
const server = new Server(web, { perMessageDeflate: { threshold: 1024 } })

server.on("connection", (socket) => {
  socket.on("add", (a: number, b: number, answer: (sum: number) => void) => answer(a + b))
  socket.on("reverse", (data: Buffer, answer: (data: Buffer) => void) => answer(Buffer.from(data.toReversed())))
  socket.on("join", async (room: string, answer: () => void) => {
    await socket.join(room)
    answer()
  })
  socket.on("to", (room: string, text: string, data: Buffer) => socket.to(room).emit("told", text, data))
})

const connect = async (transports: Array<"polling" | "websocket">): Promise<Socket> => {
  const socket = io(`http://127.0.0.1:${port}`, { forceNew: true, reconnection: false, transports })
  await first((listener) => socket.on("connect", listener))
  return socket
}

/** The `WebSocket` under a connection of the server. */
const under = ({ conn }: ServerSocket): unknown => Reflect.get(conn.transport, "socket")

const one = await connect(["websocket"])
const two = await connect(["websocket"])
assert.equal(one.io.engine.transport.name, "websocket")
for (const socket of server.of("/").sockets.values()) {
  assert.equal(socket.conn.transport.name, "websocket")
  const webSocket = under(socket)
  assert.ok(webSocket instanceof WebSocket)
  assert.equal(webSocket.extensions, "permessage-deflate")
}

// An acknowledgement, with text and with bytes, below and above what is compressed
assert.equal(await one.emitWithAck("add", 40, 2), 42)
for (const length of [0, 5, 125, 126, 2000, 65_535, 65_536, 300_000]) {
  const data = bytes(length)
  assert.deepEqual(await one.emitWithAck("reverse", data), Buffer.from(data.toReversed()), `${length} bytes`)
}

// A room: the server makes the frame once, for all that are in it
await Promise.all([one, two].map((socket) => socket.emitWithAck("join", "room")))
const toAll = [one, two].map((socket) => first((listener) => socket.once("told", listener)))
server.to("room").emit("told", "to all ✓", bytes(300))
for (const told of await Promise.all(toAll)) assert.deepEqual(told, ["to all ✓", bytes(300)])
const toTwo = first((listener) => two.once("told", listener))
one.emit("to", "room", "x".repeat(5000), bytes(10))
assert.deepEqual(await toTwo, ["x".repeat(5000), bytes(10)])

// Many at once arrive in order
const many: Array<number> = []
const all = new Promise<void>((resolve) => {
  two.on("number", (number: number) => {
    if (many.push(number) === 1000) resolve()
  })
})
for (let number = 0; number < 1000; number++) server.emit("number", number)
await all
assert.deepEqual(
  many,
  Array.from({ length: 1000 }, (_, index) => index)
)

// A client that begins with polling comes over to the WebSocket
const three = await connect(["polling", "websocket"])
if (three.io.engine.transport.name !== "websocket") await first((listener) => three.io.engine.once("upgrade", listener))
assert.equal(three.io.engine.transport.name, "websocket")
assert.equal(await three.emitWithAck("add", 1, 2), 3)

// The end, from either side
const [peer] = server.of("/").sockets.values()
assert.ok(peer !== undefined)
const left = once(peer, "disconnect")
one.disconnect()
assert.deepEqual((await left).slice(0, 1), ["client namespace disconnect"])
const sentAway = first((listener) => two.on("disconnect", listener))
const cut = first((listener) => three.on("disconnect", listener))
server
  .of("/")
  .sockets.get(two.id ?? "")
  ?.disconnect(true)
assert.equal((await sentAway)[0], "io server disconnect")
await server.close()
assert.equal((await cut)[0], "transport close")
