// Programs that sent while another message was on its way in fragments, or reused their buffers.
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Latch, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Handshake, Server, Socket } from "effect-ws"
import { WebSocket } from "ws"

/** Both ends, and the messages that the client has received. */
const pair = (options?: Socket.PairOptions) =>
  Effect.gen(function* () {
    const [client, server] = yield* Socket.makePair(options)
    const received: Array<string> = []
    yield* Effect.forkChild(
      Effect.exit(Stream.runForEach(client.messages, (message) => Effect.sync(() => received.push(String(message))))),
      { startImmediately: true }
    )
    return { client, server, received }
  })

const settled = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

/** Begins a message in fragments: one piece is sent, and `end` sends the last one. */
const begun = (server: Socket.Socket) =>
  Effect.gen(function* () {
    const gate = yield* Latch.make(false)
    const first = yield* Deferred.make<void>()
    const source = Stream.concat(
      Stream.make("a"),
      Stream.fromEffect(Effect.as(Effect.andThen(Deferred.succeed(first, undefined), gate.await), "b"))
    )
    const sending = yield* Effect.forkChild(server.sendStream(source), { startImmediately: true })
    yield* Deferred.await(first)
    return { end: Effect.andThen(gate.open, Fiber.await(sending)) }
  })

describe("a turn can be given up", () => {
  for (const [name, send] of [
    ["send", (socket: Socket.Socket) => socket.send("x")],
    ["send of bytes", (socket: Socket.Socket) => socket.send(new Uint8Array(20_000))],
    ["sendAll", (socket: Socket.Socket) => socket.sendAll(["x", "y"])],
    ["sendStream", (socket: Socket.Socket) => socket.sendStream(Stream.make("x", "y"))],
    ["a frame", (socket: Socket.Socket) => socket.send({ _tag: "Text", fin: true, rsv: 0, payload: Buffer.from("x") })]
  ] as const) {
    it.effect(`by a ${name} that only waits: at once, and nothing of it is sent`, () =>
      Effect.gen(function* () {
        const { client, received, server } = yield* pair()
        const message = yield* begun(server)
        const waiting = yield* Effect.forkChild(send(server), { startImmediately: true })
        const after = yield* Effect.forkChild(server.send("after"), { startImmediately: true })
        yield* Fiber.interrupt(waiting)
        yield* message.end
        yield* Fiber.join(after)
        yield* settled
        assert.deepStrictEqual(received, ["ab", "after"])
        yield* server.close()
        assert.deepStrictEqual((yield* client.closed).received, { code: 1000, reason: "" })
      })
    )

    it.effect(`by a ${name} with a time limit`, () =>
      Effect.gen(function* () {
        const { received, server } = yield* pair()
        const message = yield* begun(server)
        const waiting = yield* Effect.forkChild(Effect.timeout(send(server), "50 millis"), { startImmediately: true })
        yield* TestClock.adjust("50 millis")
        assert.isTrue(Exit.isFailure(yield* Fiber.await(waiting)))
        yield* message.end
        yield* settled
        assert.deepStrictEqual(received, ["ab"])
      })
    )
  }

  it.effect("by a source that fails or is interrupted before its first piece", () =>
    Effect.gen(function* () {
      const { received, server } = yield* pair()
      assert.strictEqual(yield* Effect.flip(server.sendStream(Stream.fail("no data" as const))), "no data")
      const never = yield* Effect.forkChild(server.sendStream(Stream.never), { startImmediately: true })
      yield* Fiber.interrupt(never)
      yield* server.send("still open")
      yield* settled
      assert.deepStrictEqual(received, ["still open"])
    })
  )

  it.effect("but not midway: a message whose end is missing closes the connection with 1011", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pair()
      const source = Stream.concat(Stream.make("a"), Stream.fail("broken" as const))
      const waiting = yield* Effect.forkChild(Effect.andThen(settled, server.send("never sent")).pipe(Effect.exit))
      assert.strictEqual(yield* Effect.flip(server.sendStream(source)), "broken")
      assert.deepStrictEqual((yield* client.closed).received, { code: 1011, reason: "" })
      assert.isTrue(Exit.isFailure(yield* Fiber.join(waiting)))
    })
  )

  it.effect("by every sender that waits when the connection closes", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pair()
      yield* begun(server)
      const waiting = yield* Effect.forkChild(Effect.exit(server.send("x")), { startImmediately: true })
      const streaming = yield* Effect.forkChild(Effect.exit(server.sendStream(Stream.make("y"))), {
        startImmediately: true
      })
      yield* Effect.forkChild(server.close(4000))
      assert.isTrue(Exit.isFailure(yield* Fiber.join(waiting)))
      assert.isTrue(Exit.isFailure(yield* Fiber.join(streaming)))
      assert.strictEqual((yield* client.closed).received?.code, 4000)
    })
  )

  it.effect("by frames that wait for their turn and then begin a message of their own", () =>
    Effect.gen(function* () {
      const { received, server } = yield* pair()
      const message = yield* begun(server)
      const frames = yield* Effect.forkChild(
        Effect.andThen(
          server.send({ _tag: "Text", fin: false, rsv: 0, payload: Buffer.from("c") }),
          server.send({ _tag: "Continuation", fin: true, rsv: 0, payload: Buffer.from("d") })
        ),
        { startImmediately: true }
      )
      const after = yield* Effect.forkChild(server.send("after"), { startImmediately: true })
      yield* message.end
      yield* Fiber.join(frames)
      yield* Fiber.join(after)
      yield* settled
      assert.deepStrictEqual(received, ["ab", "cd", "after"])
    })
  )
})

describe("broadcast while a message is sent in fragments", () => {
  for (const slow of ["wait", "drop", "close"] as const) {
    for (const options of [
      {},
      { compression: true },
      { client: { onFrame: () => {} }, server: { onFrame: () => {} } }
    ]) {
      it.effect(`counts what is sent later: ${slow}, ${JSON.stringify(Object.keys(options))}`, () =>
        Effect.gen(function* () {
          const { received, server } = yield* pair(options)
          const message = yield* begun(server)
          const broadcasts = yield* Effect.forEach(["1", "2", "3"], (text) =>
            Effect.forkChild(Socket.broadcast([server], text, { slow }), { startImmediately: true })
          )
          yield* message.end
          yield* server.send("last")
          yield* settled
          assert.deepStrictEqual(yield* Fiber.joinAll(broadcasts), [1, 1, 1])
          assert.deepStrictEqual(received, ["ab", "1", "2", "3", "last"])
        })
      )
    }
  }

  it.effect("counts no socket that is closed before the message in fragments ends", () =>
    Effect.gen(function* () {
      const { received, server } = yield* pair({})
      yield* begun(server)
      const broadcast = yield* Effect.forkChild(Socket.broadcast([server], "1"), { startImmediately: true })
      yield* Effect.forkChild(server.close())
      assert.strictEqual(yield* Fiber.join(broadcast), 0)
      assert.deepStrictEqual(received, [])
    })
  )

  it.effect("counts no socket for which more waits than its write buffer, and keeps to the policy", () =>
    Effect.gen(function* () {
      const { received, server } = yield* pair({ writeBufferSize: 1000 })
      const message = yield* begun(server)
      const text = "x".repeat(600)
      assert.strictEqual(yield* Socket.broadcast([server], text, { slow: "drop" }), 1)
      assert.strictEqual(yield* Socket.broadcast([server], text, { slow: "drop" }), 1)
      assert.strictEqual(yield* Socket.broadcast([server], text, { slow: "drop" }), 0)
      yield* message.end
      yield* settled
      assert.deepStrictEqual(received, ["ab", text, text])
    })
  )
})

const sizes = [1, 125, 126, 16_383, 16_384, 20_000, 65_535, 65_536, 100_000, 300_000]

const isWhole = (message: Uint8Array): boolean => message.every((byte) => byte === 1)

describe("send hands over: the caller may change the buffer once it completes", () => {
  for (const draft of [Handshake.rfc6455, Handshake.hybi07]) {
    for (const compression of [false, true, { serverNoContextTakeover: false, clientNoContextTakeover: false }]) {
      for (const side of ["client", "server"] as const) {
        it.effect(`${side}, ${draft.id}, compression ${JSON.stringify(compression)}`, () =>
          Effect.gen(function* () {
            const [client, server] = yield* Socket.makePair({ draft, compression })
            const [from, to] = side === "client" ? [client, server] : [server, client]
            const reading = yield* Effect.forkChild(Stream.runCollect(Stream.take(to.messages, 4 * sizes.length)), {
              startImmediately: true
            })
            for (const size of sizes) {
              const buffer = new Uint8Array(size).fill(1)
              yield* from.send(buffer)
              buffer.fill(2)
              yield* from.sendAll([buffer.fill(1)])
              buffer.fill(2)
              yield* from.send({ _tag: "Binary", fin: true, rsv: 0, payload: buffer.fill(1) })
              buffer.fill(2)
              yield* from.sendStream(Stream.make(buffer.fill(1)))
              buffer.fill(2)
            }
            const received = yield* Fiber.join(reading)
            assert.deepStrictEqual(
              received.map((message) => message.length),
              sizes.flatMap((size) => [size, size, size, size])
            )
            assert.isTrue(received.every((message) => typeof message !== "string" && isWhole(message)))
          })
        )
      }
    }
  }

  it.effect("while it waits for a message in fragments", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      const message = yield* begun(server)
      const buffer = new Uint8Array(10).fill(1)
      const sending = yield* Effect.forkChild(
        Effect.andThen(
          server.send(buffer),
          Effect.sync(() => buffer.fill(2))
        ),
        { startImmediately: true }
      )
      const counted = yield* Socket.broadcast([server], new Uint8Array(5).fill(1), { slow: "drop" })
      assert.strictEqual(counted, 1)
      yield* message.end
      yield* Fiber.join(sending)
      assert.strictEqual(yield* client.receive, "ab")
      const rest = [yield* client.receive, yield* client.receive]
      assert.isTrue(rest.every((message) => typeof message !== "string" && isWhole(message)))
    })
  )

  it.live("over TCP, to a peer that reads late", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({ host: "127.0.0.1" })
      const total = 4 * 1024 * 1024
      yield* Effect.forkScoped(
        server.run((connection) =>
          Effect.gen(function* () {
            for (let sent = 0; sent < total; sent += 64 * 1024) {
              const buffer = new Uint8Array(64 * 1024).fill(1)
              yield* connection.send(buffer)
              buffer.fill(2)
            }
            yield* connection.close()
          })
        )
      )
      const whole = yield* Effect.promise(
        () =>
          new Promise<number>((resolve, reject) => {
            const client = new WebSocket(`ws://127.0.0.1:${server.address.port}/`)
            let received = 0
            client.on("open", () => {
              client.pause()
              setTimeout(() => client.resume(), 100)
            })
            client.on("message", (data: Buffer) => {
              if (isWhole(data)) received += data.length
            })
            client.on("error", reject)
            client.on("close", () => resolve(received))
          })
      )
      assert.strictEqual(whole, total)
    })
  )
})
