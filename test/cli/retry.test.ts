import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { start, wscat } from "./support/program.ts"
import { serveWs } from "./support/server.ts"

// Each run is a process, which takes its time on a machine that has much to do.

/** The pauses that a program announced, in seconds. */
const pausesOf = (errors: string): ReadonlyArray<number> =>
  [...errors.matchAll(/trying again in ([\d.]+) s/g)].map(([, seconds]) => Number(seconds))

describe("wscat --retry", () => {
  it.live("gives up after so many connections in a row that brought nothing, with growing pauses", () =>
    Effect.gen(function* () {
      let connections = 0
      const { url } = yield* serveWs((socket) => {
        connections++
        socket.close(1011)
      })
      const { code, errors } = yield* wscat([url, "--retry", "2", "-w", "-1"])
      assert.deepStrictEqual([connections, code], [3, 7])
      const [first = 0, second = 0] = pausesOf(errors)
      // The pauses are 0.5 s and 1 s, each changed by a quarter at most.
      assert.isTrue(first >= 0.3 && first <= 0.7 && second >= 0.7 && second <= 1.3, errors)
    })
  )

  it.live("counts anew after a message, and lets the pauses grow all the same", () =>
    Effect.gen(function* () {
      let connections = 0
      const { url } = yield* serveWs((socket) => {
        if (++connections === 2) socket.send("hello")
        socket.close(1011)
      })
      const { code, errors, output } = yield* wscat([url, "--retry", "1", "-w", "-1"])
      assert.deepStrictEqual([connections, code, output], [3, 7, "hello\n"])
      assert.lengthOf(pausesOf(errors), 2)
    })
  )

  for (const code of [1008, 4000, 4999]) {
    it.live(`takes close code ${code} for the end, and goes on with --retry-all`, () =>
      Effect.gen(function* () {
        let connections = 0
        const { url } = yield* serveWs((socket) => {
          connections++
          socket.close(code, "no")
        })
        const { code: exitCode, errors } = yield* wscat([url, "--retry", "-w", "-1"])
        assert.deepStrictEqual([connections, exitCode], [1, 7])
        assert.match(errors, /^error: the peer closed with \d+.*: "no" \(hint: .*--retry-all connects again/)
        const insisting = yield* start([url, "--retry-all", "-w", "-1"])
        yield* insisting.until(/trying again/)
      })
    )
  }
})
