import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { McpProtocol, McpServer, Tool, Toolkit } from "effect/ai"
import { NetAddress } from "effect/net"
import { RpcSerialization, RpcServer } from "effect/rpc"
import { SocketServer } from "effect/socket"
import { Socket } from "effect-ws"
import * as EffectSocket from "effect-ws/EffectSocket"

const Tools = Toolkit.make(
  Tool.make("add", {
    description: "Adds two numbers",
    parameters: Schema.Struct({ a: Schema.Int, b: Schema.Int }),
    success: Schema.Struct({ sum: Schema.Int })
  })
)

const Registrations = McpServer.toolkit(Tools).pipe(
  Layer.provide(Tools.toLayer({ add: ({ a, b }) => Effect.succeed({ sum: a + b }) }))
)

const Mcp = McpServer.layer({
  name: "sums",
  version: "1.0.0",
  protocols: [McpProtocol.v2025_11_25],
  registrations: Registrations
}).pipe(
  Layer.provide(RpcServer.layerProtocolSocketServer),
  Layer.provideMerge(EffectSocket.layerSocketServer({ host: "127.0.0.1", port: 0 })),
  Layer.provide(RpcSerialization.layerJsonRpc())
)

const Reply = Schema.Struct({
  id: Schema.optional(Schema.Union([Schema.Int, Schema.String])),
  result: Schema.Unknown
})

describe("effect/ai", () => {
  it.live("serves the tools of an McpServer over layerSocketServer, in JSON-RPC", () =>
    Effect.gen(function* () {
      const { address } = yield* SocketServer.SocketServer
      const socket = yield* Socket.connect(NetAddress.formatUrlUnsafe(address, "ws"))
      const call = (id: number, method: string, params: object) =>
        socket
          .send(JSON.stringify({ jsonrpc: "2.0", id, method, params }))
          .pipe(
            Effect.andThen(socket.receive),
            Effect.flatMap(Schema.decodeUnknownEffect(Schema.fromJsonString(Reply)))
          )
      const hello = yield* call(1, "initialize", {
        protocolVersion: "2025-11-25",
        capabilities: {},
        clientInfo: { name: "test", version: "1" }
      })
      assert.strictEqual(hello.id, 1)
      yield* socket.send(JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" }))
      const { result } = yield* call(2, "tools/call", { name: "add", arguments: { a: 2, b: 3 } })
      assert.deepInclude(result, { structuredContent: { sum: 5 } })
    }).pipe(Effect.provide(Mcp))
  )
})
