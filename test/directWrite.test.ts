import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { execFileSync } from "node:child_process"
import { EventEmitter, once } from "node:events"
import * as net from "node:net"
import { fileURLToPath } from "node:url"
import { DuplexTransport } from "../src/internal/duplexTransport.ts"
import { DirectWriter } from "../src/internal/directWrite.ts"

/** Two ends of a TCP connection on the loopback address. */
const tcpPair = Effect.acquireRelease(
  Effect.callback<{ readonly near: net.Socket; readonly far: net.Socket; readonly server: net.Server }>((resume) => {
    const server = net.createServer({ pauseOnConnect: true })
    server.listen(0, "127.0.0.1", () => {
      const near = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1")
      const accepted = once(server, "connection")
      void once(near, "connect").then(async () => {
        const [far] = await accepted
        resume(Effect.succeed({ near, far, server }))
      })
    })
  }),
  ({ far, near, server }) =>
    Effect.sync(() => {
      near.destroy()
      far.destroy()
      server.close()
    })
)

const received = (socket: net.Socket, size: number) =>
  Effect.callback<Buffer>((resume) => {
    const chunks: Array<Buffer> = []
    let total = 0
    socket.on("data", (chunk) => {
      chunks.push(chunk)
      total += chunk.length
      if (total >= size) resume(Effect.succeed(Buffer.concat(chunks)))
    })
    socket.resume()
  })

/** An attached transport, and what it tells. */
const attached = (socket: net.Socket) => {
  const transport = new DuplexTransport(socket)
  const told = new EventEmitter()
  const drains: Array<string> = []
  told.on("drained", () => drains.push("drained"))
  transport.attach({
    received: () => {},
    drained: () => told.emit("drained"),
    ended: () => {},
    closed: (error) => told.emit("closed", error)
  })
  return { transport, drains, whenTold: (event: string) => Effect.promise(() => once(told, event)) }
}

describe("direct writes", () => {
  it("are used on plain sockets only", () => {
    assert.isDefined(net.Socket)
    assert.isUndefined(DirectWriter.of(new net.Socket()))
  })

  it.live("bring every byte, in order, through both ways of writing and a peer that reads late", () =>
    Effect.gen(function* () {
      const { far, near } = yield* tcpPair
      const { drains, transport, whenTold } = attached(near)
      const written: Array<string> = []
      const note = (name: string) => (error?: Error | null) => written.push(error ? `${name} failed` : name)
      // The first write of a process may go the documented way, and show the class of request objects.
      assert.isTrue(transport.write(Buffer.from("first."), note("first")))
      const expected = process.env["EFFECT_WS_NET"] !== "public" && Number.parseInt(process.versions.node, 10) < 26
      assert.strictEqual(DirectWriter.of(near)?.ready ?? false, expected)
      const pieces = [Buffer.from("second,"), Buffer.from("third.")]
      assert.isTrue(transport.writeAll(pieces, note("second")))
      const large = Buffer.alloc(16 * 1024 * 1024, "0123456789abcdef")
      assert.isFalse(transport.write(large, note("large")))
      assert.isTrue(transport.congested)
      assert.isAbove(transport.buffered, 0)
      assert.notInclude(written, "large")
      const reading = yield* Effect.forkChild(received(far, 19 + large.length + 4), { startImmediately: true })
      yield* whenTold("drained")
      assert.isFalse(transport.congested)
      assert.strictEqual(transport.buffered, 0)
      transport.write(Buffer.from("last"), note("last"))
      const bytes = yield* Fiber.join(reading)
      assert.isTrue(bytes.equals(Buffer.concat([Buffer.from("first.second,third."), large, Buffer.from("last")])))
      assert.deepStrictEqual(written, ["first", "second", "large", "last"])
      assert.deepStrictEqual(drains, ["drained"])
    })
  )

  it.live("that fail end the socket with the system's error", () =>
    Effect.gen(function* () {
      const { far, near } = yield* tcpPair
      const { transport, whenTold } = attached(near)
      transport.write(Buffer.from("first."))
      const closing = yield* Effect.forkChild(whenTold("closed"), { startImmediately: true })
      far.resetAndDestroy()
      yield* Effect.callback<void>((resume) => {
        const again = (): void => {
          if (near.destroyed) return resume(Effect.void)
          transport.write(Buffer.alloc(1024))
          setImmediate(again)
        }
        again()
      })
      const [error] = yield* Fiber.join(closing)
      assert.match(String(error), /EPIPE|ECONNRESET/)
      assert.isFalse(transport.congested)
    })
  )

  it("have a documented way in their place", { timeout: 30_000 }, () => {
    const root = fileURLToPath(new URL("../", import.meta.url))
    const name = "bring every byte|that fail end"
    const args = ["node_modules/vitest/vitest.mjs", "run", "test/directWrite.test.ts", "-t", name]
    const env = { ...process.env, EFFECT_WS_NET: "public", NO_COLOR: "1", FORCE_COLOR: "0" }
    assert.match(execFileSync(process.execPath, args, { cwd: root, env, encoding: "utf8" }), /2 passed/)
  })
})
