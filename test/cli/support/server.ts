/** Servers to run the command line against. */
import { Effect, type Scope, Stream } from "effect"
import { Server, type Socket } from "effect-ws"
import type { IncomingMessage } from "node:http"
import * as net from "node:net"
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws"

/** A server of this library, and who is connected to it. */
export interface Served {
  readonly port: number
  readonly url: string
  readonly clients: ReadonlyArray<Server.Connection>
}

/** Serves with this library; without a handler, as an echo. */
export const serve = (
  handle?: (socket: Server.Connection) => Effect.Effect<unknown, Socket.SocketError>,
  options: Server.ServeOptions = {}
): Effect.Effect<Served, Server.ServerError, Scope.Scope> =>
  Effect.gen(function* () {
    const server = yield* Server.make({ origins: "any", ...options, port: 0, host: "127.0.0.1" })
    const clients: Array<Server.Connection> = []
    yield* Effect.forkScoped(
      server.run((socket) => {
        clients.push(socket)
        return handle?.(socket) ?? Stream.runForEach(socket.messages, socket.send)
      })
    )
    const { port } = server.address
    return { port, url: `ws://127.0.0.1:${port}/`, clients }
  })

/** Serves with `ws`. */
export const serveWs = (
  handle: (socket: WebSocket, request: IncomingMessage) => void,
  options: ServerOptions = {}
): Effect.Effect<{ readonly url: string; readonly server: WebSocketServer }, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<WebSocketServer>((resume) => {
        const server = new WebSocketServer({ ...options, port: 0, host: "127.0.0.1" })
        server.on("connection", handle)
        server.on("listening", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.sync(() => {
          for (const client of server.clients) client.terminate()
          server.close()
        })
    ),
    (server) => ({ server, url: `ws://127.0.0.1:${portOf(server)}/` })
  )

const portOf = (server: { readonly address: () => net.AddressInfo | string | null }): number => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

/** A TCP server that does as it is told with each connection. */
export const serveTcp = (handle: (socket: net.Socket) => void): Effect.Effect<number, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<{ readonly server: net.Server; readonly sockets: Set<net.Socket> }>((resume) => {
        const sockets = new Set<net.Socket>()
        const server = net.createServer((socket) => {
          sockets.add(socket)
          socket.on("error", () => {})
          handle(socket)
        })
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed({ server, sockets })))
      }),
      ({ server, sockets }) =>
        Effect.sync(() => {
          for (const socket of sockets) socket.destroy()
          server.close()
        })
    ),
    ({ server }) => portOf(server)
  )
