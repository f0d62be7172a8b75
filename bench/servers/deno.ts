// Runs on Deno.
import { announce, mode, unsupported } from "./program.ts"

interface DenoSocket {
  binaryType: "arraybuffer" | "blob"
  readonly addEventListener: {
    (type: "message", listener: (event: { readonly data: string | ArrayBuffer }) => void): void
    (type: "close" | "error", listener: () => void): void
  }
  readonly readyState: number
  readonly send: (message: string | ArrayBuffer) => void
}

declare const Deno: {
  readonly serve: (
    options: {
      readonly port: number
      readonly hostname: string
      readonly key?: string | undefined
      readonly cert?: string | undefined
      readonly onListen: (address: { readonly port: number }) => void
    },
    handler: (request: Request) => Response
  ) => unknown
  readonly upgradeWebSocket: (request: Request) => { readonly socket: DenoSocket; readonly response: Response }
}

if (mode.compression !== "off") unsupported("has no permessage-deflate")

const sockets = new Set<DenoSocket>()

Deno.serve(
  {
    port: 0,
    hostname: "0.0.0.0",
    ...mode.tls,
    onListen: ({ port }) => announce(port)
  },
  (request) => {
    if (request.headers.get("upgrade") !== "websocket") return new Response("upgrade required", { status: 426 })
    const { socket, response } = Deno.upgradeWebSocket(request)
    socket.binaryType = "arraybuffer"
    sockets.add(socket)
    socket.addEventListener("close", () => sockets.delete(socket))
    socket.addEventListener("error", () => undefined)
    socket.addEventListener(
      "message",
      mode.scenario === "echo"
        ? ({ data }) => socket.send(data)
        : ({ data }) => {
            for (const other of sockets) if (other.readyState === 1) other.send(data)
          }
    )
    return response
  }
)
