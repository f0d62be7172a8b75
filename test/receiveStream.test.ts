import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Frame, Handshake, Server, Socket } from "effect-ws"
import { isUtf8 } from "node:buffer"
import { createHash } from "node:crypto"
import * as fc from "fast-check"
import { Opcode } from "../src/internal/protocol/opcode.ts"
import { invalidUtf8 } from "../src/internal/protocol/protocolError.ts"
import { OutputBuffer } from "../src/internal/protocol/outputBuffer.ts"
import { liveOf } from "../src/internal/socket/webSocketConnection.ts"

/** Runs an effect in a fiber, up to where it waits. */
const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

const collect = (message: Socket.StreamedMessage) => {
  const pieces: Stream.Stream<Socket.Message, Socket.SocketError> = message.pieces
  return Stream.runCollect(pieces)
}

const bytes = (size: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length: size }, (_, at) => (at * seed + (at >> 8)) & 0xff)

/** The size, the pieces and the hash of a message of bytes, without keeping it. */
const digest = (message: Socket.StreamedMessage, onPiece: () => void) =>
  Effect.gen(function* () {
    assert.strictEqual(message._tag, "Binary")
    const hash = createHash("sha256")
    let [size, pieces] = [0, 0]
    if (message._tag === "Binary") {
      yield* Stream.runForEach(message.pieces, (piece) =>
        Effect.sync(() => {
          size += piece.length
          pieces++
          hash.update(piece)
          onPiece()
        })
      )
    }
    return { size, pieces, hash: hash.digest("hex") }
  })

/** What a decoder that splits frames finds in bytes that come in these chunks: each message joined, or the violation. */
const decoded = (input: Buffer, cuts: ReadonlyArray<number>) => {
  const found: Array<string> = []
  let parts: Array<Buffer> = []
  const decoder = Handshake.rfc6455.codec.decoder(
    {
      splits: () => true,
      message: (opcode, _, from, start, end) => {
        if (opcode === Opcode.text && !isUtf8(from.subarray(start, end))) return invalidUtf8
        found.push(`${opcode} ${from.toString("hex", start, end)}`)
        return undefined
      },
      fragment: (opcode, fin, _, from, start, end) => {
        if (opcode !== 0) {
          parts = []
          found.push(String(opcode))
        }
        parts.push(from.subarray(start, end))
        if (fin) found.push(`${found.pop()} ${Buffer.concat(parts).toString("hex")}`)
        return undefined
      },
      control: (opcode) => void found.push(`control ${opcode}`)
    },
    { role: "server", maxMessageSize: 1_000_000, allowedRsv: 0 }
  )
  let from = 0
  for (const cut of [...cuts.map((cut) => cut % input.length).toSorted((a, b) => a - b), input.length]) {
    decoder.feed(Buffer.from(input.subarray(from, cut)))
    from = cut
  }
  return { found, violation: decoder.violation?._tag, partial: decoder.partial }
}

const kinds = ["text", "binary", "fragments", "ping", "broken"] as const

const messages = fc.array(fc.tuple(fc.constantFrom(...kinds), fc.integer({ min: 0, max: 400 })), {
  minLength: 1,
  maxLength: 6
})

describe("a decoder that splits frames", () => {
  it("finds the same messages and the same violations, however the bytes are cut", () => {
    fc.assert(
      fc.property(messages, fc.array(fc.nat(), { maxLength: 40 }), (messages, cuts) => {
        const encoder = Handshake.rfc6455.codec.encoder("client")
        const out = new OutputBuffer()
        for (const [kind, size] of messages) {
          const text = "é€a".repeat(size)
          if (kind === "text") encoder.text(out, Opcode.text, true, text)
          else if (kind === "ping") encoder.frame(out, Opcode.ping, true, 0, Buffer.alloc(size % 126))
          else if (kind === "broken") encoder.frame(out, Opcode.text, true, 0, Buffer.from(`${text}ÿ`, "latin1"))
          else if (kind === "binary") encoder.frame(out, Opcode.binary, true, 0, bytes(size * 5, 3))
          else {
            encoder.text(out, Opcode.text, false, text)
            encoder.text(out, Opcode.continuation, true, text)
          }
        }
        const input = Buffer.from(out.take())
        const whole = decoded(input, [])
        const cut = decoded(input, cuts)
        assert.strictEqual(cut.violation, whole.violation)
        if (cut.violation === undefined) assert.deepStrictEqual(cut, whole)
      })
    )
  })
})

describe("socket.receiveStream", () => {
  it.effect("gives the fragments of each message, in both directions, of text and of bytes", () =>
    Effect.gen(function* () {
      for (const draft of [Handshake.rfc6455, Handshake.hybi07]) {
        const pair = yield* Socket.makePair({ draft })
        for (const [from, to] of [pair, pair.toReversed()]) {
          if (from === undefined || to === undefined) continue
          yield* start(from.sendStream(Stream.make("a", "b", "c")))
          const text = yield* to.receiveStream
          assert.strictEqual(text._tag, "Text")
          assert.strictEqual((yield* collect(text)).join("|"), "a|b|c|")
          yield* from.send("whole")
          assert.deepStrictEqual(yield* collect(yield* to.receiveStream), ["whole"])
          yield* from.send(Buffer.alloc(0))
          const empty = yield* to.receiveStream
          assert.strictEqual(empty._tag, "Binary")
          assert.deepStrictEqual(
            (yield* collect(empty)).map((piece) => piece.length),
            [0]
          )
        }
      }
    })
  )

  it.effect("never cuts a character", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      const payload = Buffer.from("aé€😀\uFEFFz")
      for (const [at] of payload.entries()) {
        const fragment = payload.subarray(at, at + 1)
        const fin = at === payload.length - 1
        yield* client.send(at === 0 ? Frame.text("a", { fin }) : Frame.continuation(fragment, { fin }))
      }
      const message = yield* server.receiveStream
      // A second reader of the same message goes on where the first one stopped, inside of a character.
      assert.strictEqual(message._tag, "Text")
      if (message._tag !== "Text") return
      const first = yield* Stream.runCollect(Stream.take(message.pieces, 2))
      const rest = yield* Stream.runCollect(message.pieces)
      for (const piece of [...first, ...rest]) assert.notInclude(piece, "\uFFFD")
      assert.strictEqual([...first, ...rest].join(""), "aé€😀\uFEFFz")
      assert.deepStrictEqual(yield* Stream.runCollect(message.pieces), [])
    })
  )

  it.effect("skips the rest of a message that wasn't read to its end", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      yield* start(client.sendStream(Stream.make("1", "2", "3")))
      yield* client.sendAll(["next", "after"])
      const message = yield* server.receiveStream
      if (message._tag === "Text")
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(message.pieces, 1)), ["1"])
      assert.deepStrictEqual(yield* collect(yield* server.receiveStream), ["next"])
      const error = yield* Effect.flip(collect(message))
      assert.strictEqual(error.reason._tag, "AlreadyReading")

      // The same where whole messages are read next, and the rest comes later.
      yield* client.send(Frame.text("4", { fin: false }))
      assert.deepStrictEqual(yield* collect(yield* server.receiveStream), ["after"])
      const cut = yield* server.receiveStream
      const receiving = yield* start(server.receive)
      yield* client.send(Frame.continuation("5", { fin: false }))
      yield* client.send(Frame.continuation("6"))
      yield* client.send("whole")
      assert.strictEqual(yield* Fiber.join(receiving), "whole")
      yield* client.send("kept")
      yield* Effect.flip(Effect.andThen(collect(cut), collect(cut)))
      assert.strictEqual(yield* server.receive, "kept")
    })
  )

  it.effect("is mixed with readers of whole messages, and loses none", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      yield* client.sendAll(["1", "2", "3", "4"])
      assert.strictEqual(yield* server.receive, "1")
      assert.deepStrictEqual(yield* collect(yield* server.receiveStream), ["2"])
      yield* start(client.sendStream(Stream.make("a", "b")))
      assert.strictEqual(yield* server.receive, "3")
      assert.strictEqual(yield* server.receive, "4")
      assert.strictEqual(yield* server.receive, "ab")
      yield* start(client.sendStream(Stream.make("c", "d")))
      assert.strictEqual((yield* collect(yield* server.receiveStream)).join(""), "cd")
    })
  )

  it.effect("ends with Done between messages, and fails inside of one", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      yield* client.send("last")
      yield* start(client.close())
      assert.deepStrictEqual(yield* collect(yield* server.receiveStream), ["last"])
      assert.isTrue(Cause.isDone(yield* Effect.flip(server.receiveStream)))

      const [other, reader] = yield* Socket.makePair()
      yield* other.send(Frame.text("half", { fin: false }))
      const message = yield* reader.receiveStream
      yield* start(other.close(1000))
      const error = yield* Effect.flip(collect(message))
      assert.strictEqual(error.closeCode, 1000)
    })
  )

  it.effect("holds maxMessageSize for the whole message, at the limit and one past it", () =>
    Effect.gen(function* () {
      for (const [size, ok] of [
        [1000, true],
        [1001, false]
      ] as const) {
        const [client, server] = yield* Socket.makePair({ server: { maxMessageSize: 1000 } })
        yield* start(Effect.ignore(client.sendStream(Stream.make(bytes(600), bytes(size - 600)))))
        const message = yield* server.receiveStream
        const result = yield* Effect.result(collect(message))
        assert.strictEqual(result._tag, ok ? "Success" : "Failure")
        if (result._tag === "Failure") assert.strictEqual(result.failure.closeCode, 1009)
      }
    })
  )

  it.effect("gives a compressed message, and one over Hixie-76, as one piece", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair({ compression: { threshold: 0 } })
      const text = "x".repeat(5000)
      yield* start(client.send(text))
      assert.deepStrictEqual(yield* collect(yield* server.receiveStream), [text])
      yield* start(client.sendStream(Stream.make("a", "b")))
      assert.strictEqual((yield* collect(yield* server.receiveStream)).join(""), "ab")
      const [old, reader] = yield* Socket.makePair({ draft: Handshake.hixie76 })
      yield* old.send(text)
      assert.deepStrictEqual(yield* collect(yield* reader.receiveStream), [text])
    })
  )

  it.effect("stops the sender while its pieces aren't taken, and relays them as they come", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair({ readBufferSize: 1024, writeBufferSize: 1024 })
      let sent = 0
      const pieces = Stream.fromIterable(Array.from({ length: 500 }, () => "x".repeat(1000))).pipe(
        Stream.rechunk(1),
        Stream.map((piece) => {
          sent++
          return piece
        })
      )
      const sending = yield* start(client.sendStream(pieces))
      const message = yield* server.receiveStream
      yield* TestClock.adjust("1 second")
      assert.isBelow(sent, 100)
      const [relay, target] = yield* Socket.makePair()
      const relaying = yield* start(relay.sendStream(message.pieces))
      assert.strictEqual((yield* collect(yield* target.receiveStream)).join(""), "x".repeat(500_000))
      yield* Fiber.join(relaying)
      yield* Fiber.join(sending)
      assert.strictEqual(sent, 500)
    })
  )

  it.effect("goes on after a timeout of its reader", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      yield* client.send(Frame.text("a", { fin: false }))
      const message = yield* server.receiveStream
      const reading = yield* start(collect(message))
      yield* Fiber.interrupt(reading)
      yield* client.send(Frame.continuation("b"))
      assert.deepStrictEqual(yield* collect(message), ["b"])
    })
  )

  it.effect("has one reader, which is not one of frames", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      yield* start(server.receiveStream)
      assert.strictEqual(
        (yield* Effect.flip(Effect.catchTag(server.receiveStream, "Done", Effect.die))).reason._tag,
        "AlreadyReading"
      )
      yield* client.send("x")
      assert.strictEqual((yield* Effect.flip(Stream.runDrain(server.frames))).reason._tag, "AlreadyReading")
      yield* start(Stream.runDrain(client.frames))
      assert.strictEqual(
        (yield* Effect.flip(Effect.catchTag(client.receiveStream, "Done", Effect.die))).reason._tag,
        "AlreadyReading"
      )
    })
  )

  for (const http2 of [false, true]) {
    const version = http2 ? "2" : "1.1"
    it.live(`reads 32 MiB in one message over HTTP/${version}, in fragments and in one frame, in bounded memory`, () =>
      Effect.gen(function* () {
        const chunk = bytes(64 * 1024, 3)
        const whole = Buffer.concat(Array.from({ length: 512 }, () => chunk))
        const expected = `${whole.length} ${createHash("sha256").update(whole).digest("hex")}`
        let held = 0
        const options = { maxMessageSize: Infinity, http2 }
        const server = yield* Server.make({ ...options, host: "127.0.0.1", port: 0 })
        /** Answers each message with its size and its hash. */
        const answer = (socket: Socket.Socket) =>
          Effect.forever(
            Effect.gen(function* () {
              const message = yield* socket.receiveStream
              const live = liveOf(socket)
              const { hash, pieces, size } = yield* digest(message, () => {
                const waiting = (live?.receiveBuffer.held ?? 0) + (live?.connection.inbound.partialSize ?? 0)
                held = Math.max(held, waiting)
              })
              assert.isAbove(pieces, 100)
              yield* socket.send(`${size} ${hash}`)
            })
          )
        yield* Effect.forkScoped(
          server.run((connection) =>
            Effect.gen(function* () {
              if ((yield* connection.receive) === "answer")
                return yield* Effect.catchTag(answer(connection), "Done", () => Effect.void)
              yield* connection.send(whole)
              yield* connection.sendStream(Stream.fromIterable(Array.from({ length: 512 }, () => chunk)))
              assert.deepStrictEqual([yield* connection.receive, yield* connection.receive], [expected, expected])
              yield* connection.close(4000)
            })
          )
        )
        const connect = Socket.connect(`ws://127.0.0.1:${server.address.port}/`, options)
        const upload = yield* connect
        yield* upload.send("answer")
        yield* upload.send(whole)
        assert.strictEqual(yield* upload.receive, expected)
        yield* upload.sendStream(Stream.fromIterable(Array.from({ length: 512 }, () => chunk)))
        assert.strictEqual(yield* upload.receive, expected)
        const download = yield* connect
        yield* download.send("send")
        const error = yield* Effect.flip(answer(download))
        assert.strictEqual(error._tag === "WebSocketError" ? error.closeCode : error._tag, 4000)
        // 16 times the buffer's 64 KiB stop the reading at once; one more read may have come.
        assert.isAtMost(held, 17 * 64 * 1024 + 1024 * 1024)
      })
    )
  }
})
