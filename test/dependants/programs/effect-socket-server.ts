/** Effect's own WebSocket server and client: an echo, a slow reader that is waited for, the codes of the end. */
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as NodeWS from "@effect/platform-node/NodeWS"
import { Effect, Fiber } from "effect"
import { Socket } from "effect/socket"
import assert from "node:assert/strict"
import { WebSocket } from "ws"
import { bytes } from "./support.ts"

assert.equal(NodeWS.WebSocket, WebSocket)

/** Sends back what comes, and ends the connection when it is asked to. */
const serve = (socket: Socket.Socket) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { pull } = yield* socket.reader
      const writer = yield* socket.writer
      for (;;) {
        for (const data of yield* pull) {
          yield* writer.write(data === "end" ? new Socket.CloseEvent(4321, "as asked") : data)
        }
      }
    })
  )

const closeCode = (error: Socket.SocketError): readonly [number, string | undefined] =>
  error.reason._tag === "SocketCloseError" ? [error.reason.code, error.reason.closeReason] : [0, error.message]

const program = Effect.gen(function* () {
  const server = yield* NodeSocketServer.makeWebSocket({ port: 0, host: "127.0.0.1", perMessageDeflate: true })
  assert.ok(server.address._tag !== "UnixPathAddress")
  const url = `ws://127.0.0.1:${server.address.port}/`
  const running = yield* Effect.forkScoped(server.run((socket) => Effect.ignore(serve(socket))))
  const client = yield* Socket.makeWebSocket(url)

  yield* Effect.scoped(
    Effect.gen(function* () {
      const { pull } = yield* client.reader
      const writer = yield* client.writer
      const inbox: Array<string | Uint8Array> = []
      const next = Effect.gen(function* () {
        while (inbox.length === 0) inbox.push(...(yield* pull))
        return inbox.shift()
      })
      yield* writer.writeAll(["text ✓", bytes(3), "", bytes(70_000)])
      assert.equal(yield* next, "text ✓")
      assert.deepEqual(yield* next, new Uint8Array(bytes(3)))
      assert.equal(yield* next, "")
      assert.deepEqual(yield* next, new Uint8Array(bytes(70_000)))

      // Nothing is pulled, so that reading is paused on both sides, and nothing is lost
      for (let index = 0; index < 200; index++) yield* writer.write(`${index}:${"x".repeat(10_000)}`)
      for (let index = 0; index < 200; index++) assert.equal(yield* next, `${index}:${"x".repeat(10_000)}`)

      yield* writer.write("end")
      assert.deepEqual(closeCode(yield* Effect.flip(next)), [4321, "as asked"])
    })
  )

  // The server's end is that of its connections
  const held = yield* Effect.scoped(client.reader.pipe(Effect.flatMap(({ pull }) => Effect.flip(pull)))).pipe(
    Effect.forkChild({ startImmediately: true })
  )
  yield* Effect.scoped(
    Effect.flatMap(client.writer, (writer) => writer.write("the connection is open, since this was written"))
  )
  yield* Fiber.interrupt(running)
  assert.deepEqual(closeCode(yield* Fiber.join(held)), [1005, ""])
})

await program.pipe(Effect.scoped, Effect.provide(NodeWS.layerWebSocketConstructor), Effect.runPromise)
