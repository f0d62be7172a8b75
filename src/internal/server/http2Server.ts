import type * as http from "node:http"
import type * as http2 from "node:http2"
import type * as https from "node:https"
import type { TLSSocket } from "node:tls"
import type { Timer, Timers } from "../connection/timers.ts"

/** What a server that speaks HTTP/2 is made of. */
export interface Http2ServerOptions {
  /** Absent: HTTP/2 alone, in the clear. */
  readonly tls: https.ServerOptions | undefined
  readonly settings: http2.Settings
  /** Milliseconds that a peer may take for the head of a request, and leave a session without one. */
  readonly idleTimeout: number
  readonly timers: Timers
  /** Gets requests of HTTP/2 as the compatible objects that Node makes of them. */
  readonly onRequest: http.RequestListener
}

/** Most streams of one session at once. */
const defaultStreams = 256

/** A server, and how to end what is connected to it. */
export interface Http2Listener {
  readonly server: http2.Http2Server | http2.Http2SecureServer
  readonly dropAll: () => void
}

/**
 * Makes a server for HTTP/2, and over TLS for HTTP/1.1 too. A session on which nothing is open for too long is ended: it
 * could hold its connection for ever otherwise, as an HTTP/1.1 connection can't.
 */
export const makeHttp2Server = (
  { createSecureServer, createServer }: typeof http2,
  { idleTimeout, onRequest, settings, timers, tls }: Http2ServerOptions
): Http2Listener => {
  const options = {
    settings: { maxConcurrentStreams: defaultStreams, ...settings, enableConnectProtocol: true },
    headersTimeout: idleTimeout,
    connectionsCheckingInterval: 1000
  }
  const server =
    tls === undefined
      ? createServer(options)
      : createSecureServer({ ...options, handshakeTimeout: idleTimeout, ...tls, allowHTTP1: true })
  server.on("request", onRequest)
  const connections = new Set<{ readonly destroy: () => void }>()
  server.on("session", (session: http2.ServerHttp2Session) => {
    connections.add(session)
    session.once("close", () => connections.delete(session))
    endWhenIdle(session, idleTimeout, timers)
  })
  server.on("secureConnection", (socket: TLSSocket) => {
    if (socket.alpnProtocol === "h2") return
    connections.add(socket)
    socket.once("close", () => connections.delete(socket))
  })
  return {
    server,
    dropAll: () => {
      for (const connection of connections) connection.destroy()
    }
  }
}

const endWhenIdle = (session: http2.ServerHttp2Session, limit: number, timers: Timers): void => {
  let open = 0
  const wait = (): Timer => timers.after(limit, () => session.destroy())
  let timer = wait()
  session.on("stream", (stream) => {
    timer.cancel()
    open++
    stream.once("close", () => {
      open--
      if (open === 0 && !session.destroyed) timer = wait()
    })
  })
  session.once("close", () => timer.cancel())
}
