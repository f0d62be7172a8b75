import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { Frame, Server, Socket } from "effect-ws"
import * as net from "node:net"

const mebibyte = 1024 * 1024

/** What is offered: 1 GiB, in pieces of 64 KiB. */
const pieces = 16 * 1024
const piece = new Uint8Array(64 * 1024).fill(1)

/** How much memory may grow by while all of it waits. */
const allowance = 32 * mebibyte

const request =
  "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

/** A bare connection that has been upgraded and reads nothing more. */
const deafPeer = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<net.Socket>((resume) => {
      const socket = net.connect(port, "127.0.0.1", () => socket.write(request))
      socket.on("error", () => {})
      socket.once("data", () => {
        socket.pause()
        resume(Effect.succeed(socket))
      })
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** Waits until a count stands still for 20 looks, 10 ms apart: everything that can move has moved. */
const standstill = (count: () => number) =>
  Effect.gen(function* () {
    let last = -1
    for (let still = 0; still < 20;) {
      yield* Effect.sleep(10)
      still = count() === last ? still + 1 : 0
      last = count()
    }
  })

const growthSince = (before: number): number => process.memoryUsage.rss() - before

describe("backpressure over a real socket", () => {
  it.live("a peer that never reads suspends the sender: 1 GiB offered costs less than 32 MiB", () =>
    Effect.gen(function* () {
      let sent = 0
      const server = yield* Server.make({ host: "127.0.0.1", keepAlive: false })
      yield* Effect.forkScoped(
        server.run((socket) =>
          Effect.forEach(
            Array.from({ length: pieces }),
            () =>
              Effect.andThen(
                socket.send(piece),
                Effect.sync(() => sent++)
              ),
            { discard: true }
          )
        ),
        { startImmediately: true }
      )
      const before = process.memoryUsage.rss()
      yield* deafPeer(server.address.port)
      yield* standstill(() => sent)
      assert.isAbove(sent, 0)
      assert.isBelow(sent, pieces)
      assert.isBelow(growthSince(before), allowance)
    })
  )

  it.live("a consumer that never reads stops the peer: 1 GiB offered costs less than 32 MiB", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({ host: "127.0.0.1", keepAlive: false, shutdownTimeout: 100 })
      yield* Effect.forkScoped(
        server.run(() => Effect.never),
        { startImmediately: true }
      )
      const before = process.memoryUsage.rss()
      const peer = yield* deafPeer(server.address.port)
      const frame = Frame.encode(Frame.binary(piece), { mask: true })
      let offered = 0
      const offer = (): void => {
        while (offered < pieces) {
          offered++
          if (!peer.write(frame)) return
        }
      }
      peer.on("drain", offer)
      offer()
      yield* standstill(() => offered)
      assert.isBelow(offered, pieces)
      assert.isBelow(growthSince(before), allowance)
    })
  )

  it.live("a client that never reads does the same to a server, and both go on when it does", () =>
    Effect.gen(function* () {
      const count = 500
      let sent = 0
      const server = yield* Server.make({ host: "127.0.0.1", keepAlive: false })
      yield* Effect.forkScoped(
        server.run((socket) =>
          Effect.forEach(
            Array.from({ length: count }),
            () =>
              Effect.andThen(
                socket.send(piece),
                Effect.sync(() => sent++)
              ),
            { discard: true }
          )
        ),
        { startImmediately: true }
      )
      const socket = yield* Socket.connect(`ws://127.0.0.1:${server.address.port}/`, { keepAlive: false })
      yield* standstill(() => sent)
      assert.isBelow(sent, count)
      let received = 0
      const done = yield* Deferred.make<void>()
      const reading = yield* Effect.forkChild(
        Socket.run(socket, (message) => {
          received += message.length
          return received === count * piece.length ? Deferred.succeed(done, undefined) : Effect.void
        })
      )
      yield* Deferred.await(done)
      assert.strictEqual(sent, count)
      yield* Fiber.join(reading)
    })
  )
})
