/**
 * A proxy: clients with a key are connected to the service after it, which strangers can't reach. Each side is read as fast
 * as the other one takes it, and the close code of one is that of the other.
 *
 * `UPSTREAM=ws://localhost:9000 KEY=secret PORT=8080 node examples/proxy/server.ts`
 */
import { NodeRuntime } from "@effect/platform-node"
import { Config, Effect, Redacted } from "effect"
import { Server, Socket } from "effect-ws"

/** Sends what one socket receives to another one, to its end, and closes the other with the same code. */
const forward = (from: Socket.Socket, to: Socket.Socket) =>
  Effect.gen(function* () {
    yield* Effect.ignore(Socket.runBatch(from, (messages) => to.sendAll(messages)))
    const { received } = yield* from.closed
    yield* received === undefined ? to.close(1011) : to.close(received.code, received.reason)
  })

const program = Effect.gen(function* () {
  const upstream = yield* Config.String("UPSTREAM").pipe(Config.withDefault("ws://localhost:9000"))
  const key = yield* Config.Redacted("KEY").pipe(Config.withDefault(Redacted.make("secret")))
  const server = yield* Server.make({
    host: "localhost",
    port: yield* Config.Int("PORT").pipe(Config.withDefault(8080)),
    // The service is connected before the client's handshake completes: without it the client gets a 502.
    authorize: ({ headers, url }) =>
      headers["x-api-key"] === Redacted.value(key)
        ? Effect.mapError(Socket.connect(new URL(url, upstream)), () => Server.reject(502))
        : Effect.fail(Server.reject(401))
  })
  yield* Effect.log(`ws://localhost:${server.address.port}/ is the proxy of ${upstream}`)
  return yield* server.run((client) =>
    Effect.all([forward(client, client.context), forward(client.context, client)], { concurrency: 2, discard: true })
  )
})

program.pipe(Effect.scoped, NodeRuntime.runMain)
