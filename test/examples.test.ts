import { assert, describe, it } from "@effect/vitest"
import { NodeHttpClient } from "@effect/platform-node"
import { Context, Effect, Fiber, Layer, Stream } from "effect"
import { HttpClient } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { RpcClient, RpcSerialization } from "effect/rpc"
import { Server, Socket } from "effect-ws"
import * as EffectSocket from "effect-ws/EffectSocket"
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { Api, Calls, Notice } from "../examples/gateway/api.ts"

/** The examples that need no browser to be seen at work; those with pages that do more are in `browser/`. */

const root = fileURLToPath(new URL("../", import.meta.url))
const resolving = ["--import", "./test/support/resolve-src.mjs"]

/** The exit code of `NodeRuntime.runMain` after SIGINT. */
const interrupted = 130

interface Example {
  readonly port: number
  /** Interrupts it, and answers with its exit code. */
  readonly stop: Effect.Effect<number | null>
}

const start = (name: string, variables: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const { child, ended } = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn(process.execPath, [...resolving, `examples/${name}/server.ts`], {
          cwd: root,
          env: { ...process.env, PORT: "0", ...variables },
          stdio: ["ignore", "pipe", "inherit"]
        })
        return { child, ended: once(child, "exit") as Promise<[number | null]> }
      }),
      ({ child, ended }) =>
        Effect.promise(() => {
          child.kill("SIGKILL")
          return ended
        })
    )
    const port = yield* Effect.promise(
      () =>
        new Promise<number>((resolve, reject) => {
          createInterface(child.stdout).on("line", (line) => {
            const [, port] = /(?:https?|wss?):\/\/localhost:(\d+)/.exec(line) ?? []
            if (port !== undefined) resolve(Number(port))
          })
          child.once("exit", (code) => reject(new Error(`examples/${name} ended with ${code}`)))
        })
    )
    const stop = Effect.promise(async () => {
      child.kill("SIGINT")
      const [code] = await ended
      return code
    })
    return { port, stop } satisfies Example
  })

const first = (socket: Socket.Socket) =>
  Effect.map(Stream.runCollect(Stream.take(socket.messages, 1)), ([message]) => message)

const refusedWith = (url: string, options?: Socket.ConnectOptions) =>
  Effect.gen(function* () {
    const { reason } = yield* Effect.flip(Effect.scoped(Socket.connect(url, options)))
    return reason._tag === "HandshakeFailed" ? reason.message : reason._tag
  })

describe("the examples", () => {
  it.live("rpc: calls, a typed error and a stream", () =>
    Effect.gen(function* () {
      const { port, stop } = yield* start("rpc")
      const { stdout } = yield* Effect.promise(() =>
        promisify(execFile)(process.execPath, [...resolving, "examples/rpc/client.ts"], {
          cwd: root,
          env: { ...process.env, URL: `ws://localhost:${port}/` },
          timeout: 300_000
        })
      )
      assert.deepStrictEqual(stdout.trim().split("\n"), [
        "1. [ ] boil water",
        "2. [ ] find a cup",
        "2. [x] find a cup",
        "NoSuchTask"
      ])
      assert.strictEqual(yield* stop, interrupted)
    })
  )

  it.live("gateway: pages, an HttpApi, RPC and typed sockets on one TLS port", () =>
    Effect.gen(function* () {
      const { port, stop } = yield* start("gateway")
      const url = `https://localhost:${port}`
      // The certificate is signed by itself.
      const tls = { rejectUnauthorized: false }
      const clients = yield* Layer.build(
        Layer.merge(
          NodeHttpClient.layerNodeHttpOptions(tls),
          RpcClient.layerProtocolSocket().pipe(
            Layer.provide(EffectSocket.layerSocket(`wss://localhost:${port}/rpc`, { tls })),
            Layer.provide(RpcSerialization.layerJson)
          )
        )
      )
      const http = Context.get(clients, HttpClient.HttpClient)
      const page = yield* Effect.flatMap(http.get(url), ({ text }) => text)
      assert.match(page, /<h1>Notices<\/h1>/)
      const { notices } = yield* HttpApiClient.makeWith(Api, { httpClient: http, baseUrl: url })
      assert.deepStrictEqual(yield* notices.list(), [])

      const live = `wss://localhost:${port}/live`
      const first = yield* Socket.connect(live, { tls, compression: true })
      const second = yield* Socket.connect(live, { tls, http2: true })
      yield* notices.add({ payload: { text: "by HTTP" } })
      const calls = yield* Effect.provideContext(RpcClient.make(Calls), clients)
      yield* calls.Add({ text: "by RPC" })
      yield* second.send(JSON.stringify({ text: "by socket" }))
      for (const socket of [first, second]) {
        const { messages } = Socket.withSchema(socket, Notice)
        const read = yield* Stream.runCollect(Stream.take(messages, 3))
        assert.deepStrictEqual(
          read.map(({ by, text }) => `${by}: ${text}`),
          ["HTTP: by HTTP", "RPC: by RPC", "a socket: by socket"]
        )
      }
      assert.strictEqual(yield* calls.Count(), 3)
      yield* first.send(JSON.stringify({ text: "" }))
      assert.strictEqual((yield* first.closed).received?.code, 1008)
      assert.match(yield* refusedWith(live, { tls, origin: "https://elsewhere.example" }), /403/)
      assert.strictEqual(yield* stop, interrupted)
      assert.strictEqual((yield* second.closed).received?.code, 1001)
    })
  )

  it.live("fastify: what is posted is heard by who looks on", () =>
    Effect.gen(function* () {
      const { port, stop } = yield* start("fastify")
      const post = (notice: unknown) =>
        Effect.promise(async () => {
          const headers = { "content-type": "application/json" }
          const init = { method: "POST", headers, body: JSON.stringify(notice) }
          return (await fetch(`http://localhost:${port}/notices`, init)).status
        })
      assert.match(yield* Effect.promise(async () => (await fetch(`http://localhost:${port}/`)).text()), /Notice board/)
      const live = `ws://localhost:${port}/live`
      const socket = yield* Socket.connect(live, { origin: `http://localhost:${port}` })
      const other = yield* Socket.connect(live)
      // The subscription is made behind the handshake: notices are posted until the first is heard
      const posting = yield* Effect.forkScoped(Effect.forever(Effect.andThen(post({ text: "Tea!" }), Effect.sleep(20))))
      assert.deepStrictEqual([yield* first(socket), yield* first(other)], ["Tea!", "Tea!"])
      posting.interruptUnsafe()
      assert.strictEqual(yield* post({ text: "" }), 400)
      assert.match(yield* refusedWith(live, { origin: "http://elsewhere.example" }), /403/)
      assert.match(yield* refusedWith(`ws://localhost:${port}/elsewhere`), /404/)
      assert.strictEqual(yield* stop, interrupted)
      assert.strictEqual((yield* socket.closed).received?.code, 1001)
    })
  )

  it.live("hono: a point goes to everybody else", () =>
    Effect.gen(function* () {
      const { port, stop } = yield* start("hono")
      const url = `ws://localhost:${port}/drawing`
      const origin = `http://localhost:${port}`
      const [ann, bob] = [yield* Socket.connect(url, { origin }), yield* Socket.connect(url, { origin })]
      const count = Effect.promise(async () => (await fetch(`${origin}/drawing/count`)).json())
      yield* Effect.repeat(count, { until: (drawing) => drawing === 2 })
      const point = new Uint8Array(Float32Array.of(1, 2).buffer)
      yield* ann.send(point)
      assert.deepStrictEqual(new Uint8Array(Buffer.from((yield* first(bob)) ?? "")), point)
      yield* bob.send("a word")
      assert.strictEqual((yield* bob.closed).received?.code, 1003)
      assert.match(yield* refusedWith(url, { origin: "http://elsewhere.example" }), /403/)
      assert.strictEqual(yield* stop, interrupted)
      assert.strictEqual((yield* ann.closed).received?.code, 1001)
    })
  )

  it.live("auth: what a user says goes to all, and strangers stay outside", () =>
    Effect.gen(function* () {
      const { port, stop } = yield* start("auth")
      const url = `ws://localhost:${port}/`
      const ada = yield* Socket.connect(url, { protocols: ["chat", "token.tea"] })
      const bob = yield* Socket.connect(url, { headers: { authorization: "Bearer cake" } })
      assert.strictEqual(ada.protocol, "chat")
      // The subscriptions are made after the handshakes: Ada says it until Bob has received it.
      const saying = yield* Effect.forkScoped(
        Effect.forever(Effect.andThen(ada.send(`{"text":"Tea?"}`), Effect.sleep(20)))
      )
      assert.strictEqual(yield* bob.receive, `{"by":"ada","text":"Tea?"}`)
      saying.interruptUnsafe()
      yield* bob.send(`{"text":""}`)
      assert.strictEqual((yield* bob.closed).received?.code, 1008)
      assert.match(yield* refusedWith(url), /401/)
      assert.match(yield* refusedWith(url, { protocols: ["chat", "token.coffee"] }), /403/)
      assert.strictEqual(yield* stop, interrupted)
    })
  )

  it.live("proxy: forwards both ways, close codes included, for clients with a key", () =>
    Effect.gen(function* () {
      const upstream = yield* Server.make({ host: "localhost", port: 0 })
      yield* Effect.forkScoped(
        upstream.run((socket) =>
          Stream.runForEach(socket.messages, (message) =>
            message === "bye"
              ? socket.close(4000, "bye")
              : socket.send(`${String(socket.request.url)}: ${String(message)}`)
          )
        )
      )
      const { port, stop } = yield* start("proxy", {
        KEY: "sesame",
        UPSTREAM: `ws://localhost:${upstream.address.port}`
      })
      const url = `ws://localhost:${port}/prices?of=EUR`
      const headers = { "x-api-key": "sesame" }
      const client = yield* Socket.connect(url, { headers })
      yield* client.send("how much?")
      assert.strictEqual(yield* client.receive, "/prices?of=EUR: how much?")
      yield* client.send("bye")
      assert.deepStrictEqual((yield* client.closed).received, { code: 4000, reason: "bye" })
      assert.match(yield* refusedWith(url, { headers: { "x-api-key": "please" } }), /401/)
      yield* upstream.drain({ grace: 0 })
      assert.match(yield* refusedWith(url, { headers }), /502/)
      assert.strictEqual(yield* stop, interrupted)
    })
  )

  it.live("deploy: finishes with its clients before it ends", () =>
    Effect.gen(function* () {
      const { port, stop } = yield* start("deploy")
      const client = yield* Socket.connect(`ws://localhost:${port}/`)
      yield* client.send("before")
      assert.strictEqual(yield* client.receive, "before")
      const stopping = yield* Effect.forkScoped(stop, { startImmediately: true })
      assert.strictEqual(yield* client.receive, "restarting")
      assert.match(yield* refusedWith(`ws://localhost:${port}/`), /503/)
      yield* client.send("after")
      assert.strictEqual(yield* client.receive, "after")
      yield* client.close()
      assert.strictEqual(yield* Fiber.join(stopping), interrupted)
    })
  )
})
