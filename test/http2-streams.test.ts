// WebSockets over HTTP/2, RFC 8441, as seen from outside: a client and servers of `node:http2` itself, many sockets on one
// connection, and flow control.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Result, Scope, Stream } from "effect"
import { Frame, Server, Socket } from "effect-ws"
import { once } from "node:events"
import * as http2 from "node:http2"
import { certificate, listenHttp2, type ResponseHeaders, openSession, RawStream, trust } from "./support/http2.ts"

const kibibyte = 1024
const mebibyte = 1024 * kibibyte

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = http2.constants

const echo = (socket: Socket.Socket) => Stream.runForEach(socket.messages, socket.send)

/** A server in the test's scope, a session to it, and its connections as they come. */
const serving = (
  options: Server.ServeOptions = {},
  handler: (socket: Server.Connection) => Effect.Effect<unknown, Socket.SocketError> = echo
) =>
  Effect.gen(function* () {
    const connections: Array<Server.Connection> = []
    const server = yield* Server.make({
      host: "127.0.0.1",
      tls: certificate,
      http2: true,
      keepAlive: false,
      // Clients of node:http2 don't answer close frames.
      closeTimeout: 0,
      shutdownTimeout: 0,
      ...options
    })
    yield* Effect.forkScoped(
      server.run((socket) => {
        connections.push(socket)
        return handler(socket)
      }),
      { startImmediately: true }
    )
    const session = yield* openSession(server.address.port)
    return { port: server.address.port, session, connections }
  })

/** A server of Node's own that lets WebSockets open. */
const rawServer = (onStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void) => {
  const server = http2.createSecureServer({ ...certificate, settings: { enableConnectProtocol: true } })
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {})
    onStream(stream, headers)
  })
  return listenHttp2(server)
}

const over = (options: Socket.ConnectOptions = {}): Socket.ConnectOptions => ({
  http2: true,
  tls: trust,
  keepAlive: false,
  closeTimeout: 100,
  ...options
})

const open = (session: http2.ClientHttp2Session, headers?: http2.OutgoingHttpHeaders) =>
  Effect.promise(async () => {
    const raw = new RawStream(session, headers)
    const response = await raw.response
    assert.strictEqual(response[":status"], 200)
    return raw
  })

const promised = <A>(evaluate: () => Promise<A>) => Effect.promise(evaluate)

/** A refusal of Node's own client. */
const refused = (session: http2.ClientHttp2Session, headers: http2.OutgoingHttpHeaders) =>
  promised(async () => {
    const raw = new RawStream(session, headers)
    const response = await raw.response
    return { status: response[":status"], headers: response, closed: await raw.closed }
  })

const texts = (raw: RawStream): ReadonlyArray<string> =>
  raw.frames.map((frame) => (frame._tag === "Text" ? Buffer.from(frame.payload).toString() : frame._tag))

/** Sends a text, and waits for its echo. */
const answers = (raw: RawStream, text: string) =>
  promised(async () => {
    const before = raw.frames.length
    raw.send(Frame.text(text))
    await raw.received(before + 1)
    assert.strictEqual(texts(raw)[before], text)
  })

/** Waits until a count stands still for 20 looks, 10 ms apart: everything that can move has moved. */
const standstill = (count: () => number) =>
  Effect.gen(function* () {
    let last = -1
    for (let still = 0; still < 20;) {
      yield* Effect.sleep(10)
      still = count() === last ? still + 1 : 0
      last = count()
    }
  })

describe("on the wire", () => {
  it.live("a server answers a client of node:http2", () =>
    Effect.gen(function* () {
      const { session } = yield* serving({ protocols: ["chat"], compression: true, headers: { "X-Served-By": "one" } })
      assert.isTrue(session.remoteSettings.enableConnectProtocol)
      assert.strictEqual(session.remoteSettings.maxConcurrentStreams, 256)
      yield* promised(async () => {
        const raw = new RawStream(session, {
          "sec-websocket-protocol": "superchat, chat",
          "sec-websocket-extensions": "permessage-deflate; client_max_window_bits"
        })
        const { date, ...response } = await raw.response
        assert.isString(date)
        assert.deepStrictEqual(Object.fromEntries(Object.entries(response)), {
          ":status": 200,
          "sec-websocket-protocol": "chat",
          "sec-websocket-extensions": "permessage-deflate; server_no_context_takeover",
          "x-served-by": "one"
        })
        raw.send(Frame.text("hello"))
        await raw.received(1)
        raw.send(Frame.ping(Buffer.from("are you there")))
        await raw.received(2)
        assert.deepStrictEqual(
          raw.frames.map(({ _tag, payload }) => [_tag, Buffer.from(payload).toString()]),
          [
            ["Text", "hello"],
            ["Pong", "are you there"]
          ]
        )
        // RFC 8441 §5: what ends a TCP connection in order is END_STREAM.
        raw.send(Frame.close(1000))
        await once(raw.stream, "end")
        assert.deepStrictEqual(
          raw.frames.map((frame) => (frame._tag === "Close" ? frame.code : frame._tag)),
          ["Text", "Pong", 1000]
        )
        raw.stream.end()
        assert.strictEqual(await raw.closed, NGHTTP2_NO_ERROR)
      })
    })
  )

  it.live("a server closes a stream whose client doesn't end its half, soon after the closing handshake", () =>
    Effect.gen(function* () {
      const { connections, session } = yield* serving({ closeTimeout: 60_000 })
      // As nghttpx does, which passes the frames on and not the end of the stream.
      const raw = yield* open(session)
      raw.send(Frame.close(1000))
      assert.strictEqual(yield* promised(() => raw.closed), NGHTTP2_NO_ERROR)
      const closed = yield* connections[0]?.closed ?? Effect.never
      assert.strictEqual(closed.cause._tag, "Handshake")
    })
  )

  it.live("a client ends its half of the stream once the closing handshake is complete", () =>
    Effect.gen(function* () {
      const { port } = yield* rawServer((stream) => {
        stream.respond({ ":status": 200 })
        stream.once("data", () => stream.write(Frame.encode(Frame.close(1000))))
        // As Apache does, which waits for the client's end before it ends.
        stream.once("end", () => stream.end())
      })
      const socket = yield* Socket.connect(`wss://127.0.0.1:${port}/`, over({ closeTimeout: 60_000 }))
      const closed = yield* socket.close()
      assert.deepStrictEqual([closed.cause._tag, closed.received?.code], ["Handshake", 1000])
    })
  )

  it.live("a client asks a server of node:http2, and masks", () =>
    Effect.gen(function* () {
      const got: { headers?: http2.IncomingHttpHeaders; bytes: Buffer } = { bytes: Buffer.alloc(0) }
      const { port } = yield* rawServer((stream, headers) => {
        got.headers = headers
        stream.respond({ ":status": 200, "sec-websocket-protocol": "b" })
        stream.on("data", (chunk: Buffer) => {
          got.bytes = Buffer.concat([got.bytes, chunk])
          // The server leaves without a close frame, once it has the client's.
          if (got.bytes.at(-8) === 0x88) stream.end()
        })
        stream.write(Frame.encode(Frame.text("welcome")))
      })
      const socket = yield* Socket.connect(
        `wss://ada:secret@127.0.0.1:${port}/a?b=c`,
        over({ protocols: ["a", "b"], origin: "https://example.com", compression: true, headers: { Cookie: "x=1" } })
      )
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(socket.messages, 1)), ["welcome"])
      assert.deepStrictEqual(Object.fromEntries(Object.entries(got.headers ?? {})), {
        ":method": "CONNECT",
        ":protocol": "websocket",
        ":scheme": "https",
        ":authority": `127.0.0.1:${port}`,
        ":path": "/a?b=c",
        "sec-websocket-version": "13",
        origin: "https://example.com",
        "sec-websocket-protocol": "a, b",
        "sec-websocket-extensions":
          "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
        authorization: `Basic ${Buffer.from("ada:secret").toString("base64")}`,
        cookie: "x=1"
      })
      yield* socket.send("hello")
      const closed = yield* socket.close()
      assert.deepStrictEqual([closed.received, closed.cause._tag], [undefined, "TransportEnded"])
      const frames: Array<Frame.Frame> = []
      const parser = Frame.makeParser((frame) => frames.push(frame), { role: "server", maxMessageSize: kibibyte })
      assert.isUndefined(parser.feed(got.bytes), "every frame is masked")
      assert.deepStrictEqual(
        frames.map(({ _tag }) => _tag),
        ["Text", "Close"]
      )
    })
  )
})

describe("a request that opens no WebSocket", () => {
  it.live("is refused, and the session goes on", () =>
    Effect.gen(function* () {
      const { session } = yield* serving({ origins: ["https://example.com"] })
      const raw = yield* open(session)
      const cases: ReadonlyArray<[http2.OutgoingHttpHeaders, number]> = [
        [{ ":protocol": "connect-udp" }, 501],
        [{ "sec-websocket-version": "8" }, 400],
        [{ "sec-websocket-version": "14" }, 400],
        [{ "sec-websocket-version": undefined }, 400],
        [{ "sec-websocket-protocol": "a, a" }, 400],
        [{ "sec-websocket-extensions": ";" }, 400],
        [{ origin: "https://elsewhere.example" }, 403]
      ]
      for (const [headers, expected] of cases) {
        const { closed, headers: answer, status } = yield* refused(session, headers)
        assert.deepStrictEqual([status, closed], [expected, NGHTTP2_NO_ERROR], JSON.stringify(headers))
        assert.strictEqual(answer["content-type"], "text/plain; charset=utf-8")
        if (headers["sec-websocket-version"] === "8") assert.strictEqual(answer["sec-websocket-version"], "13")
      }
      yield* answers(raw, "still here")
    })
  )

  it.live("is answered as a page would be, when it is none for a WebSocket", () =>
    Effect.gen(function* () {
      const { session } = yield* serving()
      const ask = (headers: http2.OutgoingHttpHeaders) =>
        promised(async () => {
          const stream = session.request(headers)
          stream.resume()
          const [response] = (await once(stream, "response")) as [ResponseHeaders]
          return [response[":status"], response.allow]
        })
      assert.deepStrictEqual(yield* ask({ ":path": "/" }), [405, "CONNECT"])
      assert.deepStrictEqual(yield* ask({ ":path": "/", ":method": "POST" }), [405, "CONNECT"])
      assert.deepStrictEqual(yield* ask({ ":method": "CONNECT", ":authority": "elsewhere:80" }), [405, undefined])
      const own = yield* serving({ onRequest: (_, response) => response.writeHead(200).end("a page") })
      const stream = own.session.request({ ":path": "/" })
      assert.strictEqual(String(yield* promised(() => stream.setEncoding("utf8").toArray())), "a page")
    })
  )

  it.live("is one of too many handshakes, or comes while the server shuts down", () =>
    Effect.gen(function* () {
      const waiting = yield* serving({ maxHandshakes: 1, authorize: () => Effect.never })
      const first = new RawStream(waiting.session)
      const { status } = yield* refused(waiting.session, {})
      assert.strictEqual(status, 503)
      first.stream.close(NGHTTP2_CANCEL)
      yield* promised(() => first.closed)
    })
  )
})

describe("a stream that is reset", () => {
  it.live("by the client is an abnormal closure of its socket alone", () =>
    Effect.gen(function* () {
      const { connections, session } = yield* serving()
      const [one, two] = [yield* open(session), yield* open(session)]
      for (const [index, code] of [NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR].entries()) {
        const lost = yield* open(session)
        lost.stream.close(code)
        const connection = connections[2 + index]
        assert(connection !== undefined)
        const closed = yield* connection.closed
        assert.deepStrictEqual([closed.sent, closed.received], [undefined, undefined])
        assert(closed.cause._tag === "TransportFailed")
        assert.match(closed.cause.error.message, code === NGHTTP2_CANCEL ? /code 8/ : /INTERNAL_ERROR/)
        const failed = yield* Effect.result(connection.send("gone"))
        assert(Result.isFailure(failed) && failed.failure.reason._tag === "ConnectionClosed")
        assert.strictEqual(failed.failure.closeCode, 1006)
      }
      yield* answers(one, "one")
      yield* answers(two, "two")
    })
  )

  it.live("by the server is an abnormal closure of the client's", () =>
    Effect.gen(function* () {
      const streams: Array<http2.ServerHttp2Stream> = []
      const { port } = yield* rawServer((stream) => {
        streams.push(stream)
        stream.respond({ ":status": 200 })
      })
      const sockets = yield* Effect.forEach([1, 2], () => Socket.connect(`wss://127.0.0.1:${port}/`, over()))
      const [lost, other] = sockets
      assert(lost !== undefined && other !== undefined)
      streams[0]?.close(NGHTTP2_CANCEL)
      const read = yield* Effect.result(Stream.runDrain(lost.messages))
      assert(Result.isFailure(read))
      assert.strictEqual(read.failure.closeCode, 1006)
      streams[1]?.write(Frame.encode(Frame.text("still here")))
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(other.messages, 1)), ["still here"])
    })
  )

  it.live("is what a dropped socket becomes: with CANCEL", () =>
    Effect.gen(function* () {
      // A client that doesn't answer the close frame.
      const { session } = yield* serving({ closeTimeout: 50 }, (socket) => socket.close(1000))
      const raw = yield* open(session)
      raw.stream.resume()
      assert.strictEqual(yield* promised(() => raw.closed), NGHTTP2_CANCEL)
    })
  )

  it.live("isn't needed where a client ends its direction without a close frame", () =>
    Effect.gen(function* () {
      const { connections, session } = yield* serving()
      const raw = yield* open(session)
      raw.stream.end()
      assert.strictEqual((yield* connections[0]?.closed ?? Effect.never).cause._tag, "TransportEnded")
      assert.strictEqual(yield* promised(() => raw.closed), NGHTTP2_NO_ERROR)
    })
  )

  it.live("many times in a row leaves nothing behind", () =>
    Effect.gen(function* () {
      const { connections, session } = yield* serving()
      for (let round = 0; round < 200; round++) {
        const raw = yield* open(session)
        raw.stream.close(NGHTTP2_CANCEL)
        yield* promised(() => raw.closed)
      }
      yield* Effect.forEach(connections, ({ closed }) => closed)
      assert.lengthOf(connections, 200)
    })
  )
})

describe("a session", () => {
  it.live("that says GOAWAY lets its sockets go on; the next opens another", () =>
    Effect.gen(function* () {
      const server = http2.createSecureServer(certificate)
      const { port, sessions } = yield* listenHttp2(server)
      const acceptor = yield* Server.attach(server, { keepAlive: false })
      yield* Effect.forkScoped(acceptor.run(echo), { startImmediately: true })
      const url = `wss://127.0.0.1:${port}/`
      const before = yield* Socket.connect(url, over())
      const [first] = sessions
      first?.close()
      // It has heard of it once it has an answer to something that it said later.
      yield* before.send("still here")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(before.messages, 1)), ["still here"])
      const after = yield* Socket.connect(url, over())
      assert.strictEqual(sessions.size, 2)
      for (const socket of [before, after]) assert.strictEqual((yield* socket.close()).cause._tag, "Handshake")
    })
  )

  it.live("that dies takes its sockets with it, on both sides", () =>
    Effect.gen(function* () {
      const server = http2.createSecureServer(certificate)
      const tcp = new Set<{ readonly destroy: () => void }>()
      server.on("connection", (socket) => tcp.add(socket))
      const { port } = yield* listenHttp2(server)
      const acceptor = yield* Server.attach(server, { keepAlive: false })
      const connections: Array<Server.Connection> = []
      yield* Effect.forkScoped(
        acceptor.run((socket) => {
          connections.push(socket)
          return echo(socket)
        }),
        { startImmediately: true }
      )
      const url = `wss://127.0.0.1:${port}/`
      const sockets = yield* Effect.forEach([1, 2, 3], () => Socket.connect(url, over()))
      for (const socket of tcp) socket.destroy()
      for (const socket of [...sockets, ...connections]) {
        const closed = yield* socket.closed
        assert.deepStrictEqual([closed.sent, closed.received], [undefined, undefined])
      }
      assert.lengthOf(connections, 3)
      yield* Socket.connect(url, over())
    })
  )

  it.live("that breaks HTTP/2 fails the sockets that it carries", () =>
    Effect.gen(function* () {
      const server = http2.createSecureServer({ ...certificate, settings: { enableConnectProtocol: true } })
      server.on("stream", (stream) => {
        stream.on("error", () => {})
        stream.respond({ ":status": 200 })
        stream.session?.destroy(new Error("on purpose"), http2.constants.NGHTTP2_PROTOCOL_ERROR)
      })
      server.on("sessionError", () => {})
      const { port } = yield* listenHttp2(server)
      const result = yield* Effect.result(
        Effect.flatMap(Socket.connect(`wss://127.0.0.1:${port}/`, over()), (socket) => Stream.runDrain(socket.messages))
      )
      assert(Result.isFailure(result))
      assert.include(["OpenFailed", "ConnectionClosed"], result.failure.reason._tag)
    })
  )

  it.live("on which nothing is open is ended after the handshake's time; one with a socket is not", () =>
    Effect.gen(function* () {
      const { port, session } = yield* serving({ handshakeTimeout: 100 })
      const idle = yield* openSession(port)
      const raw = yield* open(session)
      yield* promised(() => once(idle, "close"))
      yield* Effect.sleep(150)
      yield* answers(raw, "still here")
      raw.send(Frame.close(1000))
      raw.stream.end()
      yield* promised(() => once(session, "close"))
    })
  )

  it.live("is dropped at the deadline of a shutdown, with sockets that don't end", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { port } = yield* Scope.provide(serving({ shutdownTimeout: 50, closeTimeout: 10_000 }), scope)
      const raw = yield* open(yield* openSession(port))
      yield* Scope.close(scope, Exit.void)
      yield* promised(() => raw.closed)
      assert.deepStrictEqual(
        raw.frames.map((frame) => (frame._tag === "Close" ? frame.code : frame._tag)),
        [1001]
      )
    })
  )
})

describe("attached to a server of node:http2", () => {
  it.live("by path, and leaves the rest to others", () =>
    Effect.gen(function* () {
      const server = http2.createSecureServer(certificate, (request, response) => response.end(request.url))
      const { port } = yield* listenHttp2(server)
      for (const path of ["/a", "/b"]) {
        const acceptor = yield* Server.attach(server, { path, keepAlive: false })
        yield* Effect.forkScoped(
          acceptor.run((socket) => Effect.andThen(socket.send(path), socket.closed)),
          { startImmediately: true }
        )
      }
      const session = yield* openSession(port)
      for (const path of ["/a", "/b"]) {
        const raw = yield* open(session, { ":path": `${path}?query` })
        yield* promised(() => raw.received(1))
        assert.deepStrictEqual(texts(raw), [path])
      }
      assert.strictEqual((yield* refused(session, { ":path": "/c" })).status, 404)
      assert.strictEqual((yield* refused(session, { ":path": "/c", ":protocol": "other" })).status, 501)
      const page = session.request({ ":path": "/page" })
      assert.strictEqual(String(yield* promised(() => page.setEncoding("utf8").toArray())), "/page")

      // Somebody else takes what none of them does.
      server.on("connect", (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => {
        if (request.url === "/c") response.writeHead(202).end()
      })
      assert.strictEqual((yield* refused(session, { ":path": "/c" })).status, 202)
      assert.strictEqual((yield* refused(session, { ":path": "/c", ":protocol": "other" })).status, 202)
    })
  )

  it.live("in the clear, without a listener for requests", () =>
    Effect.gen(function* () {
      const server = http2.createServer()
      const { port } = yield* listenHttp2(server)
      const acceptor = yield* Server.attach(server, { keepAlive: false })
      yield* Effect.forkScoped(acceptor.run(echo), { startImmediately: true })
      const session = yield* openSession(port, false)
      yield* answers(yield* open(session, { ":scheme": "http" }), "hello")
    })
  )

  it.live("by hand, stream by stream", () =>
    Effect.gen(function* () {
      const server = http2.createSecureServer({ ...certificate, settings: { enableConnectProtocol: true } })
      const context = yield* Effect.context<Scope.Scope>()
      server.on("stream", (stream, headers) => {
        Effect.runForkWith(context)(
          Effect.flatMap(
            Server.upgradeStream(stream, headers, {
              keepAlive: false,
              closeTimeout: 0,
              authorize: (request) =>
                request.url === "/no" ? Effect.fail(Server.reject(403)) : Effect.succeed(request.url)
            }),
            (socket) => socket.send(`${socket.context} ${socket.request.httpVersion}`)
          )
        )
      })
      const { port } = yield* listenHttp2(server)
      const session = yield* openSession(port)
      const raw = yield* open(session, { ":path": "/by/hand" })
      yield* promised(() => raw.received(1))
      assert.deepStrictEqual(texts(raw), ["/by/hand 2.0"])
      assert.strictEqual((yield* refused(session, { ":path": "/no" })).status, 403)
    })
  )
})

describe("limits", () => {
  it.live("of a message close its socket with 1009, and no other", () =>
    Effect.gen(function* () {
      const { session } = yield* serving({ maxMessageSize: 1000 })
      const [one, other] = [yield* open(session), yield* open(session)]
      yield* answers(one, "x".repeat(1000))
      one.send(Frame.text("x".repeat(1001)))
      yield* promised(() => one.received(2))
      const [, close] = one.frames
      assert(close?._tag === "Close")
      assert.strictEqual(close.code, 1009)
      yield* answers(other, "still here")
    })
  )

  it.live("of the protocol too: an unmasked frame closes with 1002", () =>
    Effect.gen(function* () {
      const { session } = yield* serving()
      const raw = yield* open(session)
      raw.stream.write(Frame.encode(Frame.text("bare")))
      yield* promised(() => raw.received(1))
      const [close] = raw.frames
      assert(close?._tag === "Close")
      assert.strictEqual(close.code, 1002)
    })
  )
})

/** Writes as long as the stream has room; answers how much it has given. */
const pour = (raw: RawStream, chunk: Uint8Array, most: number): (() => number) => {
  let given = 0
  const more = (): void => {
    while (given < most) {
      given += chunk.length
      if (!raw.stream.write(chunk)) return
    }
  }
  raw.stream.on("drain", more)
  more()
  return () => given - raw.stream.writableLength
}

describe("flow control", () => {
  const message = Buffer.from(Frame.encode(Frame.binary(new Uint8Array(16 * kibibyte)), { mask: true }))
  /** The receiveBuffer, Node's buffer of the stream and the stream's window, 64 KiB each; one message and a write under way. */
  const mostHeld = 4 * 64 * kibibyte

  it.live("has a consumer that doesn't read stop its own stream, and nothing else", () =>
    Effect.gen(function* () {
      let reading: (() => void) | undefined
      let read = 0
      const { session } = yield* serving({}, (socket) =>
        socket.request.url === "/idle"
          ? Effect.andThen(
              Effect.callback<void>((resume) => {
                reading = () => resume(Effect.void)
              }),
              Stream.runForEach(socket.messages, (bytes) =>
                Effect.sync(() => {
                  read += bytes.length
                })
              )
            )
          : echo(socket)
      )
      const [idle, busy] = [yield* open(session, { ":path": "/idle" }), yield* open(session)]
      const offer = 8 * mebibyte
      const taken = pour(idle, message, offer)
      yield* standstill(taken)
      assert.isAtLeast(taken(), 64 * kibibyte)
      assert.isAtMost(taken(), mostHeld)
      // The window of the connection isn't that of the stream: the others have it all.
      for (let round = 0; round < 20; round++) yield* answers(busy, `${round}`.padEnd(200 * kibibyte, "x"))
      assert.isAtMost(taken(), mostHeld)

      // Nothing is lost by the wait.
      reading?.()
      const whole = Math.ceil(offer / message.length) * 16 * kibibyte
      yield* standstill(() => read)
      assert.strictEqual(read, whole)
    })
  )

  it.live("bounds what many idle consumers hold", () =>
    Effect.gen(function* () {
      const count = 200
      const { session } = yield* serving({}, () => Effect.never)
      const all: Array<() => number> = []
      for (let index = 0; index < count; index++) all.push(pour(yield* open(session), message, 2 * mebibyte))
      // What the clients got rid of, the server and the windows hold.
      const taken = (): number => all.reduce((sum, one) => sum + one(), 0)
      yield* standstill(taken)
      assert.isAtLeast(taken(), count * 64 * kibibyte)
      assert.isAtMost(taken(), count * mostHeld)
    })
  )

  it.live("has a peer that doesn't read suspend its sender, and no other", () =>
    Effect.gen(function* () {
      let sent = 0
      const bytes = new Uint8Array(16 * kibibyte)
      const { session } = yield* serving({}, (socket) =>
        socket.request.url === "/slow"
          ? Effect.whileLoop({
              while: () => sent < 1000,
              body: () => socket.send(bytes),
              step: () => {
                sent++
              }
            })
          : echo(socket)
      )
      const [slow, busy] = [yield* open(session, { ":path": "/slow" }), yield* open(session)]
      slow.stream.pause()
      yield* standstill(() => sent)
      assert.isAtLeast(sent, 4)
      // The stream's window and Node's buffers on either side, our own, and one message.
      assert.isAtMost(sent * bytes.length, 5 * 64 * kibibyte)
      for (let round = 0; round < 20; round++) yield* answers(busy, `${round}`.padEnd(200 * kibibyte, "x"))
      slow.stream.resume()
      yield* promised(() => slow.received(1000))
      assert.isTrue(slow.frames.slice(0, 1000).every(({ payload }) => payload.length === bytes.length))
    })
  )

  it.live("lets no stream starve among busy ones", () =>
    Effect.gen(function* () {
      const { port } = yield* serving({}, (socket) => Socket.runBatch(socket, (messages) => socket.sendAll(messages)))
      const message = new Uint8Array(32)
      const counts = Array.from({ length: 30 }, () => 0)
      for (const index of counts.keys()) {
        const socket = yield* Socket.connect(`wss://127.0.0.1:${port}/`, over())
        const again = Socket.runBatch(socket, (messages) => {
          counts[index] = (counts[index] ?? 0) + messages.length
          return socket.sendAll(messages)
        })
        yield* Effect.forkScoped(again, { startImmediately: true })
        // More than the window that a session begins with, all together.
        yield* socket.sendAll(Array.from({ length: 100 }, () => message))
      }
      while (Math.max(...counts) < 10_000) yield* Effect.sleep(10)
      assert.isAtLeast(Math.min(...counts), 1000)
    })
  )

  it.live("works between both sides of this library", () =>
    Effect.gen(function* () {
      let sent = 0
      const { port } = yield* serving({}, (socket) =>
        Effect.whileLoop({
          while: () => sent < 500,
          body: () => socket.send(new Uint8Array(16 * kibibyte)),
          step: () => {
            sent++
          }
        })
      )
      const url = `wss://127.0.0.1:${port}/`
      const socket = yield* Socket.connect(url, over())
      yield* standstill(() => sent)
      assert.isBelow(sent, 100)
      const sizes = yield* Stream.runCollect(Stream.map(socket.messages, ({ length }) => length))
      assert.deepStrictEqual(
        sizes,
        Array.from({ length: 500 }, () => 16 * kibibyte)
      )
    })
  )
})
