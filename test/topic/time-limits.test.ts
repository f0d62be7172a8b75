// What a broker that does not answer costs: time and memory have limits.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule } from "effect"
import type { Topic } from "effect-ws"
import * as TopicNats from "effect-ws/TopicNats"
import * as TopicRedis from "effect-ws/TopicRedis"
import { natsServer, redisServer } from "./brokers.ts"
import { until } from "./processes.ts"

const limits = {
  timeout: "1 second",
  publishBufferSize: 1024 * 1024,
  reconnect: Schedule.spaced("20 millis")
} as const

const brokers = [
  {
    title: "Redis",
    start: redisServer(),
    connect: (port: number) => TopicRedis.make({ client: { url: `redis://127.0.0.1:${port}` }, ...limits })
  },
  {
    title: "Redis streams",
    start: redisServer(),
    connect: (port: number) => TopicRedis.makeStreams({ client: { url: `redis://127.0.0.1:${port}` }, ...limits })
  },
  {
    title: "NATS",
    start: natsServer(),
    connect: (port: number) => TopicNats.make({ client: { servers: `127.0.0.1:${port}` }, ...limits })
  }
] as const

const outcomeOf = ({ reason }: Topic.TopicError): string => ("outcome" in reason ? reason.outcome : reason._tag)

describe("a broker that is frozen", () => {
  for (const { connect, start, title } of brokers) {
    it.live(`${title}: publishes end within the time limit, what waits is not sent, and all is well afterwards`, () =>
      Effect.gen(function* () {
        const server = yield* start
        const broker = yield* connect(server.port)
        const heard: Array<string> = []
        yield* broker.subscribe("a", (delivery) => void heard.push(delivery._tag === "Gap" ? "gap" : "message"))
        yield* broker.publish([{ topic: "a", message: "first" }])
        yield* until(() => heard.length === 1)
        server.freeze()
        // 4 MiB are under way, 1 MiB waits, and the rest is refused at once.
        const message = "x".repeat(100 * 1024)
        const outcomes = yield* Effect.forEach(
          Array.from({ length: 70 }, () => broker.publish([{ topic: "b", message }])),
          (publish) => Effect.map(Effect.flip(publish), outcomeOf),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(outcomes.filter((outcome) => outcome === "unknown").length, 40)
        assert.strictEqual(outcomes.filter((outcome) => outcome === "not sent").length, 30)
        assert.deepStrictEqual(outcomes.slice(0, 40).includes("not sent"), false)
        server.thaw()
        yield* Effect.retry(broker.publish([{ topic: "a", message: "back" }]), Schedule.spaced("20 millis"))
        yield* until(() => heard.length > 1 && heard.at(-1) === "message")
        assert.deepStrictEqual(
          heard,
          title === "Redis streams" ? ["message", "message"] : ["message", "gap", "message"]
        )
      })
    )

    it.live(`${title}: a publish that is given up while it waits is taken back`, () =>
      Effect.gen(function* () {
        const server = yield* start
        const broker = yield* connect(server.port)
        server.freeze()
        const [half, whole] = ["x".repeat(512 * 1024), "x".repeat(1024 * 1024 - 1000)]
        for (let i = 0; i < 7; i++) {
          yield* Effect.forkChild(Effect.ignore(broker.publish([{ topic: "b", message: half }])), {
            startImmediately: true
          })
        }
        const waiting = yield* Effect.forkChild(broker.publish([{ topic: "b", message: whole }]), {
          startImmediately: true
        })
        const tooMany = yield* Effect.flip(broker.publish([{ topic: "b", message: "x".repeat(2000) }]))
        assert.include(tooMany.message, "more than 1048576 bytes wait")
        yield* Fiber.interrupt(waiting)
        const next = yield* Effect.flip(broker.publish([{ topic: "b", message: whole }]))
        assert.include(next.message, "does not answer")
        server.thaw()
      })
    )
  }
})
