// Peers that leave at awkward times: before their answer, while nobody reads, behind what is still to be read.
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Layer, Scope, Stream } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import * as EffectSocket from "effect-ws/EffectSocket"
import { Frame, type Server } from "effect-ws"
import { once } from "node:events"
import * as http from "node:http"
import * as net from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { requestHead } from "../ws/lab.ts"
import { Bystander, serveEffect } from "./faces.ts"
import { run, watched } from "./watch.ts"

const until = async (holds: () => boolean, what: string): Promise<void> => {
  for (const end = performance.now() + 3000; !holds();) {
    if (performance.now() > end) throw new Error(`never: ${what}`)
    await sleep(1)
  }
}

/** How a client leaves. */
const leave = {
  resets: (socket: net.Socket) => void socket.resetAndDestroy(),
  "ends its side": (socket: net.Socket) => void socket.end(),
  "ends its side behind frames": (socket: net.Socket) =>
    void socket.end(Frame.encode(Frame.text("too early"), { mask: true }))
}

/** A bare connection that has sent its request. */
const asking = async (port: number, path: string, headers: ReadonlyArray<string> = []): Promise<net.Socket> => {
  const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true })
  socket.on("error", () => {})
  socket.on("end", () => socket.end())
  await once(socket, "connect")
  socket.write(requestHead(headers, `GET ${path} HTTP/1.1`))
  return socket
}

const settings = (options: Partial<Server.ServeOptions>): Partial<Server.ServeOptions> => options

describe("a client that leaves before its answer", () => {
  for (const [how, act] of Object.entries(leave)) {
    it(`${how}: authorize is interrupted, and its place is free`, () =>
      watched(async () => {
        let asked = 0
        let interrupted = 0
        const server = await serveEffect(
          {},
          {},
          settings({
            maxConnections: 2,
            authorize: ({ url }) =>
              url === "/bystander"
                ? Effect.succeed(undefined)
                : Effect.onInterrupt(
                    Effect.suspend(() => {
                      asked++
                      return Effect.never
                    }),
                    () => Effect.sync(() => interrupted++)
                  )
          })
        )
        const bystander = new Bystander("Effect", server.port)
        await bystander.check()
        for (let count = 1; count <= 3; count++) {
          const client = await asking(server.port, "/fault")
          await until(() => asked === count, "it is asked")
          act(client)
          await until(() => interrupted === count, "it is interrupted")
        }
        await bystander.check()
        assert.deepStrictEqual([server.told("/fault"), server.logged], [[], []])
        await bystander.leave()
        await server.stop()
      }))

    it(`${how}: the route that thinks about its upgrade is interrupted`, () =>
      watched(async () => {
        let asked = 0
        let interrupted = 0
        const scope = Effect.runSync(Scope.make())
        const port = await run(
          Effect.gen(function* () {
            const listening = yield* Layer.build(
              EffectSocket.layerHttpServer(() => http.createServer(), { host: "127.0.0.1", port: 0 })
            )
            const routes = HttpRouter.add("GET", "/fault", (request) =>
              Effect.onInterrupt(
                Effect.suspend(() => {
                  asked++
                  return Effect.andThen(Effect.never, Effect.as(request.upgrade, HttpServerResponse.empty()))
                }),
                () => Effect.sync(() => interrupted++)
              )
            )
            yield* Layer.build(
              HttpRouter.serve(routes, { disableListenLog: true, disableLogger: true }).pipe(
                Layer.provide(Layer.succeedContext(listening))
              )
            )
            const { address } = yield* Effect.provideContext(HttpServer.HttpServer, listening)
            return address._tag === "UnixPathAddress" ? 0 : address.port
          }).pipe(Scope.provide(scope))
        )
        for (let count = 1; count <= 3; count++) {
          const client = await asking(port, "/fault")
          await until(() => asked === count, "it is asked")
          act(client)
          await until(() => interrupted === count, "it is interrupted")
        }
        await Effect.runPromise(Scope.close(scope, Exit.void))
      }))
  }

  it("and before it is heard: nobody is asked, and its headers speak for nobody", () =>
    watched(async () => {
      const asked: Array<string | undefined> = []
      const server = await serveEffect(
        {},
        {},
        settings({
          trustedProxies: { addresses: ["10.0.0.1"] },
          maxRatePerAddress: { connections: 3, per: "1 hour" },
          authorize: ({ clientAddress }) => {
            asked.push(clientAddress)
            return Effect.succeed(undefined)
          }
        })
      )
      for (let count = 0; count < 10; count++) {
        const client = await asking(server.port, "/fault", ["X-Forwarded-For: 127.0.0.1"])
        client.resetAndDestroy()
        await once(client, "close")
      }
      // Had one of them passed for 127.0.0.1, there would be no room for this one.
      const bystander = new Bystander("Effect", server.port)
      await bystander.check()
      assert.deepStrictEqual(asked, ["127.0.0.1"])
      await bystander.leave()
      await server.stop()
    }))

  it("is dropped when it got another answer and never goes: a route of an HTTP server", () =>
    watched(async () => {
      const scope = Effect.runSync(Scope.make())
      const port = await run(
        Effect.gen(function* () {
          const listening = yield* Layer.build(
            EffectSocket.layerHttpServer(() => http.createServer(), {
              host: "127.0.0.1",
              port: 0,
              websocket: { handshakeTimeout: 100 }
            })
          )
          yield* Layer.build(
            HttpRouter.serve(HttpRouter.add("GET", "/fault", HttpServerResponse.empty({ status: 403 })), {
              disableListenLog: true,
              disableLogger: true
            }).pipe(Layer.provide(Layer.succeedContext(listening)))
          )
          const { address } = yield* Effect.provideContext(HttpServer.HttpServer, listening)
          return address._tag === "UnixPathAddress" ? 0 : address.port
        }).pipe(Scope.provide(scope))
      )
      const client = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true })
      client.on("error", () => {})
      client.write(requestHead([], "GET /fault HTTP/1.1"))
      let answer = ""
      client.on("data", (chunk) => (answer += String(chunk)))
      await once(client, "end")
      assert.match(answer, /^HTTP\/1.1 403/)
      // It keeps its side open until what it still says finds nobody.
      await until(() => {
        if (client.writable) client.write("x")
        return client.destroyed
      }, "it is dropped")
      await Effect.runPromise(Scope.close(scope, Exit.void))
    }))
})

/** A message that takes two bytes on the wire, four of mask aside. */
const empty = Frame.encode(Frame.text(""), { mask: true })

describe("a peer that is reset", () => {
  it("while its messages wait for a slow reader: they are read, then the end is told", () =>
    watched(async () => {
      const count = 2000
      const ready = Deferred.makeUnsafe<void>()
      const server = await serveEffect(
        {},
        {
          "/fault": (socket, tell) =>
            Effect.gen(function* () {
              let messages = 0
              const exit = yield* Effect.exit(
                Stream.runForEachArray(socket.messages, (batch) => {
                  messages += batch.length
                  return Deferred.await(ready)
                })
              )
              tell(`${messages}, ${Exit.isFailure(exit) ? "lost" : "ended"}`)
            })
        },
        // So that reading stops in the middle of what was read.
        settings({ readBufferSize: 1024 })
      )
      const bystander = new Bystander("Effect", server.port)
      await bystander.check()
      const client = await asking(server.port, "/fault")
      await once(client, "data")
      client.write(Buffer.concat(Array.from({ length: count }, () => empty)), () => client.resetAndDestroy())
      await once(client, "close")
      // The system has to tell of the reset before the reader goes on.
      await sleep(50)
      await bystander.check()
      Effect.runSync(Deferred.succeed(ready, undefined))
      await until(() => server.told("/fault").length === 2, "it is told")
      assert.deepStrictEqual(server.told("/fault"), ["open", `${count}, lost`])
      await bystander.leave()
      await server.stop()
    }))

  it("while its messages wait for a reader that never comes: it is gone after the close timeout", () =>
    watched(async () => {
      const server = await serveEffect(
        // Where nothing is read any more, a ping finds that the peer is gone.
        { closeTimeout: 100, keepAlive: 40 },
        { "/fault": (socket, tell) => Effect.map(socket.closed, ({ cause }) => tell(cause._tag)) },
        settings({ readBufferSize: 1024 })
      )
      const client = await asking(server.port, "/fault")
      await once(client, "data")
      client.write(Buffer.concat(Array.from({ length: 2000 }, () => empty)), () => client.resetAndDestroy())
      await until(() => server.told("/fault").length === 2, "it is told")
      assert.match(server.told("/fault")[1] ?? "", /^Transport/)
      await server.stop()
    }))

  it("while nobody reads: pings find it", () =>
    watched(async () => {
      const server = await serveEffect(
        { keepAlive: 40 },
        { "/fault": (socket, tell) => Effect.map(socket.closed, ({ cause }) => tell(cause._tag)) },
        settings({ readBufferSize: 1024 })
      )
      const client = await asking(server.port, "/fault")
      await once(client, "data")
      client.write(Frame.encode(Frame.binary(new Uint8Array(4096)), { mask: true }))
      await sleep(20)
      client.resetAndDestroy()
      await until(() => server.told("/fault").length === 2, "it is told")
      assert.match(server.told("/fault")[1] ?? "", /^Transport/)
      await server.stop()
    }))
})
