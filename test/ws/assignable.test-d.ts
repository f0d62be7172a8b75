// This library where `@types/ws`, or a library written for it, is expected, and what was typed by it where this library
// is. Nothing here runs.
import {
  createAdaptorServer,
  serve,
  upgradeWebSocket,
  type WebSocketLike,
  type WebSocketServerLike
} from "@hono/node-server"
import * as ours from "effect-ws/ws"
import type { ServerOptions as EngineOptions } from "engine.io"
import { createClient } from "graphql-ws"
import { useServer } from "graphql-ws/use/ws"
import type { GraphQLSchema } from "graphql"
import { Hono } from "hono"
import type * as theirs from "ws"
// As CommonJS sees it: other declarations, with all the rest on the class.
import type CommonJs from "ws" with { "resolution-mode": "require" }

export const instances = (socket: ours.WebSocket, server: ours.WebSocketServer): void => {
  socket satisfies theirs.WebSocket
  socket satisfies CommonJs
  server satisfies theirs.WebSocketServer
  server satisfies CommonJs.WebSocketServer
}

export const classes = (): void => {
  ours.WebSocket satisfies typeof theirs.WebSocket
  ours.WebSocketServer satisfies typeof theirs.WebSocketServer
  ours.WebSocket satisfies typeof CommonJs
  ours.WebSocketServer satisfies typeof CommonJs.WebSocketServer
  ours satisfies Pick<typeof theirs, "createWebSocketStream" | "default" | "WebSocket" | "WebSocketServer">
}

export const given = (
  client: theirs.ClientOptions,
  server: theirs.ServerOptions,
  deflate: theirs.PerMessageDeflateOptions,
  finish: theirs.FinishRequestCallback,
  sync: theirs.VerifyClientCallbackSync,
  callback: theirs.VerifyClientCallbackAsync,
  data: Parameters<theirs.WebSocket["send"]>[0],
  raw: theirs.RawData,
  certificate: theirs.CertMeta,
  socket: theirs.WebSocket
): void => {
  client satisfies ours.ClientOptions
  server satisfies ours.ServerOptions<typeof theirs.WebSocket>
  deflate satisfies ours.PerMessageDeflateOptions
  finish satisfies ours.FinishRequestCallback
  sync satisfies ours.VerifyClientCallbackSync
  callback satisfies ours.VerifyClientCallbackAsync
  data satisfies ours.BufferLike
  raw satisfies ours.RawData
  certificate satisfies ours.CertMeta
  void new ours.WebSocket("ws://localhost", client)
  void new ours.WebSocketServer(server)
  void ours.createWebSocketStream(socket)
}

export const told = (
  raw: ours.RawData,
  data: ours.Data,
  address: ours.AddressInfo,
  event: ours.Event,
  message: ours.MessageEvent,
  close: ours.CloseEvent,
  error: ours.ErrorEvent,
  sync: ours.VerifyClientCallbackSync,
  callback: ours.VerifyClientCallbackAsync
): void => {
  raw satisfies theirs.RawData
  data satisfies theirs.Data
  address satisfies theirs.AddressInfo
  event satisfies theirs.Event
  message satisfies theirs.MessageEvent
  close satisfies theirs.CloseEvent
  error satisfies theirs.ErrorEvent
  sync satisfies theirs.VerifyClientCallbackSync
  callback satisfies theirs.VerifyClientCallbackAsync
}

export const hono = (socket: ours.WebSocket, sockets: ours.WebSocketServer): void => {
  const app = new Hono()
  app.get(
    "/",
    upgradeWebSocket(() => ({ onMessage: ({ data }, client) => client.send(String(data)) }))
  )
  socket satisfies WebSocketLike
  sockets satisfies WebSocketServerLike
  serve({ fetch: app.fetch, websocket: { server: new ours.WebSocketServer({ noServer: true }) } })
  createAdaptorServer({ fetch: app.fetch, websocket: { server: sockets } })
}

export const graphql = (schema: GraphQLSchema): void => {
  void useServer({ schema }, new ours.WebSocketServer({ port: 0 }))
  createClient({ url: "ws://localhost", webSocketImpl: ours.WebSocket })
}

export const engineIo = (perMessageDeflate: NonNullable<EngineOptions["perMessageDeflate"]>): void => {
  void new ours.WebSocketServer({ noServer: true, perMessageDeflate })
}
