// Runs on Bun, whose server is uWebSockets.
import { announce, mode } from "./program.ts"

interface BunSocket {
  readonly send: (message: string | Uint8Array, compress?: boolean) => number
  readonly subscribe: (topic: string) => void
}

interface BunServer {
  readonly port: number
  readonly upgrade: (request: Request) => boolean
  readonly publish: (topic: string, message: string | Uint8Array, compress?: boolean) => number
}

declare const Bun: {
  readonly serve: (options: {
    readonly port: number
    readonly hostname: string
    readonly tls?: { readonly key: string; readonly cert: string } | undefined
    readonly fetch: (request: Request, server: BunServer) => Response | undefined
    readonly websocket: {
      readonly perMessageDeflate: boolean | { readonly compress: string; readonly decompress: string }
      readonly open: (socket: BunSocket) => void
      readonly message: (socket: BunSocket, message: string | Uint8Array) => void
    }
  }) => BunServer
}

const compression = {
  off: false,
  reset: { compress: "shared", decompress: "shared" },
  kept: { compress: "dedicated", decompress: "dedicated" }
} as const

const compress = mode.compression !== "off"

const server = Bun.serve({
  port: 0,
  hostname: "0.0.0.0",
  ...(mode.tls === undefined ? {} : { tls: mode.tls }),
  fetch: (request, server) => (server.upgrade(request) ? undefined : new Response("upgrade required", { status: 426 })),
  websocket: {
    perMessageDeflate: compression[mode.compression],
    open: (socket) => {
      if (mode.scenario === "broadcast") socket.subscribe("all")
    },
    message:
      mode.scenario === "echo"
        ? (socket, message) => void socket.send(message, compress)
        : (_, message) => void server.publish("all", message, compress)
  }
})
announce(server.port)
