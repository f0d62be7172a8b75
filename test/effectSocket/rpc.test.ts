import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Logger, Schedule, Schema, Scope, Stream } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { NetAddress } from "effect/net"
import { Rpc, RpcClient, RpcGroup, RpcSerialization, RpcServer } from "effect/rpc"
import { Socket as Effects, SocketServer } from "effect/socket"
import * as EffectSocket from "effect-ws/EffectSocket"
import * as http from "node:http"

class TooMany extends Schema.TaggedError<TooMany>()("TooMany", { limit: Schema.Int }) {}

const Calls = RpcGroup.make(
  Rpc.make("Add", { payload: { a: Schema.Int, b: Schema.Int }, success: Schema.Int }),
  Rpc.make("Fail", { error: TooMany }),
  Rpc.make("Echo", { payload: { bytes: Schema.Uint8Array }, success: Schema.Uint8Array }),
  Rpc.make("Count", { payload: { to: Schema.Int }, success: Schema.Int, error: TooMany, stream: true }),
  Rpc.make("Forever", { success: Schema.Int, stream: true })
)

/** Tells when the stream of `Forever` was stopped. */
const handlersWith = (stopped: Deferred.Deferred<void>) =>
  Calls.toLayer({
    Add: ({ a, b }) => Effect.succeed(a + b),
    Fail: () => Effect.fail(new TooMany({ limit: 3 })),
    Echo: ({ bytes }) => Effect.succeed(bytes),
    Count: ({ to }) => (to > 10_000 ? Stream.fail(new TooMany({ limit: 10_000 })) : Stream.range(1, to)),
    Forever: () =>
      Stream.ensuring(
        Stream.fromEffectRepeat(Effect.as(Effect.sleep("5 millis"), 1)),
        Deferred.succeed(stopped, undefined)
      )
  })

type Handlers = ReturnType<typeof handlersWith>

const urlOf = (address: NetAddress.SocketAddress) => `${NetAddress.formatUrlUnsafe(address, "ws")}/rpc`

/** Servers by what is beneath; each answers its URL. */
const servers: ReadonlyArray<
  [string, (handlers: Handlers) => Effect.Effect<string, unknown, Scope.Scope | RpcSerialization.RpcSerialization>]
> = [
  [
    "layerSocketServer",
    Effect.fnUntraced(function* (handlers) {
      const listening = yield* Layer.build(EffectSocket.layerSocketServer({ host: "127.0.0.1", port: 0 }))
      const serving = RpcServer.layer(Calls).pipe(
        Layer.provide(handlers),
        Layer.provide(RpcServer.layerProtocolSocketServer)
      )
      yield* Layer.build(Layer.provide(serving, Layer.succeedContext(listening)))
      return yield* Effect.map(Effect.provideContext(SocketServer.SocketServer, listening), ({ address }) =>
        urlOf(address)
      )
    })
  ],
  [
    "a route of layerHttpServer",
    Effect.fnUntraced(function* (handlers) {
      const listening = yield* Layer.build(
        EffectSocket.layerHttpServer(() => http.createServer(), { host: "127.0.0.1", port: 0 })
      )
      const route = RpcServer.layer(Calls).pipe(
        Layer.provide(handlers),
        Layer.provide(RpcServer.layerProtocolWebsocket({ path: "/rpc" }))
      )
      const serving = HttpRouter.serve(route, { disableListenLog: true, disableLogger: true })
      yield* Layer.build(Layer.provide(serving, Layer.succeedContext(listening)))
      return yield* Effect.map(Effect.provideContext(HttpServer.HttpServer, listening), ({ address }) => urlOf(address))
    })
  ]
]

const clients: ReadonlyArray<[string, (url: string) => Layer.Layer<Effects.Socket>]> = [
  ["layerSocket", (url) => EffectSocket.layerSocket(url)],
  [
    "layerWebSocketConstructor",
    (url) => Layer.provide(Effects.layerWebSocket(url), EffectSocket.layerWebSocketConstructor)
  ]
]

const serializations: ReadonlyArray<[string, Layer.Layer<RpcSerialization.RpcSerialization>]> = [
  ["JSON", RpcSerialization.layerJson],
  ["SchemaBinary", RpcSerialization.layerSchemaBinary()]
]

const clientOf = (socket: Layer.Layer<Effects.Socket>) =>
  Effect.gen(function* () {
    const protocol = yield* Layer.build(
      Layer.provide(RpcClient.layerProtocolSocket({ retryPolicy: Schedule.spaced("20 millis") }), socket)
    )
    return yield* Effect.provideContext(RpcClient.make(Calls), protocol)
  })

/** Logs of this level and above, as text. */
const logsOf = (logs: Array<string>) =>
  Logger.layer([
    Logger.make<unknown, void>(({ cause, logLevel, message }) => {
      if (logLevel === "Warn" || logLevel === "Error" || logLevel === "Fatal") logs.push(`${message} ${cause}`)
    })
  ])

describe("effect/rpc", () => {
  for (const [beneath, serve] of servers) {
    for (const [above, socket] of clients) {
      for (const [format, serialization] of serializations) {
        it.live(`calls and streams over ${beneath} and ${above}, in ${format}`, () =>
          Effect.gen(function* () {
            const url = yield* serve(handlersWith(yield* Deferred.make<void>()))
            const client = yield* clientOf(socket(url))
            assert.strictEqual(yield* client.Add({ a: 2, b: 3 }), 5)
            assert.deepStrictEqual(
              yield* Effect.forEach([1, 2, 3, 4], (a) => client.Add({ a, b: 1 }), { concurrency: "unbounded" }),
              [2, 3, 4, 5]
            )
            const bytes = Uint8Array.from({ length: 100_000 }, (_, at) => at % 251)
            assert.deepStrictEqual(Buffer.from(yield* client.Echo({ bytes })), Buffer.from(bytes))
            const error = yield* Effect.flip(client.Fail())
            assert.strictEqual(error._tag === "TooMany" ? error.limit : error._tag, 3)
            const counted = yield* Stream.runCollect(client.Count({ to: 2000 }))
            assert.deepStrictEqual(
              counted,
              Array.from({ length: 2000 }, (_, at) => at + 1)
            )
            const failed = yield* Effect.flip(Stream.runDrain(client.Count({ to: 10_001 })))
            assert.strictEqual(failed._tag, "TooMany")
          }).pipe(Effect.provide(serialization))
        )
      }
    }

    it.live(`stops a stream whose reader stops, or whose client goes, over ${beneath}`, () =>
      Effect.gen(function* () {
        const logs: Array<string> = []
        yield* Effect.gen(function* () {
          const first = yield* Deferred.make<void>()
          const url = yield* serve(handlersWith(first))
          const client = yield* clientOf(EffectSocket.layerSocket(url))
          assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(client.Forever(), 3)), [1, 1, 1])
          yield* Deferred.await(first)

          const second = yield* Deferred.make<void>()
          const other = yield* serve(handlersWith(second))
          yield* Effect.scoped(
            Effect.gen(function* () {
              const goes = yield* clientOf(EffectSocket.layerSocket(other))
              const taken = yield* Deferred.make<void>()
              yield* Effect.forkScoped(Stream.runForEach(goes.Forever(), () => Deferred.succeed(taken, undefined)))
              yield* Deferred.await(taken)
            })
          )
          yield* Deferred.await(second)
          assert.strictEqual(yield* client.Add({ a: 1, b: 1 }), 2)
        }).pipe(Effect.provide(Layer.merge(RpcSerialization.layerNdjson, logsOf(logs))))
        assert.deepStrictEqual(logs, [])
      })
    )
  }

  it.live("goes on when the server is back", () =>
    Effect.gen(function* () {
      const first = yield* Scope.make()
      const url = yield* Scope.provide(serveOn(0), first)
      const client = yield* clientOf(EffectSocket.layerSocket(url))
      assert.strictEqual(yield* client.Add({ a: 1, b: 1 }), 2)
      const streaming = yield* Effect.forkChild(Effect.flip(Stream.runDrain(client.Forever())), {
        startImmediately: true
      })
      yield* Scope.close(first, Exit.void)
      assert.strictEqual((yield* Fiber.join(streaming))._tag, "RpcClientError", "what was under way fails")
      yield* serveOn(Number(new URL(url).port))
      const again = Effect.retry(client.Add({ a: 2, b: 2 }), Schedule.spaced("20 millis"))
      assert.strictEqual(yield* again, 4)
    }).pipe(Effect.provide(RpcSerialization.layerNdjson))
  )
})

const serveOn = (port: number) =>
  Effect.gen(function* () {
    const listening = yield* Layer.build(EffectSocket.layerSocketServer({ host: "127.0.0.1", port }))
    const serving = RpcServer.layer(Calls).pipe(
      Layer.provide(handlersWith(yield* Deferred.make<void>())),
      Layer.provide(RpcServer.layerProtocolSocketServer)
    )
    yield* Layer.build(Layer.provide(serving, Layer.succeedContext(listening)))
    return yield* Effect.map(Effect.provideContext(SocketServer.SocketServer, listening), ({ address }) =>
      urlOf(address)
    )
  })
