import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { applyMask, randomKey } from "../src/internal/protocol/mask.ts"

/** RFC 6455 §5.3, as it is written there. */
const reference = (bytes: Uint8Array, key: Uint8Array, offset: number): Uint8Array =>
  bytes.map((byte, i) => byte ^ (key[(i + offset) % 4] ?? 0))

const packed = (key: Uint8Array): number => Buffer.from(key).readInt32LE(0)

describe("applyMask", () => {
  it("unmasks the example of RFC 6455 §5.7", () => {
    const payload = Buffer.from("7f9f4d5158", "hex")
    applyMask(payload, 0, 5, packed(Buffer.from("37fa213d", "hex")), 0)
    assert.strictEqual(payload.toString(), "Hello")
  })

  it("does what the standard says at every length around the edges, alignment and offset", () => {
    const key = Uint8Array.of(0x80, 0x01, 0xfe, 0xff)
    const backing = Buffer.alloc(256)
    for (const length of [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 62, 63, 64, 65, 66, 71, 72, 73, 80, 127, 128]) {
      for (let alignment = 0; alignment < 8; alignment++) {
        for (let offset = 0; offset < 5; offset++) {
          const original = Uint8Array.from({ length }, (_, i) => (i * 7 + 3) & 0xff)
          backing.fill(0xaa)
          backing.set(original, 16 + alignment)
          applyMask(backing, 16 + alignment, 16 + alignment + length, packed(key), offset)
          const what = `length ${length}, alignment ${alignment}, offset ${offset}`
          const masked = backing.subarray(16 + alignment, 16 + alignment + length)
          assert.deepStrictEqual(Uint8Array.from(masked), reference(original, key, offset), what)
          assert.isTrue(
            backing.every((byte, i) => byte === 0xaa || (i >= 16 + alignment && i < 16 + alignment + length)),
            `around ${what}`
          )
        }
      }
    }
  })

  it("does what the standard says for any bytes, in any pieces", () => {
    const anyKey = fc.uint8Array({ minLength: 4, maxLength: 4 })
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        anyKey,
        fc.array(fc.nat(), { maxLength: 4 }),
        (bytes, key, cuts) => {
          const expected = reference(bytes, key, 0)
          const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
          const masked = Uint8Array.from(bytes)
          for (let i = 1; i < edges.length; i++) {
            const start = edges[i - 1] ?? 0
            applyMask(masked, start, edges[i] ?? 0, packed(key), start)
          }
          assert.deepStrictEqual(masked, expected)
          applyMask(masked, 0, masked.length, packed(key), 0)
          assert.deepStrictEqual(masked, bytes)
        }
      )
    )
  })

  it("works in a view of a larger buffer", () => {
    const backing = new ArrayBuffer(300)
    const view = new Uint8Array(backing, 5, 200)
    applyMask(view, 0, 200, packed(Uint8Array.of(1, 2, 3, 4)), 0)
    assert.deepStrictEqual(new Uint8Array(backing, 0, 9), Uint8Array.of(0, 0, 0, 0, 0, 1, 2, 3, 4))
    assert.deepStrictEqual(new Uint8Array(backing, 203, 4), Uint8Array.of(3, 4, 0, 0))
  })
})

describe("randomKey", () => {
  it("gives keys that don't repeat, past the edge of its pool", () => {
    const keys = new Set<number>()
    const count = 5000
    for (let i = 0; i < count; i++) keys.add(randomKey())
    // Of 5000 draws out of 2^32, three or more collisions come once in about 10^8 runs.
    assert.isAtLeast(keys.size, count - 2)
  })
})
