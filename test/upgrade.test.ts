import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Latch, Layer, Logger, References, Scope, Stream } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as EffectSocket from "effect-ws/EffectSocket"
import { Server, Socket } from "effect-ws"
import { once } from "node:events"
import * as fs from "node:fs"
import * as http from "node:http"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { listening } from "./support/http.ts"
import { exchange, hello, open, upgradeHead } from "./support/upgrade.ts"

const local = { host: "127.0.0.1", port: 0 } as const

const urlOf = ({ address }: Server.Server<unknown>) => `ws://127.0.0.1:${address.port}/`

const echo = (socket: Socket.Socket) => Stream.runForEach(socket.messages, socket.send)

/** A server that echoes, in the test's scope. */
const echoServer = <A = undefined, R = never>(options: Server.ServeOptions<A, R> = {}) =>
  Effect.gen(function* () {
    const server = yield* Server.make({ ...local, ...options })
    yield* Effect.forkScoped(server.run(echo), { startImmediately: true })
    return server
  })

const statusOf = (head: string): number => Number(/^HTTP\/1\.1 ([0-9]+)/.exec(head)?.[1])

/** The statuses of requests that are sent one after the other. */
const statuses = (port: number, count: number, fields: ReadonlyArray<string> = []) =>
  Effect.forEach(Array.from({ length: count }), () => Effect.map(exchange(port, upgradeHead({ fields })), statusOf))

const boom = (): never => {
  throw new Error("boom")
}

/** Collects what is logged. */
const logged = Effect.sync(() => {
  const lines: Array<string> = []
  const logger = Logger.make(({ cause, message }) => {
    lines.push(`${String(message)} ${cause.reasons.length > 0 ? Cause.pretty(cause) : ""}`)
  })
  return { lines, layer: Logger.layer([logger]) }
})

/** Resources that are held, and one that is held as long as a scope. */
const counted = () => {
  let held = 0
  const resource = Effect.acquireRelease(
    Effect.sync(() => ++held),
    () => Effect.sync(() => --held)
  )
  return { resource, held: () => held }
}

/** Waits until something holds. */
const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.andThen(Effect.sleep(2), until(holds))))

describe("authorize", () => {
  it.live("runs in the connection's scope, which ends after the handler's own finalizers", () =>
    Effect.gen(function* () {
      const { held, resource } = counted()
      const heldAtEnd: Array<number> = []
      const server = yield* Server.make({ ...local, authorize: () => resource })
      const handler = (socket: Server.Connection<number>) =>
        Effect.andThen(
          Effect.addFinalizer(() => Effect.sync(() => heldAtEnd.push(held()))),
          echo(socket)
        )
      yield* Effect.forkScoped(server.run(handler), { startImmediately: true })
      for (let round = 0; round < 5; round++) {
        const socket = yield* Socket.connect(urlOf(server))
        assert.strictEqual(held(), 1)
        yield* socket.close()
        yield* until(() => held() === 0)
      }
      assert.deepStrictEqual(heldAtEnd, [1, 1, 1, 1, 1])
    })
  )

  it.live("releases what it acquired when it refuses, fails, dies or takes too long", () =>
    Effect.gen(function* () {
      const { held, resource } = counted()
      const ends = [
        Effect.fail(Server.reject(401)),
        Effect.die(new Error("bug")),
        Effect.never,
        Effect.succeed(Server.accept({ protocol: "never-offered" })),
        Effect.succeed(Server.accept({ headers: { connection: "close" } }))
      ]
      let next = 0
      const server = yield* echoServer({
        handshakeTimeout: 50,
        authorize: () => Effect.andThen(resource, ends[next++ % ends.length] ?? Effect.never)
      })
      assert.deepStrictEqual(yield* statuses(server.address.port, 5), [401, 500, 408, 500, 500])
      assert.strictEqual(held(), 0)
    })
  )

  it.live("releases what it acquired when the client leaves", () =>
    Effect.gen(function* () {
      const { held, resource } = counted()
      const server = yield* echoServer({ authorize: () => Effect.andThen(resource, Effect.never) })
      const client = yield* open(server.address.port, upgradeHead())
      yield* until(() => held() === 1)
      client.socket.destroy()
      yield* until(() => held() === 0)
    })
  )

  it.live("releases what it acquired when nobody took the connection, and at the end of the server's scope", () =>
    Effect.gen(function* () {
      const { held, resource } = counted()
      const scope = yield* Scope.make()
      const server = yield* Scope.provide(Server.make({ ...local, authorize: () => resource }), scope)
      const [first, second] = [
        yield* open(server.address.port, upgradeHead()),
        yield* open(server.address.port, upgradeHead())
      ]
      yield* until(() => held() === 2)
      first.socket.destroy()
      yield* until(() => held() === 1)
      second.socket.on("data", () => second.socket.destroy())
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(held(), 0)
    })
  )

  it.live("keeps what it acquired as long as the scope of Server.upgrade", () =>
    Effect.gen(function* () {
      const { held, resource } = counted()
      const server = http.createServer()
      const port = yield* listening(server)
      const upgraded = new Promise<[http.IncomingMessage, net.Socket, Buffer]>((resolve) => {
        server.once("upgrade", (request, socket: net.Socket, head) => resolve([request, socket, head]))
      })
      const client = yield* Effect.forkScoped(Socket.connect(`ws://127.0.0.1:${port}/`))
      const [request, socket, head] = yield* Effect.promise(() => upgraded)
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Server.upgrade(request, socket, head, { authorize: () => resource })
          yield* Fiber.join(client)
          assert.strictEqual(held(), 1)
        })
      )
      assert.strictEqual(held(), 0)
    })
  )

  it.live("may accept with a context, header fields and a subprotocol", () =>
    Effect.gen(function* () {
      const contexts: Array<{ readonly user: string }> = []
      const server = yield* Server.make({
        ...local,
        protocols: ["a"],
        headers: { "x-server": "one" },
        authorize: () =>
          Effect.succeed(
            Server.accept({
              context: { user: "ann" },
              protocol: "b",
              headers: [
                ["Set-Cookie", "a=1"],
                ["Set-Cookie", "b=2"]
              ]
            })
          )
      })
      yield* Effect.forkScoped(
        server.run((socket) => {
          contexts.push(socket.context)
          return socket.send(`${socket.context.user} ${socket.protocol}`)
        }),
        { startImmediately: true }
      )
      const head = yield* exchange(
        server.address.port,
        upgradeHead({ fields: ["Sec-WebSocket-Protocol: a, b"] }),
        "ann b"
      )
      assert.match(head, /^HTTP\/1\.1 101 /)
      for (const field of ["Sec-WebSocket-Protocol: b", "x-server: one", "Set-Cookie: a=1", "Set-Cookie: b=2"]) {
        assert.include(head, `\r\n${field}\r\n`)
      }
      assert.deepStrictEqual(contexts, [{ user: "ann" }])
      // RFC 6455 §4.2.2: nothing that the client did not offer.
      assert.deepStrictEqual(yield* statuses(server.address.port, 1), [500])
    })
  )

  it.live("keeps the subprotocol that the options choose when it names none", () =>
    Effect.gen(function* () {
      let asked = 0
      const server = yield* echoServer({
        protocols: () => (asked++, "b"),
        authorize: () => Effect.succeed(Server.accept({ headers: { "x-a": "1" } }))
      })
      const head = yield* exchange(
        server.address.port,
        upgradeHead({ fields: ["Sec-WebSocket-Protocol: a, b"] }),
        "\r\n\r\n"
      )
      assert.include(head, "\r\nSec-WebSocket-Protocol: b\r\n")
      assert.include(head, "\r\nx-a: 1\r\n")
      assert.strictEqual(asked, 1)
    })
  )
})

describe("an option that throws", () => {
  const limits = { maxConnectionsPerAddress: 2, maxConnections: 3 }

  for (const [name, options] of [
    ["protocols", { protocols: boom }],
    ["authorize", { authorize: boom }]
  ] as const) {
    it.live(`${name} is answered with 500, logged, and counted nowhere`, () =>
      Effect.gen(function* () {
        const { layer, lines } = yield* logged
        const server = yield* Effect.provide(echoServer<undefined>({ ...limits, ...options }), layer)
        const fields = ["Sec-WebSocket-Protocol: a"]
        assert.deepStrictEqual(yield* statuses(server.address.port, 6, fields), [500, 500, 500, 500, 500, 500])
        assert.lengthOf(lines, 6)
        assert.match(lines[0] ?? "", new RegExp(`${name}.*boom`, "s"))
      })
    )
  }

  it.live("onFrame is logged, and the connection works", () =>
    Effect.gen(function* () {
      const { layer, lines } = yield* logged
      const server = yield* Effect.provide(echoServer({ onFrame: boom }), layer)
      const socket = yield* Socket.connect(urlOf(server))
      yield* socket.send("hello")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(socket.messages, 1)), ["hello"])
      assert.isAtLeast(lines.length, 2)
      assert.match(lines[0] ?? "", /onFrame.*boom/s)
    })
  )
})

const tagOf = <A, R>(effect: Effect.Effect<A, Server.ServerError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason._tag)

const ignore = () => Effect.void

describe("options", () => {
  const invalid: ReadonlyArray<readonly [string, Server.ServeOptions]> = [
    ["maxMessageSize", { maxMessageSize: Number.NaN }],
    ["maxMessageSize", { maxMessageSize: -1 }],
    ["readBufferSize", { readBufferSize: Number.NaN }],
    ["writeBufferSize", { writeBufferSize: 1.5 }],
    ["maxConnections", { maxConnections: Number.NaN }],
    ["maxHandshakes", { maxHandshakes: -1 }],
    ["maxMemory", { maxMemory: Number.NaN }],
    ["maxConnectionsPerAddress", { maxConnectionsPerAddress: Number.NaN }],
    ["maxRate.connections", { maxRate: { connections: Number.NaN } }],
    ["maxRatePerAddress.connections", { maxRatePerAddress: { connections: 0 } }],
    ["maxRatePerAddress.per", { maxRatePerAddress: { connections: 1, per: 0 } }],
    ["path", { path: "chat" }],
    ["path", { path: "/chat?room=1" }],
    ["path", { path: "" }],
    ["origins", { origins: ["https://a.example/"] }],
    ["origins", { origins: ["https://a.example:443"] }],
    ["origins", { origins: ["http://a.example:80"] }],
    ["origins", { origins: ["https://bücher.example"] }],
    ["origins", { origins: ["https://a.example/chat"] }],
    ["origins", { origins: ["*"] }],
    ["origins", { origins: [""] }],
    ["origins", { origins: ["wss://a.example"] }],
    ["drafts", { drafts: [] }],
    ["protocols", { protocols: [""] }],
    ["protocols", { protocols: ["a, b"] }],
    ["headers", { headers: { connection: "close" } }],
    ["headers", { headers: { "x-a": "1\r\nx-b: 2" } }],
    ["handshakeTimeout", { handshakeTimeout: 0 }],
    ["handshakeTimeout", { handshakeTimeout: 2 ** 31 }],
    ["handshakeTimeout", { handshakeTimeout: Number.NaN }],
    ["closeTimeout", { closeTimeout: -1 }],
    ["closeTimeout", { closeTimeout: "30 days" }],
    ["shutdownTimeout", { shutdownTimeout: Number.NaN }],
    ["idleTimeout", { idleTimeout: 0 }],
    ["retryAfter", { retryAfter: Infinity }],
    ["keepAlive.interval", { keepAlive: { interval: 0 } }],
    ["compression.threshold", { compression: { threshold: Number.NaN } }],
    ["trustedProxies.addresses", { trustedProxies: { addresses: ["proxy.example"] } }],
    ["port", { port: 65_536 }],
    ["port", { port: Number.NaN }],
    ["backlog", { backlog: 0 }],
    ["socketPath", { socketPath: "" }],
    ["socketMode", { socketMode: 0o1000 }]
  ]

  for (const [option, options] of invalid) {
    it.effect(
      `are refused: ${JSON.stringify(options, (_, value: unknown) => (Number.isNaN(value) ? "NaN" : value))}`,
      () =>
        Effect.gen(function* () {
          const { reason } = yield* Effect.flip(Effect.scoped(Server.make(options)))
          assert(reason._tag === "InvalidOptions")
          assert.strictEqual(reason.option, option)
          assert.include(reason.message, option)
          assert.include(reason.message, reason.allowed)
        })
    )
  }

  it.live("of every kind are taken", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({
        ...local,
        maxMessageSize: Infinity,
        maxConnections: 0,
        maxRate: { connections: 1, per: "1 hour" },
        origins: [
          "https://a.example",
          "HTTP://A.example:8080",
          "http://[::1]:81",
          "null",
          "file://",
          "tauri://localhost",
          /b$/
        ],
        path: "/chat/%C3%A4",
        closeTimeout: Infinity,
        handshakeTimeout: "300 seconds",
        shutdownTimeout: 0,
        trustedProxies: { addresses: ["10.0.0.0/8", "::1"] }
      })
      assert.isAbove(server.address.port, 0)
    })
  )

  it.live("are checked by every constructor", () =>
    Effect.gen(function* () {
      const options = { maxMessageSize: Number.NaN }
      assert.strictEqual(yield* tagOf(Server.serve(options, ignore)), "InvalidOptions")
      assert.strictEqual(yield* tagOf(Server.attach(http.createServer(), options)), "InvalidOptions")
      assert.strictEqual(yield* tagOf(Layer.build(Server.layer(options))), "InvalidOptions")
      assert.strictEqual(yield* tagOf(Layer.build(Server.layerServe(options, ignore))), "InvalidOptions")
      const error = yield* Effect.flip(
        Layer.build(EffectSocket.layerHttpServer(() => http.createServer(), { port: 0, websocket: options }))
      )
      assert.strictEqual(error.cause instanceof Server.ServerError && error.cause.reason._tag, "InvalidOptions")
    })
  )

  for (const handshakeTimeout of ["301 seconds", "24 days", Infinity] as const) {
    it.live(`take a handshakeTimeout of ${handshakeTimeout}, over HTTP/2 too`, () =>
      Effect.gen(function* () {
        for (const http2 of [false, true]) {
          const server = yield* echoServer({ handshakeTimeout, http2, authorize: () => Effect.void })
          const socket = yield* Socket.connect(urlOf(server), { http2 })
          yield* socket.send("hello")
          assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(socket.messages, 1)), ["hello"])
        }
      })
    )
  }
})

describe("the connections of a server", () => {
  it.live("that close while they wait are forgotten", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({ ...local, maxConnections: 2 })
      for (let round = 0; round < 5; round++) {
        const client = yield* open(server.address.port, upgradeHead())
        yield* client.until("\r\n\r\n")
        client.socket.resetAndDestroy()
        yield* Effect.promise(() => once(client.socket, "close"))
      }
      const stays = yield* open(server.address.port, upgradeHead({ target: "/stays" }))
      yield* stays.until("\r\n\r\n")
      const urls = yield* Stream.runCollect(
        Stream.take(
          Stream.map(server.connections, ({ request }) => request.url),
          1
        )
      )
      assert.deepStrictEqual(urls, ["/stays"])
    })
  )

  it.live("may wait up to maxHandshakes; one more is refused with 503", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({ ...local, maxHandshakes: 2 })
      const held = yield* Effect.forEach([1, 2], () => open(server.address.port, upgradeHead()))
      for (const client of held) yield* client.until("\r\n\r\n")
      assert.deepStrictEqual(yield* statuses(server.address.port, 1), [503])
      yield* Stream.runDrain(Stream.take(server.connections, 1))
      const next = yield* open(server.address.port, upgradeHead())
      assert.strictEqual(statusOf(yield* next.until("\r\n\r\n")), 101)
    })
  )

  it.live("are shared by several readers, and an interrupted reader takes none along", () =>
    Effect.gen(function* () {
      const server = yield* Server.make(local)
      const first = yield* Effect.forkScoped(Stream.runHead(server.connections), { startImmediately: true })
      const second = yield* Effect.forkScoped(Stream.runHead(server.connections), { startImmediately: true })
      yield* Effect.sleep(1)
      const client = yield* open(server.address.port, upgradeHead())
      yield* Fiber.interrupt(first)
      yield* client.until("\r\n\r\n")
      assert.isTrue((yield* Fiber.join(second))._tag === "Some")
    })
  )
})

const app = (evaluate: http.Server, which: "node" | "ours") => {
  const routes = HttpRouter.serve(HttpRouter.add("GET", "/hello", HttpServerResponse.text("hello")), {
    disableLogger: true,
    disableListenLog: true
  })
  const options = { port: 0, host: "127.0.0.1" }
  return Layer.build(
    which === "node"
      ? Layer.provide(
          routes,
          NodeHttpServer.layer(() => evaluate, options)
        )
      : Layer.provide(
          routes,
          EffectSocket.layerHttpServer(() => evaluate, options)
        )
  )
}

const attach = (server: http.Server, options: Server.Options = {}) =>
  Effect.gen(function* () {
    const acceptor = yield* Server.attach(server, options)
    yield* Effect.forkScoped(
      acceptor.run((socket) => Stream.runForEach(socket.messages, (text) => socket.send(`${options.path} ${text}`))),
      { startImmediately: true }
    )
  })

describe("one port with several owners", () => {
  for (const which of ["node", "ours"] as const) {
    for (const order of ["before", "after"] as const) {
      it.live(`attach ${order} Effect's HTTP server (${which}): exactly one answers`, () =>
        Effect.gen(function* () {
          const server = http.createServer()
          if (order === "before") yield* attach(server, { path: "/ws" })
          yield* app(server, which)
          if (order === "after") yield* attach(server, { path: "/ws" })
          const { port } = server.address() as net.AddressInfo
          const client = yield* open(port, upgradeHead({ target: "/ws" }))
          yield* client.until("\r\n\r\n")
          client.socket.write(hello)
          const all = yield* client.until("hello")
          assert.match(all, /^HTTP\/1\.1 101 /)
          assert.lengthOf(all.match(/HTTP\/1\.1/g) ?? [], 1)
          const other = yield* exchange(port, upgradeHead({ target: "/other" }), "\r\n\r\n")
          assert.strictEqual(statusOf(other), 404)
          assert.lengthOf(other.match(/HTTP\/1\.1/g) ?? [], 1)
        })
      )
    }
  }

  it.live("another upgrade listener gets what no attached path takes, whichever was added first", () =>
    Effect.gen(function* () {
      for (const order of ["before", "after"] as const) {
        const server = http.createServer()
        const seen: Array<string | undefined> = []
        const other = (request: http.IncomingMessage, socket: net.Socket): void => {
          seen.push(request.url)
          socket.end("HTTP/1.1 418 \r\n\r\n")
        }
        if (order === "before") server.on("upgrade", other)
        const port = yield* listening(server)
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* attach(server, { path: "/ws" })
            if (order === "after") server.on("upgrade", other)
            const client = yield* open(port, upgradeHead({ target: "/ws" }))
            assert.strictEqual(statusOf(yield* client.until("\r\n\r\n")), 101)
            assert.strictEqual(statusOf(yield* exchange(port, upgradeHead({ target: "/other" }))), 418)
            client.socket.destroy()
          })
        )
        assert.deepStrictEqual(seen, ["/other"])
        // Detached.
        assert.strictEqual(statusOf(yield* exchange(port, upgradeHead({ target: "/ws" }))), 418)
      }
    })
  )

  it.live("targets in absolute form go where those in origin form go", () =>
    Effect.gen(function* () {
      const server = http.createServer()
      const port = yield* listening(server)
      yield* attach(server, { path: "/a" })
      yield* attach(server, { path: "/b" })
      yield* attach(server)
      for (const [target, path] of [
        ["/a", "/a"],
        ["/b?x=/a", "/b"],
        ["/a#f", "/a"],
        ["/a/", "undefined"],
        ["//a", "undefined"],
        ["http://h/a", "/a"],
        ["http://h/b?x", "/b"],
        ["HTTP://h/a", "/a"],
        ["http://h/c", "undefined"],
        ["http://h", "undefined"]
      ] as const) {
        const client = yield* open(port, upgradeHead({ target }))
        yield* client.until("\r\n\r\n")
        client.socket.write(hello)
        assert.include(yield* client.until("hello"), `${path} hello`, target)
      }
    })
  )

  it.live("a second attachment at a path is refused", () =>
    Effect.gen(function* () {
      const server = http.createServer()
      yield* Server.attach(server, { path: "/a" })
      const { reason } = yield* Effect.flip(Server.attach(server, { path: "/a" }))
      assert(reason._tag === "InvalidOptions")
      assert.include(reason.message, "a WebSocket server at /a is already attached")
      yield* Server.attach(server, {})
      assert.include((yield* Effect.flip(Server.attach(server, {}))).message, "without a path is already attached")
    })
  )

  it.live("a request for another upgrade goes to the other listeners, on attached paths too", () =>
    Effect.gen(function* () {
      for (const order of ["before", "after"] as const) {
        const server = http.createServer()
        const seen: Array<string> = []
        const other = (request: http.IncomingMessage, socket: net.Socket): void => {
          // As a listener of its own protocol, which leaves WebSockets alone.
          if (request.headers.upgrade !== "foo") return
          seen.push(`${request.headers.upgrade} ${request.url}`)
          socket.end("HTTP/1.1 418 \r\n\r\n")
        }
        if (order === "before") server.on("upgrade", other)
        yield* attach(server, { path: "/ws" })
        yield* attach(server, {})
        if (order === "after") server.on("upgrade", other)
        const port = yield* listening(server)
        for (const target of ["/ws", "/any"]) {
          const answer = yield* exchange(port, upgradeHead({ target, upgrade: "foo" }))
          assert.strictEqual(statusOf(answer), 418)
          assert.lengthOf(answer.match(/HTTP\/1\.1/g) ?? [], 1)
          assert.strictEqual(statusOf(yield* exchange(port, upgradeHead({ target }), "\r\n\r\n")), 101)
        }
        assert.deepStrictEqual(seen, ["foo /ws", "foo /any"])
      }
    })
  )

  it.live("a request for another upgrade at an attached path goes to the routes of layerHttpServer", () =>
    Effect.gen(function* () {
      const server = http.createServer()
      yield* app(server, "ours")
      yield* attach(server, { path: "/ws" })
      const { port } = server.address() as net.AddressInfo
      const answer = yield* exchange(port, upgradeHead({ target: "/ws", upgrade: "foo" }), "\r\n\r\n")
      assert.strictEqual(statusOf(answer), 404)
      assert.lengthOf(answer.match(/HTTP\/1\.1/g) ?? [], 1)
    })
  )

  it.live("a request for another upgrade goes to the HTTP handler", () =>
    Effect.gen(function* () {
      const ours = yield* Server.make({ ...local, onRequest: (_, response) => response.end("page") })
      const server = http.createServer((_, response) => response.end("page"))
      yield* Server.attach(server, {})
      for (const port of [ours.address.port, yield* listening(server)]) {
        const answer = yield* exchange(
          port,
          "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n"
        )
        assert.strictEqual(statusOf(answer), 200)
        assert.include(answer, "page")
        assert.strictEqual(statusOf(yield* exchange(port, upgradeHead({ upgrade: "foo, WebSocket" }), "\r\n\r\n")), 101)
      }
    })
  )
})

describe("the head of a request", () => {
  it.live("with two Host fields is answered with 400", () =>
    Effect.gen(function* () {
      const server = yield* echoServer({ maxConnectionsPerAddress: 1 })
      assert.deepStrictEqual(yield* statuses(server.address.port, 3, ["host: 127.0.0.1"]), [400, 400, 400])
    })
  )

  it.live("in absolute form names the host that an origin is compared with", () =>
    Effect.gen(function* () {
      const server = yield* echoServer()
      const statusFor = (target: string, origin: string) =>
        Effect.map(
          exchange(server.address.port, upgradeHead({ target, fields: [`Origin: ${origin}`] }), "\r\n\r\n"),
          statusOf
        )
      assert.strictEqual(yield* statusFor("http://app.example/", "http://app.example"), 101)
      assert.strictEqual(yield* statusFor("http://app.example/", "http://127.0.0.1"), 403)
    })
  )
})

const serving = (onRequest: http.RequestListener, options: Server.ServeOptions = {}) =>
  echoServer({ onRequest, ...options })

describe("an upgrade that is pipelined", () => {
  const slow = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"

  it.live("waits for the responses to the requests before it", () =>
    Effect.gen(function* () {
      const responses: Array<http.ServerResponse> = []
      const server = yield* serving((_, response) => void responses.push(response))
      const client = yield* open(server.address.port, slow + slow + upgradeHead())
      yield* until(() => responses.length === 2)
      client.socket.write(hello)
      // Larger than what a socket takes at once, so that writing it waits for the socket.
      const big = "x".repeat(1_000_000)
      responses[1]?.end("second")
      responses[0]?.write(big, () => responses[0]?.end("first"))
      const all = yield* client.until("\x05hello")
      const order = ["first", "second", "HTTP/1.1 101", "\x05hello"].map((text) => all.indexOf(text))
      assert.deepStrictEqual(
        order,
        order.toSorted((a, b) => a - b)
      )
      assert.isAbove(order[0] ?? -1, big.length)
      assert.lengthOf(all.match(/HTTP\/1\.1/g) ?? [], 3)
    })
  )

  it.live("is dropped after handshakeTimeout, or when its client leaves, and counted nowhere", () =>
    Effect.gen(function* () {
      const server = yield* serving(() => {}, { handshakeTimeout: 100, maxHandshakes: 1, maxConnections: 1 })
      yield* Effect.forEach([1, 2, 3], () => exchange(server.address.port, slow + upgradeHead()))
      const client = yield* open(server.address.port, slow + upgradeHead())
      client.socket.destroy()
      const next = yield* open(server.address.port, upgradeHead())
      assert.strictEqual(statusOf(yield* next.until("\r\n\r\n")), 101)
    })
  )

  it.live("isn't answered when the response before it ends the connection", () =>
    Effect.gen(function* () {
      const server = yield* serving(
        (_, response) => setTimeout(() => response.setHeader("connection", "close").end("last"), 20),
        { maxConnections: 1 }
      )
      const answer = yield* exchange(server.address.port, slow + upgradeHead())
      assert.match(answer, /last$/)
      const next = yield* open(server.address.port, upgradeHead())
      assert.strictEqual(statusOf(yield* next.until("\r\n\r\n")), 101)
    })
  )

  it.live("waits in layerHttpServer, too", () =>
    Effect.gen(function* () {
      const server = http.createServer()
      const latch = yield* Latch.make()
      const routes = HttpRouter.addAll([
        HttpRouter.route("GET", "/slow", Effect.as(latch.await, HttpServerResponse.text("slow answer"))),
        HttpRouter.route("GET", "/ws", (request) =>
          Effect.scoped(
            Effect.gen(function* () {
              const socket = yield* request.upgrade
              const { write } = yield* socket.writer
              const { pull } = yield* socket.reader
              while (true) for (const message of yield* pull) yield* write(message)
            })
          ).pipe(Effect.catchTag("SocketError", () => Effect.succeed(HttpServerResponse.empty())))
        )
      ])
      yield* Layer.build(
        HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
          Layer.provide(EffectSocket.layerHttpServer(() => server, local))
        )
      )
      const { port } = server.address() as net.AddressInfo
      const client = yield* open(port, slow + upgradeHead({ target: "/ws" }))
      client.socket.write(hello)
      yield* Effect.sleep(20)
      assert.strictEqual(client.text(), "")
      yield* latch.open
      const all = yield* client.until("\x05hello")
      assert.isBelow(all.indexOf("slow answer"), all.indexOf("HTTP/1.1 101"))
    })
  )
})

const statusFor = (server: Server.Server<undefined>, ...fields: ReadonlyArray<string>) =>
  Effect.map(
    exchange(server.address.port, upgradeHead({ fields: ["Origin: https://app.example", ...fields] }), "\r\n\r\n"),
    statusOf
  )

describe("a refused origin", () => {
  it.live("is named in the body and in the log, with the host that it was compared with", () =>
    Effect.gen(function* () {
      const { layer, lines } = yield* logged
      const server = yield* Effect.provide(
        echoServer(),
        Layer.merge(layer, Layer.succeed(References.MinimumLogLevel, "Debug"))
      )
      const head = upgradeHead({ fields: ["Origin: https://app.example"] })
      const answer = yield* exchange(server.address.port, head)
      assert.strictEqual(statusOf(answer), 403)
      const [, body = ""] = answer.split("\r\n\r\n")
      for (const text of [body, lines.join("\n")]) {
        assert.include(text, "https://app.example")
        assert.include(text, "127.0.0.1")
      }
    })
  )

  it.live("is logged with the list that allows others", () =>
    Effect.gen(function* () {
      const { layer, lines } = yield* logged
      const origins = ["https://a.example", /b\.example$/]
      const server = yield* Effect.provide(
        echoServer({ origins }),
        Layer.merge(layer, Layer.succeed(References.MinimumLogLevel, "Debug"))
      )
      const answer = yield* exchange(server.address.port, upgradeHead({ fields: ["Origin: https://app.example"] }))
      assert.strictEqual(statusOf(answer), 403)
      assert.include(lines.join("\n"), "https://app.example are not allowed; allowed: https://a.example, /b")
      assert.notInclude(answer, "a.example")
    })
  )

  it.live("isn't refused when a trusted proxy says that it is the client's host", () =>
    Effect.gen(function* () {
      const xForwarded = yield* echoServer({ trustedProxies: { addresses: ["127.0.0.1"] } })
      const forwarded = yield* echoServer({ trustedProxies: { addresses: ["127.0.0.1"], header: "forwarded" } })
      const untrusted = yield* echoServer({ trustedProxies: { addresses: ["10.0.0.1"] } })
      const noted = ["X-Forwarded-Host: app.example", "X-Forwarded-Proto: https"]
      assert.strictEqual(yield* statusFor(xForwarded, ...noted), 101)
      assert.strictEqual(yield* statusFor(untrusted, ...noted), 403)
      assert.strictEqual(yield* statusFor(forwarded, ...noted), 403)
      assert.strictEqual(yield* statusFor(forwarded, "Forwarded: for=192.0.2.1;host=app.example;proto=https"), 101)
      assert.strictEqual(yield* statusFor(xForwarded, "X-Forwarded-Host: other.example"), 403)
    })
  )
})

describe("where a server listens", () => {
  it.live("a layer fails when the port is taken", () =>
    Effect.gen(function* () {
      const taken = yield* echoServer()
      const { reason } = yield* Effect.flip(
        Layer.build(Server.layerServe({ host: "127.0.0.1", port: taken.address.port }, echo))
      )
      assert(reason._tag === "ListenFailed")
      assert.strictEqual(reason.code, "EADDRINUSE")
    })
  )

  it.live("a layer serves until its scope ends", () =>
    Effect.gen(function* () {
      const path = join(tmpdir(), `effect-ws-layer-${process.pid}.sock`)
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Layer.build(Server.layerServe({ socketPath: path }, echo))
          const socket = yield* Socket.connect(`ws+unix:${path}`)
          yield* socket.send("hello")
          assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(socket.messages, 1)), ["hello"])
        })
      )
      assert.isFalse(fs.existsSync(path))
    })
  )

  it.live("a Unix socket has the mode that was asked for", () =>
    Effect.gen(function* () {
      const path = join(tmpdir(), `effect-ws-mode-${process.pid}.sock`)
      yield* Server.make({ socketPath: path, socketMode: 0o600 })
      assert.strictEqual(fs.statSync(path).mode & 0o777, 0o600)
    })
  )

  it.live("a Unix socket's file that nobody listens on is replaced; another file, and a used socket, is not", () =>
    Effect.gen(function* () {
      const path = join(tmpdir(), `effect-ws-stale-${process.pid}.sock`)
      const left = net.createServer().listen(path)
      yield* Effect.promise(() => once(left, "listening"))
      // The file stays when its process ends without closing: a hard link stands for that.
      fs.linkSync(path, `${path}.kept`)
      left.close()
      yield* Effect.promise(() => once(left, "close"))
      fs.renameSync(`${path}.kept`, path)
      const server = yield* Server.make({ socketPath: path })
      assert.strictEqual(server.address.host, path)
      const { reason } = yield* Effect.flip(Effect.scoped(Server.make({ socketPath: path })))
      assert.strictEqual(reason._tag === "ListenFailed" && reason.code, "EADDRINUSE")
      const file = join(tmpdir(), `effect-ws-file-${process.pid}`)
      fs.writeFileSync(file, "kept")
      yield* Effect.addFinalizer(() => Effect.sync(() => fs.unlinkSync(file)))
      const refused = yield* Effect.flip(Effect.scoped(Server.make({ socketPath: file })))
      assert.strictEqual(refused.reason._tag, "ListenFailed")
      assert.strictEqual(fs.readFileSync(file, "utf8"), "kept")
    })
  )

  it.live("two servers share a port with reusePort", () =>
    Effect.gen(function* () {
      const first = yield* echoServer({ reusePort: true })
      const second = yield* echoServer({ reusePort: true, port: first.address.port })
      assert.strictEqual(second.address.port, first.address.port)
      // The one that drains listens no more, so that every connection goes to the other.
      yield* first.drain()
      assert.deepStrictEqual(
        new Set(
          yield* Effect.forEach(Array.from({ length: 20 }), () =>
            Effect.map(exchange(first.address.port, upgradeHead(), "\r\n\r\n"), statusOf)
          )
        ),
        new Set([101])
      )
    })
  )
})
