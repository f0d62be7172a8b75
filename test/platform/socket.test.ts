import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Socket } from "effect-ws/browser"
import { FakeWebSocket, fakePlatform } from "./fake.ts"

/** Runs an effect in a fiber, up to where it waits. */
const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

/** A socket over a fake that is open. */
const open = Effect.fnUntraced(function* (options: Socket.ConnectOptions = {}, silent = false) {
  const { WebSocket, last } = fakePlatform()
  const opening = yield* start(Socket.connect("ws://server/", { WebSocket, ...options }))
  const ws = last()
  ws.silent = silent
  ws.open()
  return [yield* Fiber.join(opening), ws] as const
})

const reasonOf = <A, R>(effect: Effect.Effect<A, Socket.SocketError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

/** Fails to connect; `happen` is what the platform does meanwhile. */
const failing = (options: Socket.ConnectOptions, happen: (ws: FakeWebSocket) => Effect.Effect<void> | void) =>
  Effect.gen(function* () {
    const { WebSocket, last } = fakePlatform()
    const opening = yield* start(reasonOf(Socket.connect("ws://server/", { WebSocket, ...options })))
    yield* happen(last()) ?? Effect.void
    return [yield* Fiber.join(opening), last()] as const
  })

const throwing = (name: string, message: string) =>
  class extends FakeWebSocket {
    constructor(url: string) {
      super(url)
      throw Object.assign(new Error(message), { name })
    }
  }

describe("connect over a platform's WebSocket", () => {
  it.effect("gives the URL and the subprotocols to the platform, and says which it got", () =>
    Effect.gen(function* () {
      const { WebSocket, last } = fakePlatform()
      const url = new URL("wss://server/chat")
      const opening = yield* start(Socket.connect(url, { WebSocket, protocols: ["v2", "v1"] }))
      assert.deepStrictEqual([last().url, last().protocols, last().binaryType], [url.href, ["v2", "v1"], "arraybuffer"])
      last().open("v1")
      assert.strictEqual((yield* Fiber.join(opening)).protocol, "v1")
      assert.isUndefined((yield* open())[0].protocol)
    })
  )

  it.effect("says what the platform says when it can't open", () =>
    Effect.gen(function* () {
      const refused = new Error("connect ECONNREFUSED")
      const cases = [
        [(ws: FakeWebSocket) => ws.error({ error: refused }), "connect ECONNREFUSED", refused],
        [(ws: FakeWebSocket) => ws.error({ message: "no route" }), "no route", undefined],
        [(ws: FakeWebSocket) => ws.error({}), "the platform doesn't say why", undefined],
        [(ws: FakeWebSocket) => ws.ended(1006), "1006", undefined]
      ] as const
      for (const [happen, detail, cause] of cases) {
        const [reason, ws] = yield* failing({}, happen)
        assert.deepStrictEqual(reason, {
          _tag: "OpenFailed",
          message: `the connection could not be opened: ${detail}`,
          cause
        })
        // What the platform says behind it is nobody's
        ws.readyState = 0
        ws.ended(1006)
      }
    })
  )

  it.effect("gives up after openTimeout, and lets go of the platform's socket", () =>
    Effect.gen(function* () {
      for (const [options, limit] of [
        [{}, 10_000],
        [{ openTimeout: "50 millis" }, 50]
      ] as const) {
        const early = yield* start(failing(options, () => TestClock.adjust(limit - 1)))
        assert.isUndefined(early.pollUnsafe())
        yield* TestClock.adjust(1)
        const [reason, ws] = yield* Fiber.join(early)
        assert.deepStrictEqual(reason, {
          _tag: "OpenTimeout",
          message: `the connection was not open after ${limit} ms`,
          limit
        })
        assert.lengthOf(ws.closes, 1)
      }
    })
  )

  it.effect("refuses what can't be asked for", () =>
    Effect.gen(function* () {
      const WebSocket = throwing("SyntaxError", "The URL is invalid")
      const broken = yield* reasonOf(Socket.connect("ftp://ada:secret@server/", { WebSocket }))
      assert.strictEqual(broken._tag, "HandshakeFailed")
      assert.match(broken.message, /ftp:\/\/server\/.*The URL is invalid/)
      for (const protocols of [["a b"], ["a", "a"]]) {
        const reason = yield* reasonOf(Socket.connect("ws://server/", { WebSocket: FakeWebSocket, protocols }))
        assert.isTrue(reason._tag === "HandshakeFailed" && reason.error.reason._tag === "InvalidSubprotocol")
      }
      const insecure = yield* reasonOf(
        Socket.connect("ws://server/", { WebSocket: throwing("SecurityError", "the page is secure") })
      )
      assert.deepInclude(insecure, {
        _tag: "OpenFailed",
        message: "the connection could not be opened: the page is secure"
      })
    })
  )

  it.effect("lets go of the platform's socket when it is interrupted", () =>
    Effect.gen(function* () {
      const { WebSocket, last } = fakePlatform()
      const opening = yield* start(Socket.connect("ws://server/", { WebSocket }))
      yield* Fiber.interrupt(opening)
      assert.deepStrictEqual(last().closes, [[undefined, undefined]])
      assert.isNull(last().onopen)
      // Open in the same moment, whether it is in anybody's hands already or not
      const opened = yield* start(
        Effect.scoped(Effect.andThen(Socket.connect("ws://server/", { WebSocket }), Effect.never))
      )
      last().open()
      yield* Fiber.interrupt(opened)
      assert.lengthOf(last().closes, 1)
    })
  )
})

describe("messages over a platform's WebSocket", () => {
  it.effect("come as text and as bytes, all that waits at once after the first one", () =>
    Effect.gen(function* () {
      const [socket, ws] = yield* open()
      ws.message("text")
      ws.message(Uint8Array.of(1, 2).buffer)
      ws.message("")
      const batches: Array<ReadonlyArray<Socket.Message>> = []
      yield* start(Stream.runForEachArray(socket.messages, (batch) => Effect.sync(() => batches.push(batch))))
      assert.deepStrictEqual(batches, [["text"], [Uint8Array.of(1, 2), ""]])
      ws.message("a")
      assert.deepStrictEqual(batches.at(-1), ["a"])
    })
  )

  it.effect("are lost by no reader that takes one of them", () =>
    Effect.gen(function* () {
      const [socket, ws] = yield* open()
      for (const message of ["a", "b", "c", "d"]) ws.message(message)
      assert.deepStrictEqual(yield* Stream.runHead(socket.messages), Option.some("a"))
      assert.strictEqual(yield* socket.receive, "b")
      assert.deepStrictEqual(yield* Stream.runHead(socket.messages), Option.some("c"))
      assert.strictEqual(yield* socket.receive, "d")
      const waiting = yield* start(socket.receive)
      ws.message("e")
      ws.message("f")
      assert.strictEqual(yield* Fiber.join(waiting), "e")
      assert.strictEqual(yield* socket.receive, "f")
    })
  )

  it.effect("end when the peer closes normally, and fail else", () =>
    Effect.gen(function* () {
      const ends: ReadonlyArray<[code: number, reason: string, failure: number | undefined]> = [
        [1000, "", undefined],
        [1001, "", undefined],
        [1005, "", undefined],
        [1006, "", 1006],
        [1011, "oh", 1011],
        [4000, "", 4000]
      ]
      for (const [code, reason, failure] of ends) {
        const [socket, ws] = yield* open()
        ws.message("before")
        ws.ended(code, reason)
        const messages: Array<Socket.Message> = []
        const reading = Stream.runForEach(socket.messages, (message) => Effect.sync(() => messages.push(message)))
        const end = yield* Effect.exit(Effect.mapError(reading, ({ closeCode }) => closeCode))
        assert.deepStrictEqual(end, failure === undefined ? Exit.void : Exit.fail(failure))
        assert.deepStrictEqual(messages, ["before"])
        const received = code === 1006 ? undefined : { code: code === 1005 ? undefined : code, reason }
        const cause = { _tag: code === 1006 ? "Lost" : "Handshake" } as const
        assert.deepStrictEqual(yield* socket.closed, { sent: undefined, received, cause })
      }
    })
  )

  it.effect("have one reader", () =>
    Effect.gen(function* () {
      const [socket, ws] = yield* open()
      const first = yield* start(Stream.runHead(socket.messages))
      assert.strictEqual((yield* reasonOf(Stream.runHead(socket.messages)))._tag, "AlreadyReading")
      ws.message("one")
      yield* Fiber.join(first)
      // Another may come once the first has left
      const second = yield* start(Stream.runHead(socket.messages))
      yield* Fiber.interrupt(second)
      ws.message("two")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(socket.messages, 1)), ["two"])
    })
  )

  it.effect("that wait unread are bounded: at the limit, and one byte past it", () =>
    Effect.gen(function* () {
      const maxReadBufferSize = 64 + 2 * 10 + 64 + 100
      const [socket, ws] = yield* open({ maxReadBufferSize })
      // A reader that waits has the message at once: it doesn't count
      const head = yield* start(Stream.runHead(socket.messages))
      ws.message("x".repeat(1000))
      yield* Fiber.join(head)
      ws.message("0123456789")
      ws.message(new ArrayBuffer(100))
      assert.deepStrictEqual(ws.closes, [])
      assert.lengthOf(yield* Stream.runCollect(Stream.take(socket.messages, 2)), 2)

      ws.message("0123456789")
      ws.message(new ArrayBuffer(101))
      ws.message("late")
      assert.deepStrictEqual(ws.closes, [[4008, "too many unread messages"]])
      const read: Array<Socket.Message> = []
      const failure = yield* reasonOf(
        Stream.runForEach(socket.messages, (message) => Effect.sync(() => read.push(message)))
      )
      assert.deepStrictEqual(read, ["0123456789"])
      assert.deepInclude(failure, { _tag: "ReadBufferFull", limit: maxReadBufferSize })
      assert.strictEqual((yield* reasonOf(socket.send("more")))._tag, "ReadBufferFull")
      ws.ended(4008)
      assert.deepStrictEqual((yield* socket.closed).cause, { _tag: "ReadBufferFull", limit: maxReadBufferSize })
    })
  )

  it.effect("may wait in 16 MiB unless it is said otherwise", () =>
    Effect.gen(function* () {
      const limit = 16 * 1024 * 1024
      for (const [length, closes] of [
        [limit - 64, 0],
        [limit - 63, 1]
      ] as const) {
        const [, ws] = yield* open()
        ws.message(new ArrayBuffer(length))
        assert.lengthOf(ws.closes, closes)
      }
    })
  )
})

describe("send over a platform's WebSocket", () => {
  it.effect("gives messages to the platform as they are, but for shared memory, which it doesn't take", () =>
    Effect.gen(function* () {
      const [socket, ws] = yield* open()
      const shared = new Uint8Array(new SharedArrayBuffer(2))
      yield* socket.sendAll(["text", Uint8Array.of(1), shared])
      assert.deepStrictEqual(ws.sent, ["text", Uint8Array.of(1), new Uint8Array(2)])
      assert.isTrue(ws.sent.every((data) => typeof data === "string" || data.buffer instanceof ArrayBuffer))
      const wrong: unknown = { _tag: "Ping" }
      const exit = yield* Effect.exit(Effect.suspend(() => socket.send(wrong as string)))
      assert.match(String(exit), /a message is a string or a Uint8Array, not object/)
      assert.lengthOf(ws.sent, 3)
    })
  )

  it.effect("waits while more than writeBufferSize is to be sent: at the limit, and one byte past it", () =>
    Effect.gen(function* () {
      for (const [options, limit] of [
        [{}, 64 * 1024],
        [{ writeBufferSize: 10 }, 10]
      ] as const) {
        const [socket, ws] = yield* open(options)
        yield* socket.send("x".repeat(limit))
        const waiting = yield* start(socket.send("x"))
        const behind = yield* start(socket.sendAll(["a", "b"]))
        yield* TestClock.adjust("1 second")
        assert.isUndefined(waiting.pollUnsafe())
        // The first of the two went to the platform, as senders do that come together; the second waits for room
        assert.deepStrictEqual(ws.sent.slice(1), ["x", "a"])
        ws.bufferedAmount = limit
        yield* TestClock.adjust(32)
        yield* Fiber.join(waiting)
        ws.bufferedAmount = 0
        yield* TestClock.adjust(32)
        yield* Fiber.join(behind)
        assert.deepStrictEqual(ws.sent.slice(1), ["x", "a", "b"])
      }
    })
  )

  it.effect("looks for room after 1, 2, 4, … 32 ms, once for all who wait", () =>
    Effect.gen(function* () {
      const [socket, ws] = yield* open({ writeBufferSize: 0 })
      const looks: Array<number> = []
      let now = 0
      let amount = 0
      Object.defineProperty(ws, "bufferedAmount", {
        get: () => {
          if (now > 0) looks.push(now)
          return amount
        },
        set: (value: number) => {
          amount = value
        }
      })
      const senders = yield* Effect.forEach(["a", "b", "c"], (message) => start(socket.send(message)))
      for (now = 1; now <= 130; now++) yield* TestClock.adjust(1)
      assert.deepStrictEqual(looks, [1, 3, 7, 15, 31, 63, 95, 127])
      amount = 0
      yield* TestClock.adjust(32)
      yield* Fiber.joinAll(senders)
    })
  )

  it.effect("lets a sender that waits be interrupted, and the others go on", () =>
    Effect.gen(function* () {
      const [socket, ws] = yield* open({ writeBufferSize: 0 })
      const first = yield* start(socket.send("one"))
      const second = yield* start(socket.send("two"))
      yield* Fiber.interrupt(first)
      ws.bufferedAmount = 0
      yield* TestClock.adjust(32)
      yield* Fiber.join(second)
    })
  )

  it.effect("fails once the connection isn't open any more, for those who wait too", () =>
    Effect.gen(function* () {
      const [socket, ws] = yield* open({ writeBufferSize: 0 })
      const waiting = yield* start(reasonOf(socket.send("one")))
      ws.ended(1011, "oh")
      yield* TestClock.adjust(32)
      const closed = { _tag: "ConnectionClosed", closeCode: 1011, closeReason: "oh" } as const
      assert.deepInclude(yield* Fiber.join(waiting), closed)
      assert.deepInclude(yield* reasonOf(socket.send("two")), closed)
      assert.deepStrictEqual(ws.sent, ["one"])
    })
  )
})

describe("close over a platform's WebSocket", () => {
  it.effect("sends the codes that the platform does, and refuses the others", () =>
    Effect.gen(function* () {
      const codes: ReadonlyArray<[code: number, tag: "InvalidSend" | "Unsupported" | undefined]> = [
        [999, "InvalidSend"],
        [1000, undefined],
        [1001, "Unsupported"],
        [1004, "InvalidSend"],
        [1005, "InvalidSend"],
        [1006, "InvalidSend"],
        [1011, "Unsupported"],
        [1014, "Unsupported"],
        [1015, "InvalidSend"],
        [2999, "InvalidSend"],
        [3000, undefined],
        [4999, undefined],
        [5000, "InvalidSend"],
        [3000.5, "InvalidSend"]
      ]
      for (const [code, tag] of codes) {
        const [socket, ws] = yield* open()
        if (tag === undefined) {
          const closing = yield* start(socket.close(code, "why"))
          assert.deepStrictEqual(ws.closes, [[code, "why"]])
          ws.ended(code)
          assert.deepStrictEqual(yield* Fiber.join(closing), {
            sent: { code, reason: "why" },
            received: { code, reason: "" },
            cause: { _tag: "Handshake" }
          })
        } else {
          assert.strictEqual((yield* reasonOf(socket.close(code)))._tag, tag)
          assert.deepStrictEqual(ws.closes, [])
          ws.ended(1000)
        }
      }
    })
  )

  it.effect("has reasons of up to 123 bytes", () =>
    Effect.gen(function* () {
      const [socket, ws] = yield* open()
      assert.strictEqual((yield* reasonOf(socket.close(1000, "é".repeat(62))))._tag, "InvalidSend")
      yield* start(socket.close(1000, `${"é".repeat(61)}x`))
      assert.deepStrictEqual(ws.closes, [[1000, `${"é".repeat(61)}x`]])
      ws.ended(1000)
    })
  )

  it.effect("closes once, and not what the peer is closing", () =>
    Effect.gen(function* () {
      const [socket, ws] = yield* open()
      yield* start(socket.close(4001))
      yield* start(socket.close(4002))
      assert.deepStrictEqual(ws.closes, [[4001, ""]])
      ws.ended(4001)
      const [other, closing] = yield* open()
      closing.readyState = 2
      const waiting = yield* start(other.close())
      closing.ended(1011, "oh")
      assert.deepStrictEqual(yield* Fiber.join(waiting), {
        sent: undefined,
        received: { code: 1011, reason: "oh" },
        cause: { _tag: "Handshake" }
      })
    })
  )

  it.effect("waits for the peer for closeTimeout", () =>
    Effect.gen(function* () {
      for (const [options, limit] of [
        [{}, 10_000],
        [{ closeTimeout: "50 millis" }, 50]
      ] as const) {
        const [socket, ws] = yield* open(options, true)
        const closing = yield* start(socket.close())
        yield* TestClock.adjust(limit - 1)
        assert.isUndefined(closing.pollUnsafe())
        yield* TestClock.adjust(1)
        const closed = yield* Fiber.join(closing)
        assert.deepStrictEqual(closed, {
          sent: { code: 1000, reason: "" },
          received: undefined,
          cause: { _tag: "CloseTimeout" }
        })
        // What comes later changes nothing
        ws.ended(1000)
        assert.deepStrictEqual(yield* socket.closed, closed)
      }
    })
  )

  it.effect("is what the end of the scope does: 1000, and 4011 after a failure", () =>
    Effect.gen(function* () {
      for (const [exit, code] of [
        [Exit.void, 1000],
        [Exit.interrupt(), 1000],
        [Exit.fail("oh"), 4011]
      ] as const) {
        const scope = yield* Scope.make()
        const [, ws] = yield* Scope.provide(open({}, true), scope)
        const ending = yield* start(Scope.close(scope, exit))
        assert.deepStrictEqual(ws.closes, [[code, ""]])
        assert.isUndefined(ending.pollUnsafe())
        ws.ended(code)
        yield* Fiber.join(ending)
      }
    })
  )
})

const Count = Schema.Struct({ count: Schema.Int })

describe("withSchema over a platform's WebSocket", () => {
  it.effect("sends and reads values", () =>
    Effect.gen(function* () {
      const [socket, ws] = yield* open()
      const typed = Socket.withSchema(socket, Count)
      yield* typed.send({ count: 1 })
      assert.deepStrictEqual(ws.sent, ['{"count":1}'])
      ws.message('{"count":2}')
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(typed.messages, 1)), [{ count: 2 }])
    })
  )

  it.effect("closes with 4003, 4007 or 4008 for what is no value, and doesn't wait for the peer", () =>
    Effect.gen(function* () {
      const cases = [
        [new ArrayBuffer(1), 4003, "unexpected type of message", "WrongType"],
        ["{", 4007, "malformed message", "Malformed"],
        ['{"count":"a"}', 4008, "unexpected message", "WrongShape"]
      ] as const
      for (const [message, code, closeReason, tag] of cases) {
        const [socket, ws] = yield* open()
        ws.message(message)
        const error = yield* Effect.flip(Stream.runDrain(Socket.withSchema(socket, Count).messages))
        assert.strictEqual(error.reason._tag, tag)
        assert.deepStrictEqual(ws.closes, [[code, closeReason]])
        ws.ended(code)
      }
    })
  )
})

describe("reconnecting over a platform's WebSocket", () => {
  it.effect("gives one stream of messages over many connections, and sends when it is up", () =>
    Effect.gen(function* () {
      const { WebSocket, last, sockets } = fakePlatform()
      const states: Array<string> = []
      const link = yield* Socket.reconnecting("ws://server/", {
        WebSocket,
        onConnect: (socket) => socket.send("subscribe"),
        onDisconnect: (error) => Effect.sync(() => states.push(error.message))
      })
      const messages: Array<Socket.Message> = []
      const reading = yield* start(
        Stream.runForEach(link.messages, (message) => Effect.sync(() => messages.push(message)))
      )
      last().open()
      last().message("one")
      last().ended(1006)
      yield* start(link.send("later"))
      yield* TestClock.adjust("2 seconds")
      last().error({})
      yield* TestClock.adjust("4 seconds")
      last().open()
      yield* TestClock.adjust(0)
      last().message("two")
      assert.lengthOf(sockets, 3)
      assert.deepStrictEqual(
        sockets.map(({ sent }) => sent),
        [["subscribe"], [], ["subscribe", "later"]]
      )
      last().ended(1000)
      yield* Fiber.join(reading)
      yield* link.ended
      assert.deepStrictEqual(messages, ["one", "two"])
      assert.deepStrictEqual(states, [
        "the connection is closed: 1006",
        "the connection could not be opened: the platform doesn't say why"
      ])
    })
  )

  it.effect("connects again on demand, after a time without messages, and with a URL of its own each time", () =>
    Effect.gen(function* () {
      const { WebSocket, last, sockets } = fakePlatform()
      let round = 0
      const link = yield* Socket.reconnecting(
        Effect.sync(() => `ws://server/?token=${++round}`),
        { WebSocket, idleTimeout: "5 seconds" }
      )
      const messages: Array<Socket.Message> = []
      yield* start(Stream.runForEach(link.messages, (message) => Effect.sync(() => messages.push(message))))
      last().open()
      last().message("one")
      yield* TestClock.adjust(0)
      yield* link.reconnect
      yield* TestClock.adjust(0)
      assert.lengthOf(sockets, 2)
      assert.deepStrictEqual(sockets[0]?.closes, [[1000, ""]])
      last().open()
      last().message("two")
      // The platform never says how the first connection ended.
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(messages, ["one", "two"])
      yield* TestClock.adjust("4 seconds")
      assert.lengthOf(sockets, 2)
      yield* TestClock.adjust("2 seconds")
      assert.lengthOf(sockets, 3)
      last().open()
      last().message("three")
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(messages, ["one", "two", "three"])
      assert.strictEqual(yield* Effect.map(link.current, () => round), 3)
    })
  )

  it.effect("is run, and typed sockets of it are, in both forms", () =>
    Effect.gen(function* () {
      const { WebSocket, last } = fakePlatform()
      const opening = yield* start(Socket.connect("ws://server/", { WebSocket }))
      last().open()
      const socket = yield* Fiber.join(opening)
      assert.isTrue(Socket.isSocket(socket))
      const typed = Socket.withSchema(socket, { incoming: Count, outgoing: Schema.String })
      assert.isFalse(Socket.isSocket(typed))
      const seen: Array<unknown> = []
      const keep = (value: unknown) => Effect.sync(() => void seen.push(value))
      last().message("plain")
      const first = yield* start(Socket.run(socket, (message) => Effect.andThen(keep(message), Effect.fail("enough"))))
      yield* Effect.flip(Fiber.join(first))
      const running = yield* start(Socket.run(keep)(typed))
      last().message('{"count":1}')
      last().message('{"count":2}')
      yield* typed.send("text")
      last().ended(1000)
      yield* Fiber.join(running)
      assert.deepStrictEqual(seen, ["plain", { count: 1 }, { count: 2 }])
      assert.deepStrictEqual(last().sent, ["text"])
      yield* Socket.discard(socket)
    })
  )

  it.effect("ends for good by its close, with the codes of the platform", () =>
    Effect.gen(function* () {
      const { WebSocket, last, sockets } = fakePlatform()
      const link = yield* Socket.reconnecting("ws://server/", { WebSocket })
      last().open()
      yield* TestClock.adjust(0)
      assert.strictEqual((yield* reasonOf(link.close(1001)))._tag, "Unsupported")
      const closing = yield* start(link.close(4000, "bye"))
      assert.deepStrictEqual(last().closes, [[4000, "bye"]])
      last().ended(4000)
      yield* Fiber.join(closing)
      yield* link.ended
      assert.lengthOf(sockets, 1)
    })
  )

  it.effect("ends for good when its reader is too slow, or a message is no value", () =>
    Effect.gen(function* () {
      const { WebSocket, last } = fakePlatform()
      const slow = yield* Socket.reconnecting("ws://server/", { WebSocket, maxReadBufferSize: 100 })
      last().open()
      yield* TestClock.adjust(0)
      last().message("x".repeat(100))
      last().ended(4008)
      assert.strictEqual((yield* reasonOf(slow.ended))._tag, "ReadBufferFull")

      const typed = yield* Socket.reconnecting("ws://server/", { WebSocket })
      last().open()
      yield* TestClock.adjust(0)
      last().message("{")
      const error = yield* Effect.flip(Stream.runDrain(Socket.withSchema(typed, Count).messages))
      assert.strictEqual(error._tag, "MessageError")
      assert.deepStrictEqual(last().closes, [[4007, "malformed message"]])
      last().ended(4007)
      yield* typed.ended
    })
  )
})
