import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Socket } from "effect-ws"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { redisServer } from "./brokers.ts"
import { until } from "./processes.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** Starts the example; answers its port. */
const startChat = (redisPort: number) =>
  Effect.gen(function* () {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const args = ["--import", "./test/support/resolve-src.mjs", "examples/chat/server.ts"]
        const env = { ...process.env, PORT: "0", REDIS_URL: `redis://127.0.0.1:${redisPort}` }
        return spawn(process.execPath, args, { cwd: root, env, stdio: ["ignore", "pipe", "ignore"] })
      }),
      (child) =>
        Effect.promise(async () => {
          child.kill("SIGINT")
          if (child.exitCode === null) await once(child, "exit")
        })
    )
    return yield* Effect.promise(async () => {
      for await (const line of createInterface(child.stdout)) {
        const [, port] = /http:\/\/localhost:(\d+)/.exec(line) ?? []
        if (port !== undefined) return Number(port)
      }
      throw new Error("the example ended")
    })
  })

const person = (port: number, name: string) =>
  Effect.gen(function* () {
    const socket = yield* Socket.connect(`ws://localhost:${port}/chat?name=${name}`)
    const heard: Array<Record<string, unknown>> = []
    yield* Effect.forkScoped(
      Stream.runForEach(socket.messages, (message) => Effect.sync(() => heard.push(JSON.parse(String(message)))))
    )
    const act = (action: object) => socket.send(JSON.stringify(action))
    const join = (room: string) =>
      Effect.andThen(
        act({ join: room }),
        until(() => heard.some(({ joined }) => joined === room))
      )
    const said = () => heard.filter(({ text }) => text !== undefined).map(({ name, room, text }) => [room, name, text])
    return { act, heard, join, said, socket }
  })

describe("the example chat", () => {
  it.live(
    "is one chat over two processes and Redis, and says so when Redis is away",
    () =>
      Effect.gen(function* () {
        const redis = yield* redisServer()
        const ports = yield* Effect.all([startChat(redis.port), startChat(redis.port)], { concurrency: "unbounded" })
        const ann = yield* person(ports[0], "Ann")
        const bob = yield* person(ports[1], "Bob")
        yield* ann.join("tea & cakes.*")
        yield* bob.join("tea & cakes.*")
        yield* bob.join("elsewhere")
        yield* ann.act({ room: "tea & cakes.*", text: "Hello from one process" })
        yield* until(() => bob.said().length === 1)
        yield* bob.act({ leave: "tea & cakes.*" })
        yield* bob.act({ room: "tea & cakes.*", text: "Hello from the other" })
        yield* ann.act({ room: "elsewhere", text: "Are you there?" })
        yield* until(() => bob.said().length === 2 && ann.said().length === 2)
        assert.deepStrictEqual(bob.said(), [
          ["tea & cakes.*", "Ann", "Hello from one process"],
          ["elsewhere", "Ann", "Are you there?"]
        ])
        assert.deepStrictEqual(ann.said(), [
          ["tea & cakes.*", "Ann", "Hello from one process"],
          ["tea & cakes.*", "Bob", "Hello from the other"]
        ])

        yield* Effect.promise(() => redis.kill())
        yield* Effect.repeat(ann.act({ room: "elsewhere", text: "?" }), {
          until: () => ann.heard.some(({ failed }) => failed !== undefined)
        })
        yield* Effect.promise(() => redis.start())
        yield* until(() => bob.heard.some(({ missing }) => missing === "elsewhere"))

        yield* ann.socket.send("not JSON")
        assert.strictEqual((yield* ann.socket.closed).received?.code, 1008)
      }),
    60_000
  )
})
