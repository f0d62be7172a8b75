/** The attributes of spans, by the names that OpenTelemetry has for them where it has any. */
import * as Extension from "../handshake/extension.ts"
import type { Closed } from "../protocol/closeHandshake.ts"
import type { ClientRequest } from "../handshake/model.ts"
import type { UpgradeRequest } from "../server/model.ts"
import type { WebSocketConnection } from "../socket/webSocketConnection.ts"
import { closeOf } from "./meter.ts"

/** Those without a value are left out. */
export type Attributes = Readonly<Record<string, string | number | undefined>>

/** Most characters of what the peer wrote that an attribute keeps. */
export const longestValue = 256

const cut = (text: string): string => (text.length > longestValue ? text.slice(0, longestValue) : text)

/** The path alone: a query may hold what is nobody's business. */
const pathOf = (target: string): string => cut(target.replace(/[?#].*$/s, ""))

export const ofUpgrade = (request: UpgradeRequest): Attributes => ({
  "url.scheme": request.secure === true ? "wss" : "ws",
  "url.path": pathOf(request.url),
  "network.peer.address": request.remoteAddress,
  "network.peer.port": request.remotePort,
  "client.address": request.clientAddress
})

export const ofClientRequest = (request: ClientRequest): Attributes => ({
  "url.scheme": request.secure ? "wss" : "ws",
  "url.path": pathOf(request.target),
  "server.address": request.socketPath ?? request.host,
  "server.port": request.socketPath === undefined ? request.port : undefined
})

/** What the handshake agreed on. */
export const ofSocket = ({ draft, extensions, protocol }: WebSocketConnection<unknown>): Attributes => ({
  "network.protocol.name": "websocket",
  "network.protocol.version": draft.version === undefined ? undefined : String(draft.version),
  "websocket.draft": draft.id,
  "websocket.subprotocol": protocol,
  "websocket.extensions": extensions.length === 0 ? undefined : cut(Extension.format(extensions))
})

/** How the connection ended. */
export const ofClosed = (closed: Closed): Attributes => {
  const { code, initiator } = closeOf(closed)
  const { _tag } = closed.cause
  return {
    "websocket.close.code": code,
    "websocket.close.initiator": initiator,
    "websocket.close.cause": _tag
  }
}
