import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope, Stream } from "effect"
import { Server, Socket } from "effect-ws"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import websocket from "websocket"
import ws, { type ServerOptions, WebSocketServer } from "ws"
import { makeCertificate } from "./support/certificate.ts"
import { listening } from "./support/http.ts"

/** What every peer must bring back: the edges of the length encoding, text beyond ASCII, and more than one read. */
const messages: ReadonlyArray<string | Buffer> = [
  "",
  "hello",
  "käse € 😀",
  "x".repeat(125),
  "x".repeat(126),
  "é".repeat(40_000),
  Buffer.alloc(0),
  Buffer.from([0, 1, 2, 255]),
  Buffer.alloc(65_535, 1),
  Buffer.alloc(65_536, 2),
  Buffer.alloc(300_000, 3)
]

const echoServer = (options: Server.ServeOptions = {}) =>
  Effect.gen(function* () {
    const server = yield* Server.make({ host: "127.0.0.1", origins: "any", ...options })
    yield* Effect.forkScoped(
      server.run((socket) => Stream.runForEach(socket.messages, socket.send)),
      { startImmediately: true }
    )
    return server.address.port
  })

/** Sends all messages and compares what comes back. */
const exchange = (socket: Socket.Socket) =>
  Effect.gen(function* () {
    yield* Effect.forkChild(Effect.forEach(messages, socket.send, { discard: true }))
    const received = yield* Stream.runCollect(Stream.take(socket.messages, messages.length))
    for (const [at, message] of messages.entries()) {
      const got = received[at]
      assert.deepStrictEqual(typeof got === "string" ? got : Buffer.from(got ?? []), message)
    }
    return yield* socket.close(4000, "enough")
  })

/** Runs a callback-style client: it gets each message back, and answers when it has them all. */
const client = (
  start: (step: {
    readonly received: (message: string | Buffer) => void
    readonly closed: (code: number) => void
  }) => () => void
) =>
  Effect.callback<{ readonly received: ReadonlyArray<string | Buffer>; readonly code: number }>((resume) => {
    const received: Array<string | Buffer> = []
    const stop = start({
      received: (message) => {
        received.push(message)
        if (received.length === messages.length) stop()
      },
      closed: (code) => resume(Effect.succeed({ received, code }))
    })
  })

const assertEchoed = (result: { readonly received: ReadonlyArray<string | Buffer>; readonly code: number }): void => {
  assert.deepStrictEqual(result.received, messages)
  assert.strictEqual(result.code, 1000)
}

const wsServer = (options: ServerOptions = {}): Effect.Effect<number, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<WebSocketServer>((resume) => {
        const server: WebSocketServer = new WebSocketServer({ host: "127.0.0.1", port: 0, ...options }, () =>
          resume(Effect.succeed(server))
        )
        server.on("connection", (socket: ws) => socket.on("message", (data, binary) => socket.send(data, { binary })))
      }),
      (server) => Effect.sync(() => server.close())
    ),
    (server) => (server.address() as AddressInfo).port
  )

for (const compression of [false, true]) {
  describe(compression ? "with permessage-deflate" : "without compression", () => {
    it.live("our server, ws's client", () =>
      Effect.gen(function* () {
        const port = yield* echoServer({ compression })
        assertEchoed(
          yield* client((step) => {
            const socket = new ws(`ws://127.0.0.1:${port}/`, { perMessageDeflate: compression })
            socket.on("open", () => {
              assert.strictEqual(socket.extensions.includes("permessage-deflate"), compression)
              for (const message of messages) socket.send(message)
            })
            socket.on("message", (data: Buffer, binary) => step.received(binary ? data : data.toString()))
            socket.on("close", step.closed)
            return () => socket.close(1000)
          })
        )
      })
    )

    it.live("our server, Node's client", () =>
      Effect.gen(function* () {
        const port = yield* echoServer({ compression })
        assertEchoed(
          yield* client((step) => {
            const socket = new WebSocket(`ws://127.0.0.1:${port}/`)
            socket.binaryType = "arraybuffer"
            socket.addEventListener("open", () => {
              for (const message of messages) socket.send(message)
            })
            socket.addEventListener("message", ({ data }) =>
              step.received(typeof data === "string" ? data : Buffer.from(data))
            )
            socket.addEventListener("close", ({ code }) => step.closed(code))
            return () => socket.close(1000)
          })
        )
      })
    )

    it.live("our client, ws's server", () =>
      Effect.gen(function* () {
        const port = yield* wsServer({ perMessageDeflate: compression })
        const socket = yield* Socket.connect(`ws://127.0.0.1:${port}/`, { compression })
        assert.strictEqual(socket.extensions.length, compression ? 1 : 0)
        const closed = yield* exchange(socket)
        assert.strictEqual(closed.received?.code, 4000)
        assert.strictEqual(closed.cause._tag, "Handshake")
      })
    )

    it.live("our client, our server", () =>
      Effect.gen(function* () {
        const port = yield* echoServer({ compression })
        const socket = yield* Socket.connect(`ws://127.0.0.1:${port}/`, { compression })
        assert.strictEqual((yield* exchange(socket)).received?.code, 4000)
      })
    )
  })
}

describe("the package websocket", () => {
  it.live("our server, its client", () =>
    Effect.gen(function* () {
      const port = yield* echoServer()
      assertEchoed(
        yield* client((step) => {
          const dialer = new websocket.client({ maxReceivedFrameSize: 1 << 20 })
          let close: (() => void) | undefined
          dialer.on("connect", (connection) => {
            close = () => connection.close()
            for (const message of messages) {
              if (typeof message === "string") connection.sendUTF(message)
              else connection.sendBytes(message)
            }
            connection.on("message", (message) =>
              step.received(message.type === "utf8" ? message.utf8Data : message.binaryData)
            )
            connection.on("close", step.closed)
          })
          dialer.connect(`ws://127.0.0.1:${port}/`)
          return () => close?.()
        })
      )
    })
  )

  it.live("our client, its server", () =>
    Effect.gen(function* () {
      const httpServer = http.createServer()
      const server = new websocket.server({ httpServer, autoAcceptConnections: true, maxReceivedFrameSize: 1 << 20 })
      server.on("connect", (connection) =>
        connection.on("message", (message) => {
          if (message.type === "utf8") connection.sendUTF(message.utf8Data)
          else connection.sendBytes(message.binaryData)
        })
      )
      const port = yield* listening(httpServer)
      const socket = yield* Socket.connect(`ws://127.0.0.1:${port}/`)
      // It answers every close frame with 1000.
      assert.strictEqual((yield* exchange(socket)).cause._tag, "Handshake")
    })
  )
})

describe("over TLS", () => {
  const { cert, key } = makeCertificate()

  it.live("our server, ws's client and ours", () =>
    Effect.gen(function* () {
      const port = yield* echoServer({ tls: { cert, key } })
      assertEchoed(
        yield* client((step) => {
          const socket = new ws(`wss://127.0.0.1:${port}/`, { ca: cert })
          socket.on("open", () => {
            for (const message of messages) socket.send(message)
          })
          socket.on("message", (data: Buffer, binary) => step.received(binary ? data : data.toString()))
          socket.on("close", step.closed)
          return () => socket.close(1000)
        })
      )
      const socket = yield* Socket.connect(`wss://localhost:${port}/`, { tls: { ca: cert }, net: { family: 4 } })
      assert.strictEqual((yield* exchange(socket)).received?.code, 4000)
    })
  )

  it.live("a certificate that nobody vouches for is a typed failure", () =>
    Effect.gen(function* () {
      const port = yield* echoServer({ tls: { cert, key } })
      const error = yield* Effect.flip(Socket.connect(`wss://127.0.0.1:${port}/`))
      assert.strictEqual(error.reason._tag, "OpenFailed")
      assert.match(error.message, /self-signed/)
    })
  )
})

/** An HTTP proxy that knows CONNECT, and what was asked of it. */
const proxy = (credentials?: string) =>
  Effect.gen(function* () {
    const { connect } = yield* Effect.promise(() => import("node:net"))
    const asked: Array<string> = []
    const server = http.createServer()
    server.on("connect", (request: http.IncomingMessage, socket, head: Buffer) => {
      asked.push(request.url ?? "")
      if (credentials !== undefined && request.headers["proxy-authorization"] !== credentials) {
        socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        return
      }
      const [host, port] = (request.url ?? "").split(":")
      const upstream = connect(Number(port), host, () => {
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n")
        upstream.write(head)
        upstream.pipe(socket).pipe(upstream)
      })
      upstream.on("error", () => socket.destroy())
      socket.on("error", () => upstream.destroy())
    })
    return { port: yield* listening(server), asked }
  })

describe("on the way to the server", () => {
  it.live("a proxy is asked for a tunnel, for ws and for wss", () =>
    Effect.gen(function* () {
      const { cert, key } = makeCertificate()
      const way = yield* proxy(`Basic ${Buffer.from("me:secret").toString("base64")}`)
      const via = `http://me:secret@127.0.0.1:${way.port}`
      const plain = yield* echoServer()
      const secure = yield* echoServer({ tls: { cert, key } })
      for (const url of [`ws://127.0.0.1:${plain}/`, `wss://127.0.0.1:${secure}/`]) {
        const socket = yield* Socket.connect(url, { proxy: via, tls: { ca: cert } })
        assert.strictEqual((yield* exchange(socket)).received?.code, 4000)
      }
      assert.deepStrictEqual(way.asked, [`127.0.0.1:${plain}`, `127.0.0.1:${secure}`])
      const error = yield* Effect.flip(
        Socket.connect(`ws://127.0.0.1:${plain}/`, { proxy: `http://127.0.0.1:${way.port}` })
      )
      assert.match(error.message, /407/)
    })
  )

  it.live("redirects are followed when they may be, and credentials stay with their host", () =>
    Effect.gen(function* () {
      const seen: Array<http.IncomingHttpHeaders> = []
      const target = yield* Server.make({
        host: "127.0.0.1",
        authorize: ({ headers }) => Effect.sync(() => void seen.push(headers as http.IncomingHttpHeaders))
      })
      yield* Effect.forkScoped(
        target.run((socket) => Stream.runForEach(socket.messages, socket.send)),
        { startImmediately: true }
      )
      let location = `ws://127.0.0.1:${target.address.port}/new`
      const from = http.createServer()
      from.on("upgrade", (request: http.IncomingMessage, socket) => {
        if (request.url === "/loop") location = "/loop"
        socket.end(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\n\r\n`)
      })
      const port = yield* listening(from)
      const secrets = { headers: { Cookie: "a=b", "X-Kept": "yes" }, auth: "me:secret" }
      const refused = yield* Effect.flip(Socket.connect(`ws://127.0.0.1:${port}/`, secrets))
      assert.strictEqual(refused.reason._tag, "HandshakeFailed")
      const socket = yield* Socket.connect(`ws://127.0.0.1:${port}/`, { ...secrets, maxRedirects: 2 })
      assert.strictEqual((yield* exchange(socket)).received?.code, 4000)
      assert.strictEqual(seen[0]?.["x-kept"], "yes")
      assert.isUndefined(seen[0]?.cookie)
      assert.isUndefined(seen[0]?.authorization)
      const looped = yield* Effect.flip(Socket.connect(`ws://127.0.0.1:${port}/loop`, { maxRedirects: 3 }))
      assert.strictEqual(looped.reason._tag, "HandshakeFailed")
    })
  )

  it.live("a refused connection, and one that never opens, are typed failures", () =>
    Effect.gen(function* () {
      const closed = yield* Effect.scoped(listening(http.createServer()))
      const refused = yield* Effect.flip(Socket.connect(`ws://127.0.0.1:${closed}/`))
      assert.strictEqual(refused.reason._tag, "OpenFailed")
      const silent = http.createServer()
      silent.on("upgrade", () => {})
      const port = yield* listening(silent)
      const late = yield* Effect.flip(Socket.connect(`ws://127.0.0.1:${port}/`, { openTimeout: 50 }))
      assert.strictEqual(late.reason._tag, "OpenTimeout")
    })
  )
})
