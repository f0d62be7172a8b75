import { assert, describe, it } from "@effect/vitest"
import { Cause, Console, Effect, Exit, Fiber, Logger, References, Schema, Stream, Tracer } from "effect"
import { Handshake, Server, Socket } from "effect-ws"
import { format, inspect } from "node:util"

/** Nothing that is shown may have any of them. */
const secrets = ["topsecret", "session=abc", "sekret", "hunter2", "cookie-value"]

const options = {
  headers: { Authorization: "Bearer topsecret", Cookie: "session=abc" },
  protocols: ["chat", "token.sekret"]
} satisfies Socket.ConnectOptions

const lines = (text: string): number => text.split("\n").length

/** As Node's console, JSON and Effect's loggers show a value. */
const views = (value: unknown): ReadonlyArray<string> => [
  inspect(value, { depth: 10 }),
  inspect({ nested: [value] }, { depth: 10, showHidden: false }),
  JSON.stringify(value),
  String(Cause.pretty(Cause.fail(value))),
  inspect(Exit.fail(value), { depth: 10 })
]

const assertSafe = (name: string, value: unknown): void => {
  for (const view of views(value)) {
    for (const secret of secrets) assert.notInclude(view, secret, name)
    assert.isBelow(lines(view), 60, `${name}: ${view}`)
  }
}

const both = Effect.gen(function* () {
  const server = yield* Server.makeMemory({ protocols: ["chat"], authorize: () => Effect.succeed({ name: "ada" }) })
  const client = yield* server.connect("/room?token=sekret", options)
  const [connection] = yield* Stream.runCollect(Stream.take(server.connections, 1))
  if (connection === undefined) throw new Error("no connection")
  return { server, client, connection }
})

describe("inspection", () => {
  it.effect("shows sockets, connections and requests in a few lines without secrets", () =>
    Effect.gen(function* () {
      const { client, connection, server } = yield* both
      const typed = Socket.withSchema(connection, Schema.String)
      for (const [name, value] of Object.entries({ client, connection, typed, server })) assertSafe(name, value)
      assertSafe("server's request", connection.request)
      assertSafe("client's request", client.request)
      assert.deepStrictEqual(JSON.parse(JSON.stringify(connection)), {
        _id: "Socket",
        id: connection.id,
        state: "open",
        url: "/room",
        remoteAddress: "127.0.0.1",
        draft: "rfc6455"
      })
      assert.isBelow(lines(inspect(client, { depth: 10 })), 10)
      assert.include(inspect(connection.request), "authorization")
      yield* client.close()
      assert.include(inspect(client), "state: 'closed'")
    })
  )

  it.effect("shows no token that is sent as a subprotocol", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair({ protocol: "token.sekret" })
      for (const socket of [client, server]) {
        assertSafe("socket", socket)
        assertSafe("request", socket.request)
      }
    })
  )

  it.effect("shows refusals without header fields of the request and the response", () =>
    Effect.gen(function* () {
      const server = yield* Server.makeMemory({
        authorize: () =>
          Effect.fail(Server.reject(401, { headers: { "Set-Cookie": "cookie-value" }, body: `no${"!".repeat(5000)}` }))
      })
      const error = yield* Effect.flip(server.connect("/room?token=sekret", options))
      assertSafe("SocketError", error)
      assertSafe("reason", error.reason)
      if (error.reason._tag !== "HandshakeFailed") throw error
      const { reason } = error.reason.error
      assertSafe("HandshakeError", error.reason.error)
      assertSafe("UnexpectedStatus", reason)
      if (reason._tag !== "UnexpectedStatus") throw error
      // The program has them.
      assert.deepStrictEqual(reason.headers["set-cookie"], ["cookie-value"])
      assert.strictEqual(reason.body?.length, 5002)
      assertSafe("Rejected", Server.reject(403, { headers: { "Set-Cookie": "cookie-value" } }))
    })
  )

  it.effect("shows a request that Handshake composed without its credentials", () =>
    Effect.gen(function* () {
      const request = yield* Handshake.request("ws://bob:hunter2@example.com/?token=sekret", {
        headers: options.headers
      })
      assertSafe("request", request)
      assert.include(inspect(request), "ws://example.com/")
    })
  )
})

/** Logs, sends its id, and fails. */
const loggingHandler = (socket: Server.Connection) =>
  Effect.log("hello").pipe(
    Effect.annotateLogs("own", socket.id),
    Effect.withSpan("work"),
    Effect.andThen(socket.send(socket.id)),
    Effect.andThen(Effect.die("broken"))
  )

describe("the id of a connection", () => {
  it.effect("is its own, and stays the same", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      const [other] = yield* Socket.makePair()
      assert.strictEqual(new Set([client.id, server.id, other.id]).size, 3)
      assert.strictEqual(client.id, client.id)
      assert.match(client.id, /^[0-9a-f]{12}-\d+$/)
    })
  )

  it.effect("annotates the logs and spans of the handler, with the peer's address and the path", () =>
    Effect.gen(function* () {
      const logged: Array<Record<string, unknown>> = []
      const spans: Array<Tracer.Span> = []
      const logger = Logger.make(({ fiber }) => {
        logged.push({ ...fiber.getRef(References.CurrentLogAnnotations) })
      })
      const tracer = Tracer.make({
        span: (given) => {
          const span = new Tracer.NativeSpan(given)
          spans.push(span)
          return span
        }
      })
      const server = yield* Server.makeMemory()
      const running = yield* Effect.forkScoped(
        server
          .run(loggingHandler)
          .pipe(
            Effect.annotateLogs("service", "chat"),
            Effect.provide(Logger.layer([logger])),
            Effect.withTracer(tracer)
          )
      )
      const socket = yield* server.connect("/room?token=sekret", { net: { localAddress: "203.0.113.7" } })
      const id = yield* socket.receive
      assert.strictEqual((yield* socket.closed).received?.code, 1011)
      const expected = {
        service: "chat",
        "websocket.id": id,
        "network.peer.address": "203.0.113.7",
        "url.path": "/room"
      }
      assert.deepStrictEqual(logged[0], { ...expected, own: id })
      // The failure of the handler is logged for it.
      assert.deepStrictEqual(logged[1], expected)
      const work = spans.find(({ name }) => name === "work")
      assert.strictEqual(work?.attributes.get("websocket.id"), id)
      assert.strictEqual(work?.attributes.get("url.path"), "/room")
      yield* Fiber.interrupt(running)
    })
  )

  it.effect("stands in what every logger of Effect's writes", () =>
    Effect.gen(function* () {
      const written: Array<string> = []
      const write = (...parts: ReadonlyArray<unknown>) => void written.push(parts.map((part) => format(part)).join(" "))
      const console: Console.Console = { ...globalThis.console, log: write, groupCollapsed: write, error: write }
      const loggers = [
        Logger.consolePretty({ colors: false }),
        Logger.consoleJson,
        Logger.consoleLogFmt,
        Logger.consoleStructured
      ]
      for (const logger of loggers) {
        written.length = 0
        const server = yield* Server.makeMemory()
        yield* Effect.forkScoped(
          server
            .run((socket) => Effect.andThen(Effect.log("hello"), socket.send(socket.id)))
            .pipe(Effect.provide(Logger.layer([logger])), Effect.provideService(Console.Console, console))
        )
        const socket = yield* server.connect("/room?token=sekret")
        const id = yield* socket.receive
        const text = written.join("\n")
        for (const part of [String(id), "127.0.0.1", "/room"]) assert.include(text, part)
        assert.notInclude(text, "sekret")
      }
    })
  )
})
