// The servers that a soak can be run against, all of which echo: those of this library, and that of `ws`.
import { Effect, Exit, Scope, Stream } from "effect"
import { once } from "node:events"
import { WebSocketServer as PeerServer } from "ws"
import * as Server from "../../src/Server.ts"
import { WebSocketServer as OurServer } from "../../src/ws/index.ts"
import { Server as LegacyServer } from "../../src/ws/legacy/index.ts"

export interface Running {
  readonly port: number
  readonly stop: () => Promise<void>
}

const effect = async (): Promise<Running> => {
  const scope = Effect.runSync(Scope.make())
  const server = await Effect.runPromise(
    Scope.provide(
      Effect.gen(function* () {
        // A window for each connection that a client keeps would grow with its first compressed messages.
        const compression = { serverNoContextTakeover: true, clientNoContextTakeover: true }
        const server = yield* Server.make({ host: "127.0.0.1", compression })
        yield* Effect.forkScoped(
          server.run((socket) => Stream.runForEach(socket.messages, socket.send)),
          { startImmediately: true }
        )
        return server
      }),
      scope
    )
  )
  return { port: server.address.port, stop: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

/** The port that a server listens on. */
export const portOf = (address: unknown): number =>
  typeof address === "object" && address !== null && "port" in address ? Number(address.port) : 0

const callbacks = async (Listener: typeof PeerServer): Promise<Running> => {
  const server = new Listener({
    host: "127.0.0.1",
    port: 0,
    perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true }
  })
  server.on("connection", (socket) => {
    socket.on("error", () => {})
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  await once(server, "listening")
  return {
    port: portOf(server.address()),
    stop: () => new Promise((resolve) => server.close(() => resolve()))
  }
}

const legacy = async (): Promise<Running> => {
  const server = new LegacyServer({ host: "127.0.0.1", port: 0 })
  server.on("connection", (socket) => {
    socket.on("error", () => {})
    socket.on("message", (data, flags) => socket.send(data, { binary: flags.binary === true }))
  })
  await once(server, "listening")
  const http = server._server
  return {
    port: portOf(http?.address()),
    stop: () => {
      server.close()
      return Promise.resolve()
    }
  }
}

export const servers: { readonly [name: string]: () => Promise<Running> } = {
  effect,
  face: () => callbacks(OurServer as unknown as typeof PeerServer),
  legacy,
  ws: () => callbacks(PeerServer)
}
