// Compressed messages that inflate to more than they may.
import { assert, describe } from "@effect/vitest"
import { constants, deflateRawSync } from "node:zlib"
import { mib } from "./bare.ts"
import { attackFrames, compressed, liveBytes, masked, offersDeflate, withServer } from "./faces.ts"
import { hold } from "./hold.ts"

for (const [id, title] of [
  ["CVE-2026-54490", "one byte beyond the limit, inflated"],
  ["CVE-2026-1526", "a bomb of 1 GiB"],
  ["websockets PR#407", "a bomb in fragments"]
] as const) {
  describe(id, () => {
    /** 1 GiB of zeros, deflated: the blocks of a mebibyte, over and over. */
    const bomb = (() => {
      const block = deflateRawSync(Buffer.alloc(mib), { finishFlush: constants.Z_FULL_FLUSH })
      return Buffer.concat(Array.from({ length: id === "CVE-2026-54490" ? 1 : 1024 }, () => block))
    })()
    const frames =
      id === "CVE-2026-54490"
        ? [masked(0xc2, compressed(Buffer.alloc(100_001)))]
        : id === "CVE-2026-1526"
          ? [masked(0xc2, bomb.subarray(0, 1_000_000))]
          : [
              masked(0x42, bomb.subarray(0, 30_000)),
              ...Array.from({ length: 20 }, (_, at) =>
                masked(0x00, bomb.subarray(30_000 * (at + 1), 30_000 * (at + 2)))
              ),
              masked(0x80)
            ]
    const maxMessageSize = id === "CVE-2026-54490" ? 100_000 : 2 * mib

    hold(id, "legacy", `${title}: 1002, nothing is inflated`, () =>
      withServer("legacy", { maxMessageSize }, async (port) => {
        const before = await liveBytes()
        const answer = await attackFrames(port, frames, { headers: offersDeflate })
        assert.notMatch(answer.head, /extensions/i)
        assert.strictEqual(answer.code, 1002)
        assert.isBelow((await liveBytes()) - before, 2 * mib)
      })
    )

    for (const face of ["Effect", "ws"] as const) {
      hold(id, face, `${title}: 1009, and memory near the limit`, () =>
        withServer(face, { compression: true, maxMessageSize }, async (port) => {
          const before = await liveBytes()
          let most = 0
          const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers)), 1)
          const answer = await attackFrames(port, frames, { headers: offersDeflate })
          clearInterval(watch)
          assert.match(answer.head, /permessage-deflate/)
          assert.strictEqual(answer.code, 1009)
          assert.isBelow(most, before + 64 * mib)
          assert.isBelow((await liveBytes()) - before, 8 * mib)
          if (id !== "CVE-2026-54490") return
          const whole = await attackFrames(port, [masked(0xc2, compressed(Buffer.alloc(100_000)))], {
            headers: offersDeflate,
            until: ({ frames }) => frames.length > 0
          })
          assert.isDefined(whole.frames[0])
          assert.isUndefined(whole.code)
        })
      )
    }
  })
}
