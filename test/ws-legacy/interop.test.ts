import { assert, describe, it } from "@effect/vitest"
import { WebSocket } from "effect-ws/ws/legacy"
import { Effect, Stream } from "effect"
import { Handshake, Server, Socket } from "effect-ws"
import * as http from "node:http"
import * as Ws from "ws"
import { listening } from "../support/http.ts"
import { closeOf, connectionOf, once, serve } from "./peers.ts"
import { httpServer, portOf, using } from "./support.ts"

describe("with ws 8", () => {
  it(
    "as its server",
    using(async (resources) => {
      for (const protocolVersion of [13, 8]) {
        const { server, url } = await serve(WebSocket, resources)
        const connected = connectionOf(server)
        const client = new Ws.WebSocket(`${url}/x`, "chat", { protocolVersion, origin: "http://a.example" })
        const theirs = await connected
        await once(client, "open")
        assert.deepStrictEqual(
          [theirs.protocolVersion, theirs.protocol, client.protocol],
          [protocolVersion, "chat", "chat"]
        )
        assert.strictEqual(client.extensions, "")
        const text = once(theirs, "message")
        client.send("hé")
        const [message, flags] = await text
        assert.deepStrictEqual([message, flags], ["hé", { masked: true, buffer: Buffer.from("hé") }])
        const bytes = once(client, "message")
        theirs.send(Buffer.alloc(70_000, 7))
        assert.deepStrictEqual(await bytes, [Buffer.alloc(70_000, 7), true])
        const pong = once(client, "pong")
        client.ping("there")
        assert.deepStrictEqual(await pong, [Buffer.from("there")])
        const closed = Promise.all([closeOf(theirs), once(client, "close")])
        client.close(3001, "done")
        assert.deepStrictEqual(await closed, [
          [3001, "done"],
          [3001, Buffer.from("done")]
        ])
      }
    })
  )

  it(
    "as its client",
    using(async (resources) => {
      for (const protocolVersion of [13, 8] as const) {
        const web = await httpServer(resources)
        const server = new Ws.WebSocketServer({ server: web, perMessageDeflate: true })
        const connected = once(server, "connection") as unknown as Promise<[Ws.WebSocket, http.IncomingMessage]>
        const socket = new WebSocket(`ws://127.0.0.1:${portOf(web)}/y`, { protocolVersion, protocol: "a, b" })
        const [theirs, request] = await connected
        await once(socket, "open")
        assert.deepStrictEqual([request.url, socket.protocol, theirs.protocol], ["/y", "a", "a"])
        const text = once(theirs, "message")
        socket.send("hé")
        assert.deepStrictEqual(await text, [Buffer.from("hé"), false])
        const answer = once(socket, "message")
        theirs.send(new Uint8Array([1, 2]))
        const [data, flags] = await answer
        assert.deepStrictEqual(data, Buffer.from([1, 2]))
        assert.deepStrictEqual(flags, { masked: false, buffer: Buffer.from([1, 2]), binary: true })
        const message = once(theirs, "message")
        socket.stream((_, send) => send("all", true))
        assert.deepStrictEqual(await message, [Buffer.from("all"), false])
        const closed = Promise.all([closeOf(socket), once(theirs, "close")])
        theirs.close(1001, "going")
        assert.deepStrictEqual(await closed, [
          [1001, "going"],
          [1001, Buffer.from("going")]
        ])
      }
    })
  )
})

describe("with the Effect face", () => {
  for (const draft of Handshake.all) {
    it.live(`as its server: ${draft.id}`, () =>
      Effect.scoped(
        Effect.gen(function* () {
          const server = yield* Effect.acquireRelease(
            Effect.callback<InstanceType<typeof WebSocket.Server>>((resume) => {
              const server = new WebSocket.Server({ port: 0, host: "127.0.0.1" }, () => resume(Effect.succeed(server)))
            }),
            (server) => Effect.sync(() => server.close())
          )
          const versions: Array<unknown> = []
          server.on("connection", (theirs) => {
            versions.push(theirs.protocolVersion)
            theirs.on("message", (data) => theirs.send(`echo ${String(data)}`))
          })
          const port = portOf(server._server as http.Server)
          const socket = yield* Socket.connect(`ws://127.0.0.1:${port}/`, { draft, keepAlive: false })
          yield* socket.send("hé")
          const messages = yield* Stream.runCollect(Stream.take(socket.messages, 1))
          assert.deepStrictEqual([...messages], ["echo hé"])
          assert.deepStrictEqual(versions, [draft.version ?? "hixie-76"])
          const closed = yield* socket.close()
          assert.strictEqual(closed.cause._tag, "Handshake")
        })
      )
    )

    it.live(`as its client: ${draft.id}`, () =>
      Effect.scoped(
        Effect.gen(function* () {
          const server = yield* Server.make({
            port: 0,
            host: "127.0.0.1",
            drafts: Handshake.all,
            origins: "any",
            keepAlive: false
          })
          yield* Effect.forkScoped(
            server.run((socket) => Stream.runForEach(socket.messages, (message) => socket.send(message)))
          )
          const address = server.address as { readonly port: number }
          const events = yield* Effect.callback<ReadonlyArray<unknown>>((resume) => {
            const seen: Array<unknown> = []
            const socket = new WebSocket(`ws://127.0.0.1:${address.port}/`, {
              protocolVersion: draft.version ?? "hixie-76"
            })
            socket.on("error", (error) => resume(Effect.succeed([error])))
            socket.on("open", () => socket.send("hé"))
            socket.on("message", (data) => {
              seen.push(data)
              socket.close(1000, "")
            })
            socket.on("close", (code) => resume(Effect.succeed([...seen, code])))
          })
          assert.deepStrictEqual(events, ["hé", 1000])
        })
      )
    )
  }

  it.live("on the same HTTP server, by path", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const web = http.createServer()
        const port = yield* listening(web)
        const legacy = new WebSocket.Server({ server: web, path: "/legacy" })
        legacy.on("connection", (theirs) => theirs.send("legacy"))
        const server = yield* Server.attach(web, { path: "/effect" })
        yield* Effect.forkScoped(server.run((socket) => socket.send("effect")))
        for (const name of ["legacy", "effect"]) {
          const socket = yield* Socket.connect(`ws://127.0.0.1:${port}/${name}`)
          assert.deepStrictEqual([...(yield* Stream.runCollect(Stream.take(socket.messages, 1)))], [name])
        }
        const refused = yield* Effect.flip(Socket.connect(`ws://127.0.0.1:${port}/other`))
        assert.match(refused.message, /404/)
      })
    )
  )
})
