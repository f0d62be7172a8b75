// No framing at all: after the opening handshake every byte goes back as it came. What node:net itself allows.
import { createServer, type Socket } from "node:net"
import { createServer as createTlsServer } from "node:tls"
import { answer, headerEnd } from "../workload/upgrade.ts"
import { announce, mode, unsupported } from "./program.ts"

if (mode.compression !== "off") unsupported("does not look into messages")

const sockets = new Set<Socket>()

const onConnection = (socket: Socket): void => {
  let header: Buffer | undefined = Buffer.alloc(0)
  socket.setNoDelay(true)
  socket.on("error", () => undefined)
  socket.on("close", () => sockets.delete(socket))
  socket.on("data", (chunk: Buffer) => {
    if (header === undefined) {
      if (mode.scenario === "echo") socket.write(chunk)
      else for (const other of sockets) other.write(chunk)
      return
    }
    header = Buffer.concat([header, chunk])
    const end = headerEnd(header)
    if (end < 0) return
    socket.write(answer(header.toString("latin1", 0, end), "off"))
    header = undefined
    sockets.add(socket)
  })
}

const server = mode.tls === undefined ? createServer(onConnection) : createTlsServer(mode.tls, onConnection)
server.listen(0, "0.0.0.0", () => {
  const address = server.address()
  if (typeof address === "object" && address !== null) announce(address.port)
})
