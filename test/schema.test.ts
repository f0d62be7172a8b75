import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Logger, Schema, SchemaTransformation, Stream } from "effect"
import { SchemaBinary } from "effect/encoding"
import { Frame, Handshake, Socket } from "effect-ws"

const Event = Schema.Struct({ id: Schema.Int, at: Schema.Date, tags: Schema.Array(Schema.String) })

const event = (id: number) => ({ id, at: new Date(id * 1000), tags: ["a", "b"] })

class Scale extends Context.Service<Scale, number>()("test/Scale") {}

/** Takes `count` messages. */
const take = <A, E, R>(stream: Stream.Stream<A, E, R>, count: number) => Stream.runCollect(Stream.take(stream, count))

/** Sends frames or messages to a typed reader; gives how its messages end, and the close frame that the sender got. */
const hostile = (
  messages: ReadonlyArray<Socket.Message | Frame.Frame>,
  codec: Schema.Codec<unknown, unknown>,
  options?: Socket.SchemaOptions & Socket.PairOptions
) =>
  Effect.gen(function* () {
    const [client, server] = yield* Socket.makePair(options)
    const typed = Socket.withSchema(server, codec, options)
    for (const message of messages) yield* client.send(message)
    const values: Array<unknown> = []
    const error = yield* Effect.flip(
      Stream.runForEach(typed.messages, (value) => Effect.sync(() => values.push(value)))
    )
    yield* Effect.forkChild(Stream.runDrain(client.messages), { startImmediately: true })
    const { received } = yield* client.closed
    return { values, error, received }
  })

describe("Socket.withSchema", () => {
  it.effect("sends values as JSON text, and reads them", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      yield* Socket.withSchema(client, Event).send(event(1))
      assert.deepStrictEqual(yield* take(server.messages, 1), [
        '{"id":1,"at":"1970-01-01T00:00:01.000Z","tags":["a","b"]}'
      ])
      yield* server.send('{"id":2,"at":"1970-01-01T00:00:02.000Z","tags":["a","b"],"unknown":true}')
      assert.deepStrictEqual(yield* take(Socket.withSchema(client, Event).messages, 1), [event(2)])
    })
  )

  it.effect("keeps the edges of messages, in batches and through fragments", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      const typed = Socket.withSchema(server, Event)
      yield* Socket.withSchema(client, Event).sendAll([event(1), event(2), event(3)])
      yield* client.send(Frame.text('{"id":4,"at":"1970-01-01T', { fin: false }))
      yield* client.send(Frame.continuation('00:00:04.000Z","tags":["a","b"]}'))
      assert.deepStrictEqual(yield* take(typed.messages, 4), [event(1), event(2), event(3), event(4)])
    })
  )

  it.effect("lets a schema that encodes to text or bytes say the message itself", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      const Raw = Schema.Union([Schema.NumberFromString, Schema.Uint8Array])
      const cases: ReadonlyArray<[Schema.Codec<unknown, unknown>, unknown, Socket.Message]> = [
        [Schema.String, "plain", "plain"],
        [Schema.fromJsonString(Schema.String), "quoted", '"quoted"'],
        [Schema.fromJsonString(Schema.Struct({ a: Schema.Int })), { a: 1 }, '{"a":1}'],
        [Schema.Literals(["on", "off"]), "on", "on"],
        [Schema.TemplateLiteral(["v", Schema.Int]), "v7", "v7"],
        [Schema.Uint8Array, Buffer.from([1, 2]), Buffer.from([1, 2])],
        [Raw, 12, "12"],
        [Raw, Buffer.from([3]), Buffer.from([3])],
        [Schema.Literals([1, "a"]), "a", '"a"'],
        [Schema.Union([Schema.String, Schema.Int]), "a", '"a"']
      ]
      for (const [codec, value, message] of cases) {
        yield* Socket.withSchema(client, codec).send(value)
        assert.deepStrictEqual(yield* take(server.messages, 1), [message])
        yield* server.send(message)
        assert.deepStrictEqual(yield* take(Socket.withSchema(client, codec).messages, 1), [value])
      }
    })
  )

  it.effect("carries a binary codec's bytes", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      const Binary = SchemaBinary.toCodec(Event)
      yield* Socket.withSchema(client, Binary).sendAll([event(1), event(2)])
      assert.deepStrictEqual(yield* take(Socket.withSchema(server, Binary).messages, 2), [event(1), event(2)])
    })
  )

  it.effect("takes any format", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      // Numbers in eight bytes, as a format of its own would have them.
      const format: Socket.MessageFormat = {
        encode: (value) => Buffer.from(Float64Array.of(Number(value)).buffer),
        decode: (message) => {
          if (typeof message === "string" || message.length !== 8) throw new Error("not eight bytes")
          return Buffer.from(message).readDoubleLE()
        }
      }
      yield* Socket.withSchema(client, Schema.Finite, { format }).send(1.5)
      assert.deepStrictEqual(yield* take(Socket.withSchema(server, Schema.Finite, { format }).messages, 1), [1.5])
      const { error, received } = yield* hostile(["text"], Schema.Finite, { format })
      assert.strictEqual(error._tag === "MessageError" ? error.reason._tag : error._tag, "Malformed")
      assert.deepStrictEqual(received, { code: 1007, reason: "malformed message" })
    })
  )

  it.effect("sends nothing that the schema, or the format, refuses", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      const typed = Socket.withSchema(client, Event)
      const wrong = { ...event(1), id: 1.5 }
      assert.strictEqual((yield* Effect.flip(typed.send(wrong)))._tag, "SchemaError")
      assert.strictEqual((yield* Effect.flip(typed.sendAll([event(1), wrong])))._tag, "SchemaError")
      const format: Socket.MessageFormat = {
        decode: (message) => message,
        encode: () => {
          throw new Error("no words")
        }
      }
      const error = yield* Effect.flip(Socket.withSchema(client, Event, { format }).send(event(1)))
      assert.include(error.message, "no words")
      yield* client.send("next")
      assert.deepStrictEqual(yield* take(server.messages, 1), ["next"])
    })
  )

  describe("on an invalid message", () => {
    it.effect("closes: 1003 for the wrong type, 1007 for what is no JSON, 1008 for the wrong shape", () =>
      Effect.gen(function* () {
        const cases: ReadonlyArray<[Socket.Message, Socket.MessageErrorReason["_tag"], number, string]> = [
          [Buffer.from("{}"), "WrongType", 1003, "unexpected type of message"],
          ["{", "Malformed", 1007, "malformed message"],
          ['{"id":"secret"}', "WrongShape", 1008, "unexpected message"]
        ]
        for (const [message, tag, code, reason] of cases) {
          const valid = JSON.stringify(event(1))
          const { error, received, values } = yield* hostile([valid, message, valid], Event)
          assert.deepStrictEqual(values, [event(1)], "what came before is read")
          assert.deepStrictEqual(received, { code, reason })
          assert.strictEqual(error._tag, "MessageError")
          if (error._tag !== "MessageError") continue
          assert.strictEqual(error.reason._tag, tag)
          assert.strictEqual(error.closeCode, code)
          assert.deepStrictEqual(error.reason.received, message)
        }
        const { received } = yield* hostile(["text"], Schema.Uint8Array)
        assert.strictEqual(received?.code, 1003)
      })
    )

    it.effect("closes without a code where the draft has none", () =>
      Effect.gen(function* () {
        const { error, received } = yield* hostile(["{"], Event, { draft: Handshake.hixie76 })
        assert.strictEqual(error._tag, "MessageError")
        assert.deepStrictEqual(received, { code: undefined, reason: "" })
      })
    )

    it.effect("stays closed to whoever reads again", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        const typed = Socket.withSchema(server, Event)
        yield* client.sendAll(["{", JSON.stringify(event(1))])
        const first = yield* Effect.flip(Stream.runDrain(typed.messages))
        assert.strictEqual(yield* Effect.flip(Stream.runDrain(typed.messages)), first)
      })
    )

    it.effect("fails and goes on behind it, when asked to", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        const typed = Socket.withSchema(server, Event, { onInvalid: "fail" })
        yield* client.sendAll([JSON.stringify(event(1)), "{", JSON.stringify(event(2)), "[]", JSON.stringify(event(3))])
        const seen: Array<unknown> = []
        const reading = Stream.runForEach(Stream.take(typed.messages, 3 - seen.length), (value) =>
          Effect.sync(() => seen.push(value))
        )
        assert.strictEqual((yield* Effect.flip(reading))._tag, "MessageError")
        assert.strictEqual((yield* Effect.flip(reading))._tag, "MessageError")
        yield* Stream.runForEach(Stream.take(typed.messages, 1), (value) => Effect.sync(() => seen.push(value)))
        assert.deepStrictEqual(seen, [event(1), event(2), event(3)])
        yield* server.send("still open")
        assert.deepStrictEqual(yield* take(client.messages, 1), ["still open"])
      })
    )

    it.effect("skips it, with one warning for a batch, when asked to", () =>
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        const typed = Socket.withSchema(server, Event, { onInvalid: "skip" })
        const warnings: Array<string> = []
        const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
          if (logLevel === "Warn") warnings.push(String(message))
        })
        const reading = yield* Effect.forkChild(Effect.provide(take(typed.messages, 3), Logger.layer([logger])), {
          startImmediately: true
        })
        yield* client.sendAll([JSON.stringify(event(0)), "{", "{}", JSON.stringify(event(1)), Buffer.from("x")])
        yield* client.send(JSON.stringify(event(2)))
        assert.deepStrictEqual(yield* Fiber.join(reading), [event(0), event(1), event(2)])
        assert.strictEqual(warnings.length, 1)
        assert.match(warnings[0] ?? "", /^3 invalid messages skipped/)
      })
    )

    it.effect("bears one that nests deeper than the stack", () =>
      Effect.gen(function* () {
        interface Tree {
          readonly of: ReadonlyArray<Tree>
        }
        const Tree: Schema.Codec<Tree> = Schema.Struct({
          of: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
        })
        const depth = 100_000
        const { error, received } = yield* hostile(['{"of":['.repeat(depth) + "]}".repeat(depth)], Tree, {
          maxMessageSize: Infinity
        })
        assert.strictEqual(error._tag === "MessageError" ? error.reason._tag : error._tag, "WrongShape")
        assert.strictEqual(received?.code, 1008)
      })
    )
  })

  it.effect("ends and fails as the socket does", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      yield* Effect.forkChild(client.close())
      assert.deepStrictEqual(yield* Stream.runCollect(Socket.withSchema(server, Event).messages), [])
      assert.strictEqual((yield* Effect.flip(Socket.withSchema(server, Event).send(event(1))))._tag, "WebSocketError")
      const [left, right] = yield* Socket.makePair()
      yield* Effect.forkChild(left.close(4000))
      const error = yield* Effect.flip(Stream.runDrain(Socket.withSchema(right, Event).messages))
      assert.strictEqual(error._tag, "WebSocketError")
    })
  )

  it.effect("uses the services that a schema needs", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      const Scaled = Schema.Number.pipe(
        Schema.decodeTo(
          Schema.Number,
          SchemaTransformation.transformEffect({
            decode: (value: number) => Effect.map(Scale, (scale) => value * scale),
            encode: (value: number) => Effect.map(Scale, (scale) => value / scale)
          })
        )
      )
      const scaled = Effect.provideService(Scale, 10)
      yield* scaled(Socket.withSchema(client, Scaled).send(30))
      assert.deepStrictEqual(yield* scaled(take(Socket.withSchema(server, Scaled).messages, 1)), [30])
      yield* scaled(Socket.withSchema(client, Scaled).send(50))
      assert.deepStrictEqual(yield* take(server.messages, 1), ["5"])
    })
  )
})
