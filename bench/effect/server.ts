// The server's side: Effect's socket server, or its RPC server on that. `node server.ts '{"beneath":"ws","exchange":"calls"}'`
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { NetAddress } from "effect/net"
import { RpcServer } from "effect/rpc"
import { type Socket, SocketServer } from "effect/socket"
import { announce } from "../servers/program.ts"
import { type Beneath, type Exchange, serverLayers } from "./beneath.ts"
import { Calls, handlers, serialization } from "./calls.ts"

const mode: { readonly beneath: Beneath; readonly exchange: Exchange } = JSON.parse(process.argv[2] ?? "{}")

const listening = Layer.effectDiscard(
  Effect.map(SocketServer.SocketServer, ({ address }) => {
    if (NetAddress.isInetAddress(address)) announce(address.port)
  })
)

/** Sends every batch back as it came. */
const echo = (socket: Socket.Socket): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { writeAll } = yield* socket.writer
    const { pull } = yield* socket.reader
    while (true) yield* writeAll(yield* pull)
  }).pipe(
    Effect.scoped,
    Effect.catchTag("SocketError", () => Effect.void)
  )

const messages = Layer.effectDiscard(
  Effect.flatMap(SocketServer.SocketServer, (server) => Effect.forkScoped(server.run(echo)))
)

const calls = RpcServer.layer(Calls).pipe(
  Layer.provide(handlers),
  Layer.provide(RpcServer.layerProtocolSocketServer),
  Layer.provide(serialization)
)

const main = Layer.merge(mode.exchange === "messages" ? messages : calls, listening).pipe(
  Layer.provide(serverLayers[mode.beneath])
)

NodeRuntime.runMain(Layer.launch(main))
