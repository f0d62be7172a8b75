import type * as http from "node:http"
import type * as http2 from "node:http2"
import type { Server as NetServer } from "node:net"
import type { Duplex } from "node:stream"

/** A server of Node's, for whichever HTTP. */
export type HttpServer = http.Server | http2.Http2Server | http2.Http2SecureServer

/** Who takes a server's requests for a WebSocket. */
export interface Taker {
  /** An upgrade of HTTP/1.1. */
  readonly upgrade: (request: http.IncomingMessage, socket: Duplex, head: Buffer) => void
  /** An extended CONNECT of HTTP/2. Absent for those who don't speak it. */
  readonly connect?: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void
}

/** Those who take the requests of one HTTP server, by path; under `undefined` the one for every other path. */
type Takers = Map<string | undefined, Taker>

interface Attached {
  readonly takers: Takers
  readonly stops: Array<() => void>
  /** Whether it is told of streams of HTTP/2. */
  http2: boolean
}

const attached = new WeakMap<HttpServer, Attached>()

/** Lets somebody have a server's requests for a WebSocket; answers how to let go of them. Throws when the path is taken. */
export const attachGate = (server: HttpServer, path: string | undefined, taker: Taker): (() => void) => {
  const entry = attached.get(server) ?? begin(server)
  const { stops, takers } = entry
  if (takers.has(path)) throw new Error(`something is attached already at ${path ?? "every path"}`)
  takers.set(path, taker)
  if (taker.connect !== undefined && "updateSettings" in server && !entry.http2) {
    entry.http2 = true
    // RFC 8441 §3: no client sends an extended CONNECT before it was told that it may.
    server.updateSettings({ enableConnectProtocol: true })
    stops.push(listen(server, "stream", streamsTo(server, takers)), listen(server, "connect", connectsOf(server)))
  }
  return () => {
    takers.delete(path)
    if (takers.size > 0) return
    for (const stop of stops) stop()
    attached.delete(server)
  }
}

const begin = (server: HttpServer): Attached => {
  const takers: Takers = new Map()
  const entry = { takers, stops: [listen(server, "upgrade", upgradesTo(server, takers))], http2: false }
  attached.set(server, entry)
  return entry
}

const listen = <Args extends ReadonlyArray<never>>(
  server: NetServer,
  event: string,
  listener: (...args: Args) => void
): (() => void) => {
  const any = listener as (...args: ReadonlyArray<unknown>) => void
  server.on(event, any)
  return () => server.off(event, any)
}

/** Who has a path. One for another path answers that there is nothing here, unless somebody else may have it. */
const takerOf = (takers: Takers, url: string | undefined, alone: boolean): Taker | undefined => {
  const [any] = takers.values()
  return takers.get(url?.split("?", 1)[0]) ?? takers.get(undefined) ?? (alone ? any : undefined)
}

const upgradesTo =
  (server: HttpServer, takers: Takers): Taker["upgrade"] =>
  (request, socket, head) =>
    takerOf(takers, request.url, server.listenerCount("upgrade") === 1)?.upgrade(request, socket, head)

const streamsTo =
  (server: HttpServer, takers: Takers): Required<Taker>["connect"] =>
  (stream, headers) => {
    const protocol = headers[":protocol"]
    if (headers[":method"] !== "CONNECT" || protocol === undefined) return
    const alone = server.listenerCount("connect") === 1
    const able = new Map([...takers].filter(([, { connect }]) => connect !== undefined))
    if (protocol === "websocket" || alone) takerOf(able, headers[":path"], alone)?.connect?.(stream, headers)
  }

/**
 * Node has an event for CONNECT too, and itself refuses what nobody listens for. Since `attach` has to listen, to have
 * the others left alone, that falls to it.
 */
const connectsOf =
  (server: HttpServer) =>
  (request: { readonly headers: http2.IncomingHttpHeaders }, answer: http2.Http2ServerResponse | Duplex): void => {
    if (server.listenerCount("connect") > 1 || request.headers[":protocol"] !== undefined) return
    if ("writeHead" in answer) answer.writeHead(405).end()
    else answer.destroy()
  }
