// What looks for leaks must find them.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { once } from "node:events"
import * as net from "node:net"
import { clockTimers } from "../../src/internal/socket/clockTimers.ts"
import { systemTimers } from "../../src/internal/connection/timers.ts"
import { fork, run, watched } from "./watch.ts"

const nothing = (): void => {}

/** Leaves something behind, and answers how to clear it away. */
type Plant = () => Promise<() => void> | (() => void)

const plants: ReadonlyArray<readonly [name: string, said: RegExp, plant: Plant]> = [
  [
    "a socket",
    /TCPServerWrap/,
    async () => {
      const server = net.createServer().listen(0, "127.0.0.1")
      await once(server, "listening")
      return () => server.close()
    }
  ],
  [
    "a timer",
    /Timeout/,
    () => {
      const timer = setTimeout(() => {}, 60_000)
      return () => clearTimeout(timer)
    }
  ],
  [
    "a task on the system's wheel",
    /system's wheel/,
    () => {
      const task = systemTimers.after(60_000, () => {})
      return () => task.cancel()
    }
  ],
  [
    "a task on the wheel of Effect's clock",
    /Effect's clock/,
    async () => {
      const timers = clockTimers(await Effect.runPromise(Effect.context<never>()))
      const task = timers.after(60_000, () => {})
      return () => task.cancel()
    }
  ],
  [
    "a fiber",
    /fibers/,
    () => {
      const fiber = fork(Effect.never)
      return () => fiber.interruptUnsafe()
    }
  ],
  [
    "an exception",
    /uncaught: Error: planted/,
    () => {
      setImmediate(() => {
        throw new Error("planted")
      })
      return nothing
    }
  ],
  [
    "a rejection",
    /uncaught: Error: planted/,
    () => {
      void Promise.reject(new Error("planted"))
      return nothing
    }
  ]
]

describe("what looks for leaks", () => {
  for (const [name, said, plant] of plants) {
    it(`finds ${name}`, async () => {
      let clear = nothing
      const error: unknown = await watched(
        async () => {
          clear = await plant()
        },
        { patience: 50 }
      ).then(
        () => undefined,
        (error: unknown) => error
      )
      clear()
      assert.match(String(error), said)
    })
  }

  it("finds nothing where nothing is left", () =>
    watched(async () => {
      const timer = setTimeout(() => {}, 60_000)
      await run(Effect.sleep(1))
      clearTimeout(timer)
    }))
})
