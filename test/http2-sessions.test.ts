import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Stream } from "effect"
import { Server, Socket } from "effect-ws"
import { once } from "node:events"
import type * as http from "node:http"
import * as net from "node:net"
import { connectFields, openSession, type ResponseHeaders } from "./support/http2.ts"
import { exchange, open, upgradeHead } from "./support/upgrade.ts"

const local = { host: "127.0.0.1", port: 0, http2: true } as const

const serving = (options: Server.ServeOptions) =>
  Effect.gen(function* () {
    const server = yield* Server.make({ ...local, ...options })
    yield* Effect.forkScoped(
      server.run((socket) => Stream.runForEach(socket.messages, socket.send)),
      { startImmediately: true }
    )
    return server
  })

const urlOf = ({ address }: Server.Server<unknown>) => `ws://127.0.0.1:${address.port}/`

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex")

/** RFC 9113 §3.4: the preface of a client, with a window of 0 for its streams, and a GET. */
const zeroWindow = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  bytes("000006 04 00 00000000 0004 00000000"),
  bytes("000000 04 01 00000000"),
  bytes("00000e 01 05 00000001 82 86 84 41 09 3132372e302e302e31")
]).toString("latin1")

const idle = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), bytes("000000 04 00 00000000")]).toString(
  "latin1"
)

const isOpen = (server: Server.Server<undefined>) =>
  Effect.map(Effect.exit(Effect.scoped(Socket.connect(urlOf(server), { http2: true }))), Exit.isSuccess)

describe("an HTTP/2 session without a WebSocket", () => {
  for (const [name, sent] of [
    ["that does nothing", idle],
    ["that lets no response out", zeroWindow]
  ] as const) {
    it.live(`${name} is ended after handshakeTimeout`, () =>
      Effect.gen(function* () {
        const server = yield* serving({ handshakeTimeout: 200 })
        const started = performance.now()
        const sessions = yield* Effect.forEach([1, 2, 3], () => open(server.address.port, sent))
        for (const session of sessions) yield* session.ended
        assert.isAtLeast(performance.now() - started, 190)
      })
    )
  }

  it.live("counts as a connection, and is forgotten when it ends", () =>
    Effect.gen(function* () {
      const server = yield* serving({ maxConnections: 2 })
      const sessions = yield* Effect.forEach([1, 2], () => open(server.address.port, zeroWindow))
      for (const session of sessions) yield* session.until("\0")
      assert.isFalse(yield* isOpen(server))
      for (const { socket } of sessions) {
        socket.destroy()
        yield* Effect.promise(() => once(socket, "close"))
      }
      while (!(yield* isOpen(server))) yield* Effect.sleep(2)
    })
  )

  it.live("counts for its address, but not against its own request", () =>
    Effect.gen(function* () {
      const server = yield* serving({ maxConnectionsPerAddress: 1 })
      assert.isTrue(yield* isOpen(server))
      const session = yield* open(server.address.port, idle)
      yield* session.until("\0")
      assert.isFalse(yield* isOpen(server))
    })
  )

  it.live("beyond the limits may have its request answered", () =>
    Effect.gen(function* () {
      const server = yield* serving({ maxConnections: 1, retryAfter: "3 seconds" })
      yield* Socket.connect(urlOf(server), { http2: true })
      const session = yield* openSession(server.address.port, false)
      const stream = session.request(connectFields({ ":scheme": "http" }), { endStream: false })
      const closed = once(session, "close")
      stream.resume()
      const [headers]: Array<ResponseHeaders> = yield* Effect.promise(() => once(stream, "response"))
      assert.strictEqual(headers?.[":status"], 503)
      assert.strictEqual(headers?.["retry-after"], "3")
      yield* Effect.promise(() => closed)
    })
  )

  it.live("stays as long as a WebSocket is open on it, and then has its time", () =>
    Effect.gen(function* () {
      const server = yield* serving({ handshakeTimeout: 100, maxConnections: 1 })
      const socket = yield* Socket.connect(urlOf(server), { http2: true })
      yield* Effect.sleep(300)
      yield* socket.send("still here")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(socket.messages, 1)), ["still here"])
      yield* socket.close()
      while (!(yield* isOpen(server))) yield* Effect.sleep(2)
    })
  )

  it.live("isn't ended while the application works on a response", () =>
    Effect.gen(function* () {
      const responses: Array<http.ServerResponse> = []
      const server = yield* serving({
        handshakeTimeout: 500,
        onRequest: (_, response) => void responses.push(response)
      })
      const session = yield* openSession(server.address.port, false)
      const closed = once(session, "close")
      const stream = session.request({ ":path": "/" })
      let text = ""
      stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
      yield* Effect.sleep(1200)
      responses[0]?.end("late")
      yield* Effect.promise(() => once(stream, "end"))
      assert.strictEqual(text, "late")
      // Without a response to work on it has no more time.
      yield* Effect.promise(() => closed)
    })
  )
})

describe("a peer that has left", () => {
  it.live("has no address, so that its headers aren't believed", () =>
    Effect.gen(function* () {
      const seen: Array<readonly [string | undefined, string | undefined]> = []
      const server = yield* serving({
        trustedProxies: { addresses: ["127.0.0.1"] },
        authorize: ({ clientAddress, remoteAddress }) =>
          Effect.sync(() => {
            seen.push([remoteAddress, clientAddress])
            return undefined
          })
      })
      const connect = Buffer.concat([
        Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        bytes("000000 04 00 00000000"),
        // CONNECT with :protocol websocket, :path /, :scheme http, :authority h, version 13, x-forwarded-for.
        headersFrame([
          [":method", "CONNECT"],
          [":protocol", "websocket"],
          [":scheme", "http"],
          [":path", "/"],
          [":authority", "h"],
          ["sec-websocket-version", "13"],
          ["x-forwarded-for", "203.0.113.9"]
        ])
      ])
      for (let round = 0; round < 50; round++) {
        const socket = net.connect({ port: server.address.port, host: "127.0.0.1", localAddress: "127.0.0.2" })
        socket.on("error", () => {})
        yield* Effect.promise(() => once(socket, "connect"))
        yield* Effect.callback<void>((resume) => {
          socket.write(connect, () => {
            socket.resetAndDestroy()
            resume(Effect.void)
          })
        })
      }
      // Behind them all.
      assert.strictEqual(yield* exchange(server.address.port, upgradeHead(), "never").pipe(Effect.as("done")), "done")
      for (const [remote, client] of seen) {
        assert.strictEqual(remote, "127.0.0.2")
        assert.strictEqual(client, "127.0.0.2")
      }
    })
  )
})

const literal = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)])

/** RFC 7541 §6.2.2: literal fields without indexing, without Huffman coding. */
const headersFrame = (fields: ReadonlyArray<readonly [string, string]>): Buffer => {
  const block = Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]))
  const head = Buffer.alloc(9)
  head.writeUIntBE(block.length, 0, 3)
  head[3] = 1
  head[4] = 4
  head.writeUInt32BE(1, 5)
  return Buffer.concat([head, block])
}
