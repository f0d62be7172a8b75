import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Metric, Queue } from "effect"
import { DevTools, DevToolsServer, type DevToolsSchema } from "effect/devtools"
import { SocketServer } from "effect/socket"
import * as EffectSocket from "effect-ws/EffectSocket"
import { NetAddress } from "effect/net"

const requests = Metric.counter("effect_ws_devtools_requests")

describe("effect/devtools", () => {
  const layers: ReadonlyArray<[string, (url: string) => Layer.Layer<never>]> = [
    ["layerSocket", (url) => Layer.provide(DevTools.layerSocket, EffectSocket.layerSocket(url))],
    [
      "layerWebSocketConstructor",
      (url) => Layer.provide(DevTools.layerWebSocket(url), EffectSocket.layerWebSocketConstructor)
    ]
  ]
  for (const [name, client] of layers) {
    it.live(`reports spans and metrics over layerSocketServer and ${name}`, () =>
      Effect.gen(function* () {
        const span = yield* Deferred.make<DevToolsSchema.Span>()
        const metrics = yield* Deferred.make<DevToolsSchema.MetricsSnapshot>()
        yield* DevToolsServer.run(({ queue, send }) =>
          Effect.gen(function* () {
            while (true) {
              const request = yield* Queue.take(queue)
              if (request._tag === "MetricsSnapshot") yield* Deferred.succeed(metrics, request)
              if (request._tag !== "Span" || request.status._tag !== "Ended") continue
              yield* Deferred.succeed(span, request)
              yield* send({ _tag: "MetricsRequest" })
            }
          })
        ).pipe(Effect.forkScoped({ startImmediately: true }))
        const { address } = yield* SocketServer.SocketServer
        yield* Effect.gen(function* () {
          yield* Metric.update(requests, 3)
          yield* Effect.withSpan(Effect.annotateCurrentSpan("answer", 42), "work")
          const seen = yield* Deferred.await(span)
          assert.strictEqual(seen.name, "work")
          assert.strictEqual(seen.attributes.get("answer"), 42)
          const { metrics: all } = yield* Deferred.await(metrics)
          const found = all.find(({ id }) => id === "effect_ws_devtools_requests")
          assert.strictEqual(found?.type, "Counter")
        }).pipe(Effect.provide(client(NetAddress.formatUrlUnsafe(address, "ws"))))
      }).pipe(Effect.provide(EffectSocket.layerSocketServer({ host: "127.0.0.1", port: 0 })))
    )
  }
})
