/**
 * The server or the client that the original Autobahn suite tests, from the built package:
 *
 *   node test/conformance/autobahn/peer.ts --listen PORT
 *   node test/conformance/autobahn/peer.ts --connect ws://127.0.0.1:9001
 */
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Stream } from "effect"
import { Server, Socket } from "effect-ws"
import { parseArgs } from "node:util"

const { values } = parseArgs({ options: { connect: { type: "string" }, listen: { type: "string" } } })

const options: Socket.SocketOptions = {
  // Contexts are kept where the peer allows it, so that they are tested, too.
  compression: { serverNoContextTakeover: false, clientNoContextTakeover: false, threshold: 0 },
  maxMessageSize: 64 * 1024 * 1024
}

const echo = (socket: Socket.Socket) => Stream.runForEach(socket.messages, socket.send)

const agent = "effect-ws"

const client = (url: string) =>
  Effect.gen(function* () {
    const count = yield* Effect.scoped(
      Effect.flatMap(Socket.connect(`${url}/getCaseCount`), (socket) => Effect.orDie(socket.receive))
    )
    for (let index = 1; index <= Number(count); index++) {
      // A case may end with an error: the suite judges how.
      const played = Effect.flatMap(Socket.connect(`${url}/runCase?case=${index}&agent=${agent}`, options), echo)
      yield* Effect.exit(Effect.scoped(played))
    }
    const reported = Effect.flatMap(Socket.connect(`${url}/updateReports?agent=${agent}`), (socket) => socket.closed)
    yield* Effect.scoped(reported)
    yield* Effect.log(`${count} cases played`)
  })

const server = (port: number) => Effect.scoped(Server.serve({ host: "127.0.0.1", port, ...options }, echo))

const run: Effect.Effect<void, unknown> =
  values.connect === undefined ? server(Number(values.listen ?? 9001)) : client(values.connect)

NodeRuntime.runMain(run)
