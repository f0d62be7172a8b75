import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { gzipSync } from "node:zlib"
import { type BinaryFormat, decodeBinary } from "../../src/internal/cli/terminal/binaryFormats.ts"

const read = (format: BinaryFormat, hex: string): string | undefined =>
  decodeBinary(format, Buffer.from(hex, "hex"), 1000)

describe("MessagePack", () => {
  for (const [hex, json] of [
    ["c0", "null"],
    ["c3", "true"],
    ["7f", "127"],
    ["ff", "-1"],
    ["e0", "-32"],
    ["cd0100", "256"],
    ["cfffffffffffffffff", "18446744073709551615"],
    ["d3ffffffffffffffff", "-1"],
    ["d38000000000000000", "-9223372036854775808"],
    ["cb3ff8000000000000", "1.5"],
    ["a3616263", '"abc"'],
    ["d903c3a978", '"éx"'],
    ["c40200ff", '"AP8="'],
    ["93010203", "[1,2,3]"],
    ["82a161c2a162c0", '{"a":false,"b":null}'],
    ["8101a178", '{"1":"x"}'],
    ["d6ff00000000", '"1970-01-01T00:00:00.000Z"'],
    ["d40580", '{"extension":5,"base64":"gA=="}']
  ] as const) {
    it(`reads ${hex}`, () => assert.strictEqual(read("msgpack", hex), json))
  }

  it("reads nothing else", () => {
    for (const hex of ["", "c1", "a361", "93", "dd7fffffff", "0101", "a1ff", "91".repeat(200)]) {
      assert.isUndefined(read("msgpack", hex), hex)
    }
  })
})

// The examples of RFC 8949, appendix A.
describe("CBOR", () => {
  for (const [hex, json] of [
    ["00", "0"],
    ["1864", "100"],
    ["1bffffffffffffffff", "18446744073709551615"],
    ["3bffffffffffffffff", "-18446744073709551616"],
    ["20", "-1"],
    ["f93e00", "1.5"],
    ["f90001", "5.960464477539063e-8"],
    ["f9c400", "-4"],
    ["fa47c35000", "100000"],
    ["fb3ff199999999999a", "1.1"],
    ["f4", "false"],
    ["f6", "null"],
    ["c11a514b67b0", "1363896240"],
    ["4401020304", '"AQIDBA=="'],
    ["62c3bc", '"ü"'],
    ["83010203", "[1,2,3]"],
    ["a201020304", '{"1":2,"3":4}'],
    ["a26161016162820203", '{"a":1,"b":[2,3]}'],
    ["7f657374726561646d696e67ff", '"streaming"'],
    ["9f018202039f0405ffff", "[1,[2,3],[4,5]]"],
    ["bf61610161629f0203ffff", '{"a":1,"b":[2,3]}']
  ] as const) {
    it(`reads ${hex}`, () => assert.strictEqual(read("cbor", hex), json))
  }

  it("reads nothing else", () => {
    for (const hex of ["", "1c", "ff", "81ff", "9f01", "7a7fffffff61", "1f", "9bffffffffffffffff", "81".repeat(200)]) {
      assert.isUndefined(read("cbor", hex), hex)
    }
  })
})

describe("gzip", () => {
  it("reads text up to the limit", () => {
    assert.strictEqual(decodeBinary("gzip", gzipSync("x".repeat(100)), 100), "x".repeat(100))
    assert.isUndefined(decodeBinary("gzip", gzipSync("x".repeat(101)), 100))
    assert.isUndefined(decodeBinary("gzip", gzipSync(Buffer.of(0xff)), 100))
    assert.isUndefined(decodeBinary("gzip", Buffer.from("text"), 100))
  })
})

it("never throws, whatever the bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.constantFrom("msgpack", "cbor", "gzip"), (bytes, format) => {
      const text = decodeBinary(format, bytes, 1000)
      assert.isTrue(text === undefined || typeof text === "string")
    })
  )
})
