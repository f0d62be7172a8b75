// A socket as a duplex stream.
import { describe } from "@effect/vitest"
import { once } from "node:events"
import type { Duplex, DuplexOptions } from "node:stream"
import { pipeline } from "node:stream/promises"
import type { ServerOptions, WebSocket } from "ws"
import { attempt, closed, frame, type Lab, plain, same, settled, until } from "./lab.ts"

const observe = (lab: Lab, stream: Duplex, name = "stream", ...events: ReadonlyArray<string>): Duplex => {
  for (const event of events.length > 0 ? events : ["data", "end", "finish", "close", "error"]) {
    stream.on(event, (value: unknown) => lab.note(name, event, ...(value === undefined ? [] : [value])))
  }
  return stream
}

const pair = async (
  lab: Lab,
  options?: DuplexOptions,
  serverOptions: ServerOptions = {}
): Promise<{ readonly stream: Duplex; readonly client: WebSocket; readonly remote: WebSocket }> => {
  const { client, remote } = await lab.pair(serverOptions)
  return { client, remote, stream: lab.lib.createWebSocketStream(client, options) }
}

describe("createWebSocketStream [function:createWebSocketStream]", () => {
  same("what is written are messages, what arrives are chunks", async (lab) => {
    const { remote, stream } = await pair(lab)
    observe(lab, stream, "stream", "data")
    remote.on("message", (data, isBinary) => {
      lab.note("message", data, isBinary)
      remote.send(data, { binary: isBinary })
    })
    stream.write("text")
    stream.write(Buffer.from("bytes"))
    stream.write("abc", "latin1", () => lab.note("written"))
    await until(() => lab.log.length >= 7)
  })
  same("strings in object mode", async (lab) => {
    const { remote, stream } = await pair(lab, { readableObjectMode: true })
    observe(lab, stream, "stream", "data")
    remote.send("text")
    remote.send(Buffer.from("bytes"))
    remote.send("")
    await until(() => lab.log.length >= 3)
    lab.note(stream.readableObjectMode, stream.writableObjectMode)
  })
  same("with an encoding, not decoded", async (lab) => {
    const { remote, stream } = await pair(lab, { encoding: "utf8", decodeStrings: false })
    observe(lab, stream, "stream", "data")
    remote.on("message", (data, isBinary) => lab.note("message", data, isBinary))
    remote.send(Buffer.from("grün"))
    stream.write("häß")
    await until(() => lab.log.length >= 2)
  })
  same("end closes the connection", async (lab) => {
    const { client, remote, stream } = await pair(lab)
    observe(lab, stream)
    stream.resume()
    lab.observe(remote, "server", "message", "close")
    stream.end("last")
    await Promise.all([once(stream, "close"), closed(remote), closed(client)])
    lab.note(stream.destroyed, client.readyState)
  })
  same("the peer closes", async (lab) => {
    const { client, remote, stream } = await pair(lab)
    observe(lab, stream)
    remote.send("last")
    remote.close(4000)
    await closed(client)
    await settled(5)
    lab.note(stream.readableEnded, stream.writableFinished, stream.destroyed)
    stream.end()
    await settled(5)
    lab.note(stream.destroyed)
  })
  same("destroyed, with and without an error", async (lab) => {
    for (const error of [undefined, new Error("mine")]) {
      const { client, remote, stream } = await pair(lab)
      observe(lab, stream)
      stream.destroy(error)
      lab.note(client.readyState)
      await Promise.all([
        closed(client),
        closed(remote),
        stream.closed ? 0 : new Promise((resolve) => stream.once("close", resolve))
      ])
      lab.note(attempt(() => stream.destroy() === stream))
    }
  })
  same("the peer breaks the protocol", async (lab) => {
    const { raw, socket } = await lab.rawPair()
    const stream = observe(lab, lab.lib.createWebSocketStream(socket))
    raw.socket.on("end", () => raw.socket.end())
    raw.socket.write(frame(0x83, "", { mask: true }))
    await closed(socket)
    await settled(5)
    lab.note(stream.destroyed)
  })
  same("before the connection is open", async (lab) => {
    const { port, server } = await lab.server()
    const got: Array<unknown> = []
    server.on("connection", (socket) => socket.on("message", (data) => got.push(plain(data))))
    const client = lab.client(port)
    const stream = observe(lab, lab.lib.createWebSocketStream(client))
    stream.resume()
    stream.write("early")
    stream.end("last")
    await closed(client)
    await settled(5)
    lab.note(got)
  })
  same("the handshake fails", async (lab) => {
    const port = await lab.rawServer((raw) => raw.socket.end("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"))
    for (const use of ["write", "end", "destroy"] as const) {
      const client = lab.client(port)
      const stream = observe(lab, lab.lib.createWebSocketStream(client), use)
      if (use === "write") stream.write("x")
      else if (use === "end") stream.end()
      await closed(client)
      await settled(5)
      if (use === "destroy") stream.destroy()
    }
  })
  same("nobody listens for an error", async (lab) => {
    const { raw, socket } = await lab.rawPair()
    const stream = lab.lib.createWebSocketStream(socket)
    const handlers = process.listeners("uncaughtException")
    process.removeAllListeners("uncaughtException")
    process.on("uncaughtException", (error) => lab.note("uncaught", error))
    raw.socket.end(frame(0x83, "", { mask: true }))
    await closed(socket)
    await settled(5)
    process.removeAllListeners("uncaughtException")
    for (const handler of handlers) process.on("uncaughtException", handler)
    lab.note(stream.destroyed)
  })
  same("a slow reader pauses the connection", async (lab) => {
    const { client, remote, stream } = await pair(lab, { readableHighWaterMark: 1000 })
    for (let count = 0; count < 200; count++) remote.send(Buffer.alloc(10_000))
    await settled(30)
    lab.note(client.isPaused)
    const got: Array<number> = []
    stream.on("data", (chunk: Buffer) => got.push(chunk.length))
    while (got.length < 200) await settled(1)
    lab.note(got.length, client.isPaused)
  })
  same("one piped into another", async (lab) => {
    const first = await pair(lab)
    const second = await lab.pair()
    let size = 0
    second.remote.on("message", (data) => (size += (data as Buffer).length))
    for (let count = 0; count < 50; count++) first.remote.send(Buffer.alloc(20_000))
    first.remote.close()
    await pipeline(first.stream, lab.lib.createWebSocketStream(second.client)).catch((error) => lab.note(error))
    await closed(second.remote)
    lab.note(size)
  })
})
