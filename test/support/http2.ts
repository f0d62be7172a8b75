import { Effect, type Scope } from "effect"
import { once } from "node:events"
import * as http2 from "node:http2"
import type { AddressInfo, Server as NetServer } from "node:net"
import { Frame } from "effect-ws"
import { makeCertificate } from "./certificate.ts"

/** One for all tests of a file. */
export const certificate = makeCertificate()

/** Trusts it. */
export const trust = { ca: certificate.cert }

/** Makes a server listen on a free port of the loopback address until the end of the scope; answers the port. */
export const listenHttp2 = (server: http2.Http2SecureServer | http2.Http2Server) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const sessions = new Set<http2.ServerHttp2Session>()
      server.on("session", (session: http2.ServerHttp2Session) => {
        sessions.add(session)
        session.once("close", () => sessions.delete(session))
      })
      const listening: NetServer = server
      listening.listen(0, "127.0.0.1")
      await once(listening, "listening")
      return { port: (listening.address() as AddressInfo).port, sessions }
    }),
    ({ sessions }) =>
      Effect.promise(async () => {
        const closed = once(server, "close")
        server.close()
        for (const session of sessions) session.destroy()
        await closed
      })
  )

/** A client's session of Node's own, until the end of the scope. */
export const openSession = (port: number, secure = true): Effect.Effect<http2.ClientHttp2Session, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const session = http2.connect(`${secure ? "https" : "http"}://127.0.0.1:${port}`, secure ? trust : {})
      session.on("error", () => {})
      await once(session, "remoteSettings")
      return session
    }),
    (session) => Effect.sync(() => session.destroy())
  )

/** As Node gives them to a client. */
export type ResponseHeaders = http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader

/** The header fields of a valid request. */
export const connectFields = (headers: http2.OutgoingHttpHeaders = {}): http2.OutgoingHttpHeaders => ({
  ":method": "CONNECT",
  ":protocol": "websocket",
  ":scheme": "https",
  ":authority": "127.0.0.1",
  ":path": "/",
  "sec-websocket-version": "13",
  ...headers
})

/** A stream of a session, from outside of the library: it sends bytes as they are, and knows the frames that come. */
export class RawStream {
  readonly stream: http2.ClientHttp2Stream
  readonly frames: Array<Frame.Frame> = []
  /** The response's header fields. */
  readonly response: Promise<ResponseHeaders>
  /** The error code with which the stream ended. */
  readonly closed: Promise<number | undefined>
  private readonly parser = Frame.makeParser((frame) => this.frames.push(frame), {
    role: "client",
    maxMessageSize: 64 * 1024 * 1024
  })

  constructor(session: http2.ClientHttp2Session, headers?: http2.OutgoingHttpHeaders) {
    const stream = session.request(connectFields(headers), { endStream: false })
    this.stream = stream
    this.closed = new Promise((resolve) => stream.once("close", () => resolve(stream.rstCode)))
    this.response = new Promise((resolve, reject) => {
      stream.once("response", resolve)
      stream.once("close", () => reject(new Error(`closed with ${stream.rstCode} before there was a response`)))
    })
    this.response.catch(() => {})
    stream.on("error", () => {})
    let opened = false
    stream.once("response", (headers) => {
      opened = headers[":status"] === 200
    })
    stream.on("data", (chunk: Buffer) => {
      if (opened && this.parser.feed(Buffer.from(chunk)) !== undefined) throw new Error("the server broke the protocol")
    })
  }

  send(...frames: ReadonlyArray<Frame.Frame>): boolean {
    return this.stream.write(Buffer.concat(frames.map((frame) => Frame.encode(frame, { mask: true }))))
  }

  /** Waits until so many frames have come. */
  async received(count: number): Promise<ReadonlyArray<Frame.Frame>> {
    while (this.frames.length < count) await once(this.stream, "data")
    return this.frames
  }
}
