import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { hybi } from "../src/internal/protocol/hybi/codec.ts"
import { Opcode } from "../src/internal/protocol/opcode.ts"
import { OutputBuffer, referenceSize, type Sink, slabSize } from "../src/internal/protocol/outputBuffer.ts"
import { bareConnection, forgetful, mib, Sink as Wire } from "./advisories/bare.ts"
import { liveBytes } from "./advisories/faces.ts"

/** Keeps what it was given: by copy when it answers that the bytes may be overwritten, as they are when not. */
class Taker implements Sink {
  readonly pieces: Array<Uint8Array> = []
  readonly calls: Array<number> = []
  /** What the next writes answer. */
  free = true
  buffered = 0

  write(bytes: Uint8Array): boolean {
    this.calls.push(1)
    this.keep(bytes)
    return this.free
  }

  writeAll(pieces: ReadonlyArray<Uint8Array>): boolean {
    this.calls.push(pieces.length)
    for (const piece of pieces) this.keep(piece)
    return this.free
  }

  get all(): Buffer {
    return Buffer.concat(this.pieces)
  }

  private keep(bytes: Uint8Array): void {
    this.pieces.push(this.free ? Uint8Array.from(bytes) : bytes)
  }
}

const append = (out: OutputBuffer, bytes: Uint8Array): void => {
  const at = out.reserve(bytes.length)
  out.buffer.set(bytes, at)
  out.commit(bytes.length)
}

const fill = (size: number, value: number): Buffer => Buffer.alloc(size, value)

const assertSame = (actual: Uint8Array, expected: Uint8Array, what: string): void => {
  assert.strictEqual(actual.length, expected.length, what)
  assert.isTrue(Buffer.from(actual).equals(expected), what)
}

describe("OutputBuffer", () => {
  it("writes side by side what was appended, in one write", () => {
    const out = new OutputBuffer()
    const taker = new Taker()
    for (let i = 0; i < 10; i++) append(out, fill(i, i))
    assert.strictEqual(out.size, 45)
    out.flush(taker)
    assert.deepStrictEqual(taker.calls, [1])
    assertSame(taker.all, Buffer.concat(Array.from({ length: 10 }, (_, i) => fill(i, i))), "bytes")
    assert.strictEqual(out.size, 0)
    out.flush(taker)
    assert.strictEqual(taker.calls.length, 1)
  })

  it("answers the same room to a second, smaller reservation, of any size", () => {
    for (const size of [10, slabSize - 1, slabSize, slabSize + 1, 3 * slabSize]) {
      const out = new OutputBuffer()
      const taker = new Taker()
      append(out, fill(3, 1))
      const first = out.reserve(size + 6)
      out.buffer.fill(7, first, first + size)
      const second = out.reserve(size)
      assert.strictEqual(second, first)
      out.commit(size)
      append(out, fill(2, 9))
      out.flush(taker)
      assertSame(taker.all, Buffer.concat([fill(3, 1), fill(size, 7), fill(2, 9)]), `${size}`)
    }
  })

  it("keeps what was reserved, but not committed, from being sent", () => {
    const out = new OutputBuffer()
    const taker = new Taker()
    const at = out.reserve(100)
    out.buffer.fill(7, at, at + 100)
    out.commit(2)
    append(out, fill(1, 3))
    out.flush(taker)
    assertSame(taker.all, Buffer.of(7, 7, 3), "bytes")
  })

  it("never mixes the pieces of outputs that take turns", () => {
    const outs = Array.from({ length: 5 }, () => new OutputBuffer())
    const takers = outs.map(() => new Taker())
    const expected = outs.map((): Array<Buffer> => [])
    for (let turn = 0; turn < 400; turn++) {
      const which = (turn * 7) % outs.length
      const piece = fill(1 + ((turn * 37) % 900), which * 40 + (turn % 40))
      append(outs[which] ?? assert.fail(), piece)
      expected[which]?.push(piece)
    }
    for (const [which, out] of outs.entries()) {
      const taker = takers[which] ?? assert.fail()
      out.flush(taker)
      assert.strictEqual(taker.calls.length, 1)
      assertSame(taker.all, Buffer.concat(expected[which] ?? []), `output ${which}`)
    }
  })

  it("uses the slab again from its beginning once nobody holds bytes in it", () => {
    const out = new OutputBuffer()
    const taker = new Taker()
    append(out, fill(10, 1))
    const { buffer } = out
    out.flush(taker)
    for (let round = 0; round < 100; round++) {
      append(out, fill(slabSize / 2, round))
      assert.strictEqual(out.buffer, buffer)
      out.flush(taker)
    }
    const other = new OutputBuffer()
    append(other, fill(10, 2))
    append(out, fill(slabSize / 2, 3))
    out.flush(taker)
    // `other` still holds bytes there: the next room is behind them, or elsewhere.
    append(out, fill(slabSize / 2, 4))
    const held = new Taker()
    other.flush(held)
    assertSame(held.all, fill(10, 2), "held bytes")
    out.discard()
  })

  it("gives up the slab when it is idle", () => {
    const out = new OutputBuffer()
    append(out, fill(10, 1))
    assert.isAtLeast(out.buffer.length, slabSize)
    out.flush(new Taker())
    assert.strictEqual(out.buffer.length, 0)
    append(out, fill(2 * slabSize, 1))
    out.discard()
    assert.strictEqual(out.buffer.length, 0)
    assert.strictEqual(new OutputBuffer().buffer.length, 0)
  })

  it("never overwrites what a sink keeps", () => {
    const out = new OutputBuffer()
    const keeper = new Taker()
    keeper.free = false
    const expected: Array<Buffer> = []
    for (let turn = 0; turn < 300; turn++) {
      const piece = fill(1 + ((turn * 131) % 3000), turn & 0xff)
      expected.push(piece)
      append(out, piece)
      out.flush(keeper)
      const other = new OutputBuffer()
      append(other, fill(100, 0xee))
      other.flush(new Taker())
    }
    assertSame(keeper.all, Buffer.concat(expected), "kept bytes")
  })

  it("keeps little more than the bytes that wait, whatever others write meanwhile", () => {
    const out = new OutputBuffer()
    const slow = new Taker()
    slow.free = false
    slow.buffered = 1
    const other = new OutputBuffer()
    const busy = (): void => {
      append(other, fill(slabSize - 100, 0xee))
      other.flush(new Taker())
    }
    /** Bytes of memory that the slow one's pieces keep alive. */
    const kept = (): number =>
      [...new Set(slow.pieces.map(({ buffer }) => buffer))].reduce((sum, { byteLength }) => sum + byteLength, 0)
    const expected: Array<Buffer> = []
    for (const size of [5000, 10_000, 30_000]) {
      for (let turn = 0; turn < 50; turn++) {
        const piece = fill(size + turn, turn)
        append(out, piece)
        expected.push(piece)
        busy()
        out.flush(slow)
      }
    }
    assert.isBelow(kept(), 1.1 * slow.all.length)
    // Little by little, and written at once in the end.
    for (let turn = 0; turn < 5000; turn++) {
      const piece = fill(10, turn & 0xff)
      append(out, piece)
      expected.push(piece)
      out.keep()
      if (turn % 100 === 0) busy()
    }
    out.flush(slow)
    assertSame(slow.all, Buffer.concat(expected), "bytes")
    assert.isBelow(kept(), 1.2 * slow.all.length)
  })

  it("forgets what is discarded", () => {
    const out = new OutputBuffer()
    const taker = new Taker()
    append(out, fill(100, 1))
    out.reference(fill(10, 2))
    append(out, fill(2 * slabSize, 3))
    out.discard()
    assert.strictEqual(out.size, 0)
    append(out, fill(3, 4))
    out.flush(taker)
    assertSame(taker.all, fill(3, 4), "bytes")
  })

  it("copies small pieces together, and writes large ones as they are", () => {
    const out = new OutputBuffer()
    const taker = new Taker()
    taker.free = false
    const large = fill(200_000, 5)
    append(out, fill(2, 1))
    out.reference(fill(100, 2))
    append(out, fill(2, 3))
    out.flush(taker)
    append(out, fill(2, 4))
    out.reference(large)
    append(out, fill(2, 6))
    out.flush(taker)
    out.reference(large)
    out.flush(taker)
    assert.deepStrictEqual(taker.calls, [1, 3, 1])
    assert.strictEqual(taker.pieces[2], large)
    assert.strictEqual(taker.pieces[4], large)
    assertSame(
      taker.all,
      Buffer.concat([fill(2, 1), fill(100, 2), fill(2, 3), fill(2, 4), large, fill(2, 6), large]),
      ""
    )
  })

  it("keeps any sequence of appends, references, flushes and discards of several outputs in order", () => {
    const size = fc.oneof(
      { weight: 8, arbitrary: fc.integer({ min: 0, max: 2000 }) },
      { weight: 2, arbitrary: fc.integer({ min: 20_000, max: 70_000 }) },
      { weight: 1, arbitrary: fc.integer({ min: slabSize - 5, max: slabSize + 5 }) }
    )
    const step = fc.record({
      which: fc.integer({ min: 0, max: 3 }),
      size,
      spare: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 3000 })),
      act: fc.constantFrom("append", "append", "append", "reference", "settle", "flush", "keep", "queue", "discard")
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const outs = Array.from({ length: 4 }, () => ({
          out: new OutputBuffer(),
          taker: new Taker(),
          waiting: [] as Array<Buffer>,
          expected: [] as Array<Buffer>
        }))
        for (const [index, { which, size, spare, act }] of steps.entries()) {
          const { out, taker, waiting, expected } = outs[which] ?? assert.fail()
          if (act === "append") {
            const piece = fill(size, index + 1)
            out.reserve(size + spare)
            append(out, piece)
            waiting.push(piece)
          } else if (act === "reference") {
            const piece = fill(size, index + 1)
            out.reference(piece)
            waiting.push(piece)
          } else if (act === "discard") {
            out.discard()
            waiting.length = 0
          } else if (act === "settle") {
            out.keep()
          } else {
            taker.free = act === "flush"
            taker.buffered = act === "queue" ? 1 : 0
            out.flush(taker)
            expected.push(...waiting.splice(0))
          }
          assert.strictEqual(
            out.size,
            waiting.reduce((sum, piece) => sum + piece.length, 0)
          )
        }
        for (const [which, { out, taker, waiting, expected }] of outs.entries()) {
          taker.free = true
          out.flush(taker)
          assertSame(taker.all, Buffer.concat([...expected, ...waiting]), `output ${which}`)
        }
      }),
      { numRuns: 300 }
    )
  })
})

const encode = (role: "client" | "server", payload: string | Uint8Array): Taker => {
  const out = new OutputBuffer()
  const taker = new Taker()
  taker.free = false
  if (typeof payload === "string") hybi.encoder(role).text(out, Opcode.text, true, payload)
  else hybi.encoder(role).frame(out, Opcode.binary, true, 0, payload)
  out.flush(taker)
  return taker
}

describe("a connection whose peer reads nothing", () => {
  it("keeps little more than its bytes, below the transport's limit and beyond it", async () => {
    const [slow, quick] = [new Wire(), new Wire()]
    const kept: Array<Uint8Array> = []
    slow.write = (bytes) => {
      kept.push(bytes)
      slow.buffered += bytes.length
      return false
    }
    const [connection, other] = [bareConnection(forgetful, slow), bareConnection(forgetful, quick)]
    const before = await liveBytes()
    for (let turn = 0; turn < 2000; turn++) {
      // The first half waits in the transport, as in a stream; the second in the connection.
      if (turn === 1000) slow.congested = true
      connection.outbound.message("x".repeat(100))
      for (let rest = 0; rest < 128; rest++) other.outbound.message("y".repeat(1000))
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.isBelow((await liveBytes()) - before, mib)
    assert.isAtLeast(connection.outbound.buffered, 2000 * 100)
    assert.isAtLeast(kept.length, 1000)
    connection.drop({ _tag: "TransportEnded" })
    other.drop({ _tag: "TransportEnded" })
  })
})

describe("frames in an output", () => {
  it("references an unmasked payload from the threshold on, and copies it below", () => {
    const below = fill(referenceSize - 1, 1)
    assert.strictEqual(encode("server", below).pieces.length, 1)
    // Up to 64 KiB the pieces are copied together all the same: one write of one piece is cheaper.
    assert.strictEqual(encode("server", fill(referenceSize, 1)).pieces.length, 1)
    const large = fill(100_000, 1)
    const { pieces } = encode("server", large)
    assert.strictEqual(pieces.length, 2)
    assert.strictEqual(pieces[1], large)
  })

  it("never references, nor changes, a payload that is masked", () => {
    for (const size of [referenceSize, 100_000, 300_000]) {
      const payload = fill(size, 1)
      const { pieces } = encode("client", payload)
      assert.isFalse(pieces.some((piece) => piece.buffer === payload.buffer))
      assertSame(payload, fill(size, 1), "payload")
    }
  })

  it("writes messages of every size, text and bytes, in both roles", () => {
    const sizes = [0, 1, 125, 126, 127, 5000, 16_383, 16_384, 43_690, 65_535, 65_536, slabSize - 14, slabSize, 500_000]
    for (const role of ["client", "server"] as const) {
      for (const size of sizes) {
        for (const message of ["x".repeat(size), "é".repeat(size), "世".repeat(size), fill(size, 7)]) {
          const decoded: Array<Buffer> = []
          const decoder = hybi.decoder(
            {
              message: (_opcode, _rsv, bytes, start, end) => void decoded.push(bytes.subarray(start, end)),
              fragment: () => undefined,
              control: () => undefined
            },
            { role: role === "client" ? "server" : "client", maxMessageSize: 10_000_000, allowedRsv: 0 }
          )
          assert.isUndefined(decoder.feed(Buffer.from(encode(role, message).all)))
          assert.strictEqual(decoded.length, 1)
          assertSame(decoded[0] ?? assert.fail(), Buffer.from(message), `${role}, ${size}`)
        }
      }
    }
  })
})
