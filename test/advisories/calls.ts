// What callers without types give.
import { assert, describe } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Frame, Socket } from "effect-ws"
import * as ws from "effect-ws/ws"
import * as legacy from "effect-ws/ws/legacy"
import { type EventEmitter, once } from "node:events"
import * as net from "node:net"
import { acceptance } from "../ws/lab.ts"
import type { Answer } from "./faces.ts"
import { defectOf, hold, run } from "./hold.ts"

const sent = async (face: "ws" | "legacy"): Promise<string> => {
  let told = ""
  await new Promise<void>((resolve, reject) => {
    const raw = net.createServer((socket) => {
      socket.once("data", (head) => socket.write(acceptance(head.toString("latin1"))))
    })
    raw.listen(0, "127.0.0.1", () => {
      const address = raw.address()
      const url = `ws://127.0.0.1:${typeof address === "object" ? address?.port : 0}/`
      const client: EventEmitter & { ping(data: unknown): void; terminate(): void } =
        face === "ws" ? new ws.WebSocket(url) : new legacy.WebSocket(url)
      raw.on("connection", (socket) =>
        socket.on("data", (chunk: Buffer) => {
          if (chunk[0] !== 0x89) return
          const key = chunk.subarray(2, 6)
          told = chunk
            .subarray(6, 6 + ((chunk[1] ?? 0) & 127))
            .map((byte, at) => byte ^ (key[at & 3] ?? 0))
            .toString()
          client.terminate()
          socket.destroy()
          raw.close(() => resolve())
        })
      )
      client.on("error", reject)
      client.on("open", () => client.ping(200))
    })
  })
  return told
}

describe("GHSA-2mhh-w6q8-5hxw", () => {
  const id = "GHSA-2mhh-w6q8-5hxw"

  hold(id, "Effect", "a number is no payload", () =>
    run(
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        const number: unknown = 200
        assert.instanceOf(yield* defectOf(client.ping(number as Uint8Array)), TypeError)
        assert.instanceOf(yield* defectOf(client.send(number as string)), TypeError)
        const built = { _tag: "Binary", fin: true, rsv: 0, payload: number } as Frame.Frame
        assert.instanceOf(yield* defectOf(client.send(built)), TypeError)
        assert.throws(() => Frame.ping(number as string), TypeError)
        assert.throws(() => Frame.binary(number as Uint8Array), TypeError)
        assert.throws(() => Frame.encode(built), TypeError)
        yield* client.send("after it")
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(server.messages, 1)), ["after it"])
      })
    )
  )

  hold(id, "ws", "a number is sent as its digits", async () => assert.strictEqual(await sent("ws"), "200"))
  hold(id, "legacy", "a number is sent as its digits", async () => assert.strictEqual(await sent("legacy"), "200"))
})

describe("CVE-2026-45736", () => {
  const id = "CVE-2026-45736"
  const reason: unknown = new Float32Array(20)

  hold(id, "Effect", "a reason is a string of at most 123 bytes", () =>
    run(
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        assert.instanceOf(yield* defectOf(client.close(1000, reason as string)), TypeError)
        assert.throws(() => Frame.close(1000, reason as string), TypeError)
        const tooLong = yield* Effect.flip(client.close(1000, "é".repeat(62)))
        assert.strictEqual(tooLong.reason._tag, "InvalidSend")
        yield* client.send("still open")
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(server.messages, 1)), ["still open"])
        const closed = yield* client.close(1000, "é".repeat(61))
        assert.strictEqual(closed.sent?.reason, "é".repeat(61))
      })
    )
  )

  const closedWith = async (
    start: (port: number, opened: (close: (code: number, reason: unknown) => void) => void) => void
  ): Promise<Answer> => {
    const server = net.createServer()
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const address = server.address()
    const bytes: Array<Buffer> = []
    const over = new Promise<void>((resolve) => {
      server.once("connection", (socket) => {
        socket.once("data", (head) => {
          socket.write(acceptance(head.toString("latin1")))
          socket.on("data", (chunk: Buffer) => {
            bytes.push(chunk)
            // A whole close frame, masked.
            const all = Buffer.concat(bytes)
            if (all[0] === 0x88 && all.length >= 6 + ((all[1] ?? 0) & 127)) socket.destroy()
          })
        })
        socket.on("error", () => {})
        socket.on("close", () => resolve())
      })
    })
    start(typeof address === "object" && address !== null ? address.port : 0, (close) => {
      try {
        close(1000, reason)
      } catch (error) {
        assert.instanceOf(error, TypeError)
      }
    })
    await over
    server.close()
    const all = Buffer.concat(bytes)
    return { status: 101, head: "", frames: [], code: undefined, bytes: all }
  }

  hold(id, "ws", "a Float32Array is a TypeError and nothing is sent", async () => {
    const { bytes } = await closedWith((port, opened) => {
      const client = new ws.WebSocket(`ws://127.0.0.1:${port}/`)
      client.on("open", () => {
        opened((code, reason) => client.close(code, reason as string))
        assert.strictEqual(client.readyState, ws.WebSocket.OPEN)
        client.terminate()
      })
    })
    assert.strictEqual(bytes.length, 0)
  })

  hold(id, "legacy", "what is sent is the array's own bytes", async () => {
    const { bytes } = await closedWith((port, opened) => {
      const client = new legacy.WebSocket(`ws://127.0.0.1:${port}/`)
      client.on("error", () => {})
      client.on("open", () => opened((code, reason) => client.close(code, reason as string)))
    })
    assert.strictEqual(bytes.length, 6 + 2 + 80)
    const key = bytes.subarray(2, 6)
    const payload = bytes.subarray(6).map((byte, at) => byte ^ (key[at & 3] ?? 0))
    assert.isTrue(payload.subarray(2).every((byte) => byte === 0))
  })
})
