import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { type Server, Socket } from "effect-ws"
import * as ws from "effect-ws/ws"
import * as legacy from "effect-ws/ws/legacy"
import { once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import * as peer from "ws"
import { Bystander, connect, type Handler, type Running, serveEffect, type Told } from "./faces.ts"
import { type Uncaught, watched } from "./watch.ts"

const planted = (): never => {
  throw new Error("planted")
}

const plantedError = new Error("planted")

/** Waits for a condition, and fails where it never holds. */
const until = async (holds: () => boolean, what: string): Promise<void> => {
  for (const end = performance.now() + 3000; !holds();) {
    if (performance.now() > end) throw new Error(`never: ${what}`)
    await sleep(1)
  }
}

interface HandlerFault {
  readonly handler: Handler
  /** What the client is told. */
  readonly client: Told
  /** How often the server logs an error. */
  readonly logged: number
}

const failed: Omit<HandlerFault, "handler"> = { client: ["open", "ConnectionClosed 1011 Handshake"], logged: 1 }

/** The same, once the client has said hello. */
const atMessage =
  (act: () => Effect.Effect<unknown, unknown>): Handler =>
  (socket) =>
    Stream.runForEach(socket.messages, act)

const handlerFaults: { readonly [name: string]: HandlerFault } = {
  "throws before there is an effect": { handler: planted, ...failed },
  "throws in an effect": { handler: () => Effect.sync(planted), ...failed },
  fails: { handler: () => Effect.fail("planted"), ...failed },
  dies: { handler: () => Effect.die(plantedError), ...failed },
  "has a promise that rejects": { handler: () => Effect.promise(() => Promise.reject(plantedError)), ...failed },
  "fails by a promise": { handler: () => Effect.tryPromise(() => Promise.reject(plantedError)), ...failed },
  "throws where a message is read": { handler: atMessage(planted), ...failed },
  "dies where a message is read": { handler: atMessage(() => Effect.die(plantedError)), ...failed },
  "throws in run": { handler: (socket) => Socket.run(socket, planted), ...failed },
  "dies in run, later": {
    handler: (socket) => Socket.run(socket, () => Effect.andThen(Effect.sleep(2), Effect.die(plantedError))),
    ...failed
  },
  "throws in runBatch": { handler: (socket) => Socket.runBatch(socket, planted), ...failed },
  "has a finalizer that dies": { handler: () => Effect.addFinalizer(() => Effect.die(plantedError)), ...failed },
  "forks what dies": {
    handler: (socket) =>
      Effect.andThen(Effect.forkScoped(Effect.die(plantedError)), Stream.runForEach(socket.messages, socket.send)),
    client: ["open", "message hello", "end Handshake"],
    logged: 0
  },
  "fails in the midst of a message that it sends in pieces": {
    handler: (socket) => socket.sendStream(Stream.concat(Stream.make("half"), Stream.fail("planted"))),
    ...failed
  },
  "fails with the failure of its own connection": {
    handler: (socket) => Effect.andThen(socket.close(3000), Stream.runDrain(socket.messages)),
    client: ["open", "ConnectionClosed 3000 Handshake"],
    logged: 0
  },
  "is interrupted by itself": { handler: () => Effect.interrupt, client: ["open", "end Handshake"], logged: 0 },
  "ends at once": { handler: () => Effect.void, client: ["open", "end Handshake"], logged: 0 },
  "never ends, and never reads": {
    handler: () => Effect.never,
    client: ["open", "end Handshake"],
    logged: 0
  }
}

const withEffect = (
  handlers: { readonly [path: string]: Handler },
  options: Partial<Server.ServeOptions>,
  use: (server: Running, uncaught: Uncaught) => Promise<void>
): Promise<void> =>
  watched(async (uncaught) => {
    const server = await serveEffect({}, handlers, options)
    try {
      const bystander = new Bystander("Effect", server.port)
      await bystander.check()
      await use(server, uncaught)
      await bystander.check()
      await bystander.leave()
    } finally {
      await server.stop()
    }
  })

describe("a handler of the Effect face that", () => {
  for (const [name, { client: told, handler, logged }] of Object.entries(handlerFaults)) {
    it(name, () =>
      withEffect({ "/fault": handler }, {}, async (server) => {
        const never = name.startsWith("never")
        const client = connect.Effect(server.port, {
          path: "/fault",
          // Whoever closes first, the closing handshake ends.
          opened: (client) => (never ? client.close() : client.send("hello"))
        })
        await client.over
        assert.deepStrictEqual(client.told, told)
        await until(() => server.logged.length === logged, "it is logged")
      })
    )
  }
})

interface AuthorizeFault {
  readonly authorize: () => Effect.Effect<undefined, never>
  readonly client: Told
  readonly logged: number
}

const broken: Omit<AuthorizeFault, "authorize"> = { client: ["HandshakeFailed UnexpectedStatus 500"], logged: 1 }

const authorizeFaults: { readonly [name: string]: AuthorizeFault } = {
  throws: { authorize: planted, ...broken },
  dies: { authorize: () => Effect.die(plantedError), ...broken },
  "has a promise that rejects": { authorize: () => Effect.promise(() => Promise.reject(plantedError)), ...broken },
  "is interrupted by itself": { authorize: () => Effect.interrupt, ...broken },
  "never ends": {
    authorize: () => Effect.never,
    client: ["HandshakeFailed UnexpectedStatus 408"],
    logged: 0
  }
}

describe("an authorize that", () => {
  for (const [name, { authorize, client: told, logged }] of Object.entries(authorizeFaults)) {
    it(name, () =>
      withEffect(
        {},
        {
          handshakeTimeout: 200,
          authorize: ({ url }) => (url === "/fault" ? authorize() : Effect.succeed(undefined))
        },
        async (server) => {
          const client = connect.Effect(server.port, { path: "/fault" })
          await client.over
          assert.deepStrictEqual(client.told, told)
          assert.deepStrictEqual(server.told("/fault"), [])
          await until(() => server.logged.length === logged, "it is logged")
        }
      )
    )
  }

  it("never ends, for a client that leaves, is interrupted", () => {
    const heard: Array<string> = []
    return withEffect(
      {},
      {
        authorize: ({ url }) =>
          url !== "/fault"
            ? Effect.succeed(undefined)
            : Effect.onInterrupt(
                Effect.andThen(
                  Effect.sync(() => heard.push("asked")),
                  Effect.never
                ),
                () => Effect.sync(() => heard.push("interrupted"))
              )
      },
      async (server) => {
        const client = connect.ws(server.port, { path: "/fault" })
        await until(() => heard.length === 1, "it is asked")
        client.giveUp()
        await client.over
        await until(() => heard.length === 2, "it is interrupted")
        assert.deepStrictEqual(heard, ["asked", "interrupted"])
        assert.deepStrictEqual([server.told("/fault"), server.logged], [[], []])
      }
    )
  })
})

/** What the listeners of the `ws` faces throw is the process's to hear of; the connection goes on, and the others too. */
const listeners = ["throws", "rejects"] as const

const act = (how: (typeof listeners)[number]): unknown => (how === "throws" ? planted() : Promise.reject(plantedError))

type Lib = typeof ws

const original = peer as unknown as Lib

describe("a listener of the ws face that", () => {
  for (const how of listeners) {
    for (const event of ["connection", "message", "ping", "pong", "close", "error"] as const) {
      it(`${how} at ${event}`, async () => {
        const outcome = async (lib: Lib): Promise<unknown> => {
          const result: Array<unknown> = []
          await watched(async (uncaught) => {
            const server = new lib.WebSocketServer({ port: 0, host: "127.0.0.1" })
            await once(server, "listening")
            const address = server.address()
            const port = typeof address === "object" && address !== null ? address.port : 0
            const told: Array<string> = []
            server.on("connection", (socket, request) => {
              socket.on("message", (data) => socket.send(String(data)))
              if (request.url === "/bystander") return
              socket.on("close", (code) => told.push(`close ${code}`))
              if (event !== "connection") socket.on(event, () => act(how))
              else act(how)
            })
            const bystander = new Bystander("ws", port)
            await bystander.check()
            const client = new lib.WebSocket(`ws://127.0.0.1:${port}/fault`, { perMessageDeflate: false })
            const closed = once(client, "close")
            await once(client, "open")
            if (event === "message") client.send("hello")
            if (event === "ping") client.ping("x")
            if (event === "pong") client.pong("x")
            // A frame with a reserved bit.
            if (event === "error") client._socket?.write(Buffer.from([0xf1, 0x80, 0, 0, 0, 0]))
            if (event === "close" || event === "connection") client.close(1000)
            const errors: Array<unknown> = []
            await until(() => errors.push(...uncaught.take()) > 0, "it is thrown")
            client.close(1000)
            const [code] = await closed
            await until(() => told.length === 1, "the server's side is closed")
            await bystander.check()
            await bystander.leave()
            result.push(errors.map(String), code, told)
            await new Promise<void>((resolve) => server.close(() => resolve()))
          })
          return result
        }
        const ours = await outcome(ws)
        // After a listener of these `ws` reads no more, and doesn't answer a close frame.
        const stuck = how === "throws" && ["message", "ping", "pong"].includes(event)
        const expected = stuck ? [["Error: planted"], 1000, ["close 1000"]] : await outcome(original)
        assert.deepStrictEqual(ours, expected)
      })
    }
  }
})

describe("a listener of the legacy face that", () => {
  for (const how of listeners) {
    for (const event of ["connection", "message", "ping", "pong", "close", "error"] as const) {
      it(`${how} at ${event}`, () =>
        watched(async (uncaught) => {
          const server = new legacy.Server({ port: 0, host: "127.0.0.1" })
          await once(server, "listening")
          const address = server._server?.address()
          const port = typeof address === "object" && address !== null ? address.port : 0
          let closes = 0
          server.on("connection", (socket) => {
            socket.on("message", (data) => socket.send(String(data), () => {}))
            if (socket.upgradeReq?.url === "/bystander") return
            socket.on("close", () => void closes++)
            if (event !== "connection") socket.on(event, () => act(how))
            else act(how)
          })
          const bystander = new Bystander("legacy", port)
          await bystander.check()
          const client = new legacy.WebSocket(`ws://127.0.0.1:${port}/fault`)
          const closed = once(client, "close")
          await once(client, "open")
          if (event === "message") client.send("hello")
          if (event === "ping") client.ping("x")
          if (event === "pong") client.pong("x")
          if (event === "error") client._socket?.write(Buffer.from([0xf1, 0x80, 0, 0, 0, 0]))
          if (event === "close" || event === "connection") client.close(1000)
          const errors: Array<unknown> = []
          await until(() => errors.push(...uncaught.take()) > 0, "it is thrown")
          client.close(1000)
          await closed
          await until(() => closes === 1, "the server's side is closed")
          await bystander.check()
          await bystander.leave()
          assert.deepStrictEqual(errors.map(String), ["Error: planted"])
          server.close()
        }))
    }
  }
})
