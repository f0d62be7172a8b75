/** Over Node's own `WebSocket`, to this library's server; and the same program over this library's client. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Queue, Schedule, Scope, Stream } from "effect"
import { Server, Socket as NodeSocket } from "effect-ws"
import { Socket } from "effect-ws/browser"
import * as net from "node:net"
import { conversation, Count, expected, type Outcome } from "./common.ts"

/** Serves with `handle`; answers the URL. */
const serve = <E>(
  handle: (socket: NodeSocket.Socket) => Effect.Effect<unknown, E>,
  options: Server.ServeOptions = {}
) =>
  Effect.gen(function* () {
    const server = yield* Server.make({ host: "127.0.0.1", port: 0, ...options })
    yield* Effect.forkScoped(
      server.run((socket) => Effect.ignore(handle(socket))),
      { startImmediately: true }
    )
    return `ws://127.0.0.1:${server.address.port}/`
  })

const echo = (socket: NodeSocket.Socket) =>
  Stream.runForEach(socket.messages, (message) =>
    message === "bye" ? Effect.asVoid(socket.close(1000, "bye")) : socket.send(message)
  )

/** Without the close frame that the platform answered with, and doesn't tell of. */
const told = (outcome: Outcome): Outcome => ({ ...outcome, sent: undefined })

describe("Node's own WebSocket", () => {
  it.live("runs the program that runs on this library's client", () =>
    Effect.gen(function* () {
      const url = yield* serve(echo, { protocols: ["chat"] })
      const options = { protocols: ["news", "chat"] }
      const platform = yield* Effect.flatMap(Socket.connect(url, options), conversation)
      const own = yield* Effect.flatMap(NodeSocket.connect(url, options), conversation)
      assert.deepStrictEqual(platform, expected)
      assert.deepStrictEqual(own.sent, { code: 1000, reason: "" })
      assert.deepStrictEqual(told(own), expected)
    })
  )

  it.live("carries values of a schema", () =>
    Effect.gen(function* () {
      const url = yield* serve((socket) => {
        const typed = NodeSocket.withSchema(socket, Count)
        return Stream.runForEach(typed.messages, ({ count }) => typed.send({ count: count + 1 }))
      })
      const typed = Socket.withSchema(yield* Socket.connect(url), Count)
      yield* typed.sendAll([{ count: 1 }, { count: 5 }])
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(typed.messages, 2)), [{ count: 2 }, { count: 6 }])
    })
  )

  it.live("says how the connection was closed, from either side", () =>
    Effect.gen(function* () {
      const ends: Array<NodeSocket.Closed> = []
      const both = yield* Deferred.make<void>()
      const url = yield* serve((socket) =>
        Effect.gen(function* () {
          const [first] = yield* Stream.runCollect(Stream.take(socket.messages, 1))
          if (first === "close") yield* socket.close(4100, "server")
          else yield* Effect.ignore(Stream.runDrain(socket.messages))
          ends.push(yield* socket.closed)
          if (ends.length === 2) yield* Deferred.succeed(both, undefined)
        })
      )
      const one = yield* Socket.connect(url)
      yield* one.send("close")
      const failure = yield* Effect.flip(Stream.runDrain(one.messages))
      assert.deepInclude(failure.reason, { _tag: "ConnectionClosed", closeCode: 4100, closeReason: "server" })
      assert.deepStrictEqual(yield* one.closed, {
        sent: undefined,
        received: { code: 4100, reason: "server" },
        cause: { _tag: "Handshake" }
      })
      const two = yield* Socket.connect(url)
      yield* two.send("wait")
      const { cause, sent } = yield* two.close(4200, "client")
      assert.deepStrictEqual([cause, sent], [{ _tag: "Handshake" }, { code: 4200, reason: "client" }])
      yield* Deferred.await(both)
      assert.deepStrictEqual(ends[1]?.received, { code: 4200, reason: "client" })
    })
  )

  it.live("closes at the end of its scope", () =>
    Effect.gen(function* () {
      const codes = yield* Queue.unbounded<number | undefined>()
      const url = yield* serve((socket) =>
        Effect.andThen(
          Effect.ignore(Stream.runDrain(socket.messages)),
          Effect.flatMap(socket.closed, ({ received }) => Queue.offer(codes, received?.code))
        )
      )
      for (const exit of [Exit.void, Exit.interrupt(), Exit.fail("oh")]) {
        const scope = yield* Scope.make()
        const socket = yield* Scope.provide(Socket.connect(url), scope)
        yield* Scope.close(scope, exit)
        assert.strictEqual((yield* socket.closed).cause._tag, "Handshake")
      }
      assert.deepStrictEqual(yield* Queue.takeN(codes, 3), [1000, 1000, 4011])
    })
  )

  it.live("waits for a peer that doesn't read, and goes on when it does", () =>
    Effect.gen(function* () {
      const read = yield* Deferred.make<void>()
      const message = "x".repeat(1024 * 1024)
      const count = 40
      const arrived = yield* Deferred.make<number>()
      const url = yield* serve(
        (socket) =>
          Effect.gen(function* () {
            yield* Deferred.await(read)
            const all = yield* Stream.runCollect(Stream.take(socket.messages, count))
            yield* Deferred.succeed(arrived, all.length)
          }),
        { maxMessageSize: message.length }
      )
      const socket = yield* Socket.connect(url)
      let sent = 0
      const sending = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: count }), () => Effect.map(socket.send(message), () => sent++))
      )
      // Until it is stuck: what the transport takes without a reader is bounded
      let before = -1
      while (before < sent) {
        before = sent
        yield* Effect.sleep(500)
      }
      assert.isBelow(sent, count)
      yield* Deferred.succeed(read, undefined)
      assert.strictEqual(yield* Deferred.await(arrived), count)
      yield* Fiber.join(sending)
    })
  )

  it.live("fails where there is no server, and where it refuses", () =>
    Effect.gen(function* () {
      const refusing = yield* serve(echo, { path: "/elsewhere" })
      const gone = yield* Effect.scoped(serve(echo))
      for (const url of [refusing, gone]) {
        const { reason } = yield* Effect.flip(Socket.connect(url))
        assert.strictEqual(reason._tag, "OpenFailed")
      }
      for (const url of ["ws://", "ftp://localhost/", "ws://localhost/#fragment"]) {
        const { reason } = yield* Effect.flip(Socket.connect(url))
        // Newer versions of the standard drop the fragment
        if (url.endsWith("fragment")) assert.include(["OpenFailed", "HandshakeFailed"], reason._tag)
        else assert.strictEqual(reason._tag, "HandshakeFailed")
      }
    })
  )

  it.live("doesn't wait longer than openTimeout, and lets go of the connection", () =>
    Effect.gen(function* () {
      const gone = yield* Deferred.make<void>()
      const server = yield* Effect.acquireRelease(
        Effect.callback<net.Server>((resume) => {
          const server = net.createServer((socket) => {
            socket.on("error", () => {})
            socket.on("close", () => Effect.runFork(Deferred.succeed(gone, undefined)))
            socket.resume()
          })
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const address = server.address()
      assert.isTrue(typeof address === "object" && address !== null)
      const port = typeof address === "object" && address !== null ? address.port : 0
      const { reason } = yield* Effect.flip(Socket.connect(`ws://127.0.0.1:${port}/`, { openTimeout: "100 millis" }))
      assert.deepInclude(reason, { _tag: "OpenTimeout", limit: 100 })
      yield* Deferred.await(gone)
    })
  )

  it.live("comes back to a server that lost it", () =>
    Effect.gen(function* () {
      let connections = 0
      const url = yield* serve((socket) =>
        Effect.gen(function* () {
          yield* socket.send(`hello ${++connections}`)
          yield* connections < 3 ? socket.close(1012) : socket.close()
        })
      )
      const link = yield* Socket.reconnecting(url, { schedule: Schedule.spaced(10) })
      assert.deepStrictEqual(yield* Stream.runCollect(link.messages), ["hello 1", "hello 2", "hello 3"])
    })
  )
})
