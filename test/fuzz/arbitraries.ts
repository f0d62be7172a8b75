// What the fuzzers feed: bytes near what is valid, and the pieces that they come in.
import * as fc from "fast-check"

/** One change to bytes. */
type Change =
  | { readonly kind: "flip"; readonly at: number; readonly bit: number }
  | { readonly kind: "set"; readonly at: number; readonly byte: number }
  | { readonly kind: "insert"; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: "remove"; readonly at: number; readonly count: number }
  | { readonly kind: "repeat"; readonly at: number; readonly count: number; readonly times: number }

/** Bytes that mean something at one place or another. */
const interesting = [
  0x00, 0x01, 0x02, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a, 0xc1, 0xc2, 0xf0, 0xfe, 0xff
]

const at = fc.nat({ max: 4095 })

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant("flip" as const), at, bit: fc.nat({ max: 7 }) }),
  fc.record({ kind: fc.constant("set" as const), at, byte: fc.constantFrom(...interesting) }),
  fc.record({ kind: fc.constant("insert" as const), at, bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }) }),
  fc.record({ kind: fc.constant("remove" as const), at, count: fc.integer({ min: 1, max: 8 }) }),
  fc.record({
    kind: fc.constant("repeat" as const),
    at,
    count: fc.integer({ min: 1, max: 16 }),
    times: fc.integer({ min: 1, max: 20 })
  })
)

const apply = (bytes: Buffer, change: Change): Buffer => {
  if (bytes.length === 0) return change.kind === "insert" ? Buffer.from(change.bytes) : bytes
  const at = change.at % bytes.length
  switch (change.kind) {
    case "flip": {
      const changed = Buffer.from(bytes)
      changed[at] = (bytes[at] ?? 0) ^ (1 << change.bit)
      return changed
    }
    case "set": {
      const changed = Buffer.from(bytes)
      changed[at] = change.byte
      return changed
    }
    case "insert":
      return Buffer.concat([bytes.subarray(0, at), change.bytes, bytes.subarray(at)])
    case "remove":
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + change.count)])
    case "repeat": {
      const part = bytes.subarray(at, at + change.count)
      return Buffer.concat([
        bytes.subarray(0, at),
        ...Array.from({ length: change.times }, () => part),
        bytes.subarray(at)
      ])
    }
  }
}

/** Seeds in a row, changed here and there; now and then any bytes. */
export const mutated = (seeds: ReadonlyArray<Buffer>): fc.Arbitrary<Buffer> =>
  fc.oneof(
    {
      weight: 9,
      arbitrary: fc
        .tuple(fc.array(fc.constantFrom(...seeds), { minLength: 1, maxLength: 5 }), fc.array(change, { maxLength: 5 }))
        .map(([parts, changes]) => changes.reduce(apply, Buffer.concat(parts)))
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)) }
  )

/** The same of text, one byte a character. */
export const mutatedText = (seeds: ReadonlyArray<string>): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...seeds) },
    {
      weight: 6,
      arbitrary: mutated(seeds.map((seed) => Buffer.from(seed, "latin1"))).map((bytes) => bytes.toString("latin1"))
    },
    { weight: 1, arbitrary: fc.string({ maxLength: 40 }) }
  )

/** Where bytes are cut, as a share of their length. */
export const cuts: fc.Arbitrary<ReadonlyArray<number>> = fc.array(fc.nat({ max: 9999 }), { maxLength: 6 })

/** The pieces of bytes, each in memory of its own: decoders unmask in place. */
export const cutAt = (bytes: Buffer, cuts: ReadonlyArray<number>): ReadonlyArray<Buffer> => {
  const places = cuts.map((cut) => Math.floor((cut / 10_000) * (bytes.length + 1))).sort((a, b) => a - b)
  const ends = [...places, bytes.length]
  let from = 0
  return ends.map((end) => {
    const piece = Buffer.from(Uint8Array.prototype.slice.call(bytes, from, end).buffer)
    from = end
    return piece
  })
}

/** One frame, with a header that is right most of the time. */
const wireFrame = (mask: boolean): fc.Arbitrary<Buffer> =>
  fc
    .record({
      fin: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, { weight: 2, arbitrary: fc.constant(false) }),
      rsv: fc.oneof(
        { weight: 12, arbitrary: fc.constant(0) },
        { weight: 3, arbitrary: fc.constant(4) },
        { weight: 1, arbitrary: fc.nat({ max: 7 }) }
      ),
      opcode: fc.oneof(
        { weight: 15, arbitrary: fc.constantFrom(0, 0, 1, 2, 8, 9, 10) },
        { weight: 1, arbitrary: fc.nat({ max: 15 }) }
      ),
      masked: fc.oneof({ weight: 30, arbitrary: fc.constant(mask) }, { weight: 1, arbitrary: fc.constant(!mask) }),
      key: fc.uint8Array({ minLength: 4, maxLength: 4 }),
      payload: fc.oneof(
        { weight: 20, arbitrary: fc.string({ unit: "binary", maxLength: 20 }).map((text) => Buffer.from(text)) },
        { weight: 15, arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)) },
        {
          weight: 1,
          arbitrary: fc
            .constantFrom("03e8", "03e9666f6f", "0fa0", "03ec", "13", "")
            .map((text) => Buffer.from(text, "hex"))
        },
        { weight: 4, arbitrary: fc.uint8Array({ minLength: 120, maxLength: 140 }).map((bytes) => Buffer.from(bytes)) },
        { weight: 1, arbitrary: fc.constantFrom(65_535, 65_536).map((size) => Buffer.alloc(size, 0x61)) }
      ),
      /** How the length is written: the shortest form, or a longer one. */
      form: fc.oneof({ weight: 20, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constantFrom(2, 8) }),
      /** How much the length lies. */
      lie: fc.oneof(
        { weight: 30, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.constantFrom(-1, 1, 2 ** 31, 2 ** 40) }
      )
    })
    .map(({ fin, form, key, lie, masked, opcode, payload, rsv }) => {
      const length = Math.max(0, payload.length + lie)
      const size = Math.max(form, length < 126 ? 0 : length < 65_536 ? 2 : 8)
      const head = Buffer.alloc(2 + size)
      head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode
      head[1] = (masked ? 0x80 : 0) | (size === 0 ? length : size === 2 ? 126 : 127)
      if (size === 2) head.writeUInt16BE(length % 65_536, 2)
      if (size === 8) head.writeBigUInt64BE(BigInt(length), 2)
      if (!masked) return Buffer.concat([head, payload])
      return Buffer.concat([head, key, payload.map((byte, index) => byte ^ (key[index & 3] ?? 0))])
    })

/** A stream of frames that a peer of a role might send, or nearly. */
export const wireFrames = (mask: boolean): fc.Arbitrary<Buffer> =>
  fc.array(wireFrame(mask), { maxLength: 8 }).map((frames) => Buffer.concat(frames))

/** Either of the two: structure, or changed seeds. */
export const frameBytes = (seeds: ReadonlyArray<Buffer>, mask: boolean): fc.Arbitrary<Buffer> =>
  fc.oneof(wireFrames(mask), mutated(seeds))
