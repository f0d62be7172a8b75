import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Frame, Handshake, Socket } from "effect-ws"

interface Seen {
  readonly frames: Array<string>
  readonly observe: (frame: Socket.WireFrame) => void
}

/** Writes each frame as a line. */
const watch = (): Seen => {
  const frames: Array<string> = []
  return {
    frames,
    observe: ({ direction, fin, masked, opcode, payload, rsv }) => {
      const bytes = Buffer.from(payload)
      const text = opcode === 8 ? bytes.toString("hex") : bytes.toString()
      frames.push(`${direction} ${opcode} fin=${fin} rsv=${rsv} masked=${masked} ${bytes.length} ${text}`)
    }
  }
}

/** The lines of one direction. */
const of = ({ frames }: Seen, direction: string): ReadonlyArray<string> =>
  frames.flatMap((line) => (line.startsWith(`${direction} `) ? [line.slice(direction.length + 1)] : []))

describe("the observer of frames", () => {
  it.effect("hears of every frame in both directions, on both sides", () =>
    Effect.gen(function* () {
      const [client, server] = [watch(), watch()]
      yield* Effect.scoped(
        Effect.gen(function* () {
          const [left, right] = yield* Socket.makePair({
            client: { onFrame: client.observe },
            server: { onFrame: server.observe }
          })
          yield* left.send("käse")
          yield* left.send(Uint8Array.of(65, 66))
          yield* left.send(Frame.text("one ", { fin: false }))
          yield* left.send(Frame.continuation("two"))
          yield* left.ping(Uint8Array.of(80))
          assert.lengthOf(yield* Stream.runCollect(Stream.take(right.messages, 3)), 3)
          yield* right.send("back")
          assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(left.messages, 1)), ["back"])
          yield* left.close(1000, "bye")
        })
      )
      const outward = [
        "1 fin=true rsv=0 masked=true 5 käse",
        "2 fin=true rsv=0 masked=true 2 AB",
        "1 fin=false rsv=0 masked=true 4 one ",
        "0 fin=true rsv=0 masked=true 3 two",
        "9 fin=true rsv=0 masked=true 1 P",
        "8 fin=true rsv=0 masked=true 5 03e8627965"
      ]
      const back = [
        "10 fin=true rsv=0 masked=false 1 P",
        "1 fin=true rsv=0 masked=false 4 back",
        "8 fin=true rsv=0 masked=false 2 03e8"
      ]
      assert.deepStrictEqual(of(client, "sent"), outward)
      assert.deepStrictEqual(of(server, "received"), outward)
      assert.deepStrictEqual(of(server, "sent"), back)
      assert.deepStrictEqual(of(client, "received"), back)
    })
  )

  it.effect("sees compressed payloads as they are on the wire, and RSV1 set", () =>
    Effect.gen(function* () {
      const seen = watch()
      const sizes: Array<number> = []
      const [client, server] = yield* Socket.makePair({
        compression: { threshold: 0 },
        client: {
          onFrame: (frame) => {
            seen.observe(frame)
            sizes.push(frame.payload.length)
          }
        }
      })
      yield* client.send("a".repeat(500))
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(server.messages, 1)), ["a".repeat(500)])
      assert.match(seen.frames[0] ?? "", /^sent 1 fin=true rsv=4 masked=true/)
      assert.isBelow(sizes[0] ?? Infinity, 50)
    })
  )

  it.effect("sees Hixie-76, whose frames are not masked", () =>
    Effect.gen(function* () {
      const seen = watch()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const [client, server] = yield* Socket.makePair({
            draft: Handshake.hixie76,
            server: { onFrame: seen.observe }
          })
          yield* client.send("hello")
          yield* server.send("back")
          assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(client.messages, 1)), ["back"])
          yield* client.close()
        })
      )
      assert.deepStrictEqual(seen.frames, [
        "sent 1 fin=true rsv=0 masked=false 4 back",
        "received 1 fin=true rsv=0 masked=false 5 hello",
        "received 8 fin=true rsv=0 masked=false 0 ",
        "sent 8 fin=true rsv=0 masked=false 0 "
      ])
    })
  )

  it.effect("is told which socket it is", () =>
    Effect.gen(function* () {
      const sockets: Array<Socket.Socket> = []
      const [client, server] = yield* Socket.makePair({ onFrame: (_, socket) => sockets.push(socket) })
      yield* client.send("hello")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(server.messages, 1)), ["hello"])
      assert.strictEqual(sockets[0], client)
      assert.strictEqual(sockets[1], server)
    })
  )

  it.effect("hears of a broadcast on its own connection alone", () =>
    Effect.gen(function* () {
      const seen = watch()
      const [, observed] = yield* Socket.makePair({ server: { onFrame: seen.observe } })
      const [other, unobserved] = yield* Socket.makePair()
      assert.strictEqual(yield* Socket.broadcast([unobserved, observed], ["to all"]), 2)
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(other.messages, 1)), ["to all"])
      assert.deepStrictEqual(seen.frames, ["sent 1 fin=true rsv=0 masked=false 6 to all"])
    })
  )
})
