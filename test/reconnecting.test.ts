import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Data, Effect, Exit, Fiber, Schedule, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Frame, Handshake, Server, Socket } from "effect-ws"
import * as http from "node:http"
import type { Duplex } from "node:stream"

const refused = new Socket.SocketError({ reason: { _tag: "OpenFailed", message: "refused", cause: undefined } })

/** The failure of a handshake that the server answered with this. */
const answered = (status: number, headers: Handshake.HeaderFields = {}) =>
  Effect.gen(function* () {
    const request = yield* Handshake.request("ws://localhost/")
    const error = yield* Effect.flip(Handshake.verify(request, { status, headers, body: undefined }))
    return new Socket.SocketError({ reason: { _tag: "HandshakeFailed", message: error.message, error } })
  }).pipe(Effect.orDie)

const closedWith = (closeCode: number) =>
  new Socket.SocketError({
    reason: { _tag: "ConnectionClosed", message: "closed", closeCode, closeReason: "", closed: undefined }
  })

/** A connector in memory: the servers' ends of its connections, the times of its attempts, and failures to come. */
const connector = (...failures: ReadonlyArray<Socket.SocketError | undefined>) => {
  const plan = [...failures]
  const servers: Array<Socket.Socket> = []
  const attempts: Array<number> = []
  const connect = Effect.fnUntraced(function* () {
    attempts.push(yield* Clock.currentTimeMillis)
    const failure = plan.shift()
    if (failure !== undefined) return yield* Effect.fail(failure)
    const [client, server] = yield* Socket.makePair({ keepAlive: false })
    servers.push(server)
    return client
  })
  return { attempts, connect, plan, servers }
}

const open = <R = never>(options: Socket.ReconnectingOptions<R>) =>
  Socket.reconnecting("ws://localhost/", { schedule: Schedule.spaced("1 second"), ...options })

/** Runs an effect in a fiber, up to where it waits. */
const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

const collect = (link: Socket.Reconnecting) =>
  Effect.gen(function* () {
    const messages: Array<Socket.Message> = []
    const fiber = yield* start(Stream.runForEach(link.messages, (message) => Effect.sync(() => messages.push(message))))
    return { messages, fiber }
  })

/** Lets every fiber run that can. */
const settle = TestClock.adjust(0)

const last = (servers: ReadonlyArray<Socket.Socket>) => {
  const server = servers.at(-1)
  assert.isDefined(server)
  return server as Socket.Socket
}

const tagOf = <A>(effect: Effect.Effect<A, Socket.SocketError>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason._tag)

const statuses = (all: ReadonlyArray<number>) =>
  Effect.runPromise(Effect.forEach(all, (status) => Effect.map(answered(status), Socket.isTransient)))

/** An echo server; answers its port. */
const serve = (port: number) =>
  Effect.gen(function* () {
    const server = yield* Server.make({ host: "127.0.0.1", port })
    yield* Effect.forkScoped(
      server.run((socket) => Stream.runForEach(socket.messages, socket.send)),
      { startImmediately: true }
    )
    return server.address.port
  })

describe("Socket.reconnecting", () => {
  it.effect("gives one stream of messages over many connections", () =>
    Effect.gen(function* () {
      const { attempts, connect, servers } = connector()
      const link = yield* open({ connect })
      const { messages } = yield* collect(link)
      for (const round of [1, 2, 3]) {
        yield* last(servers).sendAll([`a${round}`, `b${round}`])
        yield* start(last(servers).close(1001))
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(messages, ["a1", "b1", "a2", "b2", "a3", "b3"])
      assert.deepStrictEqual(attempts, [0, 1000, 2000, 3000])
    })
  )

  it.effect("sends what was sent while it was down on the next connection", () =>
    Effect.gen(function* () {
      const { connect, servers } = connector(refused)
      const link = yield* open({ connect })
      const sending = yield* start(Effect.andThen(link.send("one"), link.sendAll(["two", "three"])))
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(sending.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(sending)
      const first = last(servers)
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(first.messages, 3)), ["one", "two", "three"])
      yield* first.send(Frame.close(1012))
      yield* settle
      const late = yield* start(link.send("four"))
      assert.isUndefined(late.pollUnsafe())
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(late)
      assert.notStrictEqual(last(servers), first)
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(last(servers).messages, 1)), ["four"])
    })
  )

  it.effect("reads what a lost connection had brought before the next one's", () =>
    Effect.gen(function* () {
      const { connect, servers } = connector()
      const link = yield* open({ connect })
      for (const round of [1, 2, 3]) {
        yield* last(servers).send(`unread ${round}`)
        yield* start(last(servers).close(1001))
        yield* TestClock.adjust("1 second")
      }
      yield* last(servers).send("now")
      const { messages } = yield* collect(link)
      yield* settle
      assert.deepStrictEqual(messages, ["unread 1", "unread 2", "unread 3", "now"])
    })
  )

  it.effect("keeps 16 connections that nobody read", () =>
    Effect.gen(function* () {
      const { connect, servers } = connector()
      const link = yield* open({ connect })
      for (let round = 1; round <= 18; round++) {
        yield* last(servers).send(round.toString())
        if (round === 18) break
        yield* start(last(servers).close(1001))
        yield* TestClock.adjust("1 second")
      }
      const { messages } = yield* collect(link)
      yield* settle
      assert.deepStrictEqual(
        messages,
        Array.from({ length: 16 }, (_, at) => (at + 3).toString())
      )
    })
  )

  it.effect("goes on reading where an earlier reader stopped, and has one reader", () =>
    Effect.gen(function* () {
      const { connect, servers } = connector()
      const link = yield* open({ connect })
      yield* last(servers).send("one")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(link.messages, 1)), ["one"])
      yield* last(servers).send("two")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(link.messages, 1)), ["two"])
      yield* collect(link)
      assert.strictEqual(yield* tagOf(Stream.runDrain(link.messages)), "AlreadyReading")
    })
  )

  describe("tries again", () => {
    it.effect("as the schedule says, and from its start after a connection that lasted", () =>
      Effect.gen(function* () {
        const { attempts, connect, plan, servers } = connector(refused, refused, refused)
        yield* open({ connect, schedule: Schedule.exponential("1 second"), stableAfter: "5 seconds" })
        yield* TestClock.adjust("7 seconds")
        assert.deepStrictEqual(attempts, [0, 1000, 3000, 7000])
        // Too short to start anew.
        yield* TestClock.adjust("4999 millis")
        yield* start(last(servers).close(1001))
        yield* TestClock.adjust("8 seconds")
        assert.strictEqual(attempts.at(-1), 7000 + 4999 + 8000)
        // Long enough.
        plan.push(undefined, refused)
        yield* TestClock.adjust("5 seconds")
        yield* start(last(servers).close(1001))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(attempts.at(-1), 19_999 + 5000 + 1000)
      })
    )

    it.effect("by default after 1, 2, 4, … 30 seconds, each varied by half", () =>
      Effect.gen(function* () {
        const { attempts, connect } = connector(...Array.from({ length: 12 }, () => refused))
        yield* Socket.reconnecting("ws://localhost/", { connect })
        yield* TestClock.adjust("10 minutes")
        const waits = attempts.slice(1).map((time, at) => (time - (attempts[at] ?? 0)) / 1000)
        assert.strictEqual(waits.length, 12)
        for (const [at, wait] of waits.entries()) {
          const middle = Math.min(2 ** at, 30)
          assert.isAtLeast(wait, middle * 0.5 - 0.001)
          assert.isAtMost(wait, middle * 1.5 + 0.001)
        }
        const factors = waits.map((wait, at) => wait / Math.min(2 ** at, 30))
        assert.isAbove(Math.max(...factors) - Math.min(...factors), 0.05, "they differ")
      })
    )

    it.effect("not before the server's Retry-After, of at most 5 minutes", () =>
      Effect.gen(function* () {
        const cases = [
          [{ "retry-after": "20" }, 20_000],
          [{ "retry-after": new Date(30_000).toUTCString() }, 30_000],
          [{ "retry-after": "86400" }, 300_000],
          [{ "retry-after": "soon" }, 1000],
          [{ "retry-after": "0" }, 1000],
          [{}, 1000]
        ] as const
        for (const [headers, expected] of cases) {
          yield* TestClock.setTime(0)
          const { attempts, connect } = connector(yield* answered(503, headers))
          yield* Effect.scoped(
            Effect.gen(function* () {
              yield* open({ connect })
              yield* TestClock.adjust("10 minutes")
            })
          )
          assert.deepStrictEqual(attempts, [0, expected])
        }
      })
    )

    it.effect("until the schedule ends", () =>
      Effect.gen(function* () {
        const { attempts, connect } = connector(refused, refused, refused, refused)
        const link = yield* open({ connect, schedule: Schedule.upTo(Schedule.spaced("1 second"), { times: 2 }) })
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(attempts, [0, 1000, 2000])
        assert.strictEqual(yield* Effect.flip(link.ended), refused)
      })
    )

    it("after what may go better the next time, and after nothing else", async () => {
      const yes = [408, 425, 429, 500, 502, 503, 504]
      const no = [200, 301, 400, 401, 403, 404, 405, 410, 426, 431, 501]
      assert.deepStrictEqual(
        await statuses(yes),
        yes.map(() => true)
      )
      assert.deepStrictEqual(
        await statuses(no),
        no.map(() => false)
      )
      for (const code of [1001, 1005, 1006, 1011, 1012, 1013, 1014]) assert.isTrue(Socket.isTransient(closedWith(code)))
      for (const code of [1000, 1002, 1003, 1007, 1008, 1009, 1010, 1015, 3000, 4000]) {
        assert.isFalse(Socket.isTransient(closedWith(code)), String(code))
      }
      const timeout = { _tag: "OpenTimeout", message: "late", limit: 1 } as const
      assert.isTrue(Socket.isTransient(refused))
      assert.isTrue(Socket.isTransient(new Socket.SocketError({ reason: timeout })))
      const verified = Handshake.request("ftp://localhost/").pipe(Effect.flip)
      const error = await Effect.runPromise(verified)
      const wrongUrl = { _tag: "HandshakeFailed", message: "wrong", error } as const
      assert.isFalse(Socket.isTransient(new Socket.SocketError({ reason: wrongUrl })))
    })

    it.live("after a connection that was lost without a close frame", () =>
      Effect.gen(function* () {
        const server = http.createServer()
        const transports: Array<Duplex> = []
        server.on("connection", (socket) => transports.push(socket))
        const accepted = yield* Server.attach(server, {})
        yield* Effect.forkScoped(accepted.run((socket) => Stream.runForEach(socket.messages, socket.send)))
        yield* Effect.acquireRelease(
          Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
          () => Effect.sync(() => server.close())
        )
        const address = server.address()
        const port = typeof address === "object" ? address?.port : undefined
        const codes: Array<number | undefined> = []
        const link = yield* Socket.reconnecting(`ws://127.0.0.1:${port}/`, {
          schedule: Schedule.spaced("10 millis"),
          onDisconnect: ({ closeCode }) => Effect.sync(() => codes.push(closeCode))
        })
        for (const message of ["one", "two"]) {
          yield* link.send(message)
          assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(link.messages, 1)), [message])
          const socket = yield* link.current
          transports.at(-1)?.destroy()
          yield* socket.closed
        }
        yield* link.current
        assert.deepStrictEqual(codes, [1006, 1006])
      })
    )
  })

  describe("ends for good", () => {
    it.effect("with what isn't tried again", () =>
      Effect.gen(function* () {
        const unauthorized = yield* answered(401)
        const { attempts, connect } = connector(unauthorized)
        const link = yield* open({ connect })
        const { fiber } = yield* collect(link)
        const waiting = yield* start(Effect.flip(link.send("never")))
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(attempts, [0])
        assert.strictEqual(yield* Effect.flip(Fiber.join(fiber)), unauthorized)
        assert.strictEqual(yield* Fiber.join(waiting), unauthorized)
        assert.strictEqual(yield* Effect.flip(link.current), unauthorized)
        assert.strictEqual(yield* Effect.flip(link.ended), unauthorized)
      })
    )

    it.effect("with a close code that isn't tried again, after what came before it", () =>
      Effect.gen(function* () {
        for (const code of [1002, 1008, 4001]) {
          const { attempts, connect, servers } = connector()
          const link = yield* open({ connect })
          const { fiber, messages } = yield* collect(link)
          yield* last(servers).send("last words")
          yield* start(last(servers).close(code, "no"))
          yield* TestClock.adjust("1 minute")
          assert.strictEqual((yield* Effect.flip(Fiber.join(fiber))).closeCode, code)
          assert.deepStrictEqual(messages, ["last words"])
          assert.strictEqual(attempts.length, 1)
        }
      })
    )

    it.effect("when the peer breaks the protocol", () =>
      Effect.gen(function* () {
        const servers: Array<Socket.Socket> = []
        const link = yield* open({
          connect: () =>
            Effect.map(Socket.makePair({ client: { maxMessageSize: 1 } }), ([client, server]) => {
              servers.push(server)
              return client
            })
        })
        yield* last(servers).send("too long")
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* tagOf(link.ended), "ProtocolViolation")
        assert.strictEqual(servers.length, 1)
      })
    )

    it.effect("when the peer closes normally", () =>
      Effect.gen(function* () {
        const { attempts, connect, servers } = connector()
        const link = yield* open({ connect })
        const { fiber, messages } = yield* collect(link)
        yield* last(servers).send("bye")
        yield* start(last(servers).close(1000))
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(fiber)
        yield* link.ended
        assert.deepStrictEqual(messages, ["bye"])
        assert.strictEqual(attempts.length, 1)
        assert.strictEqual((yield* Effect.flip(link.send("late"))).closeCode, 1000)
      })
    )

    it.effect("as the caller's own rule says", () =>
      Effect.gen(function* () {
        const { attempts, connect, servers } = connector()
        const link = yield* open({ connect, retry: ({ closeCode }) => closeCode === 4000 })
        yield* start(last(servers).close(4000))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(attempts.length, 2)
        yield* start(last(servers).close(1001))
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(attempts.length, 2)
        assert.strictEqual((yield* Effect.flip(link.ended)).closeCode, 1001)
      })
    )

    it.effect("when it is closed: up, down, or connecting", () =>
      Effect.gen(function* () {
        const up = connector()
        const first = yield* open({ connect: up.connect })
        const { fiber } = yield* collect(first)
        yield* first.close(4000, "done")
        const { received } = yield* last(up.servers).closed
        assert.deepStrictEqual(received, { code: 4000, reason: "done" })
        yield* Fiber.join(fiber)
        yield* first.ended

        const down = connector(refused)
        const second = yield* open({ connect: down.connect })
        const waiting = yield* start(tagOf(second.send("never")))
        yield* second.close()
        assert.strictEqual(yield* Fiber.join(waiting), "ConnectionClosed")
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(down.attempts.length, 1)
        assert.deepStrictEqual(yield* Stream.runCollect(second.messages), [])

        const third = yield* open({ connect: () => Effect.never })
        const reading = yield* collect(third)
        yield* third.close()
        yield* Fiber.join(reading.fiber)
        assert.strictEqual(up.attempts.length, 1)
      })
    )

    it.effect("but not by a close that can't be sent", () =>
      Effect.gen(function* () {
        const { attempts, connect, servers } = connector()
        const link = yield* open({ connect })
        assert.strictEqual(yield* tagOf(link.close(1005)), "InvalidSend")
        yield* start(last(servers).close(1001))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(attempts.length, 2)
      })
    )

    it.effect("when the scope ends, with the code for how it ended", () =>
      Effect.gen(function* () {
        const exits = [
          [Exit.void, 1000],
          [Exit.interrupt(), 1001],
          [Exit.fail("oh"), 1011]
        ] as const
        for (const [exit, code] of exits) {
          const { connect, servers } = connector()
          const scope = yield* Scope.make()
          const link = yield* Scope.provide(open({ connect }), scope)
          yield* Scope.close(scope, exit)
          const { received } = yield* last(servers).closed
          assert.strictEqual(received?.code, code)
          assert.strictEqual(yield* tagOf(link.send("late")), "ConnectionClosed")
        }
      })
    )

    it.effect("with the defect of what the caller gave it", () =>
      Effect.gen(function* () {
        const { connect } = connector(refused)
        const link = yield* open({
          connect,
          retry: () => {
            throw new Error("a bug")
          }
        })
        const exit = yield* Effect.exit(link.send("never"))
        assert.include(String(Exit.isFailure(exit) ? exit.cause : ""), "a bug")
        assert.isTrue(Exit.isFailure(yield* Effect.exit(Stream.runDrain(link.messages))))
      })
    )
  })

  describe("hooks", () => {
    it.effect("onConnect speaks first on every connection, and may read the answer", () =>
      Effect.gen(function* () {
        const { connect, servers } = connector()
        const answers: Array<Socket.Message> = []
        const link = yield* open({
          connect,
          onConnect: (socket) =>
            Effect.gen(function* () {
              yield* socket.send("subscribe")
              answers.push(...(yield* Stream.runCollect(Stream.take(socket.messages, 1))))
            })
        })
        const { messages } = yield* collect(link)
        for (const round of [1, 2]) {
          const sending = yield* start(link.send(`hello ${round}`))
          yield* settle
          assert.isUndefined(sending.pollUnsafe(), "not before the hook is done")
          const server = last(servers)
          yield* server.send(`subscribed ${round}`)
          yield* Fiber.join(sending)
          yield* server.send(`news ${round}`)
          assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(server.messages, 2)), [
            "subscribe",
            `hello ${round}`
          ])
          yield* start(server.close(1001))
          yield* TestClock.adjust("1 second")
        }
        assert.deepStrictEqual(answers, ["subscribed 1", "subscribed 2"])
        assert.deepStrictEqual(messages, ["news 1", "news 2"])
      })
    )

    it.effect("onConnect fails the connection, and ends with it", () =>
      Effect.gen(function* () {
        const { attempts, connect, servers } = connector()
        let round = 0
        const link = yield* open({
          connect,
          onConnect: () => {
            round++
            return round === 1 ? Effect.fail(refused) : round === 2 ? Effect.never : Effect.void
          }
        })
        const current = yield* start(link.current)
        assert.strictEqual((yield* last(servers).closed).received?.code, 1011)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(attempts.length, 2)
        yield* start(last(servers).close(1001))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(attempts.length, 3)
        assert.strictEqual((yield* Fiber.join(current)).draft.id, Handshake.rfc6455.id)
      })
    )

    it.effect("onDisconnect hears every reason", () =>
      Effect.gen(function* () {
        const { connect, servers } = connector(refused)
        const reasons: Array<string> = []
        yield* open({
          connect,
          onDisconnect: ({ reason }) => Effect.sync(() => reasons.push(reason._tag))
        })
        yield* TestClock.adjust("1 second")
        yield* start(last(servers).close(1012))
        yield* settle
        assert.deepStrictEqual(reasons, ["OpenFailed", "ConnectionClosed"])
      })
    )
  })

  describe("reconnect", () => {
    it.effect("drops the connection and connects again at once, whatever the close code", () =>
      Effect.gen(function* () {
        const { attempts, connect, servers } = connector()
        const link = yield* open({ connect, schedule: Schedule.recurs(0) })
        const { fiber, messages } = yield* collect(link)
        for (const round of [1, 2, 3]) {
          const server = last(servers)
          yield* server.send(`connection ${round}`)
          yield* start(Stream.runDrain(server.messages))
          yield* link.reconnect
          yield* settle
          assert.deepStrictEqual((yield* server.closed).received, { code: 1000, reason: "" })
        }
        yield* last(servers).send("connection 4")
        yield* settle
        assert.deepStrictEqual(messages, ["connection 1", "connection 2", "connection 3", "connection 4"])
        assert.deepStrictEqual(attempts, [0, 0, 0, 0])
        assert.isUndefined(fiber.pollUnsafe())
      })
    )

    it.effect("leaves `current` and `send` to the next connection", () =>
      Effect.gen(function* () {
        const { connect, servers } = connector()
        const link = yield* open({ connect })
        const before = yield* link.current
        yield* link.reconnect
        const sending = yield* start(link.send("new"))
        assert.notStrictEqual(yield* link.current, before)
        yield* Fiber.join(sending)
        assert.deepStrictEqual(yield* last(servers).receive, "new")
        assert.strictEqual(servers.length, 2)
      })
    )

    it.effect("gives a peer that doesn't answer one second, and reads what it sent before", () =>
      Effect.gen(function* () {
        const { connect, servers } = connector()
        const link = yield* open({ connect })
        const { messages } = yield* collect(link)
        const first = last(servers)
        yield* first.send("1")
        // Fragments hold the queue of the server, so that its close frame can't be sent.
        yield* first.send(Frame.text("unfinished", { fin: false }))
        yield* link.reconnect
        yield* settle
        yield* last(servers).send("2")
        yield* TestClock.adjust("999 millis")
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(messages, ["1", "2"])
      })
    )

    it.effect("ends a delay, leaves an attempt alone, and does nothing after the end", () =>
      Effect.gen(function* () {
        const { attempts, connect } = connector(refused)
        const link = yield* open({ connect, schedule: Schedule.spaced("1 hour") })
        yield* TestClock.adjust("1 minute")
        yield* link.reconnect
        yield* link.current
        assert.deepStrictEqual(attempts, [0, 60_000])
        yield* link.close()
        yield* link.reconnect
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(attempts.length, 2)

        let tries = 0
        const trying = yield* open({
          connect: () => {
            tries++
            return Effect.never
          }
        })
        yield* trying.reconnect
        yield* settle
        assert.strictEqual(tries, 1)
      })
    )

    it.effect("works from `onConnect` and from the reader", () =>
      Effect.gen(function* () {
        const { connect, servers } = connector()
        let rounds = 0
        const link = yield* open({
          connect,
          onConnect: (socket) => (++rounds === 1 ? Effect.never : socket.send(`login ${rounds}`))
        })
        yield* link.reconnect
        yield* link.current
        assert.strictEqual(yield* last(servers).receive, "login 2")
        yield* start(
          Stream.runForEach(link.messages, (message) => (message === "stale" ? link.reconnect : Effect.void))
        )
        yield* last(servers).send("stale")
        yield* settle
        assert.strictEqual(yield* last(servers).receive, "login 3")
      })
    )
  })

  describe("idleTimeout", () => {
    it.effect("connects again when no message came for that long", () =>
      Effect.gen(function* () {
        const { attempts, connect, servers } = connector()
        const reasons: Array<Socket.SocketErrorReason["_tag"]> = []
        const link = yield* open({
          connect,
          idleTimeout: "5 seconds",
          onDisconnect: (error) => Effect.sync(() => reasons.push(error.reason._tag))
        })
        const { messages } = yield* collect(link)
        yield* TestClock.adjust("3 seconds")
        yield* last(servers).send("one")
        yield* TestClock.adjust("4999 millis")
        assert.deepStrictEqual(attempts, [0])
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(reasons, ["IdleTimeout"])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(attempts, [0, 9000])
        yield* last(servers).send("two")
        yield* settle
        assert.deepStrictEqual(messages, ["one", "two"])
      })
    )

    it.effect("doesn't count pings, nor the time in which the reader is behind", () =>
      Effect.gen(function* () {
        const { attempts, connect, servers } = connector()
        const link = yield* open({ connect, idleTimeout: "5 seconds" })
        yield* last(servers).send("x".repeat(100_000))
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(attempts, [0], "the buffer is full")
        yield* link.receive
        for (let second = 0; second < 4; second++) {
          yield* TestClock.adjust("1 second")
          yield* last(servers).ping()
        }
        assert.strictEqual(attempts.length, 1)
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(attempts.length, 2)
      })
    )

    it.effect("covers onConnect, and must be a duration above 0", () =>
      Effect.gen(function* () {
        const { attempts, connect } = connector()
        yield* open({ connect, idleTimeout: "5 seconds", onConnect: () => Effect.never })
        yield* TestClock.adjust("6 seconds")
        assert.deepStrictEqual(attempts, [0, 6000])
        for (const idleTimeout of [0, Number.NaN, -1, "25 days"] as const) {
          const link = yield* open({ connect, idleTimeout })
          const { reason } = yield* Effect.flip(link.ended)
          assert.strictEqual(reason._tag === "InvalidOptions" ? reason.option : reason._tag, "idleTimeout")
        }
      })
    )
  })

  describe("effects in place of values", () => {
    class LoginError extends Data.TaggedError("LoginError") {}
    class TokenError extends Data.TaggedError("TokenError")<{ readonly round: number }> {}

    it.effect("gives each attempt a URL and header fields of its own", () =>
      Effect.gen(function* () {
        const { connect, servers } = connector()
        const seen: Array<unknown> = []
        let round = 0
        const link = yield* Socket.reconnecting(
          Effect.sync(() => new URL(`ws://server-${++round}/`)),
          {
            headers: Effect.sync(() => ({ authorization: `Bearer ${round}` })),
            connect: (url, { headers }) => {
              seen.push([url, headers])
              return connect()
            }
          }
        )
        yield* link.reconnect
        yield* link.current
        assert.deepStrictEqual(seen, [
          ["ws://server-1/", { authorization: "Bearer 1" }],
          ["ws://server-2/", { authorization: "Bearer 2" }]
        ])
        assert.strictEqual(servers.length, 2)
      })
    )

    it.live("sends them to a real server", () =>
      Effect.gen(function* () {
        const tokens: Array<unknown> = []
        const server = yield* Server.make({
          host: "127.0.0.1",
          port: 0,
          authorize: ({ headers }) => Effect.sync(() => void tokens.push(headers["authorization"]))
        })
        yield* Effect.forkScoped(server.run((socket) => Socket.discard(socket)))
        let round = 0
        const link = yield* Socket.reconnecting(Effect.succeed(`ws://127.0.0.1:${server.address.port}/`), {
          headers: Effect.sync(() => ({ authorization: `Bearer ${++round}` }))
        })
        yield* link.current
        yield* link.reconnect
        yield* link.current
        assert.deepStrictEqual(tokens, ["Bearer 1", "Bearer 2"])
      })
    )

    it.effect("ends with their errors, each of its type, unless `retry` allows another attempt", () =>
      Effect.gen(function* () {
        const { connect } = connector()
        let round = 0
        const token = Effect.suspend(() => Effect.fail(new TokenError({ round: ++round })))
        const link = yield* Socket.reconnecting("ws://localhost/", { connect, headers: token })
        const error: Socket.SocketError | TokenError = yield* Effect.flip(link.ended)
        assert.deepStrictEqual(error, new TokenError({ round: 1 }))
        assert.strictEqual(yield* Effect.flip(link.send("never")), error)
        assert.strictEqual(yield* Effect.flip(Stream.runDrain(link.messages)), error)
        assert.strictEqual(yield* Effect.flip(link.receive), error)

        const patient = yield* Socket.reconnecting(
          Effect.suspend(() =>
            ++round < 4 ? Effect.fail(new TokenError({ round })) : Effect.succeed("ws://localhost/")
          ),
          {
            connect,
            schedule: Schedule.spaced("1 second"),
            retry: (error) => error._tag === "TokenError" || Socket.isTransient(error),
            onConnect: () => Effect.fail(new LoginError())
          }
        ).pipe(Effect.forkChild, Effect.flatMap(Fiber.join))
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual((yield* Effect.flip(patient.ended))._tag, "LoginError")
      })
    )
  })

  describe("receive", () => {
    it.effect("takes exactly one message, over many connections", () =>
      Effect.gen(function* () {
        const { connect, servers } = connector()
        const link = yield* open({ connect })
        yield* last(servers).sendAll(["1", "2"])
        assert.strictEqual(yield* link.receive, "1")
        yield* start(last(servers).close(1001))
        assert.strictEqual(yield* link.receive, "2")
        const third = yield* start(link.receive)
        yield* TestClock.adjust("1 second")
        yield* last(servers).sendAll(["3", "4"])
        assert.strictEqual(yield* Fiber.join(third), "3")
        yield* Fiber.interrupt(yield* start(Effect.andThen(link.receive, link.receive)))
        yield* last(servers).send("5")
        assert.strictEqual(yield* link.receive, "5")
        yield* start(last(servers).close(1000))
        assert.isTrue(Cause.isDone(yield* Effect.flip(link.receive)))
      })
    )
  })

  it.effect("carries values of a schema, and a message that isn't one ends it", () =>
    Effect.gen(function* () {
      const { attempts, connect, servers } = connector()
      const link = yield* open({ connect })
      const typed = Socket.withSchema(link, Schema.Struct({ n: Schema.Int }))
      yield* typed.send({ n: 1 })
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(last(servers).messages, 1)), ['{"n":1}'])
      yield* last(servers).send("{")
      const error = yield* Effect.flip(Stream.runDrain(typed.messages))
      assert.strictEqual(error._tag, "MessageError")
      yield* start(Stream.runDrain(last(servers).messages))
      assert.strictEqual((yield* last(servers).closed).received?.code, 1007)
      yield* TestClock.adjust("1 minute")
      yield* link.ended
      assert.strictEqual(attempts.length, 1)
    })
  )

  it.live("comes back to a server that was restarted", () =>
    Effect.gen(function* () {
      const first = yield* Scope.make()
      const port = yield* Scope.provide(serve(0), first)
      const link = yield* Socket.reconnecting(`ws://127.0.0.1:${port}/`, { schedule: Schedule.spaced("20 millis") })
      yield* link.send("before")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(link.messages, 1)), ["before"])
      yield* Scope.close(first, Exit.void)
      const sending = yield* start(link.send("after"))
      yield* serve(port)
      yield* Fiber.join(sending)
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(link.messages, 1)), ["after"])
    })
  )
})
