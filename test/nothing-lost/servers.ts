// The servers of a run: those of this library, and that of `ws`.
import { Effect, Exit, Latch, Scope, Stream } from "effect"
import { once } from "node:events"
import { WebSocketServer as PeerServer } from "ws"
import * as Server from "../../src/Server.ts"
import * as Socket from "../../src/Socket.ts"
import { WebSocketServer as OurServer } from "../../src/ws/index.ts"
import type { ServerName } from "./protocol.ts"

/** A connection, as those who talk on it see it. */
export interface Served {
  readonly send: (message: string | Uint8Array, done: (sent: boolean) => void) => void
  /** Closes with 1000. */
  readonly close: () => void
  /** Reads no further, and reads on. */
  readonly pause: () => void
  readonly resume: () => void
}

/** What a connection is told. */
export interface Told {
  readonly message: (data: string | Uint8Array) => void
  /** The code of the peer's close frame; 1005 for one without, 1006 for none. */
  readonly closed: (code: number) => void
}

export interface Running {
  readonly port: number
  /** Closes all connections with 1001, and is done when they are gone and the port is free. */
  readonly drain: () => Promise<void>
}

type Start = (port: number, deadline: number, opened: (path: string, connection: Served) => Told) => Promise<Running>

const host = "127.0.0.1"

const effect: Start = async (port, deadline, opened) => {
  const scope = Effect.runSync(Scope.make())
  const handler = (socket: Server.Connection) =>
    Effect.suspend(() => {
      const { url } = socket.request
      const valve = Latch.makeUnsafe(true)
      const { closed, message } = opened(url, {
        send: (message, done) => Effect.runFork(socket.send(message)).addObserver((exit) => done(Exit.isSuccess(exit))),
        close: () => void Effect.runFork(socket.close(1000)),
        pause: () => valve.closeUnsafe(),
        resume: () => valve.openUnsafe()
      })
      Effect.runFork(
        Effect.map(socket.closed, ({ received }) => closed(received === undefined ? 1006 : (received.code ?? 1005)))
      )
      const read = (data: string | Uint8Array) => valve.whenOpen(Effect.sync(() => message(data)))
      // Both ways to read, by turns.
      return url.length % 2 === 0 ? Socket.run(socket, read) : Stream.runForEach(socket.messages, read)
    })
  const server = await Effect.runPromise(
    Scope.provide(
      Effect.gen(function* () {
        const server = yield* Server.make({
          host,
          port,
          compression: true,
          closeTimeout: deadline,
          shutdownTimeout: deadline,
          keepAlive: false
        })
        yield* Effect.forkScoped(server.run(handler), { startImmediately: true })
        return server
      }),
      scope
    )
  )
  return { port: server.address.port, drain: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

const callbacks =
  (Listener: typeof PeerServer): Start =>
  async (port, deadline, opened) => {
    // @types/ws doesn't know `closeTimeout`.
    const settings = { host, port, perMessageDeflate: true, closeTimeout: deadline }
    const server = new Listener(settings)
    server.on("connection", (socket, request) => {
      const { closed, message } = opened(request.url ?? "", {
        send: (message, done) => socket.send(message, (error) => done(error === undefined || error === null)),
        close: () => socket.close(1000),
        pause: () => socket.pause(),
        resume: () => socket.resume()
      })
      socket.on("error", () => {})
      socket.on("message", (data: Buffer, isBinary) => message(isBinary ? data : data.toString()))
      socket.on("close", closed)
    })
    await once(server, "listening")
    const address = server.address()
    return {
      port: typeof address === "object" && address !== null ? address.port : 0,
      drain: () =>
        new Promise((resolve) => {
          const dropping = setTimeout(() => {
            for (const client of server.clients) client.terminate()
          }, deadline)
          for (const client of server.clients) client.close(1001)
          server.close(() => {
            clearTimeout(dropping)
            resolve()
          })
        })
    }
  }

export const servers: { readonly [name in ServerName]: Start } = {
  effect,
  face: callbacks(OurServer as unknown as typeof PeerServer),
  ws: callbacks(PeerServer)
}
