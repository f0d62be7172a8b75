// What `send` reported as sent before a clean close arrives, in order, once. The whole of it, with 10 000 connections, is
// `npm run nothing-lost`.
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, type Scope, Stream } from "effect"
import { Server, Socket } from "effect-ws"
import { isWhole, judgeAll, Receiver, Sender, type Verdict } from "./nothing-lost/ledger.ts"
import { messageOf, readMessage } from "./nothing-lost/messages.ts"
import type { Plant, ServerName } from "./nothing-lost/protocol.ts"
import { type Outcome, run } from "./nothing-lost/run.ts"

/** Milliseconds: only a drain that hangs takes as long. */
const deadline = 300_000

const runSmall = (server: ServerName, connections: number, restarts: number, plant?: Plant): Effect.Effect<Outcome> =>
  Effect.promise(() =>
    run({
      server,
      connections,
      restarts,
      talk: 300,
      exchange: 3 * connections,
      rate: 3000,
      largeMessages: 100,
      deadline,
      plant
    })
  )

describe.concurrent("processes that drain and start again", () => {
  for (const server of ["effect", "face"] as const) {
    it.live(`${server}: 200 connections, of five kinds of clients`, () =>
      Effect.gen(function* () {
        const outcome = yield* runSmall(server, 200, 1)
        assert.deepStrictEqual(outcome.faults, [])
        assert.deepStrictEqual(
          outcome.drains.map(({ open }) => open),
          [200, 200]
        )
        assert.strictEqual(outcome.drained + outcome.left, outcome.opened)
        assert.isAbove(outcome.toClients.reported, 1000)
        assert.isAbove(outcome.toServer.reported, 1000)
        assert.isAbove(outcome.halfway, 0)
      })
    )
  }
})

describe.concurrent("a fault that is made on purpose is found", () => {
  for (const [plant, found] of [
    ["drop", /1 lost/],
    ["close", /^closed otherwise: effect: 1000 \(1\)$/]
  ] as const) {
    it.live(plant, () =>
      Effect.gen(function* () {
        const { faults } = yield* runSmall("effect", 5, 0, plant)
        assert.strictEqual(faults.length, 1)
        assert.match(String(faults[0]), found)
      })
    )
  }
})

/** Holds a sender, whose sends count as sent or not, against receivers. */
const judge = (
  sends: ReadonlyArray<boolean>,
  received: ReadonlyArray<ReadonlyArray<number>>,
  whole = true
): Verdict => {
  const sender = new Sender("s")
  for (const sent of sends) sender.settled(sender.next(), sent)
  const receivers = received.map((numbers) => {
    const receiver = new Receiver("s")
    for (const number of numbers) receiver.received(number)
    return receiver.toJSON()
  })
  return judgeAll([sender.toJSON()], receivers, () => whole)
}

describe("the ledger", () => {
  const four = [true, true, true, true]

  it("passes what is whole", () => {
    assert.isTrue(isWhole(judge(four, [[0, 1, 2, 3]])))
    assert.isTrue(
      isWhole(
        judge(
          four,
          [
            [0, 1],
            [2, 3]
          ],
          false
        )
      )
    )
    assert.isTrue(isWhole(judge([], [])))
  })

  it("passes a prefix whose rest nobody reported, and counts what came all the same", () => {
    assert.isTrue(isWhole(judge([true, true, false, false], [[0, 1]])))
    const verdict = judge([true, true, false, false], [[0, 1, 2]])
    assert.isTrue(isWhole(verdict))
    assert.strictEqual(verdict.unknown, 1)
  })

  it("knows a loss at the beginning, in the middle, at the end, and of everything", () => {
    assert.strictEqual(judge(four, [[1, 2, 3]]).lost, 1)
    assert.strictEqual(judge(four, [[0, 3]]).lost, 2)
    assert.strictEqual(judge(four, [[0, 1, 2]]).lost, 1)
    assert.strictEqual(judge(four, []).lost, 4)
  })

  it("knows a gap of messages that nobody reported, unless a link may have lost them with their connection", () => {
    const sends = [true, false, true]
    assert.strictEqual(judge(sends, [[0, 2]]).skipped, 1)
    assert.isTrue(isWhole(judge(sends, [[0], [2]], false)))
  })

  it("knows what comes twice, too early, and from nowhere", () => {
    assert.strictEqual(judge(four, [[0, 1, 1, 2, 3]]).duplicated, 1)
    assert.strictEqual(
      judge(
        four,
        [
          [0, 1],
          [1, 2, 3]
        ],
        false
      ).duplicated,
      1
    )
    const reordered = judge(four, [[0, 2, 1, 3]])
    assert.deepStrictEqual([reordered.reordered, reordered.lost], [1, 0])
    assert.strictEqual(judge(four, [[0, 1, 2, 3, 4]]).invented, 1)
  })
})

describe("numbered messages", () => {
  it("are recognised, and only as they were sent", () => {
    for (const number of [0, 1, 14, 15, 62, 63]) {
      const message = messageOf("s1.0", number)
      assert.deepStrictEqual(readMessage(message), { stream: "s1.0", number })
      const text = typeof message === "string" ? message : Buffer.from(message).toString()
      assert.isUndefined(readMessage(text.slice(0, -1)))
      assert.isUndefined(readMessage(typeof message === "string" ? Buffer.from(message) : text))
    }
    assert.isUndefined(readMessage("hello"))
  })
})

const piece = (number: number): Uint8Array => {
  const bytes = new Uint8Array(1000)
  new DataView(bytes.buffer).setUint32(0, number)
  return bytes
}

const numberOf = (message: Socket.Message): number =>
  typeof message === "string" ? -1 : new DataView(message.buffer, message.byteOffset).getUint32(0)

/** Sends numbered messages; answers how many count as sent. */
const sendNumbered = (socket: Socket.Socket, count: number) => {
  let sent = 0
  return Effect.as(
    Effect.ignore(
      Effect.whileLoop({
        while: () => sent < count,
        body: () => socket.send(piece(sent)),
        step: () => void sent++
      })
    ),
    () => sent
  )
}

/** More than an receiveBuffer holds, and less than two systems' buffers do. */
const count = 400

/** Longer than any test: a time limit that isn't the subject. */
const unlimited = "1 hour"

type Limits = Pick<Server.ServeOptions, "closeTimeout" | "shutdownTimeout">

/** Limits of a server for what doesn't end by itself. */
const ended: Limits = { closeTimeout: "1 second", shutdownTimeout: "10 seconds" }

const connect = (server: Server.Server<unknown>) =>
  Socket.connect(`ws://127.0.0.1:${server.address.port}/`, {
    openTimeout: unlimited,
    closeTimeout: unlimited,
    keepAlive: false
  })

/** A server whose handler is given, and a client that has sent it all when the server is drained; both ends' words. */
const drained = (
  handler: (socket: Socket.Socket, read: Array<number>) => Effect.Effect<unknown, Socket.SocketError, Scope.Scope>,
  { closeTimeout = unlimited, shutdownTimeout = unlimited }: Limits = {}
) =>
  Effect.gen(function* () {
    const server = yield* Server.make({
      host: "127.0.0.1",
      readBufferSize: 4000,
      closeTimeout,
      shutdownTimeout,
      keepAlive: false
    })
    const read: Array<number> = []
    const ends = yield* Deferred.make<Socket.Closed>()
    const running = yield* Effect.forkChild(
      server.run((socket) =>
        Effect.andThen(
          Effect.forkDetach(
            Effect.flatMap(socket.closed, (closed) => Deferred.succeed(ends, closed)),
            {
              startImmediately: true
            }
          ),
          handler(socket, read)
        )
      ),
      { startImmediately: true }
    )
    const client = yield* connect(server)
    const sent = (yield* sendNumbered(client, count))()
    const began = performance.now()
    yield* Fiber.interrupt(running)
    return {
      read,
      sent,
      took: performance.now() - began,
      ours: yield* Deferred.await(ends),
      theirs: yield* client.closed
    }
  })

describe("a server that is drained while a handler is slow", () => {
  for (const [name, reader] of [
    [
      "Stream",
      (socket: Socket.Socket, handle: (message: Socket.Message) => Effect.Effect<void>) =>
        Stream.runForEach(socket.messages, handle)
    ],
    ["run", Socket.run]
  ] as const) {
    it.live(`has it read everything that was sent, by ${name}`, () =>
      Effect.gen(function* () {
        const { ours, read, sent, theirs } = yield* drained((socket, read) =>
          reader(socket, (message) =>
            Effect.andThen(
              Effect.sleep(1),
              Effect.sync(() => void read.push(numberOf(message)))
            )
          )
        )
        assert.strictEqual(sent, count)
        assert.deepStrictEqual(
          read,
          Array.from({ length: count }, (_, number) => number)
        )
        assert.strictEqual(ours.cause._tag, "Handshake")
        assert.deepStrictEqual(theirs.received, { code: 1001, reason: "" })
        assert.strictEqual(theirs.first, "received")
      })
    )
  }

  it.live("doesn't wait for a reader that has left", () =>
    Effect.gen(function* () {
      const { ours, read, sent, theirs } = yield* drained((socket, read) =>
        Effect.andThen(
          Stream.runForEach(Stream.take(socket.messages, 1), (message) =>
            Effect.sync(() => void read.push(numberOf(message)))
          ),
          socket.closed
        )
      )
      assert.strictEqual(sent, count)
      assert.deepStrictEqual(read, [0])
      assert.strictEqual(ours.cause._tag, "Handshake")
      assert.deepStrictEqual(theirs.received, { code: 1001, reason: "" })
    })
  )

  it.live("waits for a reader that takes nothing no longer than the close timeout", () =>
    Effect.gen(function* () {
      const { ours, read, sent, theirs, took } = yield* drained(
        (socket, read) =>
          Effect.andThen(
            Effect.forkScoped(
              Stream.runForEach(socket.messages, (message) =>
                Effect.andThen(
                  Effect.sync(() => void read.push(numberOf(message))),
                  Effect.never
                )
              )
            ),
            socket.closed
          ),
        ended
      )
      assert.strictEqual(sent, count)
      assert.deepStrictEqual(read, [0])
      assert.strictEqual(ours.cause._tag, "CloseTimeout")
      assert.deepStrictEqual(theirs.received, { code: 1001, reason: "" })
      assert.isAtLeast(took, 990)
    })
  )
})

/** Drains a server that is sending a message in fragments; what both ends know of it. */
const drainedMidway = (rest: Stream.Stream<string>, limits: Limits) =>
  Effect.gen(function* () {
    const begun = yield* Deferred.make<void>()
    const outcome = yield* Deferred.make<Exit.Exit<void, Socket.SocketError>>()
    const server = yield* Server.make({ host: "127.0.0.1", ...limits, keepAlive: false })
    const running = yield* Effect.forkChild(
      server.run((socket) =>
        Effect.andThen(
          Effect.exit(
            socket.sendStream(
              Stream.concat(Stream.make("first "), Stream.onStart(rest, Deferred.succeed(begun, undefined)))
            )
          ),
          (exit) => Deferred.succeed(outcome, exit)
        )
      ),
      { startImmediately: true }
    )
    const client = yield* connect(server)
    yield* Deferred.await(begun)
    yield* Fiber.interrupt(running)
    const received = yield* Stream.runCollect(client.messages)
    return { received, sent: yield* Deferred.await(outcome), code: (yield* client.closed).received?.code }
  })

describe("a server that is drained while a message goes out in fragments", () => {
  it.live("sends it to its end", () =>
    Effect.gen(function* () {
      const rest = Stream.make("second ", "third").pipe(Stream.tap(() => Effect.sleep(50)))
      const { code, received, sent } = yield* drainedMidway(rest, {
        closeTimeout: unlimited,
        shutdownTimeout: unlimited
      })
      assert.deepStrictEqual(received, ["first second third"])
      assert.isTrue(Exit.isSuccess(sent))
      assert.strictEqual(code, 1001)
    })
  )

  it.live("cuts one that has no end, and says so", () =>
    Effect.gen(function* () {
      const { code, received, sent } = yield* drainedMidway(
        Stream.make("more ").pipe(
          Stream.tap(() => Effect.sleep(20)),
          Stream.forever
        ),
        ended
      )
      assert.deepStrictEqual(received, [])
      assert.isTrue(Exit.isFailure(sent))
      assert.strictEqual(code, 1001)
    })
  )
})
