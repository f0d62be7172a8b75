import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { wscat } from "./support/program.ts"
import { serveWs } from "./support/server.ts"

// Each run is a process, which takes its time on a machine that has much to do.

describe("a connection that wscat closes", () => {
  it.live("prints every row that the server sends before its close frame", () =>
    Effect.gen(function* () {
      const { url } = yield* serveWs((socket) =>
        socket.on("message", () => {
          for (let row = 0; row < 2000; row++) socket.send(`row ${row} ${"x".repeat(90)}`)
        })
      )
      const { code, output } = yield* wscat([url, "-w", "0"], { input: "query\n" })
      assert.strictEqual(output.split("\n").length - 1, 2000)
      assert.strictEqual(code, 0)
    })
  )
})
