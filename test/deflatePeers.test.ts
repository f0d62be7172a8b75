// permessage-deflate with peers that keep their window, whatever was asked of them: Tornado, Mojolicious.
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope, Stream } from "effect"
import { Extension, Server, Socket } from "effect-ws"
import * as ws from "effect-ws/ws"
import { createHash } from "node:crypto"
import { once } from "node:events"
import * as http from "node:http"
import * as net from "node:net"
import type { Duplex } from "node:stream"
import * as zlib from "node:zlib"
import { listening } from "./support/http.ts"

const text = (at: number): string =>
  JSON.stringify({ at, words: Array.from({ length: 40 }, (_, index) => `word ${index} of a message`) })

/** A deflater that never forgets its window. */
class Deflater {
  private readonly raw = zlib.createDeflateRaw({ flush: zlib.constants.Z_SYNC_FLUSH })

  compress(message: string): Promise<Buffer> {
    return new Promise((resolve) => {
      const chunks: Array<Buffer> = []
      const onData = (chunk: Buffer): void => void chunks.push(chunk)
      this.raw.on("data", onData)
      this.raw.write(message)
      this.raw.flush(zlib.constants.Z_SYNC_FLUSH, () => {
        this.raw.off("data", onData)
        resolve(Buffer.concat(chunks).subarray(0, -4))
      })
    })
  }
}

/** A compressed text frame of less than 64 KiB, RFC 6455 §5.2. */
const frame = (payload: Buffer, masked: boolean): Buffer => {
  const mask = masked ? 0x80 : 0
  const length =
    payload.length < 126 ? [mask | payload.length] : [mask | 126, payload.length >> 8, payload.length & 255]
  return Buffer.concat([Buffer.from([0xc1, ...length]), Buffer.alloc(masked ? 4 : 0), payload])
}

/** A client that offers nothing about its window, and keeps it; gives the server's header and what the server sends. */
const keepingClient = async (port: number, messages: ReadonlyArray<string>): Promise<string> => {
  const socket = net.connect(port, "127.0.0.1")
  let received = ""
  socket.on("data", (chunk: Buffer) => (received += chunk.toString("latin1")))
  socket.write(
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
      "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
  )
  while (!received.includes("\r\n\r\n")) await once(socket, "data")
  const deflater = new Deflater()
  for (const message of messages) socket.write(frame(await deflater.compress(message), true))
  // A close frame: the peer answers it after the messages.
  socket.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]))
  await once(socket, "close")
  return received
}

/** A server that agrees to the extension and to none of its parameters, and keeps its window. */
const keepingServer = (messages: ReadonlyArray<string>): Effect.Effect<number, never, Scope.Scope> =>
  listening(
    http.createServer().on("upgrade", (request, socket: Duplex) => {
      const accept = createHash("sha1")
        .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
        .digest("base64")
      socket.on("error", () => {})
      socket.write(
        "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
          `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n`
      )
      void (async () => {
        const deflater = new Deflater()
        for (const message of messages) socket.write(frame(await deflater.compress(message), false))
        socket.end(Buffer.from([0x88, 0x02, 0x03, 0xe8]))
      })()
    })
  )

const messages = Array.from({ length: 5 }, (_, at) => text(at))

describe("permessage-deflate with a peer that keeps its window", () => {
  it.live("a server asks for no client_no_context_takeover that wasn't offered, and reads every message", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({ port: 0, host: "127.0.0.1", compression: true })
      const received: Array<unknown> = []
      yield* Effect.forkScoped(
        server.run((socket) =>
          Stream.runForEach(socket.messages, (message) => Effect.sync(() => received.push(message)))
        )
      )
      const response = yield* Effect.promise(() => keepingClient(server.address.port, messages))
      assert.match(response, /\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n/)
      assert.deepStrictEqual(received, messages)
    })
  )

  it.live("a server with clientNoContextTakeover asks every client", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({
        port: 0,
        host: "127.0.0.1",
        compression: { clientNoContextTakeover: true }
      })
      yield* Effect.forkScoped(server.run((socket) => Stream.runDrain(socket.messages)))
      const response = yield* Effect.promise(() => keepingClient(server.address.port, []))
      assert.match(response, /: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n/)
    })
  )

  it.live("a client reads every message of a server that ignores server_no_context_takeover", () =>
    Effect.gen(function* () {
      const port = yield* keepingServer(messages)
      const socket = yield* Socket.connect(`ws://127.0.0.1:${port}/`, { compression: true })
      assert.deepStrictEqual(Extension.deflateSettings(socket.extensions)?.inflate, { windowBits: 15, takeover: true })
      assert.deepStrictEqual(yield* Stream.runCollect(socket.messages), messages)
    })
  )

  it.live("so do a client and a server of the ws API", () =>
    Effect.gen(function* () {
      const port = yield* keepingServer(messages)
      const received: Array<string> = []
      const client = new ws.WebSocket(`ws://127.0.0.1:${port}/`, {
        perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true }
      })
      client.on("message", (data) => received.push(String(data)))
      yield* Effect.promise(() => once(client, "close"))
      assert.deepStrictEqual(received, messages)

      const server = new ws.WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: true })
      yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
      const upload: Array<string> = []
      server.on("connection", (socket) => socket.on("message", (data) => upload.push(String(data))))
      yield* Effect.promise(() => once(server, "listening"))
      const { port: uploadPort } = server.address() as net.AddressInfo
      yield* Effect.promise(() => keepingClient(uploadPort, messages))
      assert.deepStrictEqual(upload, messages)
    })
  )
})
