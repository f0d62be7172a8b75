import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "@effect/vitest"
import { createHook } from "node:async_hooks"
import { execFileSync } from "node:child_process"
import { constants, createDeflateRaw, deflateRawSync } from "node:zlib"
import type { Driver } from "../src/internal/deflate/context.ts"
import { Deflate, type Settings } from "../src/internal/deflate/deflate.ts"
import { releaseIdle, setLimits, usage } from "../src/internal/deflate/shared.ts"

/** Native contexts of this process, made and freed, as Node itself sees them: independent of the library's own count. */
const native = { made: 0, freed: 0 }

const watched = createDeflateRaw()
const handle: unknown = Reflect.get(watched, "_handle")
if (typeof handle !== "object" || handle === null) throw new Error("no native handle to watch")
const prototype: object = Object.getPrototypeOf(handle)
const free: unknown = Reflect.get(prototype, "close")
if (typeof free !== "function") throw new Error("no native handle to watch")
watched.destroy()

const hook = createHook({
  init: (_, type) => {
    if (type === "ZLIB") native.made++
  }
})

beforeAll(() => {
  hook.enable()
  Reflect.set(prototype, "close", function (this: unknown): unknown {
    native.freed++
    return Reflect.apply(free, this, [])
  })
})

afterAll(() => {
  hook.disable()
  Reflect.set(prototype, "close", free)
})

beforeEach(() => {
  native.made = native.freed = 0
})

const assertAllFreed = (): void => {
  releaseIdle()
  assert.deepEqual(usage(), { contexts: 0, idle: 0, kept: 0, running: 0, queued: 0 })
  assert.strictEqual(native.freed, native.made)
}

const settings = (takeover: boolean): Settings => ({
  deflate: { windowBits: 15, takeover },
  inflate: { windowBits: 15, takeover },
  threshold: 0,
  level: 3,
  memLevel: 8
})

const settled = async (): Promise<void> => {
  while (usage().running + usage().queued > 0) await new Promise(setImmediate)
  await new Promise(setImmediate)
}

const compress = (deflate: Deflate, payload: Uint8Array): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    const now = deflate.compressSync(payload)
    if (now !== undefined) resolve(Uint8Array.from(now))
    else deflate.compress(payload, (result) => (result instanceof Error ? reject(result) : resolve(result)))
  })

const inflate = (deflate: Deflate, payload: Uint8Array, limit: number): Promise<Uint8Array | string> =>
  new Promise((resolve) => {
    const now = deflate.inflateSync(payload, limit)
    if (now !== undefined) resolve(now)
    else deflate.inflate(payload, limit, resolve)
  })

const small = Buffer.from(JSON.stringify(Array.from({ length: 40 }, (_, id) => ({ id, name: `user ${id}`, ok: true }))))
const large = Buffer.alloc(150_000, small)
const flushed = deflateRawSync(large, { finishFlush: constants.Z_SYNC_FLUSH })
const largeMessage = flushed.subarray(0, flushed.length - 4)
const finalMessage = Buffer.concat([deflateRawSync(small), Buffer.of(0)])
const connections = 1000

afterEach(() => setLimits({ concurrency: 2, keptContexts: 1024 }))

const exchange = async (ours: Deflate, payload: Uint8Array): Promise<void> => {
  const result = await inflate(ours, await compress(ours, payload), payload.length)
  assert.strictEqual(result.length, payload.length)
}

const deflateUrl = new URL("../src/internal/deflate/deflate.ts", import.meta.url).href

describe.each<Driver>(["handle", "public"])("memory of permessage-deflate, driver %s", (driver) => {
  it("without takeover, 1000 connections use a handful of contexts", async () => {
    const open = Array.from({ length: connections }, () => new Deflate(settings(false), driver))
    for (let round = 0; round < 3; round++) {
      for (const deflate of open) {
        const result = deflate.inflateSync(deflate.compressSync(small) ?? small, small.length)
        assert.strictEqual(result?.length, small.length)
      }
      await Promise.all(open.slice(0, 50).map((deflate) => exchange(deflate, large)))
      assert.isAtMost(native.made - native.freed, 16)
    }
    // With the driver `public`, each synchronous message makes one and frees it.
    if (driver === "handle") assert.isAtMost(native.made, 10)
    assert.isAtMost(usage().contexts, 16)
    assert.strictEqual(usage().idle, usage().contexts)
    for (const deflate of open) deflate.close()
    assertAllFreed()
  })

  it("with takeover, contexts live as long as their connections, round after round", async () => {
    for (let round = 1; round <= 4; round++) {
      const open = Array.from({ length: connections / 4 }, () => new Deflate(settings(true), driver))
      for (let message = 0; message < 3; message++) {
        await Promise.all(open.map((deflate) => exchange(deflate, small)))
      }
      assert.strictEqual(usage().kept, open.length)
      assert.strictEqual(usage().contexts, 2 * open.length)
      assert.strictEqual(native.made, round * 2 * open.length)
      assert.strictEqual(native.made - native.freed, 2 * open.length)
      for (const deflate of open) deflate.close()
      assertAllFreed()
    }
  })

  it("connections that never compress hold no context", () => {
    const open = Array.from({ length: connections }, () => new Deflate(settings(true), driver))
    assert.strictEqual(native.made, 0)
    for (const deflate of open) deflate.close()
    assertAllFreed()
  })

  it("compression contexts with takeover are bounded for the process", async () => {
    setLimits({ keptContexts: 20 })
    const open = Array.from({ length: 200 }, () => new Deflate(settings(true), driver))
    for (const deflate of open) await compress(deflate, small)
    assert.strictEqual(usage().kept, 20)
    assert.isAtMost(native.made - native.freed, 28)
    for (const deflate of open) deflate.close()
    assertAllFreed()
  })

  it("idle contexts of all kinds together are bounded", async () => {
    for (let windowBits = 9; windowBits <= 15; windowBits++) {
      for (const level of [1, 6]) {
        const direction = { windowBits, takeover: false }
        const deflate = new Deflate({ ...settings(false), deflate: direction, level }, driver)
        await new Promise((resolve) => deflate.compress(small, resolve))
        deflate.close()
      }
    }
    assert.deepInclude(usage(), { contexts: 8, idle: 8 })
    assert.strictEqual(native.made, 14)
    assert.strictEqual(native.freed, 6)
    assertAllFreed()
  })

  it("a message that fails is tried once, and a dictionary is not kept for others", async () => {
    const deflate = new Deflate(settings(false), driver)
    const result = (payload: Uint8Array) => new Promise((resolve) => deflate.inflate(payload, 10_000, resolve))
    assert.strictEqual(await result(Buffer.alloc(100, 0xff)), "invalid")
    assert.strictEqual(native.made, 1)
    const message = Buffer.concat([deflateRawSync(small), finalMessage])
    const before = native.made
    assert.deepEqual(await result(message), Buffer.concat([small, small]))
    assert.deepEqual(await inflate(deflate, message, 10_000), Buffer.concat([small, small]))
    assert.isAbove(native.made, before + 1)
    assert.isAtMost(native.made, before + 6)
    assert.strictEqual(usage().contexts, 0)
    deflate.close()
    assertAllFreed()
  })

  it("messages that fail, stop or are abandoned free what they had", async () => {
    for (let round = 0; round < 200; round++) {
      const takeover = round % 2 === 0
      const deflate = (): Deflate => new Deflate(settings(takeover), driver)
      const all = Array.from({ length: 8 }, deflate)
      const [invalid, tooLarge, tooLargeLater, final, finalLater, abandoned, postponed, dropped] = all
      if (!invalid || !tooLarge || !tooLargeLater || !final || !finalLater || !abandoned || !postponed || !dropped) {
        return assert.fail()
      }
      assert.strictEqual(await inflate(invalid, Buffer.of(0xff, 0xff), 100), "invalid")
      assert.strictEqual(await inflate(tooLarge, largeMessage, 100), "too large")
      assert.strictEqual(await inflate(tooLarge, largeMessage, 100), takeover ? "invalid" : "too large")
      tooLargeLater.inflate(largeMessage, 100_000, (result) => assert.strictEqual(result, "too large"))
      for (let message = 0; message < 3; message++) await inflate(final, finalMessage, small.length)
      finalLater.inflate(Buffer.concat([finalMessage.subarray(0, -1), finalMessage]), 100_000, (result) =>
        assert.strictEqual(result.length, 2 * small.length)
      )
      postponed.inflateSync(deflateRawSync(Buffer.alloc(300_000), { finishFlush: constants.Z_SYNC_FLUSH }), Infinity)
      abandoned.compress(large, () => assert.fail("called after close"))
      abandoned.inflate(largeMessage, Infinity, () => assert.fail("called after close"))
      dropped.compress(large, () => assert.fail("called after close"))
      abandoned.close()
      dropped.close()
      await settled()
      for (const each of all) each.close()
    }
    assertAllFreed()
  })

  it("a bomb of 6 MB that inflates to 1 GB costs no more than the limit", () => {
    const script = `
      import assert from "node:assert/strict"
      import { randomBytes } from "node:crypto"
      import { constants, deflateRawSync } from "node:zlib"
      const { Deflate } = await import(${JSON.stringify(deflateUrl)})
      const unit = Buffer.alloc(1024 * 1024)
      randomBytes(5100).copy(unit)
      const block = deflateRawSync(unit, { finishFlush: constants.Z_FULL_FLUSH })
      const bomb = Buffer.concat(Array.from({ length: 1024 }, () => block))
      assert(bomb.length > 6e6 && bomb.length < 7e6)
      const limit = 1024 * 1024
      const before = process.memoryUsage.rss() / 1024
      for (const takeover of [false, true]) {
        const direction = { windowBits: 15, takeover }
        for (const payload of [bomb, bomb.subarray(0, 10 * block.length)]) {
          const settings = { deflate: direction, inflate: direction, threshold: 0, level: 3, memLevel: 8 }
          const deflate = new Deflate(settings, ${JSON.stringify(driver)})
          const now = deflate.inflateSync(payload, limit)
          const result = now ?? (await new Promise((resolve) => deflate.inflate(payload, limit, resolve)))
          assert.equal(result, "too large")
          deflate.close()
        }
      }
      console.log(process.resourceUsage().maxRSS - before)`
    const grown = Number(
      execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" })
    )
    // In KiB, above what was resident when the bomb was ready; the process had some 30 MiB more while it started.
    assert.isBelow(grown, 64 * 1024)
  })
})
