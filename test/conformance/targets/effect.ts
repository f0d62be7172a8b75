import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { Server, Socket } from "../../../src/index.ts"
import type { Target, TargetOptions } from "./target.ts"

const echo = (socket: Socket.Socket) => Stream.runForEach(socket.messages, socket.send)

const optionsOf = ({ maxMessageSize }: TargetOptions): Socket.SocketOptions => ({
  // Takeover where the peer allows it, so that kept contexts are tested too; off is the default, and asked for in 13.
  compression: { serverNoContextTakeover: false, clientNoContextTakeover: false, threshold: 0 },
  maxMessageSize,
  keepAlive: false
})

/** This library's Effect face, as its README shows it. */
export const effect: Target = {
  name: "effect-ws",
  startServer: async (options) => {
    const scope = await Effect.runPromise(Scope.make())
    const listening = Server.make({ host: "127.0.0.1", port: 0, shutdownTimeout: "1 second", ...optionsOf(options) })
    const server = await Effect.runPromise(Scope.provide(listening, scope))
    const running = Effect.runFork(server.run(echo))
    return {
      port: server.address.port,
      close: () => Effect.runPromise(Effect.andThen(Fiber.interrupt(running), Scope.close(scope, Exit.void)))
    }
  },
  runClient: async (url, options) => {
    // How it ended is the driver's to say.
    await Effect.runPromiseExit(Effect.scoped(Effect.flatMap(Socket.connect(url, optionsOf(options)), echo)))
  }
}
