import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Socket } from "effect-ws"
import { Stage } from "./drive.ts"
import { interruptAtEachStep } from "./steps.ts"

describe("a client that is interrupted at each of its steps", () => {
  it("opening, sending, reading and closing", { timeout: 60_000 }, () =>
    Stage.with({ face: "Effect" }, async (stage) => {
      const talk = Effect.scoped(
        Effect.gen(function* () {
          const socket = yield* Socket.connect(`ws://127.0.0.1:${stage.server.port}/interrupted`)
          yield* socket.send("hello")
          yield* Stream.runDrain(Stream.take(socket.messages, 1))
        })
      )
      const steps = await interruptAtEachStep(talk)
      assert.isAbove(steps, 20)
    })
  )
})
