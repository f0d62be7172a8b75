// Programs that read some messages and go on later lost what had come with them.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Schema, Sink, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Handshake, Server, Socket } from "effect-ws"
import { maskedBinary, rawPeer } from "./support.ts"

const numbers = (count: number): Array<string> => Array.from({ length: count }, (_, at) => `${at}`)

const drafts = [Handshake.rfc6455, Handshake.hybi07, Handshake.hixie76]

/** Connects in memory to a server that welcomes. */
const connect = () =>
  Effect.gen(function* () {
    const [client, server] = yield* Socket.makePair()
    yield* server.sendAll(["welcome", ...numbers(3)])
    return client
  })

const textOf = (frame: { readonly payload: Uint8Array }): string => Buffer.from(frame.payload).toString()

describe("a reader loses nothing", () => {
  for (const draft of drafts) {
    it.effect(`waits for a first message with a time limit, then reads on: ${draft.id}`, () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair({ draft })
        yield* client.sendAll(["token", ...numbers(5)])
        const first = yield* Effect.timeout(Stream.runHead(server.messages), "5 seconds")
        assert.deepStrictEqual(first, Option.some("token"))
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(server.messages, 5)), numbers(5))
      })
    )

    it.effect(`takes exactly one message by receive, whatever came with it: ${draft.id}`, () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair({ draft })
        const waiting = yield* Effect.forkChild(server.receive, { startImmediately: true })
        yield* client.sendAll(numbers(5))
        assert.strictEqual(yield* Fiber.join(waiting), "0")
        assert.strictEqual(yield* server.receive, "1")
        assert.deepStrictEqual(yield* Stream.runHead(server.messages), Option.some("2"))
        assert.strictEqual(yield* server.receive, "3")
        assert.strictEqual(yield* server.receive, "4")
        yield* client.close()
        assert.isTrue(Option.isNone(yield* Effect.option(server.receive)))
      })
    )
  }

  for (const [name, stray] of [
    ["Stream", (socket: Socket.Socket) => Stream.runHead(socket.messages)],
    ["Stream of frames", (socket: Socket.Socket) => Stream.runHead(socket.frames)],
    ["run", (socket: Socket.Socket) => Socket.run(socket, () => Effect.void)],
    ["receive", (socket: Socket.Socket) => socket.receive]
  ] as const) {
    it.effect(`keeps its place when a second reader is refused: ${name}`, () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair({
          readBufferSize: 1024,
          writeBufferSize: 1024 * 1024,
          closeTimeout: "4 seconds"
        })
        const received: Array<Socket.Message> = []
        const reading = yield* Effect.forkChild(
          Socket.run(server, (message) => {
            received.push(message)
            return received.length < 20 ? Effect.sleep("100 millis") : Effect.void
          }),
          { startImmediately: true }
        )
        assert.isTrue(Exit.isFailure(yield* Effect.exit(stray(server))))
        const all = numbers(2000).map((number) => number.padStart(64))
        yield* Effect.forkChild(Effect.andThen(client.sendAll(all), client.closed), { startImmediately: true })
        yield* TestClock.adjust("50 millis")
        const closing = yield* Effect.forkChild(server.close(), { startImmediately: true })
        yield* TestClock.adjust("3 seconds")
        yield* Fiber.join(closing)
        yield* Effect.exit(Fiber.join(reading))
        assert.deepStrictEqual(received, all)
      })
    )
  }

  it.effect("reads frames one after the other", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      yield* client.sendAll(numbers(3))
      for (const number of numbers(3)) {
        assert.deepStrictEqual(Option.map(yield* Stream.runHead(server.frames), textOf), Option.some(number))
      }
    })
  )

  it.effect("takes a number of messages by Stream.peel and reads the rest", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      yield* client.sendAll(numbers(10))
      const [taken, rest] = yield* Stream.peel(server.messages, Sink.take(4))
      assert.deepStrictEqual(taken, numbers(10).slice(0, 4))
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(rest, 6)), numbers(10).slice(4))
    })
  )

  it.effect("takes nothing when it is interrupted while it waits", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      const waiting = yield* Effect.forkChild(Effect.timeout(server.receive, "1 second"), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.isTrue((yield* Fiber.await(waiting))._tag === "Failure")
      yield* client.sendAll(["a", "b"])
      assert.strictEqual(yield* server.receive, "a")
      assert.strictEqual(yield* server.receive, "b")
    })
  )

  it.effect("asks and waits for the answer, though other messages come with it", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      yield* Effect.forkChild(Socket.run(server, (message) => server.sendAll([`re: ${String(message)}`, "news"])))
      const ask = (question: string) => Effect.andThen(client.send(question), client.receive)
      assert.strictEqual(yield* ask("a"), "re: a")
      assert.strictEqual(yield* client.receive, "news")
      assert.strictEqual(yield* ask("b"), "re: b")
      assert.strictEqual(yield* client.receive, "news")
    })
  )

  for (const run of ["run", "run with an effect that suspends"] as const) {
    it.effect(`goes on after its handler failed: ${run}`, () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        const seen: Array<string> = []
        const handler = (message: Socket.Message) =>
          Effect.gen(function* () {
            if (run !== "run") yield* Effect.yieldNow
            seen.push(String(message))
            if (message === "2" || message === "5") return yield* Effect.fail("stop" as const)
          })
        yield* client.sendAll(numbers(10))
        yield* client.close().pipe(Effect.forkChild)
        assert.strictEqual(yield* Effect.flip(Socket.run(server, handler)), "stop")
        assert.strictEqual(yield* Effect.flip(Socket.run(server, handler)), "stop")
        yield* Socket.run(server, handler)
        assert.deepStrictEqual(seen, numbers(10))
      })
    )
  }

  it.effect("puts back what exceeds the read buffer, and reading stays paused until it is taken", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair({ readBufferSize: 1000 })
      yield* client.sendAll(numbers(100))
      assert.strictEqual(yield* Effect.flip(Socket.run(server, () => Effect.fail("stop" as const))), "stop")
      yield* client.sendAll(["last"])
      const rest = yield* Stream.runCollect(Stream.take(server.messages, 100))
      assert.deepStrictEqual(rest, [...numbers(100).slice(1), "last"])
    })
  )

  it.effect("reads typed messages one after the other, past an invalid one", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      const typed = Socket.withSchema(server, Schema.Number, { onInvalid: "fail" })
      yield* client.sendAll(["1", "2", "x", "3", "4"])
      assert.deepStrictEqual(yield* Stream.runHead(typed.messages), Option.some(1))
      assert.deepStrictEqual(yield* Stream.runHead(typed.messages), Option.some(2))
      assert.strictEqual((yield* Effect.flip(Stream.runHead(typed.messages)))._tag, "MessageError")
      assert.deepStrictEqual(yield* Stream.runHead(typed.messages), Option.some(3))
      assert.deepStrictEqual(yield* Stream.runHead(typed.messages), Option.some(4))
    })
  )

  it.effect("reads the server's answer in onConnect, then the rest by messages", () =>
    Effect.gen(function* () {
      const link = yield* Socket.reconnecting("ws://localhost/", {
        connect,
        onConnect: (socket) => Stream.runHead(socket.messages)
      })
      assert.deepStrictEqual(yield* Stream.runHead(link.messages), Option.some("0"))
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(link.messages, 2)), ["1", "2"])
    })
  )
})

describe("a handler that only sends", () => {
  it.effect("is notified of the peer's close by discard, however much came before", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair({ readBufferSize: 1000 })
      const reading = yield* Effect.forkChild(Socket.discard(server), { startImmediately: true })
      for (let round = 0; round < 10; round++) yield* client.sendAll(numbers(100))
      yield* client.close(1000)
      yield* Fiber.join(reading)
      assert.strictEqual((yield* server.closed).cause._tag, "Handshake")
    })
  )

  for (const how of ["ends", "resets", "closes"] as const) {
    it.live(`notices a peer that sent more than the read buffer holds and ${how}, though nothing is read`, () =>
      Effect.gen(function* () {
        const server = yield* Server.make({
          host: "127.0.0.1",
          readBufferSize: 16 * 1024,
          keepAlive: { interval: "50 millis", timeout: "50 millis" }
        })
        const ended = yield* Effect.forkChild(
          Stream.runHead(Stream.mapEffect(server.connections, (connection) => connection.closed)),
          { startImmediately: true }
        )
        const peer = yield* rawPeer(server.address.port)
        const message = maskedBinary(1000)
        peer.write(Buffer.concat(Array.from({ length: 100 }, () => message)))
        if (how === "closes") peer.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 3, 232]))
        else if (how === "ends") peer.end()
        else peer.write(message, () => peer.resetAndDestroy())
        const closed = Option.getOrThrow(yield* Fiber.join(ended))
        if (how === "closes") assert.deepStrictEqual(closed.received, { code: 1000, reason: "" })
        else assert.isUndefined(closed.received)
      })
    )
  }
})
