// The inflating path: what zlib makes of the same bytes, never more than the limit, and the same by either way.
import * as fc from "fast-check"
import { constants, deflateRawSync, inflateRawSync } from "node:zlib"
import { Deflate, type Inflated } from "../../src/internal/deflate/deflate.ts"
import { mutated } from "./arbitraries.ts"
import { expect, expectSame, type Target } from "./target.ts"

const tail = Buffer.from([0x00, 0x00, 0xff, 0xff])

const text = (size: number): Buffer => Buffer.from("the quick brown fox ".repeat(Math.ceil(size / 20)).slice(0, size))

const compress = (payload: Buffer, windowBits = 15): Buffer =>
  deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH, windowBits }).subarray(0, -4)

/** Compressed messages as others make them: empty, stored, with final blocks, out of small windows, very large. */
const seeds: ReadonlyArray<Buffer> = [
  compress(Buffer.from("Hello")),
  compress(text(300)),
  compress(text(3000), 9),
  compress(Buffer.alloc(10_000)),
  compress(Buffer.alloc(400_000)),
  deflateRawSync(text(100)),
  Buffer.concat([deflateRawSync(text(50)), Buffer.from([0])]),
  Buffer.concat([deflateRawSync(text(50)), compress(text(20))]),
  deflateRawSync(text(200), { level: 0 }),
  Buffer.from([0x00]),
  Buffer.from([0x02, 0x00]),
  Buffer.from([0x03, 0x00]),
  Buffer.from("f248cdc9c90700", "hex"),
  Buffer.from("f3000000", "hex")
]

const direction = (takeover: boolean) => ({ windowBits: 15, takeover })

const shown = (result: Inflated): string =>
  typeof result === "string" ? result : Buffer.from(result).toString("base64")

const inflateOf = (deflate: Deflate, payload: Buffer, limit: number): Promise<Inflated> => {
  const result = deflate.inflateSync(payload, limit)
  return result === undefined
    ? new Promise((resolve) => deflate.inflate(payload, limit, resolve))
    : Promise.resolve(result)
}

/** What zlib alone makes of a message. Undefined where it stops before the end: a final block, which we read past. */
const byZlib = (payload: Buffer): string | undefined => {
  try {
    const result: unknown = inflateRawSync(Buffer.concat([payload, tail]), {
      finishFlush: constants.Z_SYNC_FLUSH,
      info: true,
      maxOutputLength: 2 ** 22
    })
    const { buffer, engine } = result as { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } }
    return engine.bytesWritten === payload.length + tail.length ? buffer.toString("base64") : undefined
  } catch {
    return undefined
  }
}

const limits = fc.constantFrom(0, 1, 5, 300, 10_000, 399_999, 400_000, 2 ** 21)

const checkMessage = async (payload: Buffer, limit: number, takeover: boolean): Promise<void> => {
  const settings = { deflate: direction(takeover), inflate: direction(takeover), threshold: 0, level: 3, memLevel: 8 }
  const [internal, documented] = [new Deflate(settings), new Deflate(settings, "public")]
  try {
    const result = await inflateOf(internal, payload, limit)
    expect(
      typeof result === "string" || result.length <= limit,
      () => `${result.length} bytes beyond the limit of ${limit}`
    )
    const other = await inflateOf(documented, payload, limit)
    // Of what is too large and invalid besides, either may come first.
    const refused = typeof result === "string" && typeof other === "string"
    if (!refused) expectSame(shown(other), shown(result), "the documented way")
    const expected = byZlib(payload)
    if (expected === undefined || payload.length === 0) return
    const size = Buffer.from(expected, "base64").length
    expectSame(shown(result), size > limit ? "too large" : expected, "zlib says otherwise")
  } finally {
    internal.close()
    documented.close()
  }
}

const messageProperty = fc.asyncProperty(mutated(seeds), limits, fc.boolean(), checkMessage)

/** Messages of one connection: what we compress comes back, whatever stood before it. */
const roundTripProperty = fc.asyncProperty(
  fc.array(fc.oneof(mutated(seeds), fc.constantFrom(text(100), text(70_000), Buffer.alloc(300_000, 1))), {
    maxLength: 5
  }),
  fc.boolean(),
  fc.integer({ min: 9, max: 15 }),
  async (messages, takeover, windowBits) => {
    const way = { windowBits, takeover }
    const settings = { deflate: way, inflate: way, threshold: 0, level: 1, memLevel: 8 }
    const [left, right] = [new Deflate(settings), new Deflate(settings)]
    try {
      for (const message of messages) {
        const sync = left.compressSync(message)
        const compressed =
          sync === undefined
            ? await new Promise<Uint8Array | Error>((resolve) => left.compress(message, resolve))
            : Uint8Array.from(sync)
        if (compressed instanceof Error) throw compressed
        expectSame(
          shown(await inflateOf(right, Buffer.from(compressed), 2 ** 22)),
          message.toString("base64"),
          "round trip"
        )
      }
    } finally {
      left.close()
      right.close()
    }
  }
)

export const targets: ReadonlyArray<Target> = [
  { name: "inflate", property: messageProperty },
  {
    name: "inflate-guided",
    guided: {
      seeds: seeds.map((seed) => Buffer.concat([Buffer.from([6]), seed])),
      sources: /\/src\/internal\/deflate\//,
      // The first byte of an input is its options.
      check: (bytes) => {
        const options = bytes[0] ?? 0
        return checkMessage(bytes.subarray(1), [0, 5, 300, 2 ** 21][(options >> 1) & 3] ?? 0, (options & 1) === 1)
      }
    }
  },
  { name: "deflate-round-trip", property: roundTripProperty }
]
