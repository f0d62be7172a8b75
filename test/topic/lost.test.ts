import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { BrokerOptions } from "./brokerLayer.ts"
import { type BrokerServer, startNats, startRedis } from "./brokers.ts"
import { connectClient, findFaults, publishNumbers, startProgram, until } from "./processes.ts"

const brokers: ReadonlyArray<{
  readonly kind: BrokerOptions["kind"]
  readonly title: string
  readonly start: () => Promise<BrokerServer>
  /** Whether what the broker took is never lost. */
  readonly keeps: boolean
}> = [
  { kind: "redis", title: "Redis", start: () => startRedis(), keeps: false },
  { kind: "nats", title: "NATS", start: startNats, keeps: false },
  { kind: "streams", title: "Redis streams", start: () => startRedis({ durable: true }), keeps: true }
]

const numbersIn = (heard: ReadonlyArray<string>) => heard.filter((line) => /^\d+$/.test(line)).map(Number)

describe("a broker that is killed and comes back", () => {
  for (const { keeps, kind, start, title } of brokers) {
    it.live(`${title}: three processes, nothing twice, gaps told`, () =>
      Effect.gen(function* () {
        const server = yield* Effect.acquireRelease(Effect.promise(start), (server) =>
          Effect.promise(() => server.stop())
        )
        const programs = yield* Effect.all(
          Array.from({ length: 3 }, () => startProgram("program.ts", { kind, port: server.port })),
          { concurrency: "unbounded" }
        )
        const publisher = yield* connectClient(programs[0]?.port ?? 0, [])
        const clients = yield* Effect.forEach(programs, ({ port }, at) =>
          connectClient(port, [at === 1 ? "numbers.*" : "numbers.a"])
        )
        let wanted = true
        const publishing = yield* Effect.forkChild(publishNumbers(publisher, "numbers.a", () => wanted))
        const arrived = (): number => Math.min(...clients.map(({ heard }) => numbersIn(heard).length))
        for (let round = 1; round <= 3; round++) {
          const before = arrived()
          yield* until(() => arrived() > before + 50)
          yield* Effect.promise(() => server.kill())
          const failures = publisher.heard.length
          yield* until(() => publisher.heard.slice(failures).includes("!not sent"))
          yield* Effect.promise(() => server.start())
          yield* until(() =>
            clients.every(({ heard }) => heard.filter((line) => line.startsWith("!gap")).length >= round)
          )
        }
        const before = arrived()
        yield* until(() => arrived() > before + 50)
        wanted = false
        const { taken } = yield* Fiber.join(publishing)
        yield* until(() => clients.every(({ heard }) => numbersIn(heard).at(-1) === taken.at(-1)))
        for (const { heard } of clients) {
          assert.deepStrictEqual(findFaults(heard, taken), [])
          if (keeps) assert.includeMembers(numbersIn(heard), taken)
          assert.strictEqual(heard.filter((line) => line.startsWith("!gap")).length, 3)
        }
      })
    )
  }
})
