// WebSockets over HTTP/2, RFC 8441: server and client with each other.
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Result, Schedule, Scope, Stream } from "effect"
import { Handshake, Server, Socket } from "effect-ws"
import { once } from "node:events"
import * as http2 from "node:http2"
import * as https from "node:https"
import * as net from "node:net"
import * as tls from "node:tls"
import { listening } from "./support/http.ts"
import { certificate, listenHttp2, openSession, type ResponseHeaders, trust } from "./support/http2.ts"

const echo = (socket: Socket.Socket) => Stream.runForEach(socket.messages, socket.send)

/** A server for HTTP/2 in the test's scope, and how to connect to it. */
const serving = <A = undefined>(
  options: Server.ServeOptions<A> = {},
  handler: (socket: Server.Connection<A>) => Effect.Effect<unknown, Socket.SocketError> = echo
) =>
  Effect.gen(function* () {
    const server = yield* Server.make({
      host: "127.0.0.1",
      tls: certificate,
      http2: true,
      keepAlive: false,
      ...options
    })
    yield* Effect.forkScoped(server.run(handler), { startImmediately: true })
    return { ...server, url: `wss://127.0.0.1:${server.address.port}/` }
  })

const over = (options: Socket.ConnectOptions = {}): Socket.ConnectOptions => ({
  http2: true,
  tls: trust,
  keepAlive: false,
  ...options
})

const next = (socket: Socket.Socket) =>
  Effect.map(Stream.runCollect(Stream.take(socket.messages, 1)), ([first]) => first)

/** Why a connection could not be opened. */
const refusal = (url: string, options?: Socket.ConnectOptions) =>
  Effect.gen(function* () {
    const result = yield* Effect.result(Effect.scoped(Socket.connect(url, over(options))))
    assert(Result.isFailure(result), "it was accepted")
    const { reason } = result.failure
    return reason._tag === "HandshakeFailed" ? reason.error.reason : reason
  })

/** The connections of a server, as they come. */
const collecting = <A = undefined>(options: Server.ServeOptions<A> = {}) =>
  Effect.gen(function* () {
    const connections: Array<Server.Connection<A>> = []
    const server = yield* serving(options, (socket) => {
      connections.push(socket)
      return echo(socket)
    })
    return { ...server, connections, ports: () => new Set(connections.map(({ request }) => request.remotePort)) }
  })

describe("a socket over HTTP/2", () => {
  it.live("is the same socket", () =>
    Effect.gen(function* () {
      const { connections, url } = yield* collecting({ protocols: ["chat"], compression: { threshold: 0 } })
      const socket = yield* Socket.connect(`${url}room?a=b`, over({ protocols: ["chat"], compression: true }))
      assert.strictEqual(socket.draft, Handshake.rfc6455)
      assert.strictEqual(socket.protocol, "chat")
      assert.deepStrictEqual(
        socket.extensions.map(({ name }) => name),
        ["permessage-deflate"]
      )
      const large = "x".repeat(500_000)
      yield* socket.sendAll(["text ✓", new Uint8Array([1, 2, 3]), large])
      yield* socket.sendStream(Stream.make("in ", "pieces"))
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(socket.messages, 4)), [
        "text ✓",
        Buffer.from([1, 2, 3]),
        large,
        "in pieces"
      ])
      yield* socket.ping()
      const closed = yield* socket.close(4000, "bye")
      assert.strictEqual(closed.cause._tag, "Handshake")
      assert.deepStrictEqual(closed.received, { code: 4000, reason: "" })
      const [connection] = connections
      assert.deepStrictEqual((yield* connection?.closed ?? Effect.never).received, { code: 4000, reason: "bye" })
      assert.deepInclude(connection?.request, {
        method: "CONNECT",
        url: "/room?a=b",
        httpVersion: "2.0",
        secure: true,
        remoteAddress: "127.0.0.1",
        clientAddress: "127.0.0.1"
      })
    })
  )

  it.live("is closed by its server as any other", () =>
    Effect.gen(function* () {
      const { url } = yield* serving({}, (socket) => socket.close(4001, "enough"))
      const socket = yield* Socket.connect(url, over())
      const frames = yield* Stream.runCollect(socket.frames)
      assert.deepStrictEqual(
        frames.map((frame) => (frame._tag === "Close" ? [frame.code, frame.reason] : frame._tag)),
        [[4001, "enough"]]
      )
      assert.strictEqual((yield* socket.closed).cause._tag, "Handshake")
    })
  )

  it.live("pings when its connection is silent, and ends when there is no answer", () =>
    Effect.gen(function* () {
      const server = http2.createSecureServer({ ...certificate, settings: { enableConnectProtocol: true } })
      server.on("stream", (stream) => stream.respond({ ":status": 200 }))
      const { port } = yield* listenHttp2(server)
      const socket = yield* Socket.connect(
        `wss://127.0.0.1:${port}/`,
        over({ keepAlive: { interval: 20, timeout: 20 } })
      )
      assert.strictEqual((yield* socket.closed).cause._tag, "KeepAliveTimeout")
    })
  )

  it.live("opens in the clear, to those who know", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({ host: "127.0.0.1", http2: true, keepAlive: false })
      yield* Effect.forkScoped(server.run(echo), { startImmediately: true })
      const url = `ws://127.0.0.1:${server.address.port}/`
      const socket = yield* Socket.connect(url, over())
      yield* socket.send("in the clear")
      assert.strictEqual(yield* next(socket), "in the clear")
      assert.strictEqual((yield* refusal(url, { http2: false }))._tag, "OpenFailed")
    })
  )

  it.live("shares its port with HTTP/1.1", () =>
    Effect.gen(function* () {
      const { connections, url } = yield* collecting()
      for (const http2 of [true, false]) {
        const socket = yield* Socket.connect(url, over({ http2 }))
        yield* socket.send("hello")
        assert.strictEqual(yield* next(socket), "hello")
      }
      assert.deepStrictEqual(
        connections.map(({ request }) => [request.httpVersion, request.method]),
        [
          ["2.0", "CONNECT"],
          ["1.1", "GET"]
        ]
      )
    })
  )

  it.live("comes back when it is lost", () =>
    Effect.gen(function* () {
      const { connections, url } = yield* collecting()
      const link = yield* Socket.reconnecting(url, { ...over(), schedule: Schedule.spaced(10) })
      yield* link.send("one")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(link.messages, 1)), ["one"])
      yield* connections[0]?.close(1001) ?? Effect.void
      yield* link.send("two")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(link.messages, 1)), ["two"])
      assert.lengthOf(connections, 2)
    })
  )
})

describe("sockets on one session", () => {
  it.live("are all that connect to the same place in the same way", () =>
    Effect.gen(function* () {
      const { ports, url } = yield* collecting()
      const sockets = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, index) => index),
        (index) =>
          Effect.map(Socket.connect(`${url}${index}`, over({ tls: { ca: certificate.cert } })), (socket) => ({
            index,
            socket
          })),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(ports().size, 1)
      yield* Effect.forEach(sockets, ({ index, socket }) => socket.send(`I am ${index}`), { concurrency: "unbounded" })
      for (const { index, socket } of sockets) assert.strictEqual(yield* next(socket), `I am ${index}`)

      yield* Socket.connect(url, over({ tls: { ca: [certificate.cert] } }))
      assert.strictEqual(ports().size, 2, "other options of TLS may trust others")
    })
  )

  it.live("end without the others, and take the session with them when they are the last", () =>
    Effect.gen(function* () {
      const server = http2.createSecureServer(certificate)
      const { port, sessions } = yield* listenHttp2(server)
      const acceptor = yield* Server.attach(server, { keepAlive: false })
      yield* Effect.forkScoped(acceptor.run(echo), { startImmediately: true })
      const url = `wss://127.0.0.1:${port}/`
      const inner = Effect.gen(function* () {
        const stays = yield* Socket.connect(url, over())
        yield* Effect.scoped(Socket.connect(url, over()))
        yield* stays.send("still here")
        assert.strictEqual(yield* next(stays), "still here")
        assert.strictEqual(sessions.size, 1)
        return [...sessions]
      })
      const [session] = yield* Effect.scoped(inner)
      assert(session !== undefined)
      if (!session.destroyed) yield* Effect.promise(() => once(session, "close"))
      // The next begins anew.
      yield* Socket.connect(url, over())
      assert.strictEqual(sessions.size, 1)
      assert.isFalse(sessions.has(session))
    })
  )

  it.live("are as many as the server allows; the next opens another", () =>
    Effect.gen(function* () {
      const { connections, ports, url } = yield* collecting({ http2: { maxConcurrentStreams: 2 } })
      const open = (count: number) =>
        Effect.forEach(Array.from({ length: count }), () => Socket.connect(url, over()), { concurrency: "unbounded" })
      yield* open(5)
      assert.lengthOf(connections, 5)
      assert.strictEqual(ports().size, 3)
      yield* open(1)
      assert.strictEqual(ports().size, 3, "there was room for one")
      const none = yield* serving({ http2: { maxConcurrentStreams: 0 } })
      assert.strictEqual((yield* refusal(none.url))._tag, "OpenFailed")
    })
  )

  it.live("wait for one opening, and one of them may give up", () =>
    Effect.gen(function* () {
      const { ports, url } = yield* collecting()
      const [first, second, third] = yield* Effect.forEach([1, 2, 3], () =>
        Effect.forkScoped(Effect.exit(Socket.connect(url, over())), { startImmediately: true })
      )
      assert(first !== undefined && second !== undefined && third !== undefined)
      yield* Fiber.interrupt(first)
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(second)))
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(third)))
      assert.strictEqual(ports().size, 1)
    })
  )

  it.live("leave no connection behind when all of them give up", () =>
    Effect.gen(function* () {
      const silent = net.createServer()
      const gone = new Promise<void>((resolve) => {
        silent.once("connection", (socket) => {
          socket.on("error", () => {})
          socket.resume()
          socket.once("close", resolve)
        })
      })
      silent.listen(0, "127.0.0.1")
      yield* Effect.promise(() => once(silent, "listening"))
      yield* Effect.addFinalizer(() => Effect.sync(() => silent.close()))
      const { port } = silent.address() as net.AddressInfo
      const reason = yield* refusal(`ws://127.0.0.1:${port}/`, { openTimeout: 50 })
      assert.strictEqual(reason._tag, "OpenTimeout")
      yield* Effect.promise(() => gone)
    })
  )

  it.live("may be those of the caller's own session, which stays open", () =>
    Effect.gen(function* () {
      const { connections, ports, url, address } = yield* collecting()
      const session = yield* openSession(address.port)
      for (const text of ["one", "two"]) {
        const inner = Effect.gen(function* () {
          const socket = yield* Socket.connect(url, over({ http2: session }))
          yield* socket.send(text)
          return yield* next(socket)
        })
        assert.strictEqual(yield* Effect.scoped(inner), text)
      }
      assert.lengthOf(connections, 2)
      assert.strictEqual(ports().size, 1)
      assert.isFalse(session.closed)
      session.close()
      assert.strictEqual((yield* refusal(url, { http2: session }))._tag, "OpenFailed")
    })
  )
})

/** Why a client doesn't take such an answer. */
const answer = (headers: http2.OutgoingHttpHeaders) =>
  Effect.gen(function* () {
    const server = http2.createSecureServer({ ...certificate, settings: { enableConnectProtocol: true } })
    server.on("stream", (stream) => {
      stream.on("error", () => {})
      stream.respond(headers)
    })
    const { port } = yield* listenHttp2(server)
    return yield* refusal(`wss://127.0.0.1:${port}/`, { protocols: ["chat"] })
  })

describe("a server that can't", () => {
  it.live("speaks HTTP/1.1 alone", () =>
    Effect.gen(function* () {
      const port = yield* listening(https.createServer({ ...certificate, ALPNProtocols: ["http/1.1"] }))
      const reason = yield* refusal(`wss://127.0.0.1:${port}/`)
      assert(reason._tag === "Unsupported")
      assert.strictEqual(reason.feature, "HTTP/2")
      const plain = yield* Server.make({ host: "127.0.0.1" })
      assert.strictEqual((yield* refusal(`ws://127.0.0.1:${plain.address.port}/`))._tag, "OpenFailed")
    })
  )

  it.live("lets no WebSocket open: it announces no SETTINGS_ENABLE_CONNECT_PROTOCOL", () =>
    Effect.gen(function* () {
      const { port } = yield* listenHttp2(http2.createSecureServer(certificate))
      const reason = yield* refusal(`wss://127.0.0.1:${port}/`)
      assert.deepInclude(reason, {
        _tag: "Unsupported",
        status: 501,
        section: "RFC 8441 §3",
        feature: "SETTINGS_ENABLE_CONNECT_PROTOCOL"
      })
      const session = yield* openSession(port)
      assert.strictEqual((yield* refusal(`wss://127.0.0.1:${port}/`, { http2: session }))._tag, "Unsupported")
    })
  )

  it.live("answers in another way than the request asked for", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* answer({ ":status": 404 }))._tag, "UnexpectedStatus")
      assert.strictEqual(
        (yield* answer({ ":status": 200, "sec-websocket-protocol": "other" }))._tag,
        "InvalidSubprotocol"
      )
      const extensions = { "sec-websocket-extensions": "permessage-deflate" }
      assert.strictEqual((yield* answer({ ":status": 200, ...extensions }))._tag, "InvalidExtension")
    })
  )

  it.live("never answers", () =>
    Effect.gen(function* () {
      const server = http2.createSecureServer({ ...certificate, settings: { enableConnectProtocol: true } })
      const reset = new Promise<number | undefined>((resolve) => {
        server.on("stream", (stream) => stream.once("close", () => resolve(stream.rstCode)))
      })
      const { port } = yield* listenHttp2(server)
      assert.strictEqual((yield* refusal(`wss://127.0.0.1:${port}/`, { openTimeout: 100 }))._tag, "OpenTimeout")
      assert.strictEqual(yield* Effect.promise(() => reset), http2.constants.NGHTTP2_CANCEL)
    })
  )

  it.live("resets the stream in place of an answer", () =>
    Effect.gen(function* () {
      const server = http2.createSecureServer({ ...certificate, settings: { enableConnectProtocol: true } })
      server.on("stream", (stream) => {
        stream.on("error", () => {})
        stream.close(http2.constants.NGHTTP2_REFUSED_STREAM)
      })
      const { port } = yield* listenHttp2(server)
      const reason = yield* refusal(`wss://127.0.0.1:${port}/`)
      assert.strictEqual(reason._tag, "OpenFailed")
      assert.include(reason.message, "REFUSED_STREAM")
    })
  )
})

const statusOf = (reason: Handshake.Reason | Socket.SocketErrorReason) => {
  assert(reason._tag === "UnexpectedStatus")
  return { status: reason.status, headers: reason.headers }
}

describe("a server that refuses", () => {
  it.live("does so for the same reasons as over HTTP/1.1", () =>
    Effect.gen(function* () {
      const { url } = yield* serving({
        path: "/chat",
        authorize: ({ headers }) =>
          headers["x-key"] === "secret"
            ? Effect.succeed(undefined)
            : Effect.fail(Server.reject(401, { headers: { "WWW-Authenticate": "Basic" }, body: "a key" }))
      })
      assert.strictEqual(statusOf(yield* refusal(url)).status, 404)
      const elsewhere = yield* refusal(`${url}chat`, { origin: "https://elsewhere.example" })
      assert.strictEqual(statusOf(elsewhere).status, 403)
      const { headers, status } = statusOf(yield* refusal(`${url}chat`))
      assert.strictEqual(status, 401)
      assert.strictEqual(headers["www-authenticate"], "Basic")
      assert.strictEqual(headers["content-length"], "5")
      assert.isUndefined(headers["connection"])
      const socket = yield* Socket.connect(`${url}chat`, over({ headers: { "X-Key": "secret" } }))
      yield* socket.send("in")
      assert.strictEqual(yield* next(socket), "in")
    })
  )

  it.live("counts sockets, not sessions", () =>
    Effect.gen(function* () {
      const { url } = yield* serving({ maxConnections: 2, retryAfter: 7000 })
      yield* Socket.connect(url, over())
      const second = yield* Socket.connect(url, over())
      const { headers, status } = statusOf(yield* refusal(url))
      assert.deepStrictEqual([status, headers["retry-after"]], [503, "7"])
      yield* second.close()
      yield* Socket.connect(url, over())

      const limited = yield* serving({ maxConnectionsPerAddress: 1 })
      yield* Socket.connect(limited.url, over())
      assert.strictEqual(statusOf(yield* refusal(limited.url)).status, 429)
    })
  )

  it.live("gives authorize no longer than the handshake may take", () =>
    Effect.gen(function* () {
      const { url } = yield* serving({ handshakeTimeout: 50, authorize: () => Effect.never })
      assert.strictEqual(statusOf(yield* refusal(url)).status, 408)
    })
  )

  it.live("stops asking when the client gives up", () =>
    Effect.gen(function* () {
      const asked = yield* Deferred.make<void>()
      const stopped = yield* Deferred.make<void>()
      const { url } = yield* serving({
        authorize: () =>
          Effect.onInterrupt(Effect.andThen(Deferred.succeed(asked, undefined), Effect.never), () =>
            Deferred.succeed(stopped, undefined)
          )
      })
      const fiber = yield* Effect.forkScoped(Socket.connect(url, over()), { startImmediately: true })
      yield* Deferred.await(asked)
      yield* Fiber.interrupt(fiber)
      yield* Deferred.await(stopped)
    })
  )

  it.live("may send the client elsewhere", () =>
    Effect.gen(function* () {
      const there = yield* serving()
      const here = yield* serving({
        authorize: ({ url }) =>
          url === "/here"
            ? Effect.succeed(undefined)
            : Effect.fail(
                Server.reject(307, { headers: { Location: url === "/near" ? "/here" : `${there.url}there` } })
              )
      })
      assert.strictEqual(statusOf(yield* refusal(`${here.url}near`)).status, 307)
      const session = yield* openSession(here.address.port)
      for (const http2 of [true, session]) {
        for (const path of ["near", "far"]) {
          const socket = yield* Socket.connect(`${here.url}${path}`, over({ maxRedirects: 1, http2 }))
          yield* socket.send("found")
          assert.strictEqual(yield* next(socket), "found")
        }
      }
    })
  )
})

describe("a shutdown", () => {
  it.live("closes every socket with 1001, and ends the session", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { url } = yield* Scope.provide(serving(), scope)
      const session = yield* openSession(Number(new URL(url).port))
      const ended = once(session, "close")
      const sockets = yield* Effect.forEach([true, session, session], (http2) => Socket.connect(url, over({ http2 })))
      for (const socket of sockets) {
        yield* socket.send("hello")
        assert.strictEqual(yield* next(socket), "hello")
      }
      yield* Scope.close(scope, Exit.void)
      for (const socket of sockets) {
        const { cause, received } = yield* socket.closed
        assert.deepStrictEqual([received?.code, cause._tag], [1001, "Handshake"])
      }
      yield* Effect.promise(() => ended)
      assert.strictEqual((yield* refusal(url))._tag, "OpenFailed")
    })
  )

  for (const protocols of [undefined, ["h2"], ["http/1.1"]]) {
    it.live(
      `doesn't wait for a peer that says nothing, ${protocols ? `after TLS for ${protocols[0]}` : "not even TLS"}`,
      () =>
        Effect.gen(function* () {
          for (const http2 of protocols?.[0] === "h2" ? [true] : [true, false]) {
            const scope = yield* Scope.make()
            const { address } = yield* Scope.provide(serving({ http2, handshakeTimeout: 60_000 }), scope)
            const to = { port: address.port, host: "127.0.0.1" }
            const peer =
              protocols === undefined ? net.connect(to) : tls.connect({ ...to, ...trust, ALPNProtocols: protocols })
            peer.on("error", () => {})
            yield* Effect.promise(() => once(peer, protocols === undefined ? "connect" : "secureConnect"))
            yield* Effect.timeout(
              Effect.forkDetach(Scope.close(scope, Exit.void)).pipe(Effect.flatMap(Fiber.join)),
              5000
            )
            peer.destroy()
          }
        })
    )
  }

  it.live("of what a server is attached to leaves the session alone", () =>
    Effect.gen(function* () {
      const server = http2.createSecureServer(certificate, (_, response) => response.end("a page"))
      const { port, sessions } = yield* listenHttp2(server)
      const scope = yield* Scope.make()
      const acceptor = yield* Scope.provide(Server.attach(server, { keepAlive: false }), scope)
      yield* Effect.forkIn(acceptor.run(echo), scope, { startImmediately: true })
      const session = yield* openSession(port)
      const socket = yield* Socket.connect(`wss://127.0.0.1:${port}/`, over({ http2: session }))
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* socket.closed).received?.code, 1001)
      const page = session.request({ ":path": "/" })
      page.resume()
      const [headers] = yield* Effect.promise(() => once(page, "response"))
      assert.strictEqual((headers as ResponseHeaders)[":status"], 200)
      assert.strictEqual(sessions.size, 1)
    })
  )
})
