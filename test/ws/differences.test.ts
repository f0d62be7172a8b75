// Where this library differs from `ws`, on purpose: each difference that docs/ws.md names, with both behaviours.
/* oxlint-disable unicorn/consistent-function-scoping -- helpers stand with the tests that they serve */
import { assert, describe, it } from "@effect/vitest"
import type { PerMessageDeflate } from "effect-ws/ws"
import { deflateRawSync } from "node:zlib"
import { closed, frame, Lab, type Lib, libraries, plain, requestHead, run, type Script, settled, until } from "./lab.ts"

const both = async (script: Script): Promise<{ readonly ours: unknown; readonly peer: unknown }> => ({
  ours: (await run(libraries.ours, script)).log,
  peer: (await run(libraries.peer, script)).log
})

const head = requestHead(["Sec-WebSocket-Extensions: permessage-deflate"])

const compressed = (data: string | Buffer): Buffer => deflateRawSync(data, { finishFlush: 2 }).subarray(0, -4)

describe("differences from ws", () => {
  it("text that can't become UTF-8 any more ends the connection at once, not with its last fragment", async () => {
    const { ours, peer } = await both(async (lab) => {
      const { raw, socket } = await lab.rawPair()
      socket.on("error", (error) => lab.note(error.message))
      socket.on("ping", () => lab.note("ping"))
      await raw.deliver(socket, frame(0x01, Buffer.from([0xff]), { mask: true }))
      await settled()
      lab.note(socket.readyState)
      raw.socket.end(frame(0x80, "", { mask: true }))
      await closed(socket)
    })
    assert.deepStrictEqual(ours, [["Invalid WebSocket frame: invalid UTF-8 sequence"], [2]])
    assert.deepStrictEqual(peer, [[1], ["Invalid WebSocket frame: invalid UTF-8 sequence"]])
  })

  it("the end of a peer is seen after the messages that are still being inflated, not before", async () => {
    const { ours, peer } = await both(async (lab) => {
      const { raw, socket } = await lab.rawPair({ perMessageDeflate: true }, head)
      socket.on("message", () => lab.note("message", socket.readyState))
      raw.socket.end(frame(0xc2, compressed(Buffer.alloc(20_000_000)), { mask: true }))
      await closed(socket)
    })
    assert.deepStrictEqual(ours, [["message", 1]])
    assert.deepStrictEqual(peer, [["message", 2]])
  })

  it("a message that was compressed in fragments is one buffer for the binary type fragments", async () => {
    const { ours, peer } = await both(async (lab) => {
      const { raw, socket } = await lab.rawPair({ perMessageDeflate: true }, head)
      socket.binaryType = "fragments"
      socket.on("message", (data) =>
        lab.note(Array.isArray(data) && Buffer.concat(data), Array.isArray(data) && data.length > 1)
      )
      const bytes = compressed(Buffer.concat([Buffer.alloc(70_000, 1), Buffer.alloc(70_000, 2)]))
      const half = bytes.length >> 1
      raw.socket.write(
        Buffer.concat([
          frame(0x42, bytes.subarray(0, half), { mask: true }),
          frame(0x80, bytes.subarray(half), { mask: true })
        ])
      )
      await until(() => lab.log.length > 0)
    })
    assert.deepStrictEqual(ours, [["Buffer(140000)", false]])
    assert.deepStrictEqual(peer, [["Buffer(140000)", true]])
  })

  it("broken compressed data has zlib's code, but a message of its own", async () => {
    const { ours, peer } = await both(async (lab) => {
      const { raw, socket } = await lab.rawPair({ perMessageDeflate: true }, head)
      socket.on("error", (error) => lab.note(Reflect.get(error, "code"), Reflect.get(error, "errno"), error.message))
      raw.socket.on("end", () => raw.socket.end())
      raw.socket.write(frame(0xc1, Buffer.from([0xff, 0xff, 0xff]), { mask: true }))
      await closed(socket)
    })
    assert.deepStrictEqual(ours, [["Z_DATA_ERROR", -3, "invalid compressed data"]])
    assert.deepStrictEqual(peer, [["Z_DATA_ERROR", -3, "invalid block type"]])
  })

  it("compressed data goes on after a final block, RFC 7692 §7.2.3.4, in the same frame and in the next", async () => {
    const { ours, peer } = await both(async (lab) => {
      const { raw, socket } = await lab.rawPair({ perMessageDeflate: true }, head)
      socket.on("message", (data) => lab.note(data))
      const [one, two] = [deflateRawSync("one "), deflateRawSync("two")]
      const next = async (bytes: Buffer): Promise<void> => {
        raw.socket.write(bytes)
        const wanted = lab.log.length + 1
        await until(() => lab.log.length === wanted)
      }
      await next(frame(0xc1, one, { mask: true }))
      await next(Buffer.concat([frame(0x41, one, { mask: true }), frame(0x80, two, { mask: true })]))
      await next(frame(0xc1, Buffer.concat([one, two]), { mask: true }))
      await next(frame(0xc1, one, { mask: true }))
    })
    assert.deepStrictEqual(ours, [["Buffer one "], ["Buffer one two"], ["Buffer one two"], ["Buffer one "]])
    assert.deepStrictEqual(peer, [["Buffer one "], ["Buffer one "], ["Buffer one "], ["Buffer one "]])
  })

  it("PerMessageDeflate.decompress gives a message in several frames with the last of them", async () => {
    const parts = async (lib: Lib): Promise<ReadonlyArray<unknown>> => {
      const deflate: PerMessageDeflate = Reflect.construct(Reflect.get(lib, "PerMessageDeflate"), [{}])
      deflate.accept([{}])
      const bytes = compressed("ab".repeat(50_000))
      const give = (data: Buffer, fin: boolean): Promise<number> =>
        new Promise((resolve) => deflate.decompress(data, fin, (_, result) => resolve(result?.length ?? 0)))
      const sizes = [await give(bytes.subarray(0, -5), false), await give(bytes.subarray(-5), true)]
      deflate.cleanup()
      return [sizes[0] === 0, sizes.reduce((sum, size) => sum + size, 0)]
    }
    assert.deepStrictEqual(await parts(libraries.ours), [true, 100_000])
    assert.deepStrictEqual(await parts(libraries.peer), [false, 100_000])
  })

  it("a listener that throws does not stop the connection", async () => {
    const seen = async (lib: Lib): Promise<ReadonlyArray<unknown>> => {
      const lab = new Lab(lib)
      const handlers = process.listeners("uncaughtException")
      process.removeAllListeners("uncaughtException")
      process.on("uncaughtException", () => {})
      const { raw, socket } = await lab.rawPair()
      socket.on("message", (data) => {
        lab.note(data)
        throw new Error("from a listener")
      })
      await raw.deliver(socket, frame(0x81, "one", { mask: true }))
      await raw.deliver(socket, frame(0x81, "two", { mask: true }))
      await settled(5)
      lab.end()
      await settled(5)
      process.removeAllListeners("uncaughtException")
      for (const handler of handlers) process.on("uncaughtException", handler)
      return lab.log
    }
    assert.deepStrictEqual(await seen(libraries.ours), [["Buffer one"], ["Buffer two"]])
    assert.deepStrictEqual(await seen(libraries.peer), [["Buffer one"]])
  })

  it("a callback that is no function is ignored", async () => {
    const { ours, peer } = await both(async (lab) => {
      const { client } = await lab.pair()
      try {
        Reflect.apply(client.send, client, ["a", {}, "callback"])
        lab.note("sent")
      } catch (error) {
        lab.note(Reflect.get(error as object, "code"))
      }
    })
    assert.deepStrictEqual([ours, peer], [[["sent"]], [["ERR_UNKNOWN_ENCODING"]]])
  })

  it("the module has `Server` and the statics however it is loaded", () => {
    assert.strictEqual(plain(Reflect.get(libraries.ours, "Server")), "function WebSocketServer")
    assert.strictEqual(Reflect.get(libraries.ours.WebSocket, "Server"), Reflect.get(libraries.ours, "WebSocketServer"))
  })
})
