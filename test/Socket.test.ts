import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Duration, Effect, Equal, Exit, Fiber, HashSet, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Frame, Handshake, type Server, Socket } from "effect-ws"

const collect = (socket: Socket.Socket, count: number) => Stream.runCollect(Stream.take(socket.messages, count))

const bytes = (...values: ReadonlyArray<number>) => Uint8Array.from(values)

/** What ends a stream, when it is a failure. */
const failureOf = <A>(effect: Effect.Effect<A, Socket.SocketError>) =>
  Effect.map(Effect.flip(effect), (error) => error.reason)

describe("Socket.makePair", () => {
  it.effect("names an option whose value is not allowed", () =>
    Effect.gen(function* () {
      for (const options of [
        { maxMessageSize: Number.NaN },
        { client: { maxMessageSize: -1 } },
        { server: { maxMessageSize: 0.5 } }
      ]) {
        const cause = yield* Effect.flip(Effect.sandbox(Socket.makePair(options)))
        assert.include(String(cause), "maxMessageSize")
      }
    })
  )

  it.effect("gives the server's side the context, the request and the subprotocol of the options", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair({
        context: { name: "ada" },
        protocol: "chat.v2",
        request: { url: "/rooms?room=tea", headers: { "X-Forwarded-Proto": "https" }, remoteAddress: "203.0.113.7" }
      })
      server satisfies Server.Connection<{ readonly name: string }>
      assert.strictEqual(server.context.name, "ada")
      assert.deepStrictEqual([client.protocol, server.protocol], ["chat.v2", "chat.v2"])
      const { headers, remoteAddress, url } = server.request
      assert.deepStrictEqual([url, remoteAddress], ["/rooms?room=tea", "203.0.113.7"])
      assert.deepStrictEqual([headers["x-forwarded-proto"], headers["upgrade"]], ["https", "websocket"])
      const cause = yield* Effect.flip(Effect.sandbox(Socket.makePair({ protocol: "no token" })))
      assert.include(String(cause), "invalid option protocol")
    })
  )

  it.effect("completes draining on the server's side when the scope ends", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const [, server] = yield* Scope.provide(Socket.makePair(), scope)
      server.context satisfies undefined
      const waiting = yield* Effect.forkChild(server.draining)
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.join(waiting)
    })
  )
})

describe("Socket", () => {
  it.effect("is equal to itself alone, and stays so while it changes", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      const typed = [Socket.withSchema(client, Schema.String), Socket.withSchema(server, Schema.String)]
      const link = yield* Socket.reconnecting("ws://unused.invalid", { connect: () => Effect.succeed(client) })
      const all = [client, server, ...typed, link]
      const set = HashSet.fromIterable<unknown>(all)
      assert.strictEqual(HashSet.size(set), 5)
      yield* client.send("a")
      assert.deepStrictEqual(yield* collect(server, 1), ["a"])
      for (const each of all) assert.isTrue(HashSet.has(set, each))
      assert.isTrue(Equal.equals(client.send("a"), client.send("a")))
      assert.isFalse(Equal.equals(client.send("a"), server.send("a")))
    })
  )

  describe("messages", () => {
    it.effect("travel both ways, text as strings and bytes as bytes", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        yield* client.send("käse €")
        yield* client.send(bytes(1, 2, 3))
        assert.deepStrictEqual(
          yield* Effect.map(collect(server, 2), (all) => all.map((m) => (typeof m === "string" ? m : [...m]))),
          ["käse €", [1, 2, 3]]
        )
        yield* server.send("")
        yield* server.send(bytes())
        const [text, binary] = yield* collect(client, 2)
        assert.strictEqual(text, "")
        assert.strictEqual(binary?.length, 0)
      })
    )

    it.effect("that arrive before the reader wait for it, fragments and all", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        yield* client.send("first")
        yield* client.send(Frame.text("sec", { fin: false }))
        // The pong shows that everything before it has arrived, unread.
        yield* client.ping()
        const reading = yield* Effect.forkChild(collect(server, 3))
        yield* client.send(Frame.continuation("ond"))
        yield* client.send(bytes(7))
        assert.deepStrictEqual(yield* Fiber.join(reading), ["first", "second", Buffer.from([7])])
      })
    )

    it.effect("end with a normal close, and fail with any other", () =>
      Effect.gen(function* () {
        for (const code of [1000, 1001]) {
          const [client, server] = yield* Socket.makePair()
          yield* Effect.forkChild(client.close(code))
          assert.deepStrictEqual(yield* Stream.runCollect(server.messages), [])
        }
        const [client, server] = yield* Socket.makePair()
        yield* Effect.forkChild(client.close(4001, "no more"))
        const reason = yield* failureOf(Stream.runDrain(server.messages))
        assert.strictEqual(reason._tag, "ConnectionClosed")
        if (reason._tag === "ConnectionClosed") {
          assert.strictEqual(reason.closeCode, 4001)
          assert.strictEqual(reason.closeReason, "no more")
        }
      })
    )

    it.effect("have one reader", () =>
      Effect.gen(function* () {
        const [client] = yield* Socket.makePair()
        yield* Effect.forkChild(Stream.runDrain(client.messages), { startImmediately: true })
        assert.strictEqual((yield* failureOf(Stream.runDrain(client.messages)))._tag, "AlreadyReading")
        assert.strictEqual((yield* failureOf(Stream.runDrain(client.frames)))._tag, "AlreadyReading")
        assert.strictEqual((yield* failureOf(Socket.run(client, () => Effect.void)))._tag, "AlreadyReading")
      })
    )

    it.effect("can be read again where an earlier reader stopped", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        yield* client.send("a")
        assert.deepStrictEqual(yield* collect(server, 1), ["a"])
        yield* client.send("b")
        assert.deepStrictEqual(yield* collect(server, 1), ["b"])
      })
    )

    it.effect("beyond the limit close the connection with 1009; at the limit they pass", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair({ server: { maxMessageSize: 10 } })
        yield* client.send("x".repeat(10))
        assert.deepStrictEqual(yield* collect(server, 1), ["x".repeat(10)])
        yield* client.send("x".repeat(11))
        const reason = yield* failureOf(Stream.runDrain(server.messages))
        assert.strictEqual(reason._tag, "ProtocolViolation")
        assert.strictEqual("closeCode" in reason ? reason.closeCode : 0, 1009)
        const closed = yield* client.closed
        assert.strictEqual(closed.received?.code, 1009)
      })
    )
  })

  describe("frames", () => {
    it.effect("come as they were sent, control frames too, and the close frame is the last", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        yield* client.send(Frame.text("a", { fin: false }))
        yield* client.send(Frame.ping(bytes(9)))
        yield* client.send(Frame.continuation("b"))
        yield* client.send(Frame.binary(bytes(1)))
        yield* client.send(Frame.pong(bytes(8)))
        yield* client.send(Frame.close(4000, "bye"))
        const frames = yield* Stream.runCollect(server.frames)
        assert.deepStrictEqual(
          frames.map((frame) => [frame._tag, frame.fin, Buffer.from(frame.payload).toString("latin1")]),
          [
            ["Text", false, "a"],
            ["Ping", true, "\x09"],
            ["Continuation", true, "b"],
            ["Binary", true, "\x01"],
            ["Pong", true, "\x08"],
            ["Close", true, "\x0f\xa0bye"]
          ]
        )
      })
    )

    it.effect("that can't be sent are typed failures, and nothing is sent", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        assert.strictEqual((yield* failureOf(client.send(Frame.continuation("b"))))._tag, "InvalidSend")
        assert.strictEqual((yield* failureOf(client.close(1005)))._tag, "InvalidSend")
        assert.strictEqual((yield* failureOf(client.close(1000, "x".repeat(124))))._tag, "InvalidSend")
        assert.strictEqual((yield* failureOf(client.ping(new Uint8Array(126))))._tag, "InvalidSend")
        assert.strictEqual((yield* failureOf(client.send(Frame.text("a", { rsv: 4 }))))._tag, "InvalidSend")
        const notText = { ...Frame.text(""), payload: bytes(0xff) }
        assert.strictEqual((yield* failureOf(client.send(notText)))._tag, "InvalidSend")
        yield* client.send("still open")
        assert.deepStrictEqual(yield* collect(server, 1), ["still open"])
      })
    )

    it.effect("that come before anybody reads are kept, but for pings and pongs without end", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair({ keepAlive: false })
        const inRow = (count: number) => client.sendAll(Array.from({ length: count }, (_, at) => Frame.pong(bytes(at))))
        // Sixteen in a row at most; a message begins another row.
        yield* inRow(17)
        yield* client.send("between")
        yield* inRow(16)
        // Its answer shows that everything before it has arrived, unread.
        yield* client.ping()
        yield* client.send(Frame.close(4000))
        const frames = yield* Stream.runCollect(server.frames)
        assert.deepStrictEqual(
          frames.map(({ _tag }) => _tag),
          [...Array<string>(16).fill("Pong"), "Text", ...Array<string>(16).fill("Pong"), "Close"]
        )
        assert.deepStrictEqual(frames[15]?.payload[0], 15)
      })
    )

    it.effect("end with the close frame, however much waits before it", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair({ keepAlive: false, server: { readBufferSize: 1024 } })
        yield* client.send("x".repeat(1000))
        yield* client.send(Frame.close(4000))
        yield* client.closed
        const frames = yield* Stream.runCollect(server.frames)
        assert.deepStrictEqual(
          frames.map(({ _tag }) => _tag),
          ["Text", "Close"]
        )
      })
    )
  })

  describe("send", () => {
    it.effect("suspends while the peer doesn't read, and goes on when it does", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair({ maxMessageSize: 1 << 20 })
        let sent = 0
        const piece = new Uint8Array(16 * 1024)
        const sender = yield* Effect.forkChild(
          Effect.forEach(
            Array.from({ length: 100 }),
            () => Effect.andThen(client.send(piece), () => Effect.sync(() => sent++)),
            {
              discard: true
            }
          )
        )
        let before = -1
        while (sent !== before) {
          before = sent
          for (let i = 0; i < 50; i++) yield* Effect.yieldNow
        }
        assert.isBelow(sent, 30)
        const received = yield* collect(server, 100)
        assert.strictEqual(received.length, 100)
        yield* Fiber.join(sender)
        assert.strictEqual(sent, 100)
      })
    )

    it.effect("of several fibers never mixes frames of one message", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        const go = yield* Deferred.make<void>()
        const pieces = Stream.make("a", "b", "c").pipe(
          Stream.mapEffect((piece) => (piece === "b" ? Effect.as(Deferred.await(go), piece) : Effect.succeed(piece)))
        )
        const streaming = yield* Effect.forkChild(client.sendStream(pieces), { startImmediately: true })
        const other = yield* Effect.forkChild(client.send("other"), { startImmediately: true })
        const third = yield* Effect.forkChild(client.sendStream(Stream.make("x", "y")), { startImmediately: true })
        // A ping passes a message under way.
        const pong = yield* Effect.forkChild(client.ping(), { startImmediately: true })
        yield* Fiber.join(pong)
        yield* Deferred.succeed(go, undefined)
        yield* Fiber.joinAll([streaming, other, third])
        assert.deepStrictEqual(yield* collect(server, 3), ["abc", "other", "xy"])
      })
    )

    it.effect("of a stream that fails midway closes with 1011", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        const exit = yield* Effect.exit(
          client.sendStream(Stream.concat(Stream.make("a"), Stream.fail("broken" as const)))
        )
        assert.isTrue(Exit.isFailure(exit))
        assert.strictEqual((yield* server.closed).received?.code, 1011)
      })
    )

    it.effect("of several messages is one call", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        yield* client.sendAll(["a", bytes(1), Frame.text("c")])
        assert.deepStrictEqual(yield* collect(server, 3), ["a", Buffer.from([1]), "c"])
      })
    )

    it.effect("after the close is a typed failure", () =>
      Effect.gen(function* () {
        const [client] = yield* Socket.makePair()
        yield* client.close()
        assert.strictEqual((yield* failureOf(client.send("late")))._tag, "ConnectionClosed")
        assert.strictEqual((yield* failureOf(client.ping()))._tag, "ConnectionClosed")
      })
    )

    it.effect("says what the draft can't say", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair({ draft: Handshake.hixie76 })
        const features = yield* Effect.forEach(
          [
            client.send(bytes(1)),
            client.ping(),
            client.close(4000),
            client.sendStream(Stream.make("a")),
            client.send(Frame.ping())
          ],
          failureOf
        )
        assert.deepStrictEqual(
          features.map((reason) => (reason._tag === "Unsupported" ? reason.feature : reason._tag)),
          ["binary", "ping", "closeCode", "fragments", "ping"]
        )
        yield* client.send("text")
        assert.deepStrictEqual(yield* collect(server, 1), ["text"])
      })
    )
  })

  describe("ping", () => {
    it.effect("succeeds with the round-trip time", () =>
      Effect.gen(function* () {
        const [client] = yield* Socket.makePair()
        const time = yield* client.ping(bytes(1, 2, 3))
        assert.isAtLeast(Duration.toMillis(time), 0)
      })
    )

    it.effect("that is pending fails when the connection is lost", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair({ closeTimeout: "1 second" })
        // A consumer that holds back more than its limit answers no ping.
        const flood = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: 40 }), () => client.send(new Uint8Array(16 * 1024)), { discard: true }),
          { startImmediately: true }
        )
        const pinging = yield* Effect.forkChild(Effect.exit(client.ping()), { startImmediately: true })
        yield* Effect.forkChild(server.close(), { startImmediately: true })
        yield* TestClock.adjust("5 seconds")
        yield* Fiber.await(flood)
        const exit = yield* Fiber.join(pinging)
        assert.isTrue(Exit.isFailure(exit))
      })
    )
  })

  describe("closing", () => {
    for (const [name, serve] of [
      ["a Stream", (socket: Socket.Socket) => Stream.runForEach(socket.messages, socket.send)],
      ["run", (socket: Socket.Socket) => Socket.run(socket, socket.send)]
    ] as const) {
      it.effect(`lets ${name} answer a message that came in one read with the close frame`, () =>
        Effect.gen(function* () {
          const [client, server] = yield* Socket.makePair()
          const serving = yield* Effect.forkChild(serve(server), { startImmediately: true })
          const answers = yield* Effect.forkChild(Stream.runCollect(client.messages), { startImmediately: true })
          yield* client.sendAll(["last", Frame.close(1000)])
          assert.deepStrictEqual(yield* Fiber.join(answers), ["last"])
          yield* Fiber.join(serving)
          const closed = yield* server.closed
          assert.strictEqual(closed.first, "received")
          assert.strictEqual(closed.cause._tag, "Handshake")
        })
      )
    }

    it.effect("tells both close frames, their order, and why", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        const ours = yield* client.close(4000, "done")
        assert.deepStrictEqual(ours, {
          sent: { code: 4000, reason: "done" },
          received: { code: 4000, reason: "" },
          first: "sent",
          cause: { _tag: "Handshake" }
        })
        const theirs = yield* server.closed
        assert.strictEqual(theirs.first, "received")
        assert.deepStrictEqual(theirs.received, { code: 4000, reason: "done" })
      })
    )

    it.effect("is dropped after the close timeout when the peer doesn't answer", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair({
          server: { readBufferSize: 1, keepAlive: false },
          keepAlive: false
        })
        // The server's reader never comes: its transport is paused before the close frame.
        yield* client.send(new Uint8Array(100))
        yield* client.send(new Uint8Array(100))
        const closing = yield* Effect.forkChild(client.close(), { startImmediately: true })
        yield* TestClock.adjust("9 seconds")
        assert.isUndefined(closing.pollUnsafe())
        yield* TestClock.adjust("1 second")
        const closed = yield* Fiber.join(closing)
        assert.strictEqual(closed.cause._tag, "CloseTimeout")
        // What the client sent before it gave up still arrives.
        yield* Stream.runDrain(server.messages)
        assert.strictEqual((yield* server.closed).received?.code, 1000)
      })
    )

    for (const [name, exit, code] of [
      ["success", Exit.void, 1000],
      ["interruption", Exit.failCause(Cause.interrupt(1)), 1001],
      ["failure", Exit.fail("broken"), 1011]
    ] as const) {
      it.effect(`at the end of the scope after ${name} has code ${code}`, () =>
        Effect.gen(function* () {
          const ended = yield* Deferred.make<Socket.Closed>()
          yield* Effect.exit(
            Effect.scoped(
              Effect.gen(function* () {
                const [, server] = yield* Socket.makePair()
                yield* Effect.forkDetach(
                  Effect.flatMap(server.closed, (closed) => Deferred.succeed(ended, closed)),
                  {
                    startImmediately: true
                  }
                )
                return yield* exit
              })
            )
          )
          const closed = yield* Deferred.await(ended)
          assert.strictEqual(closed.sent?.code ?? closed.received?.code, code)
        })
      )
    }
  })

  describe("keepalive", () => {
    it.effect("pings every 20 seconds, and a peer that answers stays", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair({ server: { keepAlive: false } })
        const frames = yield* Effect.forkChild(Stream.runCollect(Stream.take(server.frames, 3)), {
          startImmediately: true
        })
        yield* TestClock.adjust("60 seconds")
        assert.deepStrictEqual(
          (yield* Fiber.join(frames)).map(({ _tag }) => _tag),
          ["Ping", "Ping", "Ping"]
        )
        yield* client.send("alive")
      })
    )

    it.effect("drops a peer that is silent for 20 seconds after a ping", () =>
      Effect.gen(function* () {
        // The server reads nothing beyond its first message, so it answers no ping.
        const [client] = yield* Socket.makePair({ server: { readBufferSize: 1, keepAlive: false } })
        yield* client.send(new Uint8Array(100))
        yield* client.send(new Uint8Array(100))
        const closed = yield* Effect.forkChild(client.closed, { startImmediately: true })
        yield* TestClock.adjust("39 seconds")
        assert.isUndefined(closed.pollUnsafe())
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(closed)).cause._tag, "KeepAliveTimeout")
      })
    )

    it.effect("can be off", () =>
      Effect.gen(function* () {
        const [client] = yield* Socket.makePair({ keepAlive: false, server: { readBufferSize: 1 } })
        yield* client.send(new Uint8Array(100))
        yield* client.send(new Uint8Array(100))
        yield* TestClock.adjust("1 hour")
        yield* client.send("still here")
      })
    )
  })

  describe("run and runBatch", () => {
    it.effect("handle every message in order, waiting or not", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        const echo = yield* Effect.forkChild(
          Socket.run(server, (message) =>
            message === "slow" ? Effect.andThen(Effect.yieldNow, server.send("slow")) : server.send(message)
          )
        )
        yield* client.sendAll(["a", "slow", "b", "slow", "c"])
        assert.deepStrictEqual(yield* collect(client, 5), ["a", "slow", "b", "slow", "c"])
        yield* client.close()
        yield* Fiber.join(echo)
      })
    )

    it.effect("take what one read brought as one batch", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        const sizes: Array<number> = []
        const echo = yield* Effect.forkChild(
          Socket.runBatch(server, (batch) => {
            sizes.push(batch.length)
            return server.sendAll(batch)
          }),
          { startImmediately: true }
        )
        yield* client.sendAll(["a", "b", "c"])
        assert.deepStrictEqual(yield* collect(client, 3), ["a", "b", "c"])
        assert.deepStrictEqual(sizes, [3])
        yield* client.close()
        yield* Fiber.join(echo)
      })
    )

    it.effect("fail with the handler, and stop with the fiber", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        const failing = yield* Effect.forkChild(
          Socket.run(server, () => Effect.fail("broken" as const)),
          { startImmediately: true }
        )
        yield* client.send("a")
        assert.deepStrictEqual(yield* Effect.flip(Fiber.join(failing)), "broken")
        let interrupted = false
        const waiting = yield* Effect.forkChild(
          Socket.run(server, () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted = true)))),
          { startImmediately: true }
        )
        yield* client.send("b")
        yield* client.ping()
        yield* Fiber.interrupt(waiting)
        assert.isTrue(interrupted)
        yield* client.send("c")
        assert.deepStrictEqual(yield* collect(server, 1), ["c"])
      })
    )

    it.effect("die of what a handler throws, whether or not it has sent before", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        for (const messages of [["throw"], ["a", "throw", "b"]]) {
          const dying = yield* Effect.forkChild(
            Socket.run(server, (message) => {
              if (message === "throw") throw new Error("on purpose")
              return server.send(message)
            }),
            { startImmediately: true }
          )
          yield* client.sendAll(messages)
          const exit = yield* Fiber.await(dying)
          assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
        }
        assert.deepStrictEqual(yield* collect(client, 1), ["a"])
      })
    )

    it.effect("wait for room, and go on behind it", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair({ server: { writeBufferSize: 1 } })
        const echo = yield* Effect.forkChild(Socket.run(server, server.send), { startImmediately: true })
        const messages = Array.from({ length: 100 }, (_, index) => String(index))
        yield* client.sendAll(messages)
        assert.deepStrictEqual(yield* collect(client, 100), messages)
        yield* client.close()
        yield* Fiber.join(echo)
      })
    )

    it.effect("stop the handler that stops them, and are over when it is", () =>
      Effect.gen(function* () {
        for (const run of [Socket.run, Socket.runBatch]) {
          const [client, server] = yield* Socket.makePair()
          const told: Array<string> = []
          const enough = yield* Deferred.make<void>()
          const more = yield* Deferred.make<void>()
          const interrupting = yield* Deferred.make<void>()
          const cleared = yield* Deferred.make<void>()
          const handler = (): Effect.Effect<void> =>
            Effect.sync(() => told.push("handled")).pipe(
              Effect.andThen(Deferred.succeed(enough, undefined)),
              Effect.andThen(Deferred.await(more)),
              Effect.andThen(Effect.sync(() => told.push("went on"))),
              Effect.onInterrupt(() =>
                Deferred.succeed(interrupting, undefined).pipe(
                  Effect.andThen(Deferred.await(cleared)),
                  Effect.andThen(Effect.sync(() => told.push("interrupted")))
                )
              )
            )
          const running = yield* Effect.forkChild(Effect.raceFirst(run(server, handler), Deferred.await(enough)), {
            startImmediately: true
          })
          yield* client.sendAll(["a", "b"])
          yield* Deferred.await(interrupting)
          assert.isUndefined(running.pollUnsafe())
          yield* Deferred.succeed(cleared, undefined)
          yield* Fiber.join(running)
          assert.deepStrictEqual(told, ["handled", "interrupted"])
          yield* Deferred.succeed(more, undefined)
          yield* Effect.yieldNow
          assert.deepStrictEqual(told, ["handled", "interrupted"])
        }
      })
    )

    it.effect(
      "handle nothing more of a batch whose first message stops them, and leave the rest to the next reader",
      () =>
        Effect.gen(function* () {
          const [client, server] = yield* Socket.makePair()
          const handled: Array<Socket.Message> = []
          const enough = yield* Deferred.make<void>()
          const handler = (message: Socket.Message) =>
            Effect.andThen(
              Effect.sync(() => handled.push(message)),
              Deferred.succeed(enough, undefined)
            )
          const running = yield* Effect.forkChild(
            Effect.raceFirst(Socket.run(server, handler), Deferred.await(enough)),
            {
              startImmediately: true
            }
          )
          yield* client.sendAll(["a", "b", "c"])
          yield* Fiber.join(running)
          yield* client.send("d")
          assert.deepStrictEqual([yield* server.receive, yield* server.receive, yield* server.receive], ["b", "c", "d"])
          assert.deepStrictEqual(handled, ["a"])
        })
    )

    it.effect("handle nothing more of a batch once they are stopped", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        const running: { fiber: Fiber.Fiber<void, Socket.SocketError> | undefined } = { fiber: undefined }
        const handled: Array<Socket.Message> = []
        running.fiber = yield* Effect.forkChild(
          Socket.run(server, (message) => {
            handled.push(message)
            if (message === "stop") running.fiber?.interruptUnsafe()
            return server.send(message)
          }),
          { startImmediately: true }
        )
        yield* client.sendAll(["a", "stop", "b"])
        yield* Fiber.await(running.fiber)
        assert.deepStrictEqual(handled, ["a", "stop"])
        assert.deepStrictEqual(yield* collect(client, 2), ["a", "stop"])
      })
    )

    it.effect("leave what comes behind to the next reader, when a handler that doesn't wait stops them", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        const runs: Array<(stop: () => void) => Effect.Effect<void, Socket.SocketError>> = [
          (stop) => Socket.run(server, (message) => (stop(), server.send(message))),
          (stop) =>
            Socket.runBatch(server, (batch) => Effect.sync(() => stop()).pipe(Effect.andThen(server.sendAll(batch))))
        ]
        for (const run of runs) {
          const running: { fiber: Fiber.Fiber<void, Socket.SocketError> | undefined } = { fiber: undefined }
          running.fiber = yield* Effect.forkChild(
            run(() => running.fiber?.interruptUnsafe()),
            { startImmediately: true }
          )
          yield* client.send("a")
          yield* Fiber.await(running.fiber)
          yield* client.send("b")
          assert.deepStrictEqual(yield* collect(server, 1), ["b"])
        }
      })
    )
  })
})
