import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { Frame, Handshake, Socket } from "effect-ws"

const collect = (socket: Socket.Socket, count: number) => Stream.runCollect(Stream.take(socket.messages, count))

const pairs = (options: ReadonlyArray<Socket.PairOptions>) => Effect.forEach(options, Socket.makePair)

const takeover = { serverNoContextTakeover: false, clientNoContextTakeover: false, threshold: 0 }

/** Connections that have as little in common as they can. */
const kinds: ReadonlyArray<Socket.PairOptions> = [
  {},
  {},
  { draft: Handshake.hybi07 },
  { draft: Handshake.hixie76 },
  { compression: { threshold: 0 } },
  { compression: { threshold: 0 } },
  { compression: takeover }
]

describe("broadcast", () => {
  it.effect("brings the messages to every socket, of either side, in order", () =>
    Effect.gen(function* () {
      const all = yield* pairs(kinds)
      const messages = ["one", "käse ".repeat(100), "three"]
      for (const [from, to] of [
        [1, 0],
        [0, 1]
      ] as const) {
        const senders = all.map((pair) => pair[from])
        assert.strictEqual(yield* Socket.broadcast(senders, messages), kinds.length)
        assert.strictEqual(yield* Socket.broadcast(senders, "last"), kinds.length)
        for (const pair of all) assert.deepStrictEqual(yield* collect(pair[to], 4), [...messages, "last"])
      }
    })
  )

  it.effect("leaves out those whose draft can't say it, and those that are closed", () =>
    Effect.gen(function* () {
      const all = yield* pairs(kinds)
      const [first, second] = all
      yield* first?.[1].close() ?? Effect.void
      const sent = yield* Socket.broadcast(
        all.map(([, server]) => server),
        new Uint8Array([1, 2])
      )
      assert.strictEqual(sent, kinds.length - 2)
      if (second !== undefined) assert.deepStrictEqual(yield* collect(second[0], 1), [Buffer.from([1, 2])])
    })
  )

  it.effect("waits its turn behind a message in fragments", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      yield* server.send(Frame.text("fir", { fin: false }))
      const sending = yield* Effect.forkChild(Socket.broadcast([server], "second"), { startImmediately: true })
      yield* server.send(Frame.continuation("st"))
      yield* Fiber.join(sending)
      assert.deepStrictEqual(yield* collect(client, 2), ["first", "second"])
    })
  )

  for (const [slow, closed] of [
    ["drop", false],
    ["close", true]
  ] as const) {
    it.effect(`with the policy ${slow} is not held up by a peer that doesn't read`, () =>
      Effect.gen(function* () {
        const quick = yield* Socket.makePair()
        const deaf = yield* Socket.makePair({ client: { readBufferSize: 1 } })
        const servers = [quick[1], deaf[1]]
        const reading = yield* Effect.forkChild(collect(quick[0], 20))
        for (let i = 0; i < 20; i++) {
          yield* Socket.broadcast(servers, new Uint8Array(32 * 1024), { slow })
          yield* quick[1].ping()
        }
        assert.strictEqual((yield* Fiber.join(reading)).length, 20)
        assert.strictEqual(yield* Socket.broadcast(servers, "end", { slow }), 1)
        if (closed) {
          yield* Effect.forkChild(Effect.ignore(Stream.runDrain(deaf[0].messages)))
          assert.strictEqual((yield* deaf[0].closed).received?.code, 1013)
        }
      })
    )
  }

  it.effect("with the policy wait is done when there is room again", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair({ client: { readBufferSize: 1 } })
      const sending = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 10 }), () => Socket.broadcast([server], new Uint8Array(32 * 1024))),
        { startImmediately: true }
      )
      for (let i = 0; i < 100; i++) yield* Effect.yieldNow
      assert.isUndefined(sending.pollUnsafe())
      assert.strictEqual((yield* collect(client, 10)).length, 10)
      assert.deepStrictEqual(
        yield* Fiber.join(sending),
        Array.from({ length: 10 }, () => 1)
      )
    })
  )
})
