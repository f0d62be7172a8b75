// Servers whose authorize refused in a way that nothing expected.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { Server, Socket } from "effect-ws"

/** Returns why a client can't connect to a server with this `authorize`. */
const refusalOf = (http2: boolean, authorize: () => Effect.Effect<never, never>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const server = yield* Server.make({ port: 0, host: "127.0.0.1", http2, authorize })
      yield* Effect.forkScoped(server.run(Socket.discard))
      const exit = yield* Effect.exit(Socket.connect(`ws://127.0.0.1:${server.address.port}`, { http2 }))
      yield* Effect.exit(Socket.connect(`ws://127.0.0.1:${server.address.port}`, { http2 }))
      if (Exit.isSuccess(exit)) return "open"
      const [failure] = exit.cause.reasons
      const error = failure?._tag === "Fail" ? failure.error : undefined
      if (error?.reason._tag !== "HandshakeFailed") return error?.reason._tag
      const { reason } = error.reason.error
      return reason._tag === "UnexpectedStatus" ? reason.status : reason._tag
    })
  )

/** What only a caller without types can write. */
const untyped = (failure: unknown) => Effect.fail(failure) as Effect.Effect<never>

describe("authorize", () => {
  for (const status of [200, 201, 204, 205, 206, 299]) {
    it.live(`opens no WebSocket over HTTP/2 when it rejects with ${status}`, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* refusalOf(true, () => untyped(Server.reject(status, { body: "no" }))), 500)
      })
    )
  }

  for (const http2 of [false, true]) {
    for (const failure of [new Error("the database is down"), "text", undefined, { _tag: "Other" }]) {
      it.live(`is answered with 500 when it fails with ${String(failure)}, over HTTP/${http2 ? 2 : 1.1}`, () =>
        Effect.gen(function* () {
          assert.strictEqual(yield* refusalOf(http2, () => untyped(failure)), 500)
        })
      )
    }
  }
})
