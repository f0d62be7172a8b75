// The client's side: Effect's sockets, or its RPC client on those. It obeys words on its input, and answers in JSON:
// `open 10` opens connections, `run 5000` has so many exchanges over them and checks each answer, `collect` collects garbage.
import { Effect, Layer, Schedule, type Scope, Stream } from "effect"
import { RpcClient } from "effect/rpc"
import { Socket } from "effect/socket"
import { createInterface } from "node:readline"
import { type Beneath, clientLayers, type Exchange } from "./beneath.ts"
import { Calls, serialization } from "./calls.ts"

const mode: {
  readonly beneath: Beneath
  readonly exchange: Exchange
  readonly port: number
  /** Messages, calls or streams under way on each connection. */
  readonly depth: number
} = JSON.parse(process.argv[2] ?? "{}")

const url = `ws://127.0.0.1:${mode.port}/`

/** An answer that is not what it must be. */
class WrongAnswer extends Error {}

/** Has so many exchanges over one connection. */
type Run = (count: number) => Effect.Effect<void, unknown>

/** Messages of 32 characters, in turn. */
const texts = Array.from({ length: 1000 }, (_, at) => `message ${at} `.padEnd(32, "."))

const textAt = (index: number): string => texts[index % texts.length] ?? ""

const textsFrom = (index: number, count: number): readonly [string, ...Array<string>] => [
  textAt(index),
  ...Array.from({ length: count - 1 }, (_, at) => textAt(index + at + 1))
]

const openMessages: Effect.Effect<Run, unknown, Scope.Scope> = Effect.gen(function* () {
  const layer = yield* Layer.build(Layer.fresh(clientLayers[mode.beneath](url)))
  const socket = yield* Effect.provideContext(Socket.Socket, layer)
  const { writeAll } = yield* socket.writer
  const { pull } = yield* socket.reader
  return Effect.fnUntraced(function* (count) {
    let sent = Math.min(mode.depth, count)
    let received = 0
    yield* writeAll(textsFrom(0, sent))
    while (received < count) {
      const batch = yield* pull
      for (const message of batch) {
        if (message !== textAt(received)) throw new WrongAnswer(`message ${received} came back as ${String(message)}`)
        received++
      }
      const more = Math.min(batch.length, count - sent)
      if (more > 0) yield* writeAll(textsFrom(sent, more))
      sent += more
    }
  })
})

const openClient = Effect.gen(function* () {
  const protocol = yield* Layer.build(
    RpcClient.layerProtocolSocket({ retryPolicy: Schedule.recurs(0) }).pipe(
      Layer.provide(clientLayers[mode.beneath](url)),
      Layer.provideMerge(serialization),
      Layer.fresh
    )
  )
  const client = yield* Effect.provideContext(RpcClient.make(Calls), protocol)
  yield* client.Add({ a: 1, b: 1 })
  return client
})

/** So many at once on a connection, until it was done so often. */
const repeated =
  (once: (index: number) => Effect.Effect<void, unknown>): Run =>
  (count) => {
    let next = 0
    const worker = Effect.whileLoop({
      while: () => next < count,
      body: () => once(next++),
      step: () => {}
    })
    return Effect.all(
      Array.from({ length: mode.depth }, () => worker),
      { concurrency: "unbounded", discard: true }
    )
  }

const openCalls: Effect.Effect<Run, unknown, Scope.Scope> = Effect.map(openClient, (client) =>
  repeated((index) =>
    Effect.map(client.Add({ a: index, b: 7 }), (sum) => {
      if (sum !== index + 7) throw new WrongAnswer(`${index} + 7 is ${sum}`)
    })
  )
)

/** Elements of a stream: an exchange is one of them. */
const streamLength = 1000

const openStreams: Effect.Effect<Run, unknown, Scope.Scope> = Effect.map(openClient, (client): Run => {
  const run = repeated(() => {
    let expected = 0
    const counted = Stream.runForEachArray(client.Count({ to: streamLength }), (numbers) =>
      Effect.sync(() => {
        for (const number of numbers) {
          if (number !== ++expected) throw new WrongAnswer(`${number} follows ${expected - 1}`)
        }
      })
    )
    return Effect.map(counted, () => {
      if (expected !== streamLength) throw new WrongAnswer(`a stream ends after ${expected}`)
    })
  })
  return (count) => run(count / streamLength)
})

const open = { messages: openMessages, calls: openCalls, streams: openStreams }[mode.exchange]

const connections: Array<Run> = []

const obey = (word: string, amount: number): Effect.Effect<object, unknown, Scope.Scope> => {
  switch (word) {
    case "open": {
      return Effect.map(
        Effect.forEach(Array.from({ length: amount }), () => open, { concurrency: 50 }),
        (opened) => ({ opened: connections.push(...opened) })
      )
    }
    case "run": {
      const whole = mode.exchange === "streams" ? streamLength : 1
      const each = Math.ceil(amount / connections.length / whole) * whole
      return Effect.as(
        Effect.forEach(connections, (run) => run(each), { concurrency: "unbounded", discard: true }),
        { done: each * connections.length }
      )
    }
    default: {
      return Effect.sync(() => {
        globalThis.gc?.()
        return { collected: process.memoryUsage().heapUsed }
      })
    }
  }
}

const program = Effect.gen(function* () {
  const words = Stream.fromAsyncIterable(createInterface({ input: process.stdin }), (error) => error)
  yield* Stream.runForEach(words, (line) => {
    const [word = "", amount = "0"] = line.split(" ")
    return Effect.map(obey(word, Number(amount)), (answer) => console.log(JSON.stringify(answer)))
  })
})

Effect.runPromise(Effect.scoped(program)).then(
  () => process.exit(),
  (error) => {
    console.log(JSON.stringify({ failed: String(error) }))
    process.exit(1)
  }
)
