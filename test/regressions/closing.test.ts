// Programs that closed while the peer was still answering lost its last messages.
import { assert, describe, it } from "@effect/vitest"
import { type Cause, Effect, Fiber, Stream } from "effect"
import { Handshake, Socket } from "effect-ws"
import { createWebSocketStream, WebSocket, WebSocketServer } from "effect-ws/ws"
import * as Legacy from "effect-ws/ws/legacy"
import { createHash } from "node:crypto"
import { type EventEmitter, once } from "node:events"
import * as net from "node:net"
import * as Original from "ws"
import { portOf, using } from "../ws-legacy/support.ts"

const count = 3000

const numbers = Array.from({ length: count }, (_, at) => `${at}`.padStart(100, "."))

type Read = (
  socket: Socket.Socket,
  take: (message: Socket.Message) => Effect.Effect<void>
) => Effect.Effect<unknown, Socket.SocketError | Cause.Done>

const readers: Readonly<Record<string, Read>> = {
  Stream: (socket, take) => Stream.runForEach(socket.messages, take),
  frames: (socket, take) =>
    Stream.runForEach(socket.frames, (frame) =>
      frame._tag === "Close" ? Effect.void : take(Buffer.from(frame.payload).toString())
    ),
  run: (socket, take) => Socket.run(socket, take),
  runBatch: (socket, take) => Socket.runBatch(socket, (batch) => Effect.forEach(batch, take, { discard: true })),
  receive: (socket, take) => Effect.forever(Effect.flatMap(socket.receive, take))
}

describe("closing loses nothing of what the peer sent before its close frame", () => {
  for (const [name, read] of Object.entries(readers)) {
    for (const draft of [Handshake.rfc6455, Handshake.hixie76]) {
      it.effect(`while the reader goes on reading, slowly: ${name}, ${draft.id}`, () =>
        Effect.gen(function* () {
          // The server has accepted everything before it reads the close frame.
          const [client, server] = yield* Socket.makePair({
            draft,
            readBufferSize: 2000,
            server: { writeBufferSize: 1_000_000 }
          })
          const seen: Array<string> = []
          const reading = yield* Effect.forkChild(
            Effect.exit(
              read(client, (message) =>
                Effect.andThen(
                  Effect.yieldNow,
                  Effect.sync(() => void seen.push(String(message)))
                )
              )
            ),
            { startImmediately: true }
          )
          yield* Effect.forkChild(Effect.andThen(server.sendAll(numbers), Socket.discard(server)))
          yield* Effect.yieldNow
          const closed = yield* client.close()
          assert.strictEqual(closed.cause._tag, "Handshake")
          yield* Fiber.join(reading)
          assert.deepStrictEqual(seen, numbers)
        })
      )
    }
  }

  it.effect("and what waits is read after the close, up to the read buffer", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      yield* server.sendAll(numbers.slice(0, 100))
      yield* Effect.forkChild(Socket.discard(server))
      yield* client.close()
      assert.deepStrictEqual(yield* Stream.runCollect(client.messages), numbers.slice(0, 100))
    })
  )

  it.effect("but it closes at once where nothing is read, or the reader has left", () =>
    Effect.gen(function* () {
      for (const left of [false, true]) {
        const [client, server] = yield* Socket.makePair({ readBufferSize: 2000 })
        const sending = yield* Effect.forkChild(Effect.exit(server.sendAll(numbers)))
        if (left) yield* Stream.runHead(client.messages)
        // No time passes: TestClock stands still.
        assert.strictEqual((yield* client.close()).cause._tag, "Handshake")
        yield* Fiber.join(sending)
        yield* server.closed
      }
    })
  )
})

/** A raw server that sends two messages and a close frame when its client has paused. */
const twoMessagesThenClose = (server: net.Server, socket: net.Socket): void => {
  socket.once("data", (head: Buffer) => {
    const key = /sec-websocket-key: (\S+)/i.exec(head.toString())?.[1] ?? ""
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
    )
    server.once("paused", () =>
      socket.write(
        Buffer.concat([
          Buffer.from([0x81, 3]),
          Buffer.from("one"),
          Buffer.from([0x81, 3]),
          Buffer.from("two"),
          Buffer.from([0x88, 2, 3, 232])
        ])
      )
    )
  })
}

describe("the API of ws 8", () => {
  const clients: ReadonlyArray<readonly [name: string, connect: (url: string) => Original.WebSocket]> = [
    ["effect-ws/ws", (url) => new WebSocket(url, { closeTimeout: 300 }) as EventEmitter as Original.WebSocket],
    ["ws", (url) => new Original.WebSocket(url, { closeTimeout: 300 } as Original.ClientOptions)]
  ]
  for (const [name, connect] of clients) {
    it(
      `delivers what arrived while it was paused, when it closes: ${name}`,
      using(async (resources) => {
        const server = net.createServer((socket) => {
          socket.on("error", () => {})
          twoMessagesThenClose(server, socket)
        })
        server.listen(0, "127.0.0.1")
        await once(server, "listening")
        resources.add(() => server.close())
        const log: Array<string> = []
        const client = connect(`ws://127.0.0.1:${portOf(server)}`)
        client.on("message", (data) => log.push(`message ${String(data)}`))
        client.on("error", (error) => log.push(`error ${error.message}`))
        await once(client, "open")
        client.pause()
        server.emit("paused")
        client.close(4004)
        const [code] = (await once(client, "close")) as [number]
        assert.deepStrictEqual([...log, code], ["message one", "message two", 1000])
      })
    )
  }

  it(
    "delivers everything through createWebSocketStream to a slow reader, after end()",
    using(async (resources) => {
      const server = new WebSocketServer({ port: 0, host: "127.0.0.1" })
      resources.add(() => server.close())
      server.on("connection", (socket) => {
        socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }))
      })
      await once(server, "listening")
      const address = server.address() as net.AddressInfo
      const stream = createWebSocketStream(new WebSocket(`ws://127.0.0.1:${address.port}`), { encoding: "utf8" })
      const seen: Array<string> = []
      for (const number of numbers) stream.write(number)
      stream.end()
      for await (const text of stream) {
        seen.push(String(text))
        if (seen.length % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      assert.strictEqual(seen.join(""), numbers.join(""))
    })
  )
})

/** Gives the pieces of a message, one at each call. */
const pieces =
  (...all: ReadonlyArray<string>) =>
  (_: Error | null, send: (data: string, final?: boolean) => void): void => {
    const [piece = "", ...rest] = all
    send(piece, rest.length === 0)
    all = rest
  }

describe("the API of ws 0.4", () => {
  it(
    "sends streams and messages in the order in which they were given",
    using(async (resources) => {
      const server = new Legacy.Server({ port: 0, host: "127.0.0.1" })
      resources.add(() => server.close())
      await new Promise((resolve) => server.on("listening", resolve))
      assert(server._server !== null && server._server !== undefined)
      const { port } = server._server.address() as net.AddressInfo
      const received: Array<string> = []
      const all = new Promise<void>((resolve) => {
        server.on("connection", (client) => {
          client.on("message", (data) => {
            received.push(String(data))
            if (data === "end") resolve()
          })
        })
      })
      const client = new Legacy.WebSocket(`ws://127.0.0.1:${port}`)
      await once(client, "open")
      client.stream(pieces("A1", "A2"))
      client.stream(pieces("B1", "B2"))
      client.send("c")
      client.stream(pieces("D1", "D2"))
      client.send("end")
      await all
      client.terminate()
      assert.deepStrictEqual(received, ["A1A2", "B1B2", "c", "D1D2", "end"])
    })
  )
})
