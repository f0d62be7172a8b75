import { createRequire } from "node:module"
import { drive, fail, mode, unsupported } from "./program.ts"

interface FayeSocket {
  readonly on: {
    (event: "open" | "close", listener: () => void): void
    (event: "message", listener: (event: { readonly data: string | Buffer }) => void): void
    (event: "error", listener: (event: { readonly message: string }) => void): void
  }
  readonly send: (data: string | Buffer) => void
  readonly close: (code: number) => void
}

const library: { readonly Client: new (url: string) => FayeSocket } = createRequire(import.meta.url)("faye-websocket")

if (mode.compression !== "off") unsupported("has no permessage-deflate of its own")

drive((url, listener) => {
  const socket = new library.Client(url)
  socket.on("open", () =>
    listener.onOpen({
      send: (data) =>
        socket.send(typeof data === "string" ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
      close: () => socket.close(1000)
    })
  )
  socket.on("message", ({ data }) => listener.onMessage(data))
  socket.on("close", () => listener.onClose())
  socket.on("error", ({ message }) => fail(message))
})
