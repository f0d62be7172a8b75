import { Effect } from "effect"
import { once } from "node:events"
import * as net from "node:net"

/** A client that speaks the protocol by itself: its opening handshake is done. What it receives is thrown away. */
export const rawPeer = (port: number): Effect.Effect<net.Socket> =>
  Effect.promise(async () => {
    const socket = net.connect(port, "127.0.0.1")
    socket.on("error", () => {})
    socket.write(
      [
        "GET / HTTP/1.1",
        `Host: 127.0.0.1:${port}`,
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "\r\n"
      ].join("\r\n")
    )
    await once(socket, "data")
    socket.resume()
    return socket
  })

/** A binary message of a client, masked with zeros. */
export const maskedBinary = (size: number): Buffer => {
  const frame = Buffer.alloc(8 + size, 0x78)
  frame[0] = 0x82
  frame[1] = 0xfe
  frame.writeUInt16BE(size, 2)
  frame.fill(0, 4, 8)
  return frame
}
