/** Effect's own HTTP server: an upgrade amid ordinary routes, a refusal, calls over effect/rpc. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeWS from "@effect/platform-node/NodeWS"
import { Effect, Layer, Schema, Stream } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Rpc, RpcClient, RpcGroup, RpcSerialization, RpcServer } from "effect/rpc"
import { Socket } from "effect/socket"
import assert from "node:assert/strict"
import { once } from "node:events"
import { createServer } from "node:http"
import { WebSocket } from "ws"

class Calls extends RpcGroup.make(
  Rpc.make("Greet", { payload: { name: Schema.String }, success: Schema.String }),
  Rpc.make("Count", { payload: { limit: Schema.Number }, success: Schema.Number, stream: true })
) {}

const handlers = Calls.toLayer({
  Greet: ({ name }) => Effect.succeed(`Hello, ${name}`),
  Count: ({ limit }) => Stream.range(1, limit)
})

/** Sends back what comes, in the upper case. */
const shout = Effect.gen(function* () {
  const socket = yield* Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => request.upgrade)
  yield* Effect.gen(function* () {
    const pull = yield* Socket.readerString(socket)
    const writer = yield* socket.writer
    for (;;) for (const text of yield* pull) yield* writer.write(text.toUpperCase())
  }).pipe(Effect.scoped, Effect.ignore)
  return HttpServerResponse.empty()
})

const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/plain", Effect.succeed(HttpServerResponse.text("plain"))),
  HttpRouter.add("GET", "/shout", shout),
  RpcServer.layer(Calls).pipe(
    Layer.provide(handlers),
    Layer.provide(RpcServer.layerProtocolWebsocket({ path: "/rpc" })),
    Layer.provide(RpcSerialization.layerJson)
  )
)

const server = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
)

const program = Effect.gen(function* () {
  const { address } = yield* HttpServer.HttpServer
  assert.ok(address._tag !== "UnixPathAddress")
  const at = (path: string): string => `ws://127.0.0.1:${address.port}${path}`

  yield* Effect.promise(async () => {
    const socket = new WebSocket(at("/shout"))
    const message = once(socket, "message")
    await once(socket, "open")
    socket.send("hello ✓")
    assert.deepEqual(await message, [Buffer.from("HELLO ✓"), false])
    socket.close(1000)
    await once(socket, "close")

    const refused = new WebSocket(at("/plain"))
    const [error] = (await once(refused, "error")) as [Error]
    assert.equal(error.message, "Unexpected server response: 200")
  })

  yield* Effect.gen(function* () {
    const calls = yield* RpcClient.make(Calls)
    assert.equal(yield* calls.Greet({ name: "Jörg ✓" }), "Hello, Jörg ✓")
    const counted = yield* Stream.runCollect(calls.Count({ limit: 1000 }))
    assert.deepEqual(
      counted,
      Array.from({ length: 1000 }, (_, index) => index + 1)
    )
  }).pipe(
    Effect.scoped,
    Effect.provide(
      RpcClient.layerProtocolSocket().pipe(
        Layer.provide(Socket.layerWebSocket(at("/rpc"))),
        Layer.provide(NodeWS.layerWebSocketConstructor),
        Layer.provide(RpcSerialization.layerJson)
      )
    )
  )
})

await program.pipe(Effect.provide(server), Effect.runPromise)
