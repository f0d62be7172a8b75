// What stands beneath Effect's sockets: the layers that a program of Effect's chooses between.
import { NodeSocketServer, NodeWS } from "@effect/platform-node"
import { Layer } from "effect"
import { Socket, type SocketServer } from "effect/socket"
import * as EffectSocket from "effect-ws/EffectSocket"

/** Who speaks the protocol. */
export type Beneath = "ws" | "effect-ws"

/** What the two sides do. */
export type Exchange = "messages" | "calls" | "streams"

const place = { host: "127.0.0.1", port: 0 }

/** A server's layer, on a free port. */
export const serverLayers: Readonly<
  Record<Beneath, Layer.Layer<SocketServer.SocketServer, SocketServer.SocketServerError>>
> = {
  ws: NodeSocketServer.layerWebSocket(place),
  "effect-ws": EffectSocket.layerSocketServer(place)
}

/** A client's layer, for one connection. */
export const clientLayers: Readonly<Record<Beneath, (url: string) => Layer.Layer<Socket.Socket>>> = {
  ws: (url) => Layer.provide(Socket.layerWebSocket(url), NodeWS.layerWebSocketConstructor),
  "effect-ws": (url) => EffectSocket.layerSocket(url)
}
