/** Over a class that can pause, and a token in place of a subprotocol. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule, Stream } from "effect"
import { Server } from "effect-ws"
import { Socket } from "effect-ws/browser"
import { WebSocket } from "effect-ws/ws"
import { FakeWebSocket } from "./fake.ts"

/** One that counts how often it was told to stop and to go on. */
class PausingWebSocket extends FakeWebSocket {
  static readonly made: Array<PausingWebSocket> = []
  pauses = 0
  resumes = 0

  constructor(url: string, protocols?: ReadonlyArray<string>) {
    super(url, protocols)
    PausingWebSocket.made.push(this)
  }

  pause(): void {
    this.pauses++
  }

  resume(): void {
    this.resumes++
  }
}

const open = Effect.fnUntraced(function* (options: Socket.ConnectOptions) {
  const opening = yield* Effect.forkChild(Socket.connect("ws://server/", { ...options, WebSocket: PausingWebSocket }), {
    startImmediately: true
  })
  const ws = PausingWebSocket.made.at(-1)
  if (ws === undefined) return yield* Effect.die("nothing was made")
  ws.open()
  return [yield* Fiber.join(opening), ws] as const
})

describe("a platform that can pause", () => {
  it.effect("is paused at readBufferSize, and resumed once the reader has taken enough", () =>
    Effect.gen(function* () {
      // Each message counts 100 bytes.
      const [socket, ws] = yield* open({ readBufferSize: 200, maxReadBufferSize: 150 })
      const message = "x".repeat(18)
      ws.message(message)
      assert.deepStrictEqual([ws.pauses, ws.resumes], [0, 0], "100 bytes")
      ws.message(message)
      assert.deepStrictEqual([ws.pauses, ws.resumes], [1, 0], "200 bytes")
      ws.message(message)
      assert.strictEqual(ws.readyState, 1, "what comes although it was paused is kept")
      yield* socket.receive
      assert.strictEqual(ws.resumes, 0, "200 bytes remain")
      yield* socket.receive
      assert.strictEqual(ws.resumes, 1, "100 bytes remain")
      assert.strictEqual(yield* socket.receive, message)
    })
  )

  it.effect("is resumed when the connection is closed, so that the peer's close frame is read", () =>
    Effect.gen(function* () {
      const [socket, ws] = yield* open({ readBufferSize: 1 })
      ws.message("unread")
      assert.deepStrictEqual([ws.pauses, ws.resumes], [1, 0])
      assert.deepInclude(yield* socket.close(), { cause: { _tag: "Handshake" } })
      assert.strictEqual(ws.resumes, 1)
    })
  )

  it.effect("refuses a readBufferSize that is no size", () =>
    Effect.gen(function* () {
      for (const readBufferSize of [-1, Number.NaN]) {
        const { reason } = yield* Effect.flip(Socket.connect("ws://server/", { readBufferSize }))
        assert.deepInclude(reason, { _tag: "InvalidOptions", option: "readBufferSize" })
      }
    })
  )

  it.live("stops a server that sends more than is read: the class of effect-ws/ws", () =>
    Effect.gen(function* () {
      const count = 64
      let sent = 0
      const server = yield* Server.make({ host: "127.0.0.1", port: 0 })
      yield* Effect.forkScoped(
        server.run((socket) =>
          Effect.forEach(Array.from({ length: count }), () =>
            Effect.map(socket.send(new Uint8Array(1024 * 1024)), () => void sent++)
          )
        )
      )
      const socket = yield* Socket.connect(`ws://127.0.0.1:${server.address.port}/`, { WebSocket })
      let before = -1
      yield* Effect.repeat(
        Effect.sync(() => {
          const same = before === sent
          before = sent
          return same
        }),
        { schedule: Schedule.spaced("300 millis"), until: (same) => same }
      )
      assert.isBelow(sent, count)
      const sizes = yield* Stream.runCollect(Stream.map(socket.messages, ({ length }) => length))
      assert.deepStrictEqual(
        sizes,
        Array.from({ length: count }, () => 1024 * 1024)
      )
    })
  )
})

describe("a token as a subprotocol", () => {
  it.live("lets in who offers the right one, which isn't selected", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({
        host: "127.0.0.1",
        port: 0,
        protocols: ["chat"],
        authorize: ({ headers }) => {
          const token = /\btoken\.([^,\s]+)/.exec(String(headers["sec-websocket-protocol"]))?.[1]
          return token === undefined
            ? Effect.fail(Server.reject(401))
            : token === "right"
              ? Effect.succeed("Ada")
              : Effect.fail(Server.reject(403))
        }
      })
      yield* Effect.forkScoped(server.run((socket) => socket.send(socket.context)))
      const url = `ws://127.0.0.1:${server.address.port}/`
      const statuses = (protocols: ReadonlyArray<string>) =>
        Effect.map(Effect.flip(Socket.connect(url, { protocols })), ({ reason }) => reason._tag)
      const socket = yield* Socket.connect(url, { protocols: ["chat", "token.right"] })
      assert.strictEqual(socket.protocol, "chat")
      assert.strictEqual(yield* socket.receive, "Ada")
      assert.strictEqual(yield* statuses(["chat", "token.wrong"]), "OpenFailed")
      assert.strictEqual(yield* statuses(["chat"]), "OpenFailed")
    })
  )
})
