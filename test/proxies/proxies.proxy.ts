/** The configurations of docs/deployment.md, each with a server and clients: `npm run test:proxies`. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import { Server, Socket } from "effect-ws"
import { type Kind, kinds, run } from "./proxy.ts"

const options: Server.ServeOptions = {
  host: "127.0.0.1",
  port: 0,
  trustedProxies: { addresses: ["127.0.0.0/8"] },
  maxMessageSize: 4 * 1024 * 1024
}

const echo = (socket: Socket.Socket) => Stream.runForEach(socket.messages, socket.send)

/** An echo server with a proxy before it, and the proxy's port. */
const serve = (kind: Kind, server: Partial<Server.ServeOptions> = {}, proxy: Parameters<typeof run>[2] = {}) =>
  Effect.gen(function* () {
    const made = yield* Server.make({ ...options, ...server })
    yield* Effect.forkScoped(made.run(echo))
    return yield* run(kind, made.address.port, proxy)
  })

/** A client as a browser is: with the origin of the page. */
const open = (port: number, more: Socket.ConnectOptions = {}) => {
  const options: Socket.ConnectOptions = { origin: `http://localhost:${port}`, maxMessageSize: 4 * 1024 * 1024 }
  return Socket.connect(`ws://localhost:${port}/`, { ...options, ...more })
}

/** The status with which a client is refused. */
const refusal = (port: number, origin: string) =>
  Effect.gen(function* () {
    const { reason }: Socket.SocketError = yield* Effect.flip(Effect.scoped(open(port, { origin })))
    return reason._tag === "HandshakeFailed" && reason.error.reason._tag === "UnexpectedStatus"
      ? reason.error.reason.status
      : reason.message
  })

for (const kind of kinds) {
  describe(kind.name, () => {
    it.live("carries messages of any size for a page of its own origin, and refuses others with 403", () =>
      Effect.gen(function* () {
        const port = yield* serve(kind)
        const socket = yield* open(port)
        const large = new Uint8Array(1024 * 1024).fill(7)
        for (const message of ["hello", "", large]) {
          yield* socket.send(message)
          assert.deepStrictEqual(yield* socket.receive, message)
        }
        assert.strictEqual(yield* refusal(port, "http://elsewhere.example"), 403)
      })
    )

    it.live("names the client", () =>
      Effect.gen(function* () {
        const named = yield* Deferred.make<unknown>()
        const server = yield* Server.make(options)
        yield* Effect.forkScoped(
          server.run((socket) => Deferred.succeed(named, socket.request.headers["x-forwarded-for"]))
        )
        const port = yield* run(kind, server.address.port)
        yield* open(port)
        assert.match(String(yield* Deferred.await(named)), /^(?:::ffff:)?127\.0\.0\.1$|^::1$/)
      })
    )

    it.live("passes the close code on when the server shuts down", () =>
      Effect.gen(function* () {
        const server = yield* Server.make({ ...options, shutdownTimeout: "5 seconds" })
        const running = yield* Effect.forkScoped(server.run(echo))
        const port = yield* run(kind, server.address.port)
        const socket = yield* open(port)
        yield* socket.send("hello")
        assert.strictEqual(yield* socket.receive, "hello")
        yield* Effect.forkScoped(Fiber.interrupt(running))
        const { received } = yield* socket.closed
        assert.strictEqual(received?.code, 1001)
      })
    )

    const { idle, idleArguments, withoutHost } = kind
    if (idle !== undefined || idleArguments !== undefined) {
      const proxy = { ...(idleArguments && { args: idleArguments }), ...(idle && { change: idle }) }

      it.live("ends an idle connection, and keeps one that is pinged", () =>
        Effect.gen(function* () {
          const idlePort = yield* serve(kind, { keepAlive: false }, proxy)
          const pingedPort = yield* serve(kind, { keepAlive: { interval: "1 second", timeout: "1 second" } }, proxy)
          const pinged = yield* open(pingedPort, { keepAlive: false })
          const left = yield* open(idlePort, { keepAlive: false })
          assert.isUndefined((yield* left.closed).received)
          // Twice the limit, which is what this test is about.
          yield* Effect.sleep("8 seconds")
          yield* pinged.send("still here")
          assert.strictEqual(yield* pinged.receive, "still here")
        })
      )
    }

    if (withoutHost !== undefined) {
      it.live("has every browser refused when it doesn't keep the host and isn't trusted", () =>
        Effect.gen(function* () {
          const port = yield* serve(kind, { trustedProxies: { addresses: ["192.0.2.1"] } }, { change: withoutHost })
          assert.strictEqual(yield* refusal(port, `http://localhost:${port}`), 403)
        })
      )
    }
  })
}

const toServer = (code: string): string => code.replace(/^ +server .*$/m, "$& proto h2")

const fromClient = (code: string): string => code.replace("bind :8000", "bind :8000 proto h2")

const haproxy = kinds.find(({ name }) => name === "HAProxy")

describe("RFC 8441", () => {
  it.live("passes HAProxy from the client and to the server", () =>
    Effect.gen(function* () {
      assert.isDefined(haproxy)
      if (haproxy === undefined) return
      const port = yield* serve(haproxy, { http2: true }, { change: toServer })
      const socket = yield* open(port)
      yield* socket.send("to the server")
      assert.strictEqual(yield* socket.receive, "to the server")
      const port2 = yield* serve(haproxy, {}, { change: fromClient })
      const socket2 = yield* open(port2, { http2: true })
      yield* socket2.send("from the client")
      assert.strictEqual(yield* socket2.receive, "from the client")
    })
  )

  it.live("passes neither nginx nor Caddy", () =>
    Effect.gen(function* () {
      const h2: Readonly<Record<string, (code: string) => string>> = {
        nginx: (code) => code.replace("listen 8000;", "listen 8000 http2;"),
        Caddy: (code) => `{\nservers {\nprotocols h1 h2c\n}\n}\n${code}`
      }
      for (const kind of kinds) {
        const change = h2[kind.name]
        if (change === undefined) continue
        const wrap =
          kind.name === "Caddy" ? (code: string) => code.replace("{\n", "{\nadmin off\nauto_https off\n") : kind.wrap
        const port = yield* serve({ ...kind, wrap }, {}, { change })
        const error = yield* Effect.flip(Effect.scoped(open(port, { http2: true })))
        assert.isString(error.reason._tag, kind.name)
        yield* Effect.log(kind.name, error.message)
      }
    })
  )
})
