import { assert, describe, it } from "@effect/vitest"
import { isUtf8 } from "node:buffer"
import * as fc from "fast-check"
import { decodeUtf8, Utf8Validator } from "../src/internal/protocol/utf8.ts"

/** Where in the bytes the validator refuses, byte by byte; -1 when it doesn't. */
const refusedAt = (bytes: Uint8Array): number => {
  const validator = new Utf8Validator()
  for (let i = 0; i < bytes.length; i++) {
    if (!validator.push(bytes, i, i + 1)) return i
  }
  return -1
}

/** The verdict over pieces: whether the bytes are UTF-8 from beginning to end. */
const isValid = (pieces: ReadonlyArray<Uint8Array>): boolean => {
  const validator = new Utf8Validator()
  return pieces.every((piece) => validator.push(piece, 0, piece.length)) && validator.complete
}

/** Every encoding of one character of `size` bytes that the standard allows, by the ranges of RFC 3629 §4. */
const wellFormed: ReadonlyArray<ReadonlyArray<readonly [number, number]>> = [
  [[0x00, 0x7f]],
  [
    [0xc2, 0xdf],
    [0x80, 0xbf]
  ],
  [
    [0xe0, 0xe0],
    [0xa0, 0xbf],
    [0x80, 0xbf]
  ],
  [
    [0xe1, 0xec],
    [0x80, 0xbf],
    [0x80, 0xbf]
  ],
  [
    [0xed, 0xed],
    [0x80, 0x9f],
    [0x80, 0xbf]
  ],
  [
    [0xee, 0xef],
    [0x80, 0xbf],
    [0x80, 0xbf]
  ],
  [
    [0xf0, 0xf0],
    [0x90, 0xbf],
    [0x80, 0xbf],
    [0x80, 0xbf]
  ],
  [
    [0xf1, 0xf3],
    [0x80, 0xbf],
    [0x80, 0xbf],
    [0x80, 0xbf]
  ],
  [
    [0xf4, 0xf4],
    [0x80, 0x8f],
    [0x80, 0xbf],
    [0x80, 0xbf]
  ]
]

const inRange = (byte: number, range: readonly [number, number] | undefined): boolean =>
  range !== undefined && byte >= range[0] && byte <= range[1]

/** The first byte after which no continuation could be UTF-8, by the table; -1 when there is none. */
const impossibleAt = (bytes: Uint8Array): number => {
  let rows = wellFormed
  let depth = 0
  for (const [index, byte] of bytes.entries()) {
    rows = rows.filter((row) => inRange(byte, row[depth]))
    if (rows.length === 0) return index
    depth++
    if (rows.some((row) => row.length === depth)) {
      rows = wellFormed
      depth = 0
    }
  }
  return -1
}

// Bytes that meet in the edges of the table far more often than random ones.
const edges = "00417f808f909fa0bfc0c1c2dfe0e1ecedeeeff0f1f3f4f5ff"
const edgeByte = fc.constantFrom(...Buffer.from(edges, "hex"))

const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 12 }),
  fc.array(edgeByte, { maxLength: 12 }).map((bytes) => Uint8Array.from(bytes)),
  fc.string({ unit: "binary", maxLength: 120 }).map((text) => new TextEncoder().encode(text)),
  fc.tuple(fc.string({ unit: "binary", minLength: 10, maxLength: 120 }), fc.nat(), edgeByte).map(([text, at, byte]) => {
    const bytes = new TextEncoder().encode(text)
    bytes[at % bytes.length] = byte
    return bytes
  }),
  fc.tuple(fc.string({ unit: "binary", minLength: 10, maxLength: 120 }), fc.nat()).map(([text, at]) => {
    const bytes = new TextEncoder().encode(text)
    return bytes.subarray(0, at % bytes.length)
  })
)

describe("Utf8Validator", () => {
  it("agrees with the native check on every sequence of two bytes", () => {
    for (let first = 0; first < 256; first++) {
      for (let second = 0; second < 256; second++) {
        const bytes = Uint8Array.of(first, second)
        if (isValid([bytes]) !== isUtf8(bytes)) assert.fail(`${first.toString(16)} ${second.toString(16)}`)
      }
    }
  })

  it("agrees with the native check on sequences of three and four bytes around every edge", () => {
    const lasts = [0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff]
    for (let first = 0xc0; first < 256; first++) {
      for (let second = 0x7f; second <= 0xc0; second++) {
        for (const third of lasts) {
          for (const bytes of [[first, second, third], ...lasts.map((fourth) => [first, second, third, fourth])]) {
            const all = Uint8Array.from(bytes)
            if (isValid([all]) !== isUtf8(all)) assert.fail(Buffer.from(all).toString("hex"))
          }
        }
      }
    }
  })

  it("gives the native verdict for every split", () => {
    fc.assert(
      fc.property(anyBytes, fc.nat(), fc.nat(), (bytes, one, other) => {
        const [first = 0, second = 0] = [one % (bytes.length + 1), other % (bytes.length + 1)].sort((a, b) => a - b)
        const expected = isUtf8(bytes)
        assert.strictEqual(isValid([bytes]), expected)
        for (let cut = 0; cut <= bytes.length; cut++) {
          assert.strictEqual(isValid([bytes.subarray(0, cut), bytes.subarray(cut)]), expected)
        }
        const three = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)]
        assert.strictEqual(isValid(three), expected)
      }),
      { numRuns: 1000 }
    )
  })

  it("refuses at the first byte that nothing could make valid", () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const at = impossibleAt(bytes)
        assert.strictEqual(refusedAt(bytes), at)
        // A longer piece is refused exactly when it holds that byte.
        for (let end = 0; end <= bytes.length; end++) {
          assert.strictEqual(new Utf8Validator().push(bytes, 0, end), at < 0 || end <= at)
        }
      }),
      { numRuns: 1000 }
    )
  })

  it("checks nothing outside its range", () => {
    const bytes = Buffer.concat([Buffer.of(0xff), Buffer.alloc(40, "é"), Buffer.of(0xff)])
    assert.isTrue(new Utf8Validator().push(bytes, 1, 41))
    assert.isFalse(new Utf8Validator().push(bytes, 1, 42))
    assert.isTrue(new Utf8Validator().push(bytes, 1, 1))
  })

  it("forgets a cut character when it is reset", () => {
    const validator = new Utf8Validator()
    assert.isTrue(validator.push(Uint8Array.of(0xe0), 0, 1))
    assert.isFalse(validator.complete)
    validator.reset()
    assert.isTrue(validator.complete)
    assert.isTrue(validator.push(Buffer.from("é"), 0, 2))
    assert.isTrue(validator.complete)
  })
})

describe("decodeUtf8", () => {
  it("decodes what the native check accepts, and nothing else", () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const buffer = Buffer.from(bytes)
        assert.strictEqual(decodeUtf8(buffer, 0, buffer.length), isUtf8(buffer) ? buffer.toString("utf8") : undefined)
      })
    )
  })

  it("leaves U+FFFD in text that holds it", () => {
    const bytes = Buffer.from("a\uFFFDb")
    assert.strictEqual(decodeUtf8(bytes, 0, bytes.length), "a\uFFFDb")
    assert.strictEqual(decodeUtf8(bytes, 0, 3), undefined)
  })

  it("keeps a byte order mark and NUL", () => {
    const bytes = Buffer.from("\uFEFF\u0000x")
    assert.strictEqual(decodeUtf8(bytes, 0, bytes.length), "\uFEFF\u0000x")
  })
})
