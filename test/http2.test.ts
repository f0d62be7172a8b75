// WebSockets over HTTP/2, RFC 8441: server and client with each other.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Server, Socket } from "effect-ws"
import { makeCertificate } from "./support/certificate.ts"

const certificate = makeCertificate()
const tls = { ca: certificate.cert }

const echo = (socket: Socket.Socket) => Stream.runForEach(socket.messages, socket.send)

const serving = <A = undefined>(options: Server.ServeOptions<A> = {}) =>
  Effect.gen(function* () {
    const server = yield* Server.make({
      host: "127.0.0.1",
      tls: certificate,
      http2: true,
      keepAlive: false,
      ...options
    })
    yield* Effect.forkScoped(server.run(echo), { startImmediately: true })
    return { ...server, url: `${options.tls === undefined ? "wss" : "ws"}://127.0.0.1:${server.address.port}/` }
  })

describe("server and client", () => {
  it.live("talk", () =>
    Effect.gen(function* () {
      const { url } = yield* serving()
      const socket = yield* Socket.connect(url, { http2: true, tls, compression: true })
      yield* socket.send("hello")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(socket.messages, 1)), ["hello"])
      const h1 = yield* Socket.connect(url, { tls })
      yield* h1.send("hello")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(h1.messages, 1)), ["hello"])
    })
  )
})
