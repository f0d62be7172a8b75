import type * as http from "node:http"
import type * as http2 from "node:http2"
import type * as https from "node:https"
import type { TLSSocket } from "node:tls"

/** What a server for HTTP/2 is made of. */
export interface Http2ServerOptions {
  /** Absent: HTTP/2 alone, in the clear. */
  readonly tls: https.ServerOptions | undefined
  readonly settings: http2.Settings
  /** The timing of HTTP/1.1 over the same port. */
  readonly timing: http.ServerOptions
  /** Milliseconds that a TLS handshake may take. */
  readonly handshakeTimeout: number
  /** Gets requests of HTTP/2 as the compatible objects that Node makes of them. */
  readonly onRequest: http.RequestListener
  readonly onSession: (session: http2.ServerHttp2Session) => void
}

/** Streams of one session at once. */
const defaultStreams = 256

/** A server, and how to end what is connected to it. */
export interface Http2Listener {
  readonly server: http2.Http2Server | http2.Http2SecureServer
  readonly dropAll: () => void
}

/** Creates a server for HTTP/2, and over TLS for HTTP/1.1 too. */
export const makeHttp2Server = (
  { createSecureServer, createServer }: typeof http2,
  { handshakeTimeout, onRequest, onSession, settings, timing, tls }: Http2ServerOptions
): Http2Listener => {
  const options = {
    ...timing,
    settings: { maxConcurrentStreams: defaultStreams, ...settings, enableConnectProtocol: true }
  }
  const server =
    tls === undefined
      ? createServer(options)
      : createSecureServer({ ...options, handshakeTimeout, ...tls, allowHTTP1: true })
  server.on("request", onRequest)
  const connections = new Set<{ readonly destroy: () => void }>()
  server.on("session", (session: http2.ServerHttp2Session) => {
    connections.add(session)
    session.once("close", () => connections.delete(session))
    onSession(session)
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
