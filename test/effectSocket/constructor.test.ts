import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Schedule, Stream } from "effect"
import { Socket as Effects } from "effect/socket"
import { Server } from "effect-ws"
import * as EffectSocket from "effect-ws/EffectSocket"

const count = 64

const part = new Uint8Array(1024 * 1024)

/** Waits until a number stays the same for a while; returns it. */
const settled = (read: () => number) =>
  Effect.suspend(() => {
    let before = -1
    return Effect.repeat(
      Effect.sync(() => {
        const same = before === read()
        before = read()
        return same
      }),
      { schedule: Schedule.spaced("300 millis"), until: (same) => same }
    ).pipe(Effect.map(read))
  })

const made = (url: string) =>
  Effect.map(
    Layer.build(Layer.provide(Effects.layerWebSocket(url), EffectSocket.layerWebSocketConstructor)),
    (context) => Effect.provideContext(Effects.Socket, context)
  ).pipe(Effect.flatten)

const listen = <E>(handler: (socket: Server.Connection) => Effect.Effect<unknown, E>) =>
  Effect.gen(function* () {
    const server = yield* Server.make({ host: "127.0.0.1", port: 0, maxMessageSize: part.length })
    yield* Effect.forkScoped(server.run(handler))
    return `ws://127.0.0.1:${server.address.port}/`
  })

const writes = (socket: Effects.Socket) =>
  Effect.gen(function* () {
    yield* socket.reader
    const { write } = yield* socket.writer
    yield* Effect.forEach(Array.from({ length: count }), () => write(part))
  })

describe("a socket that Effect makes with layerWebSocketConstructor", () => {
  it.live("stops a peer that sends more than is read", () =>
    Effect.gen(function* () {
      let sent = 0
      const url = yield* listen((socket) =>
        Effect.forEach(Array.from({ length: count }), () => Effect.map(socket.send(part), () => void sent++))
      )
      const { pull } = yield* (yield* made(url)).reader
      assert.isBelow(yield* settled(() => sent), count)
      let received = 0
      while (received < count) for (const message of yield* pull) received += message.length / part.length
      assert.strictEqual(received, count)
    })
  )

  it.live("writes without waiting for a peer that doesn't read, which makeSocket waits for", () =>
    Effect.gen(function* () {
      const reading = yield* Deferred.make<void>()
      const url = yield* listen((socket) => Effect.andThen(Deferred.await(reading), Stream.runDrain(socket.messages)))
      const direct = yield* Effect.forkScoped(writes(yield* made(url)))
      const waiting = yield* Effect.forkScoped(writes(EffectSocket.makeSocket(url)))
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(direct)))
      assert.isUndefined(waiting.pollUnsafe())
      yield* Deferred.succeed(reading, undefined)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(waiting)))
    })
  )
})
