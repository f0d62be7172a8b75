import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { Handshake, Socket, Topic } from "effect-ws"

const collect = (socket: Socket.Socket, count: number) => Stream.runCollect(Stream.take(socket.messages, count))

const takeover = { serverNoContextTakeover: false, clientNoContextTakeover: false, threshold: 0 }

/** Connections that have as little in common as they can. */
const kinds: ReadonlyArray<Socket.PairOptions> = [
  {},
  {},
  { draft: Handshake.hybi07 },
  { draft: Handshake.hixie76 },
  { compression: { threshold: 0 } },
  { compression: { threshold: 0 } },
  { compression: takeover },
  { server: { onFrame: () => undefined } }
]

/** A socket of another implementation. */
const foreign = (socket: Socket.Socket): Socket.Socket => ({
  messages: socket.messages,
  frames: socket.frames,
  receive: socket.receive,
  receiveStream: socket.receiveStream,
  send: socket.send,
  sendAll: socket.sendAll,
  sendStream: socket.sendStream,
  ping: socket.ping,
  close: socket.close,
  closed: socket.closed,
  id: socket.id,
  protocol: socket.protocol,
  draft: socket.draft,
  extensions: socket.extensions,
  request: socket.request,
  context: socket.context,
  [Socket.TypeId]: Socket.TypeId
})

/** When what was published has gone out. */
const nextTurn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

const reasonOf = (error: Topic.TopicError) => error.reason._tag

describe("topics in memory", () => {
  it.effect("bring a message to everybody who is subscribed, of either side and any kind, in order", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make()
      const pairs = yield* Effect.forEach(kinds, Socket.makePair)
      const long = "käse ".repeat(100)
      for (const [from, to] of [
        [1, 0],
        [0, 1]
      ] as const) {
        const senders = pairs.map((pair) => pair[from])
        const [first, ...rest] = senders
        if (first === undefined) return
        senders.push(foreign(first))
        for (const sender of senders) yield* topics.join(sender, "room")
        assert.strictEqual(yield* topics.subscribers("room"), kinds.length + 1)
        yield* topics.publish("room", "one")
        yield* topics.publishAll([
          { topic: "room", message: long },
          { topic: "elsewhere", message: "not here" },
          { topic: "room", message: "three" }
        ])
        for (const pair of pairs.slice(1)) assert.deepStrictEqual(yield* collect(pair[to], 3), ["one", long, "three"])
        const twice = yield* collect(pairs[0]?.[to] ?? first, 6)
        assert.deepStrictEqual([...twice].sort(), ["one", "one", long, long, "three", "three"].sort())
        for (const sender of senders) yield* topics.leave(sender, "room")
        assert.strictEqual(yield* topics.subscribers("room"), 0)
        assert.deepStrictEqual(yield* topics.filters, [])
        assert.strictEqual(rest.length, kinds.length - 1)
      }
    })
  )

  it.effect("leave out those whose draft can't say the message", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make()
      const hixie = yield* Socket.makePair({ draft: Handshake.hixie76 })
      const plain = yield* Socket.makePair()
      for (const [, server] of [hixie, plain]) yield* topics.join(server, "room")
      yield* topics.publish("room", new Uint8Array([1, 2]))
      yield* topics.publish("room", "text")
      assert.deepStrictEqual(yield* collect(hixie[0], 1), ["text"])
      assert.deepStrictEqual(yield* collect(plain[0], 2), [Buffer.from([1, 2]), "text"])
    })
  )

  it.effect("give a message once for each filter that stands for its name", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make()
      const [client, server] = yield* Socket.makePair()
      const filters = ["chat.a.b", "chat.*.b", "chat.>", "chat.a.*", "*.a.>", ">", "chat.a", "chat.*", "other.>"]
      for (const filter of filters) yield* topics.join(server, filter)
      yield* topics.publish("chat.a.b", "six times")
      yield* topics.publish("chat.a", "four times")
      yield* topics.publish("chat", "once")
      const expected = [
        ...Array.from({ length: 6 }, () => "six times"),
        ...Array.from({ length: 4 }, () => "four times"),
        "once"
      ]
      // In order for each filter.
      assert.deepStrictEqual([...(yield* collect(client, expected.length))].sort(), expected.sort())
      for (const filter of filters) yield* topics.leave(server, filter)
      yield* topics.publish("chat.a.b", "never")
      yield* server.send("end")
      assert.deepStrictEqual(yield* collect(client, 1), ["end"])
    })
  )

  it.effect("hold a subscription as long as a scope, or until the socket leaves", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make()
      const [, server] = yield* Socket.makePair()
      const count = topics.subscribers("room")
      const first = yield* Scope.make()
      const second = yield* Scope.make()
      yield* Scope.provide(topics.subscribe(server, "room"), first)
      yield* Scope.provide(topics.subscribe(server, "room"), second)
      yield* topics.join(server, "room")
      assert.strictEqual(yield* count, 1)
      yield* Scope.close(first, Exit.void)
      yield* topics.leave(server, "room")
      yield* topics.leave(server, "room")
      assert.strictEqual(yield* count, 1)
      yield* Scope.close(second, Exit.void)
      assert.strictEqual(yield* count, 0)
      yield* topics.leave(server, "room")
    })
  )

  for (const [how, close] of [
    ["this side closes it", (_: Socket.Socket, server: Socket.Socket) => Effect.asVoid(server.close())],
    ["the peer closes it", (client: Socket.Socket) => Effect.asVoid(client.close())]
  ] as const) {
    it.effect(`forget a socket when ${how}`, () =>
      Effect.gen(function* () {
        const topics = yield* Topic.make()
        const [client, server] = yield* Socket.makePair()
        for (const socket of [server, foreign(server)]) {
          yield* topics.join(socket, "room")
          yield* topics.subscribe(socket, "room.>")
        }
        yield* close(client, server)
        yield* server.closed
        yield* Effect.yieldNow
        assert.deepStrictEqual(yield* topics.filters, [])
        yield* topics.join(server, "room")
        assert.strictEqual(yield* topics.subscribers("room"), 0)
        yield* topics.publish("room", "nobody")
      })
    )
  }

  it.effect("let the program listen", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make()
      const reading = yield* Effect.forkChild(Stream.runCollect(Stream.take(topics.listen("chat.*"), 2)), {
        startImmediately: true
      })
      yield* topics.publish("chat.a", "one")
      yield* topics.publish("chat.b", "two")
      assert.deepStrictEqual(yield* Fiber.join(reading), [
        { _tag: "Message", topic: "chat.a", message: "one" },
        { _tag: "Message", topic: "chat.b", message: "two" }
      ])
      assert.strictEqual(yield* topics.subscribers("chat.*"), 0)
    })
  )

  it.effect("tell a program that listens too slowly how much it missed", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const pull = yield* Stream.toPull(topics.listen("a"))
          const waiting = yield* Effect.forkChild(pull, { startImmediately: true })
          yield* topics.publish("a", "first")
          assert.strictEqual((yield* Fiber.join(waiting)).length, 1)
          for (let i = 0; i < 1024 + 3; i++) yield* topics.publish("a", String(i))
          yield* nextTurn
          const batch = yield* pull
          assert.strictEqual(batch.length, 1025)
          assert.deepStrictEqual(batch.at(-1), { _tag: "Gap", filter: "a", cause: "slow", missed: 3 })
          yield* topics.publish("a", "again")
          yield* nextTurn
          assert.deepStrictEqual(yield* pull, [{ _tag: "Message", topic: "a", message: "again" }])
        })
      )
    })
  )

  it.effect("coalesce what is published in one tick into one write", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make()
      const seen: Array<number> = []
      const [client, server] = yield* Socket.makePair()
      yield* topics.join(server, "a")
      const reading = yield* Effect.forkChild(
        Socket.runBatch(client, (batch) => Effect.sync(() => seen.push(batch.length))),
        { startImmediately: true }
      )
      for (let i = 0; i < 8; i++) yield* topics.publish("a", String(i))
      yield* server.close()
      yield* Fiber.join(reading)
      assert.deepStrictEqual(seen, [8])
    })
  )
})

describe("limits of topics", () => {
  const names: ReadonlyArray<readonly [string, boolean, boolean]> = [
    ["a", true, true],
    ["a.b", true, true],
    ["Az09-_:/@+=~%", true, true],
    ["a".repeat(255), true, true],
    ["a".repeat(256), false, false],
    [Array.from({ length: 16 }, () => "a").join("."), true, true],
    [Array.from({ length: 17 }, () => "a").join("."), false, false],
    ["", false, false],
    [".", false, false],
    ["a.", false, false],
    [".a", false, false],
    ["a..b", false, false],
    ["*", false, true],
    [">", false, true],
    ["a.*", false, true],
    ["*.*.>", false, true],
    ["a.>.b", false, false],
    ["a*", false, false],
    ["a.b>", false, false],
    ["ä", false, false],
    ["a b", false, false],
    ["a\n", false, false],
    ["a?", false, false],
    ["[a]", false, false],
    ["a\\", false, false],
    ["$a", false, false]
  ]
  for (const [text, isName, isFilter] of names) {
    const shown =
      text.length > 40 ? `${text.length} characters, ${text.split(".").length} segments` : JSON.stringify(text)
    it.effect(`names: ${shown}`, () =>
      Effect.gen(function* () {
        const topics = yield* Topic.make()
        const [, server] = yield* Socket.makePair()
        const published = yield* Effect.result(topics.publish(text, "message"))
        const joined = yield* Effect.result(topics.join(server, text))
        assert.strictEqual(published._tag === "Success", isName)
        assert.strictEqual(joined._tag === "Success", isFilter)
        for (const result of [published, joined]) {
          if (result._tag === "Success") continue
          assert.strictEqual(reasonOf(result.failure), "InvalidTopic")
          assert.isAtMost(result.failure.message.length, 200)
        }
      })
    )
  }

  it.effect("any text but none makes a segment", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make()
      const seen = new Set<string>()
      const texts = ["plain", "a.b", "*", ">", "ä ö", "'(!)*", "😀", "a%2Eb", "\n"]
      for (const text of texts) {
        const segment = yield* Topic.segment(text)
        assert.strictEqual(decodeURIComponent(segment), text)
        yield* topics.publish(`room.${segment}`, "message")
        seen.add(segment)
      }
      assert.strictEqual(seen.size, texts.length)
      for (const text of ["", "\ud800"]) {
        assert.strictEqual(reasonOf(yield* Effect.flip(Topic.segment(text))), "InvalidTopic")
      }
    })
  )

  it.effect("maxMessageSize, in bytes", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make({ maxMessageSize: 10 })
      for (const message of ["0123456789", "ääääa0", new Uint8Array(10)]) yield* topics.publish("a", message)
      for (const message of ["0123456789a", "äääääa", new Uint8Array(11)]) {
        const { reason } = yield* Effect.flip(topics.publish("a", message))
        assert.deepInclude(reason, { _tag: "MessageTooLarge", size: 11, limit: 10 })
      }
    })
  )

  it.effect("maxMessageSize by default", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make()
      yield* topics.publish("a", new Uint8Array(1024 * 1024))
      const error = yield* Effect.flip(topics.publish("a", new Uint8Array(1024 * 1024 + 1)))
      assert.strictEqual(reasonOf(error), "MessageTooLarge")
    })
  )

  it.effect("maxSubscriptions of a socket", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make({ maxSubscriptions: 2 })
      const [client, server] = yield* Socket.makePair()
      yield* topics.join(server, "a")
      yield* topics.join(server, "b")
      yield* topics.join(server, "b")
      assert.strictEqual(reasonOf(yield* Effect.flip(topics.join(server, "c"))), "TooManySubscriptions")
      yield* topics.join(client, "c")
      yield* topics.leave(server, "a")
      yield* topics.join(server, "c")
      assert.deepStrictEqual(yield* topics.filters, ["b", "c"])
    })
  )

  it.effect("maxSubscriptions by default", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make()
      const [, server] = yield* Socket.makePair()
      for (let i = 0; i < 1000; i++) yield* topics.join(server, `a.${i}`)
      const error = yield* Effect.flip(Effect.scoped(topics.subscribe(server, "a.1000")))
      assert.strictEqual(reasonOf(error), "TooManySubscriptions")
    })
  )

  it.effect("maxFilters of all sockets", () =>
    Effect.gen(function* () {
      const topics = yield* Topic.make({ maxFilters: 2 })
      const [client, server] = yield* Socket.makePair()
      yield* topics.join(server, "a")
      yield* topics.join(client, "b")
      yield* topics.join(client, "a")
      assert.strictEqual(reasonOf(yield* Effect.flip(topics.join(server, "c"))), "TooManyFilters")
      assert.strictEqual(reasonOf(yield* Effect.flip(Stream.runDrain(topics.listen("c")))), "TooManyFilters")
      yield* topics.leave(client, "b")
      yield* topics.join(server, "c")
    })
  )
})
