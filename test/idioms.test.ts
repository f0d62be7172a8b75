import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Schedule, Schema, Stream } from "effect"
import { pipe } from "effect/Function"
import { Frame, Socket, Topic } from "effect-ws"

/** Runs an effect in a fiber, up to where it waits. */
const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

const Command = Schema.Union([Schema.TaggedStruct("Add", { by: Schema.Int }), Schema.TaggedStruct("Reset", {})])
const Answer = Schema.Struct({ total: Schema.Int })

describe("Socket.isSocket", () => {
  it.effect("knows sockets from typed ones, reconnecting ones, copies and everything else", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      assert.isTrue(Socket.isSocket(client))
      assert.isTrue(Socket.isSocket(Object.create(server)))
      assert.strictEqual(client[Socket.TypeId], Socket.TypeId)
      const reconnecting = yield* Socket.reconnecting("ws://localhost/", { connect: () => Effect.never })
      for (const other of [Socket.withSchema(client, Answer), reconnecting, { ...client }, undefined, null, "", {}]) {
        assert.isFalse(Socket.isSocket(other))
      }
    })
  )
})

describe("a copy of a socket", () => {
  it.effect("that inherits from it does what the socket does", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      const user = { name: "ada" }
      const copy: Socket.Socket<typeof user> = Object.create(server, { context: { value: user } })
      const topics = yield* Topic.make()
      assert.strictEqual(copy.context, user)
      yield* copy.send("1")
      assert.strictEqual(yield* Socket.broadcast([copy], "2"), 1)
      yield* topics.join(copy, "a")
      yield* topics.publish("a", "3")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(client.messages, 3)), ["1", "2", "3"])
      yield* client.sendAll(["4", "5"])
      assert.strictEqual(yield* copy.receive, "4")
      const ping = yield* start(copy.ping())
      yield* Fiber.join(ping)
      const closed = yield* start(copy.closed)
      const running = yield* start(Socket.run(copy, () => Effect.void))
      yield* client.close()
      yield* Fiber.join(closed)
      yield* Fiber.join(running)
      assert.strictEqual((yield* copy.closed).received?.code, 1000)
    })
  )

  it.effect("made by a spread is no socket to the compiler", () =>
    Effect.gen(function* () {
      const [, server] = yield* Socket.makePair()
      // @ts-expect-error a spread has nothing of what a socket inherits
      const copy: Socket.Socket<string> = { ...server, context: "x" }
      assert.isFalse(Socket.isSocket(copy))
      const assigned: Socket.Socket & { readonly context: string } = Object.assign(server, { context: "x" })
      assert.isTrue(Socket.isSocket(assigned))
    })
  )
})

describe("data-first and data-last", () => {
  it.effect("run, runBatch, discard, withSchema and broadcast are the same in both forms", () =>
    Effect.gen(function* () {
      for (const form of ["first", "last"] as const) {
        const [client, server] = yield* Socket.makePair()
        const seen: Array<unknown> = []
        const keep = (message: unknown) => Effect.sync(() => void seen.push(message))
        const run = form === "first" ? Socket.run(server, keep) : pipe(server, Socket.run(keep))
        const batch = (all: ReadonlyArray<unknown>) => keep(all.length)
        const runBatch = form === "first" ? Socket.runBatch(client, batch) : pipe(client, Socket.runBatch(batch))
        const fibers = [yield* start(run), yield* start(runBatch)]
        const typed = form === "first" ? Socket.withSchema(client, Answer) : pipe(client, Socket.withSchema(Answer))
        yield* typed.send({ total: 1 })
        const directed = pipe(client, Socket.withSchema({ incoming: Command, outgoing: Answer }, { onInvalid: "skip" }))
        yield* directed.send({ total: 2 })
        const count =
          form === "first"
            ? Socket.broadcast([server, client], ["a", "b"], { slow: "drop" })
            : pipe([server, client], Socket.broadcast(["a", "b"], { slow: "drop" }))
        assert.strictEqual(yield* count, 2)
        assert.strictEqual(yield* pipe([client], Socket.broadcast("c")), 1)
        yield* start(client.close())
        yield* Effect.forEach(fibers, Fiber.join)
        assert.deepStrictEqual(
          seen.filter((item) => typeof item === "string"),
          ['{"total":1}', '{"total":2}', "a", "b", "c"]
        )
        yield* Socket.discard(server)
      }
    })
  )

  it.effect("run takes typed sockets, and leaves what the handler didn't get to", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      const typed = Socket.withSchema(server, Answer)
      yield* client.sendAll([1, 2, 3, 4].map((total) => JSON.stringify({ total })))
      let sum = 0
      const error = yield* Effect.flip(
        Socket.run(typed, ({ total }) => {
          sum += total
          return total === 2 ? Effect.fail("enough" as const) : Effect.void
        })
      )
      assert.strictEqual(error, "enough")
      assert.deepStrictEqual(yield* typed.receive, { total: 3 })
      yield* start(client.close())
      yield* Socket.runBatch(typed, (batch) => Effect.sync(() => batch.forEach(({ total }) => (sum += total))))
      assert.strictEqual(sum, 7)
    })
  )

  it.effect("run takes a connection that reconnects, over its connections", () =>
    Effect.gen(function* () {
      const servers: Array<Socket.Socket> = []
      const link = yield* Socket.reconnecting("ws://localhost/", {
        schedule: Schedule.spaced("1 second"),
        connect: () =>
          Effect.map(Socket.makePair({ keepAlive: false }), ([client, server]) => {
            servers.push(server)
            return client
          })
      })
      const seen: Array<Socket.Message> = []
      const running = yield* start(Socket.run(link, (message) => Effect.sync(() => void seen.push(message))))
      yield* link.current
      yield* servers[0]?.send("1") ?? Effect.void
      yield* link.reconnect
      yield* link.current
      yield* servers[1]?.send("2") ?? Effect.void
      yield* start(servers[1]?.close() ?? Effect.void)
      yield* Fiber.join(running)
      assert.deepStrictEqual(seen, ["1", "2"])
    })
  )
})

describe("a typed socket", () => {
  it.effect("has a schema for each direction, and everything that its socket has", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair({ protocols: ["calls"] })
      const calls = Socket.withSchema(client, { incoming: Answer, outgoing: Command })
      const commands = Socket.withSchema(server, { incoming: Command, outgoing: Answer })
      let total = 0
      yield* start(
        Socket.run(commands, (command) => {
          total = command._tag === "Add" ? total + command.by : 0
          return commands.send({ total })
        })
      )
      yield* calls.sendAll([
        { _tag: "Add", by: 2 },
        { _tag: "Add", by: 3 }
      ])
      assert.deepStrictEqual([yield* calls.receive, yield* calls.receive], [{ total: 2 }, { total: 5 }])
      // @ts-expect-error the other direction's values
      assert.isTrue(Exit.isFailure(yield* Effect.exit(calls.send({ total: 1 }))))

      assert.strictEqual(calls.protocol, "calls")
      assert.strictEqual(calls.draft, client.draft)
      assert.strictEqual(calls.extensions, client.extensions)
      assert.strictEqual(calls.request, client.request)
      assert.strictEqual(commands.context, server.context)
      yield* calls.ping()
      yield* client.sendStream(Stream.make('{"_tag":"Add",', '"by":4}'))
      assert.deepStrictEqual(yield* calls.receive, { total: 9 })
      const closed = yield* start(calls.closed)
      yield* start(commands.close(4000, "done"))
      assert.deepStrictEqual((yield* Fiber.join(closed)).received, { code: 4000, reason: "done" })
      assert.strictEqual((yield* Effect.flip(calls.receive))._tag, "WebSocketError")
    })
  )

  it.effect("receive ends with Done, and interruption takes nothing", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      const slow = Schema.Struct({ n: Schema.Int })
      const typed = Socket.withSchema(server, slow)
      yield* Fiber.interrupt(yield* start(typed.receive))
      yield* client.sendAll(['{"n":1}', '{"n":2}'])
      assert.deepStrictEqual(yield* typed.receive, { n: 1 })
      yield* start(client.close())
      assert.deepStrictEqual(yield* typed.receive, { n: 2 })
      assert.isTrue(Cause.isDone(yield* Effect.flip(typed.receive)))
    })
  )

  it.effect("of a connection that reconnects, reconnects", () =>
    Effect.gen(function* () {
      const servers: Array<Socket.Socket> = []
      const link = yield* Socket.reconnecting("ws://localhost/", {
        connect: () => Effect.map(Socket.makePair(), ([client, server]) => (servers.push(server), client))
      })
      const typed = Socket.withSchema(link, { incoming: Answer, outgoing: Command })
      yield* typed.send({ _tag: "Reset" })
      yield* typed.reconnect
      yield* typed.send({ _tag: "Reset" })
      assert.strictEqual(yield* servers[1]?.receive ?? Effect.succeed(""), '{"_tag":"Reset"}')
      yield* typed.close()
      yield* typed.ended
    })
  )
})

describe("Socket.sink and Socket.channel", () => {
  it.effect("send what they take, typed or not, and leave the connection open", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      const totals = Socket.withSchema(client, Answer)
      yield* Stream.run(Stream.make({ total: 1 }, { total: 2 }), Socket.sink(totals))
      yield* Stream.run(Stream.make("3", Frame.text("4")), Socket.sink(client))
      const received = yield* Effect.replicateEffect(server.receive, 4)
      assert.deepStrictEqual(received, ['{"total":1}', '{"total":2}', "3", "4"])
      yield* client.send("open")
    })
  )

  it.effect("a channel sends its input while its output is read", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      yield* start(Socket.run(server, (message) => server.send(`re: ${String(message)}`)))
      const echoes = Stream.make("a", "b", "c").pipe(Stream.pipeThroughChannel(Socket.channel(client)))
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(echoes, 3)), ["re: a", "re: b", "re: c"])
    })
  )

  it.effect("a channel fails with its input, and with the connection", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      const failing = Stream.concat(Stream.make("a"), Stream.fail("broken" as const))
      const through = Stream.pipeThroughChannelOrFail(failing, Socket.channel(client))
      assert.strictEqual(yield* Effect.flip(Stream.runDrain(through)), "broken")
      assert.strictEqual(yield* server.receive, "a")
      const idle = yield* start(Stream.runDrain(Stream.pipeThroughChannel(Stream.empty, Socket.channel(client))))
      yield* start(server.close(4000))
      const error = yield* Effect.flip(Fiber.join(idle))
      assert.strictEqual(error.closeCode, 4000)
    })
  )
})
