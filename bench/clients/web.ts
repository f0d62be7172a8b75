// The standard WebSocket of the runtime itself: Node, Bun, Deno.
import { drive, fail, mode, unsupported } from "./program.ts"

if (mode.compression !== "off" && !("Bun" in globalThis)) unsupported("does not compress what it sends")

drive((url, listener) => {
  const socket = new WebSocket(url)
  socket.binaryType = "arraybuffer"
  socket.addEventListener("open", () =>
    listener.onOpen({ send: (data) => socket.send(data), close: () => socket.close(1000) })
  )
  socket.addEventListener("message", ({ data }) => listener.onMessage(data))
  socket.addEventListener("close", () => listener.onClose())
  socket.addEventListener("error", () => fail("the socket failed"))
})
