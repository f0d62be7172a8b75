/**
 * This library beneath Effect's own programs: its sockets as those of `effect/socket`, so that RPC, the developer tools
 * and whatever else takes a `Socket`, a `SocketServer` or an `HttpServer` runs on it.
 *
 * The one module that stands on Effect's unstable modules, `Cli` aside; that is why `effect-ws` doesn't export it along
 * with the others: import `effect-ws/EffectSocket`.
 */
import { Layer } from "effect"
import * as EffectSocket from "effect/socket/Socket"
import { ofConnect, ofOpen } from "./internal/effectSocket/adapter.ts"
import * as Socket from "./Socket.ts"
import { WebSocket } from "./ws/WebSocket.ts"

/**
 * A connection as one of Effect's sockets.
 *
 * Its reader gives the messages, a batch for each read, and fails with a `SocketCloseError` at every end, normal ones
 * included. The end of the reader's scope closes the connection: with 1000, 1001 when interrupted, 1011 after a failure.
 * Writes wait for a peer that doesn't read, as `send` does, and fail with a `SocketWriteError` once the connection is
 * closing. A `CloseEvent` sends a close frame; its reason is cut to 123 bytes.
 */
export const toSocket: (socket: Socket.Socket) => EffectSocket.Socket = ofOpen

/**
 * One of Effect's sockets that connects whenever its reader is acquired: what `Socket.makeWebSocket` is there, with
 * writes that wait for a peer that doesn't read. Writes made while there is no connection wait for the next one; a write
 * whose connection is lost while it waits for room fails with a `SocketWriteError`.
 */
export const makeSocket = (url: string | URL, options?: Socket.ConnectOptions): EffectSocket.Socket =>
  ofConnect(Socket.connect(url, options))

/** `makeSocket` as a layer. */
export const layerSocket = (url: string | URL, options?: Socket.ConnectOptions): Layer.Layer<EffectSocket.Socket> =>
  Layer.sync(EffectSocket.Socket, () => makeSocket(url, options))

/**
 * The service with which `Socket.makeWebSocket` and `layerWebSocket` make their WebSockets, as those of `effect-ws/ws`.
 * What Effect writes to such a socket doesn't wait for a peer that doesn't read: that takes `makeSocket`.
 */
export const layerWebSocketConstructor: Layer.Layer<EffectSocket.WebSocketConstructor> = Layer.succeed(
  EffectSocket.WebSocketConstructor,
  (url, options) =>
    options === undefined || typeof options === "string" || Array.isArray(options)
      ? new WebSocket(url, options)
      : new WebSocket(url, options.protocols, { headers: { ...options.headers } })
)
