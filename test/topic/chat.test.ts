import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Socket } from "effect-ws"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { natsServer, redisServer } from "./brokers.ts"
import { until } from "./processes.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** Starts the example; answers its port. */
const startChat = (broker: NodeJS.ProcessEnv) =>
  Effect.gen(function* () {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const args = ["--import", "./test/support/resolve-src.mjs", "examples/chat/server.ts"]
        const env = { ...process.env, PORT: "0", ...broker }
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

const person = (port: number, name: string, query = "") =>
  Effect.gen(function* () {
    const socket = yield* Socket.connect(`ws://localhost:${port}/chat?name=${name}${query}`)
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

const brokers = [
  {
    title: "Redis",
    start: redisServer(),
    environment: (port: number) => ({ REDIS_URL: `redis://127.0.0.1:${port}` }),
    /** Redis keeps nothing here once it is killed. */
    keeps: false
  },
  {
    title: "NATS",
    start: natsServer({ jetStream: true }),
    environment: (port: number) => ({ NATS_URL: `nats://127.0.0.1:${port}` }),
    keeps: true
  }
] as const

describe("the example chat", () => {
  for (const { environment, keeps, start, title } of brokers) {
    it.live(
      `is one chat over two processes and ${title}, with history, presence and rooms for members, also after a restart of either`,
      () =>
        Effect.gen(function* () {
          const broker = yield* start
          const chat = startChat(environment(broker.port))
          const ports = yield* Effect.all([chat, chat], { concurrency: "unbounded" })
          const ann = yield* person(ports[0], "Ann")
          yield* ann.join("tea & cakes.*")
          yield* ann.act({ room: "tea & cakes.*", text: "Hello from one process", key: "1" })
          yield* ann.act({ room: "tea & cakes.*", text: "Hello from one process", key: "1" })
          yield* until(() => ann.said().length === 1)
          const bob = yield* person(ports[1], "Bob")
          yield* bob.join("tea & cakes.*")
          yield* bob.join("elsewhere")
          yield* until(() => bob.said().length === 1 && ann.heard.some(({ came }) => came === "Bob"))
          yield* until(
            () => bob.heard.filter(({ came, room }) => came !== undefined && room !== "elsewhere").length === 2
          )
          yield* bob.act({ leave: "tea & cakes.*" })
          yield* until(() => ann.heard.some(({ left }) => left === "Bob"))
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

          // Rooms for members.
          const cat = yield* person(ports[0], "Cat", "&key=open%20sesame")
          yield* cat.join("*board")
          yield* bob.act({ join: "*board" })
          yield* bob.act({ room: "*board", text: "Let me in" })
          yield* until(() => bob.heard.filter(({ failed }) => String(failed).startsWith("not allowed")).length === 2)

          // The broker is started anew.
          yield* Effect.promise(() => broker.kill())
          yield* Effect.repeat(Effect.andThen(ann.act({ room: "elsewhere", text: "?" }), Effect.sleep(50)), {
            until: () => ann.heard.some(({ failed }) => failed !== undefined)
          })
          yield* Effect.promise(() => broker.start())
          if (!keeps) yield* until(() => bob.heard.some(({ missing }) => missing === "elsewhere"))
          const sayAgain = ann.act({ room: "elsewhere", text: "back", key: "back" })
          yield* Effect.repeat(Effect.andThen(sayAgain, Effect.sleep(600)), {
            until: () => bob.said().some(([, , text]) => text === "back")
          })

          // A process is started anew: who comes back goes on where he was.
          const last = bob.heard.findLast(({ text }) => text === "back")
          yield* bob.socket.close()
          yield* ann.act({ room: "elsewhere", text: "while you were away" })
          const third = yield* chat
          const again = yield* person(third, "Bob")
          yield* again.act({ join: "elsewhere", from: last?.["position"] })
          yield* until(() => again.said().some(([, , text]) => text === "while you were away"))
          assert.deepStrictEqual(
            again.said().filter(([, , text]) => text !== "?"),
            [["elsewhere", "Ann", "while you were away"]]
          )

          yield* ann.socket.send("not JSON")
          assert.strictEqual((yield* ann.socket.closed).received?.code, 1008)
        }),
      90_000
    )
  }
})
