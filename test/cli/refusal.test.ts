import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { wscat } from "./support/program.ts"
import { serveTcp } from "./support/server.ts"

// Each run is a process, which takes its time on a machine that has much to do.

const refusing = (body: string) =>
  serveTcp((socket) =>
    socket.once("data", () =>
      socket.end(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
    )
  )

describe("the body of a refusal", () => {
  it.live("follows the error, each line marked, and nothing of it as the terminal would take it", () =>
    Effect.gen(function* () {
      const port = yield* refusing("origin \u202enot allowed\nerror: forged")
      const { code, errors } = yield* wscat([`127.0.0.1:${port}`])
      const [error, ...body] = errors.split("\n")
      assert.match(error ?? "", /^error: the server refused the handshake with status 403 Forbidden/)
      assert.deepStrictEqual(body, [String.raw`| origin \u202enot allowed`, "| error: forged", ""])
      assert.strictEqual(code, 4)
    })
  )

  it.live("is shown by wscat doctor, with the headers", () =>
    Effect.gen(function* () {
      const port = yield* refusing("no such origin")
      const { output } = yield* wscat(["doctor", `127.0.0.1:${port}`])
      assert.match(output, /\nnote +response +403 Forbidden\n +content-length: 14\n +\n? *no such origin\n/)
    })
  )
})
