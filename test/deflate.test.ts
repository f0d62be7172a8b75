import { afterEach, assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { constants, deflateRawSync, inflateRawSync } from "node:zlib"
import * as fc from "fast-check"
import * as ws from "ws"
import { syncSize as compressSyncSize } from "../src/internal/deflate/compressor.ts"
import { defaultDriver, type Driver } from "../src/internal/deflate/context.ts"
import { maxFinalBlocks, syncOutput, syncSize as inflateSyncSize } from "../src/internal/deflate/decompressor.ts"
import { Deflate, type Inflated, type Settings } from "../src/internal/deflate/deflate.ts"
import { Job, Limiter } from "../src/internal/deflate/limiter.ts"
import { releaseIdle, setLimits, usage } from "../src/internal/deflate/shared.ts"

const drivers: ReadonlyArray<Driver> = ["handle", "public"]

interface Options {
  readonly takeover?: boolean | undefined
  readonly windowBits?: number | undefined
  readonly level?: number | undefined
  readonly memLevel?: number | undefined
}

const settings = (options: Options = {}): Settings => {
  const direction = { windowBits: options.windowBits ?? 15, takeover: options.takeover ?? false }
  return {
    deflate: direction,
    inflate: direction,
    threshold: 0,
    level: options.level ?? 6,
    memLevel: options.memLevel ?? 8
  }
}

const opened: Array<Deflate> = []

const open = (driver: Driver, options?: Options): Deflate => {
  const deflate = new Deflate(settings(options), driver)
  opened.push(deflate)
  return deflate
}

afterEach(() => {
  for (const deflate of opened.splice(0)) deflate.close()
  setLimits({ concurrency: 2, keptContexts: 1024 })
})

/** Resolves when nothing runs or waits any more. */
const settled = async (): Promise<void> => {
  while (usage().running + usage().queued > 0) await new Promise(setImmediate)
}

const compressLater = (deflate: Deflate, payload: Uint8Array): Promise<Uint8Array> =>
  new Promise((resolve, reject) =>
    deflate.compress(payload, (result) => (result instanceof Error ? reject(result) : resolve(result)))
  )

const inflateLater = (deflate: Deflate, payload: Uint8Array, limit: number): Promise<Inflated> =>
  new Promise((resolve) => deflate.inflate(payload, limit, resolve))

/** At once where possible, else later; a copy. */
const compress = async (deflate: Deflate, payload: Uint8Array): Promise<Uint8Array> => {
  const now = deflate.compressSync(payload)
  return now === undefined ? compressLater(deflate, payload) : Uint8Array.from(now)
}

const inflate = async (deflate: Deflate, payload: Uint8Array, limit = Infinity): Promise<Inflated> =>
  deflate.inflateSync(payload, limit) ?? inflateLater(deflate, payload, limit)

const ways = { "at once or later": { compress, inflate }, later: { compress: compressLater, inflate: inflateLater } }

type Callback = (error: Error | null, result: Uint8Array) => void

/** What the `PerMessageDeflate` of ws has, which its types leave out. */
interface Peer {
  accept(offers: ReadonlyArray<Record<string, ReadonlyArray<string | boolean>>>): void
  compress(payload: Uint8Array, fin: boolean, callback: Callback): void
  decompress(payload: Uint8Array, fin: boolean, callback: Callback): void
  cleanup(): void
}

const isPeerClass = (value: unknown): value is new (options: object) => Peer => typeof value === "function"

const callbackResult = (start: (callback: Callback) => void): Promise<Uint8Array> =>
  new Promise((resolve, reject) => start((error, result) => (error === null ? resolve(result) : reject(error))))

const connect = (driver: Driver, takeover: boolean, windowBits: number) => {
  const PerMessageDeflate: unknown = Reflect.get(ws, "PerMessageDeflate")
  if (!isPeerClass(PerMessageDeflate)) return assert.fail("ws exports no PerMessageDeflate")
  const peer = new PerMessageDeflate({ isServer: true, threshold: 0 })
  peer.accept([
    {
      ...(takeover ? {} : { server_no_context_takeover: [true], client_no_context_takeover: [true] }),
      server_max_window_bits: [String(windowBits)],
      client_max_window_bits: [String(windowBits)]
    }
  ])
  return {
    ours: open(driver, { takeover, windowBits }),
    compressTheirs: (payload: Uint8Array) => callbackResult((callback) => peer.compress(payload, true, callback)),
    inflateTheirs: (payload: Uint8Array) => callbackResult((callback) => peer.decompress(payload, true, callback)),
    close: () => peer.cleanup()
  }
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex")

const assertBytes = (actual: Uint8Array | string | undefined, expected: Uint8Array): void => {
  if (!(actual instanceof Uint8Array)) assert.fail(`expected bytes, got ${actual}`)
  // Comparing by element is slow for large messages.
  if (Buffer.compare(actual, expected) !== 0) {
    assert.strictEqual(
      Buffer.from(actual).toString("hex").slice(0, 400),
      Buffer.from(expected).toString("hex").slice(0, 400)
    )
    assert.fail(`the bytes differ after the first 200, of ${actual.length} and ${expected.length}`)
  }
}

/** The payload of a message as another implementation would make it. */
const peerMessage = (payload: Uint8Array, dictionary?: Uint8Array): Buffer => {
  const flushed = deflateRawSync(payload, {
    finishFlush: constants.Z_SYNC_FLUSH,
    ...(dictionary === undefined ? undefined : { dictionary })
  })
  return flushed.subarray(0, flushed.length - 4)
}

/** The same, as one final block or several of which the last is final (RFC 7692 §7.2.3.4), without the octet after it. */
const finalBlocks = (payload: Uint8Array, dictionary?: Uint8Array): Buffer =>
  deflateRawSync(payload, dictionary === undefined ? {} : { dictionary })

const zero = Buffer.of(0)
const hello = Buffer.from("Hello")
const large = Buffer.from(Array.from({ length: 12_000 }, (_, i) => `{"id":${i * 7919},"name":"user ${i}"},`).join(""))
const noise = randomBytes(300_000)

describe.each(drivers)("permessage-deflate, driver %s", (driver) => {
  describe.each(Object.entries(ways))("%s", (_, way) => {
    it("RFC 7692 §7.2.3.1: a message in one block", async () => {
      const deflate = open(driver)
      const payload = hex("f2 48 cd c9 c9 07 00")
      assertBytes(await way.compress(deflate, hello), payload)
      assertBytes(await way.inflate(deflate, payload, 5), hello)
    })

    it("RFC 7692 §7.2.3.2: a second message shares the window, or does not", async () => {
      const takeover = open(driver, { takeover: true })
      const payloads = [hex("f2 48 cd c9 c9 07 00"), hex("f2 00 11 00 00")]
      for (const payload of payloads) {
        assertBytes(await way.compress(takeover, hello), payload)
        assertBytes(await way.inflate(takeover, payload, 5), hello)
      }
      const none = open(driver)
      for (let message = 0; message < 2; message++) {
        assertBytes(await way.compress(none, hello), hex("f2 48 cd c9 c9 07 00"))
      }
      assert.strictEqual(await way.inflate(none, hex("f2 00 11 00 00"), 5), "invalid")
    })

    it("RFC 7692 §7.2.3.3: a block without compression", async () => {
      const deflate = open(driver, { level: 0 })
      const payload = hex("00 05 00 fa ff 48 65 6c 6c 6f 00")
      assertBytes(await way.compress(deflate, hello), payload)
      assertBytes(await way.inflate(deflate, payload, 5), hello)
    })

    it.each([false, true])("RFC 7692 §7.2.3.4: a final block, takeover %s", async (takeover) => {
      const deflate = open(driver, { takeover })
      for (let message = 0; message < 3; message++) {
        assertBytes(await way.inflate(deflate, hex("f3 48 cd c9 c9 07 00 00"), 5), hello)
      }
      assertBytes(await way.inflate(deflate, hex("f2 48 cd c9 c9 07 00"), 5), hello)
    })

    it("RFC 7692 §7.2.3.5: two blocks", async () => {
      assertBytes(await way.inflate(open(driver), hex("f2 48 05 00 00 00 ff ff ca c9 c9 07 00"), 5), hello)
    })

    it.each([false, true])("RFC 7692 §7.2.3.6: an empty message is one zero octet, takeover %s", async (takeover) => {
      const deflate = open(driver, { takeover })
      for (const payload of [Buffer.alloc(0), hello, Buffer.alloc(0), Buffer.alloc(0), hello]) {
        const compressed = await way.compress(deflate, payload)
        if (payload.length === 0) assertBytes(compressed, zero)
        assertBytes(await way.inflate(deflate, compressed, 5), payload)
      }
      assertBytes(await way.inflate(deflate, Buffer.alloc(0), 0), Buffer.alloc(0))
      assertBytes(await way.inflate(deflate, zero, 0), Buffer.alloc(0))
    })

    it.each([false, true])("large messages, compressible and not, takeover %s", async (takeover) => {
      const deflate = open(driver, { takeover, level: 1 })
      for (const payload of [large, hello, noise, large, noise.subarray(0, 40_000), hello]) {
        assertBytes(await way.inflate(deflate, await way.compress(deflate, payload), payload.length), payload)
      }
    })

    it.each([false, true])("the limit holds to the byte, takeover %s", async (takeover) => {
      const sizes = [1, 5, 1000, 65_536, syncOutput - 1, syncOutput, syncOutput + 1, 600_000]
      for (const size of sizes) {
        const payload = peerMessage(Buffer.alloc(size, "abc"))
        const deflate = open(driver, { takeover })
        const at = await way.inflate(deflate, payload, size)
        assert.strictEqual(at.length, size)
        assert.strictEqual(await way.inflate(deflate, payload, size - 1), "too large")
        // The window of a message that was not read to its end is lost.
        assert.strictEqual((await way.inflate(deflate, payload, size)) === "invalid", takeover)
      }
    })

    it("blocks after final blocks, which refer to what came before them", async () => {
      const first = noise.subarray(0, 3000)
      const second = noise.subarray(1000, 3500)
      const third = noise.subarray(500, 4000)
      const message = Buffer.concat([
        finalBlocks(first),
        finalBlocks(second, first),
        peerMessage(third, Buffer.concat([first, second]))
      ])
      const expected = Buffer.concat([first, second, third])
      for (const takeover of [false, true]) {
        const deflate = open(driver, { takeover })
        assertBytes(await way.inflate(deflate, message, expected.length), expected)
        assert.strictEqual(await way.inflate(open(driver, { takeover }), message, expected.length - 1), "too large")
      }
      assert.isBelow(message.length, 4600)
    })

    it("the window outlives final blocks, over messages and beyond its size", async () => {
      const deflate = open(driver, { takeover: true })
      let history = Buffer.alloc(0)
      for (let message = 0; message < 12; message++) {
        // Of the last message, and of the one before it.
        const repeated = Buffer.concat([history.subarray(-22_000, -15_000), history.subarray(-6000, -4000)])
        const payload = Buffer.concat([repeated, noise.subarray(message * 5000, message * 5000 + 5000)])
        const dictionary = history.length === 0 ? undefined : history
        const compressed =
          message % 3 === 2 ? peerMessage(payload, dictionary) : Buffer.concat([finalBlocks(payload, dictionary), zero])
        assert.isBelow(compressed.length, 5500)
        assertBytes(await way.inflate(deflate, compressed, 20_000), payload)
        history = Buffer.concat([history, payload]).subarray(-32_768)
      }
    })

    it("the window of earlier messages outlives several final blocks in one", async () => {
      const deflate = open(driver, { takeover: true })
      const [first, second, third] = [noise.subarray(0, 2000), noise.subarray(5000, 7000), noise.subarray(9000, 9500)]
      assertBytes(await way.inflate(deflate, Buffer.concat([finalBlocks(first), zero]), 2000), first)
      const parts = [
        finalBlocks(second, first),
        finalBlocks(third, Buffer.concat([first, second])),
        peerMessage(first, Buffer.concat([first, second, third]))
      ]
      assertBytes(await way.inflate(deflate, Buffer.concat(parts), 4500), Buffer.concat([second, third, first]))
      assert.isBelow(parts[2]?.length ?? 0, 100)
    })

    it("a large message in final blocks", async () => {
      const message = Buffer.concat([finalBlocks(large), finalBlocks(noise), zero])
      for (const takeover of [false, true]) {
        const deflate = open(driver, { takeover })
        const expected = Buffer.concat([large, noise])
        assertBytes(await way.inflate(deflate, message, expected.length), expected)
        assertBytes(await way.inflate(deflate, peerMessage(hello), 5), hello)
      }
    })

    it("decompression starts anew a bounded number of times in a message", async () => {
      for (const takeover of [false, true]) {
        for (const part of [Buffer.alloc(0), hello]) {
          const message = (count: number) =>
            Buffer.concat([...Array.from({ length: count }, () => finalBlocks(part)), peerMessage(hello)])
          const expected = Buffer.concat([...Array.from({ length: maxFinalBlocks }, () => part), hello])
          assertBytes(await way.inflate(open(driver, { takeover }), message(maxFinalBlocks), 1000), expected)
          assert.strictEqual(
            await way.inflate(open(driver, { takeover }), message(maxFinalBlocks + 1), 1000),
            "invalid"
          )
        }
      }
    })

    it("what does not inflate is invalid", async () => {
      const payloads = [
        "ff ff ff", // a reserved kind of block
        "00 05 00 fa fe 48 65 6c 6c 6f 00", // a length and its complement that do not match
        "f2 00 11 00 00", // a reference to before the message
        "f3 48 cd c9 c9 07 00 ff ff ff", // garbage after a final block
        "f3 48 cd c9 c9 07 00 00 00" // a stored block that has no length
      ]
      for (const takeover of [false, true]) {
        for (const payload of payloads) {
          const deflate = open(driver, { takeover })
          assert.strictEqual(await way.inflate(deflate, hex(payload), 1000), "invalid", payload)
          const next = await way.inflate(deflate, hex("f2 48 cd c9 c9 07 00"), 1000)
          if (takeover) assert.strictEqual(next, "invalid", payload)
          else assertBytes(next, hello)
        }
      }
    })

    it("round trip, any size, window, takeover, level and memory", () =>
      fc.assert(
        fc.asyncProperty(
          fc.record({
            takeover: fc.boolean(),
            windowBits: fc.integer({ min: 9, max: 15 }),
            level: fc.integer({ min: -1, max: 9 }),
            memLevel: fc.integer({ min: 1, max: 9 })
          }),
          fc.array(
            fc.oneof(
              fc.uint8Array({ maxLength: 300 }),
              fc.record({ from: fc.nat(250_000), size: fc.nat(50_000) }).map((cut) => {
                return noise.subarray(cut.from, cut.from + cut.size)
              }),
              fc.record({ from: fc.nat(400_000), size: fc.nat(90_000) }).map((cut) => {
                return large.subarray(cut.from, cut.from + cut.size)
              })
            ),
            { minLength: 1, maxLength: 5 }
          ),
          async (options, payloads) => {
            const deflate = open(driver, options)
            for (const payload of payloads) {
              const compressed = await way.compress(deflate, payload)
              assertBytes(await way.inflate(deflate, compressed, payload.length), payload)
            }
            deflate.close()
          }
        ),
        { numRuns: 30 }
      ))

    it("any bytes are a message, too large or invalid, and the limit holds", () =>
      fc.assert(
        fc.asyncProperty(
          fc.boolean(),
          fc.integer({ min: 8, max: 15 }),
          fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }),
          fc.nat(400),
          async (takeover, windowBits, payloads, limit) => {
            const inflating = { windowBits, takeover }
            const deflate = new Deflate({ ...settings(), inflate: inflating }, driver)
            opened.push(deflate)
            for (const payload of payloads) {
              const result = await way.inflate(deflate, payload, limit)
              if (typeof result === "string") assert.include(["too large", "invalid"], result)
              else assert.isAtMost(result.length, limit)
            }
            deflate.close()
          }
        ),
        { numRuns: 200 }
      ))

    it("damaged messages do no more than fail", () =>
      fc.assert(
        fc.asyncProperty(
          fc.boolean(),
          fc.nat(2000),
          fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { minLength: 1, maxLength: 4 }),
          async (takeover, from, changes) => {
            const payload = Buffer.from(peerMessage(large.subarray(from, from + 3000)))
            for (const [index, value] of changes) payload[index % payload.length] = value
            const deflate = open(driver, { takeover })
            const result = await way.inflate(deflate, payload, 10_000)
            assert.isTrue(result === "too large" || result === "invalid" || result.length <= 10_000)
            await way.inflate(deflate, payload, 10_000)
            deflate.close()
          }
        ),
        { numRuns: 100 }
      ))
  })

  it("a message owns its memory, and none beside", async () => {
    const deflate = open(driver)
    for (const size of [0, 1, 10, 5000, 100_000, 500_000]) {
      const payload = peerMessage(Buffer.alloc(size, "ab"))
      const later = await inflateLater(deflate, payload, size)
      for (const message of [await inflate(deflate, payload, size), later]) {
        if (typeof message === "string") assert.fail(message)
        assert.strictEqual(message.buffer.byteLength, size)
      }
    }
    const first = await inflate(deflate, peerMessage(hello))
    await inflate(deflate, peerMessage(large.subarray(0, 100)))
    assertBytes(first, hello)
  })

  it.each([
    [1, 65_536],
    [6, 32_768]
  ])("small messages are compressed at once: level %d, up to %d bytes", (level, most) => {
    // Only the handle can do so in a context that is kept.
    const takeover = driver === "handle"
    assert.strictEqual(compressSyncSize(level), most)
    const deflate = open(driver, { level, takeover })
    assert.isDefined(deflate.compressSync(large.subarray(0, most)))
    assert.isUndefined(deflate.compressSync(large.subarray(0, most + 1)))
  })

  it("small messages are decompressed at once, by what comes in and by what comes out", () => {
    const deflate = open(driver)
    const stored = (size: number): Buffer => {
      const message = peerMessage(noise.subarray(0, size - 64))
      const filler = Buffer.concat(Array.from({ length: 13 }, () => hex("00 00 00 ff ff")))
      return Buffer.concat([filler.subarray(0, Math.floor((size - message.length) / 5) * 5), message])
    }
    const most = stored(inflateSyncSize)
    assert.isAtMost(most.length, inflateSyncSize)
    assert.isDefined(deflate.inflateSync(most, Infinity))
    assert.isUndefined(deflate.inflateSync(stored(inflateSyncSize + 5), Infinity))
    assert.isDefined(deflate.inflateSync(peerMessage(Buffer.alloc(syncOutput - 1)), Infinity))
    assert.isUndefined(deflate.inflateSync(peerMessage(Buffer.alloc(syncOutput + 1)), Infinity))
  })

  it("a large message leaves the event loop to others, and `done` comes later", async () => {
    const deflate = open(driver)
    let turns = 0
    const turn = setInterval(() => turns++, 0)
    let returned = false
    const compressed = await new Promise<Uint8Array | Error>((resolve) => {
      deflate.compress(Buffer.concat(Array.from({ length: 10 }, () => large)), (result) => {
        assert.isTrue(returned)
        resolve(result)
      })
      returned = true
    })
    clearInterval(turn)
    assert.instanceOf(compressed, Uint8Array)
    assert.isAbove(turns, 1)
  })

  it("one message at a time in each direction", async () => {
    for (const takeover of [false, true]) {
      const deflate = open(driver, { takeover })
      const compressing = compressLater(deflate, large)
      assert.throws(() => deflate.compressSync(hello), /still being compressed/)
      assert.throws(() => deflate.compress(hello, () => {}), /still being compressed/)
      const inflating = inflateLater(deflate, peerMessage(hello), 5)
      assert.throws(() => deflate.inflateSync(zero, 5), /still being decompressed/)
      assert.throws(() => deflate.inflate(zero, 5, () => {}), /still being decompressed/)
      await compressing
      assertBytes(await inflating, hello)
      assert.isDefined(await compress(deflate, hello))
    }
  })

  it("`done` may go on with the next message", async () => {
    const deflate = open(driver, { takeover: true })
    const results: Array<Uint8Array | Error> = []
    await new Promise<void>((resolve) => {
      const next = (result: Uint8Array | Error): void => {
        results.push(result)
        if (results.length < 5) deflate.compress(hello, next)
        else resolve()
      }
      deflate.compress(hello, next)
    })
    for (const result of results) {
      if (result instanceof Error) assert.fail(result.message)
      assertBytes(await inflate(deflate, result, 5), hello)
    }
  })

  it("after `close` nothing happens, whatever was under way", async () => {
    setLimits({ concurrency: 1 })
    const running = open(driver, { takeover: true })
    const waiting = open(driver)
    const other = open(driver)
    let called = 0
    const compressed = peerMessage(Buffer.alloc(8_000_000, "abcd"))
    running.compress(large, () => called++)
    running.inflate(compressed, Infinity, () => called++)
    waiting.compress(large, () => called++)
    waiting.inflate(compressed, Infinity, () => called++)
    const survives = compressLater(other, large)
    assert.deepInclude(usage(), { running: 1, queued: 4 })
    running.close()
    waiting.close()
    waiting.close()
    assert.deepInclude(usage(), { running: 1, queued: 1 })
    assertBytes(inflateRawSync(Buffer.concat([await survives, hex("00 00 ff ff")]), { finishFlush: 2 }), large)
    await settled()
    assert.strictEqual(called, 0)
    assert.isUndefined(waiting.compressSync(hello))
    assert.isUndefined(waiting.inflateSync(zero, 5))
    waiting.compress(hello, () => called++)
    waiting.inflate(zero, 5, () => called++)
    other.close()
    releaseIdle()
    await new Promise(setImmediate)
    assert.strictEqual(called, 0)
    assert.deepEqual(usage(), { contexts: 0, idle: 0, kept: 0, running: 0, queued: 0 })
  })

  it("`close` while messages are under way, at any of their pieces", async () => {
    const payload = Buffer.alloc(3_000_000, noise)
    const compressed = peerMessage(Buffer.alloc(3_000_000, "abcd"))
    releaseIdle()
    for (let turns = 0; turns < 40; turns++) {
      const deflate = open(driver, { takeover: turns % 2 === 0, level: 1 })
      let called = 0
      deflate.inflate(compressed, Infinity, () => called++)
      deflate.compress(payload, () => called++)
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
      const before = called
      deflate.close()
      await settled()
      assert.strictEqual(called, before)
      // What was dropped is not kept for others.
      if (turns < 2) assert.strictEqual(usage().contexts, 0)
    }
    releaseIdle()
    assert.deepEqual(usage(), { contexts: 0, idle: 0, kept: 0, running: 0, queued: 0 })
  })

  it("beyond `keptContexts` a connection compresses without takeover, which its peer reads", async () => {
    setLimits({ keptContexts: 2 })
    const connections = Array.from({ length: 4 }, () => open(driver, { takeover: true }))
    const peers = connections.map(() => open(driver, { takeover: true }))
    const sizes: Array<Array<number>> = []
    for (let message = 0; message < 6; message++) {
      // Another connection goes: a context becomes free for one that began without.
      if (message === 3) connections[0]?.close()
      for (const [index, connection] of connections.entries()) {
        if (message >= 3 && index === 0) continue
        const payload = Buffer.from(`${message} of the messages that look alike`)
        const compressed = await compress(connection, payload)
        assertBytes(await inflate(peers[index] ?? connection, compressed, 100), payload)
        ;(sizes[index] ??= []).push(compressed.length)
        assert.isAtMost(usage().kept, 2)
      }
    }
    const [, kept = [], late = [], never = []] = sizes
    assert.isBelow(kept[1] ?? 0, kept[0] ?? 0)
    assert.strictEqual(late[2], late[0])
    assert.isBelow(late[4] ?? 0, late[2] ?? 0)
    assert.strictEqual(never[5], never[0])
  })

  describe("with the PerMessageDeflate of ws", () => {
    it.each([
      [false, 9],
      [false, 15],
      [true, 9],
      [true, 12],
      [true, 15]
    ])("both ways, takeover %s, window of %d bits", async (takeover, windowBits) => {
      const { close, compressTheirs, inflateTheirs, ours } = connect(driver, takeover, windowBits)
      for (const payload of [hello, large.subarray(0, 2000), hello, noise, large, large.subarray(100, 4000), hello]) {
        assertBytes(await inflateTheirs(await compress(ours, payload)), payload)
        assertBytes(await inflate(ours, await compressTheirs(payload), payload.length), payload)
      }
      close()
    })

    it("the same bytes as ws sends, with the same parameters", async () => {
      for (const takeover of [false, true]) {
        const { close, compressTheirs, ours } = connect(driver, takeover, 15)
        for (const payload of [hello, large.subarray(0, 2000), large.subarray(500, 2500), hello]) {
          assertBytes(await compress(ours, payload), await compressTheirs(payload))
        }
        close()
      }
    })
  })
})

describe("settings of permessage-deflate", () => {
  it("are refused outside of what zlib takes", () => {
    const base = settings()
    for (const windowBits of [8, 16, 9.5, Number.NaN]) {
      assert.throws(() => new Deflate({ ...base, deflate: { windowBits, takeover: false } }), RangeError)
    }
    for (const windowBits of [7, 16]) {
      assert.throws(() => new Deflate({ ...base, inflate: { windowBits, takeover: false } }), RangeError)
    }
    for (const level of [-2, 10, 1.5]) assert.throws(() => new Deflate({ ...base, level }), RangeError)
    for (const memLevel of [0, 10]) assert.throws(() => new Deflate({ ...base, memLevel }), RangeError)
    assert.strictEqual(new Deflate({ ...base, threshold: 1024 }).threshold, 1024)
  })

  it("limits of the process are refused when they make no sense", () => {
    assert.throws(() => setLimits({ concurrency: 0 }), RangeError)
    assert.throws(() => setLimits({ concurrency: Number.NaN }), RangeError)
    assert.throws(() => setLimits({ keptContexts: -1 }), RangeError)
  })
})

const contextUrl = new URL("../src/internal/deflate/context.ts", import.meta.url).href

/** The driver that a fresh process chooses, after some code of its own. */
const driverAfter = (preparation: string, env: Record<string, string> = {}): string =>
  execFileSync(
    process.execPath,
    [
      "--input-type=module",
      "--eval",
      `import { DeflateRaw, InflateRaw } from "node:zlib"
       ${preparation}
       const { defaultDriver } = await import(${JSON.stringify(contextUrl)})
       process.stdout.write(defaultDriver())`
    ],
    { encoding: "utf8", env: { ...process.env, NODE_OPTIONS: "", NODE_NO_WARNINGS: "1", EFFECT_WS_ZLIB: "", ...env } }
  )

/** Makes this Node one whose native handle takes other arguments, which its own code gives. */
const otherSignature = (there: string, back: string): string =>
  `const native = Object.getPrototypeOf(new DeflateRaw()._handle)
   const { writeSync } = native
   native.writeSync = function (...args) { return Reflect.apply(writeSync, this, (${back})(args)) }
   const { _processChunk } = DeflateRaw.prototype
   DeflateRaw.prototype._processChunk = function (...args) {
     const own = this._handle.writeSync
     this._handle.writeSync = (...inner) => own(...(${there})(inner))
     return Reflect.apply(_processChunk, this, args)
   }`

describe("the choice of the driver", () => {
  it("is the handle on this Node", () => {
    assert.strictEqual(driverAfter(""), "handle")
    assert.strictEqual(driverAfter(otherSignature("(args) => args", "(args) => args")), "handle")
  })

  it("is public where the environment asks for it", () => {
    assert.strictEqual(driverAfter("", { EFFECT_WS_ZLIB: "public" }), "public")
  })

  it.each([
    ["zlib has no synchronous path to watch", `Object.getPrototypeOf(DeflateRaw.prototype)._processChunk = undefined`],
    ["the handle takes one argument more", otherSignature("(args) => [...args, 0]", "(args) => args.slice(0, 7)")],
    [
      "the handle takes its arguments reversed",
      otherSignature("(args) => args.toReversed()", "(args) => args.toReversed()")
    ],
    ["a handle does not keep its window", `DeflateRaw.prototype.reset = function () {}`],
    ["an error does not end the stream", `InflateRaw.prototype.destroy = function () { return this }`]
  ])("is public where %s", (_, preparation) => {
    assert.strictEqual(driverAfter(preparation), "public")
  })

  it("agrees with the environment of these tests", () => {
    assert.strictEqual(defaultDriver(), process.env["EFFECT_WS_ZLIB"] === "public" ? "public" : "handle")
  })
})

describe("the limiter", () => {
  class Step extends Job {
    readonly name: string
    readonly log: Array<string>
    constructor(name: string, log: Array<string>) {
      super()
      this.name = name
      this.log = log
    }
    override start(): void {
      this.log.push(this.name)
    }
  }

  it("runs so many at a time, first come, first served, and drops those that wait", () => {
    const log: Array<string> = []
    const limiter = new Limiter(2)
    const [a, b, c, d, e, f] = ["a", "b", "c", "d", "e", "f"].map((name) => new Step(name, log))
    if (!a || !b || !c || !d || !e || !f) return assert.fail()
    for (const job of [a, b, c, d, e, f]) limiter.add(job)
    assert.deepEqual([log.join(""), limiter.running, limiter.queued], ["ab", 2, 4])
    assert.isFalse(limiter.drop(a))
    assert.isTrue(limiter.drop(d))
    assert.isFalse(limiter.drop(d))
    limiter.finished()
    assert.deepEqual([log.join(""), limiter.running, limiter.queued], ["abc", 2, 2])
    assert.isTrue(limiter.drop(f))
    assert.isTrue(limiter.drop(e))
    limiter.add(d)
    limiter.finished()
    limiter.finished()
    assert.deepEqual([log.join(""), limiter.running, limiter.queued], ["abcd", 1, 0])
    limiter.finished()
    limiter.add(f)
    assert.deepEqual([log.join(""), limiter.running, limiter.queued], ["abcdf", 1, 0])
  })

  it("follows a change of its concurrency", () => {
    const log: Array<string> = []
    const limiter = new Limiter(1)
    for (const name of ["a", "b", "c", "d"]) limiter.add(new Step(name, log))
    limiter.concurrency = 3
    limiter.finished()
    assert.deepEqual([log.join(""), limiter.running, limiter.queued], ["abcd", 3, 0])
  })
})
