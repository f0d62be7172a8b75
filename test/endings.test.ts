import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Endings } from "../src/internal/transport/endings.ts"

const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

describe("ends and closes of streams", () => {
  it.live("are handled at once up to a number in each turn, others in their order in later turns", () =>
    Effect.gen(function* () {
      const endings = new Endings<number>(3)
      const handled: Array<string> = []
      const end = (stream: number) => void handled.push(`end ${stream}`)
      const close = (stream: number) => void handled.push(`close ${stream}`)
      for (const stream of [1, 2, 3, 4]) endings.handle(end, stream)
      endings.handle(close, 1)
      endings.handle(close, 4)
      endings.handle(end, 5)
      assert.deepStrictEqual(handled, ["end 1", "end 2", "end 3"])
      yield* turn
      assert.deepStrictEqual(handled.slice(3), ["end 4", "close 1", "close 4"])
      // In its order, though there is room in this turn.
      endings.handle(close, 5)
      yield* turn
      assert.deepStrictEqual(handled.slice(6), ["end 5", "close 5"])
      yield* turn
      endings.handle(end, 6)
      assert.strictEqual(handled.at(-1), "end 6")
    })
  )

  it.live("are all handled when one of them throws", () =>
    Effect.gen(function* () {
      const endings = new Endings<number>(1)
      const handled: Array<number> = []
      const handle = (stream: number): void => {
        handled.push(stream)
        if (stream === 1) throw new Error("on purpose")
      }
      assert.throws(() => endings.handle(handle, 1), "on purpose")
      for (const stream of [2, 3, 4]) endings.handle(handle, stream)
      for (let turns = 0; turns < 4; turns++) yield* turn
      assert.deepStrictEqual(handled, [1, 2, 3, 4])
    })
  )
})
