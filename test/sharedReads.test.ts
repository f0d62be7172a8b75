// Reads into memory that all sockets share: nothing that is told may lie in it, and where it can't be had all is as before.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Server, Socket } from "effect-ws"
import * as fc from "fast-check"
import { spawnSync } from "node:child_process"
import { once } from "node:events"
import * as net from "node:net"
import type { Codec, FrameSink, Role } from "../src/internal/protocol/codec.ts"
import { hixie76 } from "../src/internal/protocol/hixie/codec.ts"
import { hybi } from "../src/internal/protocol/hybi/codec.ts"
import { OutputBuffer } from "../src/internal/protocol/outputBuffer.ts"
import { Opcode } from "../src/internal/protocol/opcode.ts"
import { readSize, sharedReads } from "../src/internal/transport/sharedReads.ts"
import { makeCertificate } from "./support/certificate.ts"

const certificate = makeCertificate()

const whole = (codec: Codec, role: Role, payloads: ReadonlyArray<Uint8Array>): Buffer => {
  const out = new OutputBuffer()
  const opcode = codec.capabilities.binary ? Opcode.binary : Opcode.text
  for (const payload of payloads) codec.encoder(role).frame(out, opcode, true, 0, payload)
  return out.take()
}

const payload = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 300 }) },
  { weight: 2, arbitrary: fc.integer({ min: 4090, max: 4100 }) },
  { weight: 1, arbitrary: fc.integer({ min: 65_530, max: 70_000 }) }
)

describe("what is borrowed", () => {
  for (const [name, codec] of [["HyBi", hybi] as const, ["Hixie-76", hixie76] as const]) {
    it(`${name}: any cut, each piece overwritten after its call, gives the messages that were sent`, () => {
      fc.assert(
        fc.property(
          fc.array(payload, { minLength: 1, maxLength: 8 }),
          fc.array(fc.nat(), { maxLength: 6 }),
          fc.boolean(),
          fc.constantFrom("call" as const, "delivery" as const),
          (sizes, cuts, pausing, borrowed) => {
            const sent = sizes.map((size, index) => Buffer.alloc(size, 97 + index))
            const bytes = whole(codec, "client", sent)
            const got: Array<Buffer> = []
            let piece: Buffer = Buffer.alloc(0)
            const sink: FrameSink = {
              message: (_opcode, _rsv, bytes, start, end) => {
                if (borrowed === "delivery") piece.fill(0xaa)
                got.push(bytes.subarray(start, end))
                if (pausing) decoder.suspend()
                return undefined
              },
              fragment: () => assert.fail("no message was cut"),
              control: () => assert.fail("no control frame was sent")
            }
            const decoder = codec.decoder(sink, { role: "server", maxMessageSize: 1 << 20, allowedRsv: 0 })
            const edges = [0, ...cuts.map((cut) => cut % bytes.length), bytes.length].sort((a, b) => a - b)
            for (const [index, end] of edges.slice(1).entries()) {
              piece = Buffer.from(bytes.subarray(edges[index], end))
              decoder.feed(piece, borrowed)
              piece.fill(0xaa)
            }
            while (decoder.suspended) decoder.resume()
            assert.isUndefined(decoder.violation)
            assert.deepStrictEqual(
              got.map((bytes) => bytes.toString("latin1")),
              sent.map((bytes) => bytes.toString("latin1"))
            )
          }
        ),
        { numRuns: 150 }
      )
    })
  }

  it("HyBi: what is read into the place of its payload is not overwritten, however it is cut", () => {
    const large = fc.oneof(payload, fc.integer({ min: 40_000, max: 300_000 }))
    fc.assert(
      fc.property(
        fc.array(large, { minLength: 1, maxLength: 6 }),
        fc.infiniteStream(fc.integer({ min: 500, max: 120_000 })),
        fc.array(fc.boolean(), { maxLength: 4 }),
        fc.constantFrom<Role>("client", "server"),
        (sizes, cuts, pauses, role) => {
          const sent = sizes.map((size, index) => Buffer.alloc(size, 97 + index))
          const bytes = whole(hybi, role === "server" ? "client" : "server", sent)
          const got: Array<Buffer> = []
          const pausing = [...pauses]
          const sink: FrameSink = {
            message: (_opcode, _rsv, bytes, start, end) => {
              got.push(bytes.subarray(start, end))
              if (pausing.shift() === true) decoder.suspend()
              return undefined
            },
            fragment: () => assert.fail("no message was cut"),
            control: () => assert.fail("no control frame was sent")
          }
          const decoder = hybi.decoder(sink, { role, maxMessageSize: 1 << 20, allowedRsv: 0 })
          const shared = Buffer.alloc(readSize)
          for (let at = 0; at < bytes.length;) {
            const target = decoder.readTarget
            const memory = target ?? shared
            const cut: number = cuts.next().value
            const size = Math.min(cut, memory.length, bytes.length - at)
            bytes.copy(memory, 0, at, at + size)
            decoder.feed(memory.subarray(0, size), target === undefined ? "call" : undefined)
            if (target === undefined) shared.fill(0xaa)
            at += size
            if (decoder.suspended && cut % 2 === 0) decoder.resume()
            else if (cut % 5 === 0) decoder.suspend()
          }
          while (decoder.suspended) decoder.resume()
          assert.isUndefined(decoder.violation)
          assert.isTrue(got.length === sent.length && got.every((message, index) => sent[index]?.equals(message)))
        }
      ),
      { numRuns: 150 }
    )
  })

  for (const scheme of ["ws", "wss"])
    it.live(`${scheme}: messages of a connection outlive what others read meanwhile`, () =>
      Effect.scoped(
        Effect.gen(function* () {
          const server = yield* Server.make({
            port: 0,
            host: "127.0.0.1",
            ...(scheme === "wss" ? { tls: certificate } : {})
          })
          const kept: Array<Uint8Array> = []
          yield* Effect.forkScoped(
            server.run((socket) =>
              Stream.runForEach(socket.messages, (message) => {
                if (message instanceof Uint8Array) kept.push(message)
                return socket.send("taken")
              })
            )
          )
          const sizes = [
            1,
            125,
            4_082,
            4_083,
            4_096,
            16_384,
            65_536,
            readSize - 20,
            readSize,
            readSize + 1,
            3 * readSize
          ]
          yield* Effect.forEach(
            sizes,
            (size, index) =>
              Effect.gen(function* () {
                const socket = yield* Socket.connect(
                  `${scheme}://127.0.0.1:${server.address.port}`,
                  scheme === "wss" ? { tls: { ca: certificate.cert } } : {}
                )
                for (let turn = 0; turn < 4; turn++) {
                  yield* socket.send(new Uint8Array(size).fill(1 + index + 16 * turn))
                  yield* Stream.runDrain(Stream.take(socket.messages, 1))
                }
              }),
            { concurrency: "unbounded", discard: true }
          )
          assert.strictEqual(kept.length, sizes.length * 4)
          for (const message of kept) {
            const [first] = message
            assert.isTrue(message.every((byte) => byte === first))
            assert.strictEqual(message.length, sizes[((first ?? 0) - 1) % 16])
          }
        })
      )
    )
})

const ignore = (): void => {}

const connection = async (): Promise<readonly [ours: net.Socket, theirs: net.Socket, server: net.Server]> => {
  const server = net.createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const theirs = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1")
  const [ours] = await once(server, "connection")
  return [ours, theirs, server]
}

describe("a socket that Node made", () => {
  const chunks: Array<string> = []
  const read = sharedReads((chunk, borrowed) => {
    chunks.push(`${chunk.toString()}${borrowed === undefined ? "" : " borrowed"}`)
  })

  it.live("reads so, and keeps in its stream what comes while it is paused", () =>
    Effect.promise(async () => {
      const [ours, theirs, server] = await connection()
      chunks.length = 0
      assert.isTrue(read(ours))
      ours.on("data", (chunk: Buffer) => chunks.push(`${chunk.toString()} from the stream`))
      ours.resume()
      theirs.write("one")
      while (chunks.length < 1) await new Promise(setImmediate)
      Object.getPrototypeOf(net.Socket.prototype).pause.call(ours)
      theirs.write("two")
      while (ours.readableLength < 3) await new Promise(setImmediate)
      ours.resume()
      while (chunks.length < 2) await new Promise(setImmediate)
      theirs.write("three")
      while (chunks.length < 3) await new Promise(setImmediate)
      assert.deepStrictEqual(chunks, ["one", "two from the stream", "three"])
      theirs.destroy()
      ours.destroy()
      server.close()
    })
  )

  it.live("doesn't when somebody listens to its stream, or its stream has read before", () =>
    Effect.promise(async () => {
      const [ours, theirs, server] = await connection()
      ours.on("data", ignore)
      assert.isFalse(read(ours))
      ours.off("data", ignore)
      ours.pause()
      theirs.write("early")
      ours.read(0)
      while (ours.readableLength === 0) await new Promise(setImmediate)
      assert.isFalse(read(ours))
      theirs.destroy()
      ours.destroy()
      server.close()
    })
  )

  it.live("doesn't with EFFECT_WS_READS=stream, and all works", () =>
    Effect.sync(() => {
      const script = `
        import { Effect, Stream } from "effect"
        import { Server, Socket } from "effect-ws"
        import * as net from "node:net"
        const used = []
        const own = net.Socket.prototype.push
        net.Socket.prototype.push = function (...all) { used.push("stream"); return own.apply(this, all) }
        const program = Effect.gen(function* () {
          const server = yield* Server.make({ port: 0, host: "127.0.0.1" })
          yield* Effect.forkScoped(server.run((socket) => Stream.runForEach(socket.messages, socket.send)))
          const socket = yield* Socket.connect("ws://127.0.0.1:" + server.address.port)
          yield* socket.send("x".repeat(100_000))
          const [message] = yield* Stream.runCollect(Stream.take(socket.messages, 1))
          const through = used.length > 4
          return message.length + (through ? " through the stream" : " past the stream")
        })
        console.log(await Effect.runPromise(Effect.scoped(program)))
      `
      const run = (reads: string): string =>
        spawnSync(
          process.execPath,
          ["--import", "./test/support/resolve-src.mjs", "--input-type=module", "--eval", script],
          {
            encoding: "utf8",
            env: { ...process.env, NODE_OPTIONS: "", NODE_NO_WARNINGS: "1", EFFECT_WS_READS: reads }
          }
        ).stdout.trim()
      assert.strictEqual(run("stream"), "100000 through the stream")
      assert.strictEqual(run(""), "100000 past the stream")
    })
  )
})
