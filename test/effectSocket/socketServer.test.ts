import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Layer, Logger, Option, Scope, Stream } from "effect"
import { NetAddress } from "effect/net"
import type { Socket as Effects, SocketServer } from "effect/socket"
import * as EffectSocket from "effect-ws/EffectSocket"
import { Server, Socket } from "effect-ws"
import { tmpdir } from "node:os"
import { join } from "node:path"

const make = (options: Server.ServeOptions = {}) =>
  EffectSocket.makeSocketServer({ host: "127.0.0.1", port: 0, ...options })

const urlOf = ({ address }: SocketServer.SocketServer["Service"]) => NetAddress.formatUrlUnsafe(address, "ws")

/** Reads to the end, which is a failure. */
const drain = (socket: Effects.Socket) =>
  Effect.scoped(Effect.flatMap(socket.reader, ({ pull }) => Effect.forever(pull)))

const logger = (logs: Array<string>) =>
  Logger.layer([Logger.make<unknown, void>(({ logLevel, message }) => void logs.push(`${logLevel} ${message}`))])

describe("EffectSocket.layerSocketServer", () => {
  it.live("lets handlers look at the connection beneath", () =>
    Effect.gen(function* () {
      const server = yield* make({ protocols: ["chat"] })
      const seen = yield* Deferred.make<unknown>()
      yield* Effect.forkScoped(
        server.run((socket) =>
          Effect.gen(function* () {
            const connection = Option.getOrThrow(yield* Effect.serviceOption(EffectSocket.Connection))
            yield* Deferred.succeed(seen, [
              connection.protocol,
              connection.request.url,
              connection.request.remoteAddress
            ])
            yield* drain(socket)
          })
        ),
        { startImmediately: true }
      )
      yield* Socket.connect(`${urlOf(server)}/room?a=1`, { protocols: ["chat"] })
      assert.deepStrictEqual(yield* Deferred.await(seen), ["chat", "/room?a=1", "127.0.0.1"])
    })
  )

  it.live("ends handlers quietly with their connections, and logs what else they fail with", () =>
    Effect.gen(function* () {
      const logs: Array<string> = []
      const codes = yield* Effect.gen(function* () {
        const server = yield* make({ maxMessageSize: 4 })
        const run = server.run((socket) =>
          Effect.gen(function* () {
            const { pull } = yield* socket.reader
            const [message] = yield* pull
            if (message === "fail") return yield* Effect.fail("oh")
          }).pipe(Effect.scoped)
        )
        yield* Effect.forkScoped(run, { startImmediately: true })
        const codes: Array<number | undefined> = []
        const closed = yield* Socket.connect(urlOf(server))
        yield* closed.close(4000)
        for (const message of ["good", "fail", "large"]) {
          const client = yield* Socket.connect(urlOf(server))
          yield* client.send(message)
          codes.push((yield* client.closed).received?.code)
        }
        return codes
      }).pipe(Effect.scoped, Effect.provide(logger(logs)))
      assert.deepStrictEqual(codes, [1000, 1011, 1009])
      assert.deepStrictEqual(logs, ["Error a connection's handler failed"])
    })
  )

  it.live("closes with 1001 when it is interrupted", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const server = yield* Scope.provide(make(), scope)
      yield* Effect.forkIn(server.run(drain), scope, { startImmediately: true })
      const client = yield* Socket.connect(urlOf(server))
      yield* client.ping()
      yield* Effect.forkChild(Scope.close(scope, Exit.void))
      assert.strictEqual((yield* client.closed).received?.code, 1001)
    })
  )

  it.live("listens on a Unix socket", () =>
    Effect.gen(function* () {
      const socketPath = join(tmpdir(), `effect-ws-${process.pid}-socket-server.sock`)
      const server = yield* EffectSocket.makeSocketServer({ socketPath })
      assert.deepStrictEqual(server.address, NetAddress.unixPathAddress(socketPath))
      yield* Effect.forkScoped(server.run((socket) => Effect.flatMap(socket.writer, ({ write }) => write("hello"))))
      const client = yield* Socket.connect(`ws+unix:${socketPath}:/`)
      assert.deepStrictEqual(yield* Stream.runCollect(client.messages), ["hello"])
    })
  )

  it.live("fails when the port is taken", () =>
    Effect.gen(function* () {
      const server = yield* make()
      const port = server.address._tag === "UnixPathAddress" ? 0 : server.address.port
      const layer = EffectSocket.layerSocketServer({ host: "127.0.0.1", port })
      const { reason } = yield* Effect.flip(Layer.build(layer))
      assert.strictEqual(reason._tag, "SocketServerOpenError")
      const listening = reason.cause instanceof Server.ServerError ? reason.cause.reason : undefined
      assert.strictEqual(listening?._tag === "ListenFailed" && listening.code, "EADDRINUSE")
    })
  )
})
