// Where this library differs from `ws`, on purpose: each difference that docs/ws.md names, with both behaviours.
/* oxlint-disable unicorn/consistent-function-scoping -- helpers stand with the tests that they serve */
import { assert, describe, it } from "@effect/vitest"
import * as ours from "effect-ws/ws"
import type { PerMessageDeflate } from "effect-ws/ws"
import { globSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import type { Socket } from "node:net"
import { availableParallelism } from "node:os"
import { setTimeout as delay } from "node:timers/promises"
import { constants, deflateRawSync } from "node:zlib"
import type { ServerOptions } from "ws"
import { setLimits, usage } from "../../src/internal/deflate/deflate.ts"
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

  it("a ping that follows a message which is being inflated is answered, though the peer has ended its side", async () => {
    const pongs = async (lib: Lib): Promise<number> => {
      const { wire } = await run(lib, async (lab) => {
        const { raw, socket } = await lab.rawPair({ perMessageDeflate: true }, head)
        const bytes = [
          frame(0xc2, compressed(Buffer.alloc(20_000_000)), { mask: true }),
          frame(0x89, "", { mask: true })
        ]
        raw.socket.end(Buffer.concat(bytes))
        await Promise.all([closed(socket), raw.closed])
      })
      return wire.filter(([kind, first]) => kind === "frame" && first === 0x8a).length
    }
    assert.deepStrictEqual([await pongs(libraries.ours), await pongs(libraries.peer)], [1, 0])
  })

  it("a small message is compressed at once, so that it is sent before the connection is terminated", async () => {
    const { ours, peer } = await both(async (lab) => {
      const { client, remote } = await lab.pair({ perMessageDeflate: true }, { perMessageDeflate: { threshold: 0 } })
      remote.on("message", (data) => lab.note(data))
      client.send("small", (error) => lab.note("callback", error?.message))
      client.terminate()
      await closed(remote)
    })
    assert.deepStrictEqual(ours, [["callback", undefined], ["Buffer small"]])
    assert.deepStrictEqual(peer, [["callback", "The socket was closed while data was being compressed"]])
  })

  it("what is sent in one tick is one write, so that no second one can fail", async () => {
    const { ours, peer } = await both(async (lab) => {
      const { client, remote } = await lab.pair()
      const transport: Socket = Reflect.get(client, "_socket")
      let errors = 0
      let writes = 0
      transport.on("error", () => errors++)
      const write = transport.write
      transport.write = ((...args: Parameters<typeof write>) => {
        writes++
        return Reflect.apply(write, transport, args)
      }) as typeof write
      remote.terminate()
      for (const text of ["one", "two", "three"]) client.send(text)
      await closed(client)
      lab.note(writes, errors)
    })
    assert.deepStrictEqual(ours, [[1, 0]])
    assert.deepStrictEqual(peer, [[6, 1]])
  })

  it("what is sent after a program ended the socket fails with the code of a socket that is destroyed", async () => {
    const { ours, peer } = await both(async (lab) => {
      const { client } = await lab.pair()
      const transport: Socket = Reflect.get(client, "_socket")
      transport.end()
      client.send("late", (error) => lab.note(Reflect.get(error ?? {}, "code")))
      await closed(client)
    })
    assert.deepStrictEqual([ours, peer], [[["ERR_STREAM_DESTROYED"]], [["ERR_STREAM_WRITE_AFTER_END"]]])
  })

  it("a peer that ends without a close frame and reads nothing is dropped after closeTimeout", async () => {
    const { ours, peer } = await both(async (lab) => {
      const { raw, socket } = await lab.rawPair({ closeTimeout: 50 } as ServerOptions)
      raw.socket.pause()
      socket.send(Buffer.alloc(50_000_000))
      await until(() => socket.bufferedAmount > 0)
      raw.socket.end()
      const dropped = await Promise.race([closed(socket).then(() => true), delay(1000, false)])
      lab.note(dropped)
    })
    assert.deepStrictEqual([ours, peer], [[[true]], [[false]]])
  })

  it("a message that is masked against the standard is not compressed", async () => {
    const first = async (lib: Lib): Promise<unknown> => {
      const { wire } = await run(lib, async (lab) => {
        const { raw, socket } = await lab.rawPair({ perMessageDeflate: true }, head)
        socket.send("a".repeat(2000), { mask: true })
        await until(() => lab.wire.length > 0)
        raw.socket.destroy()
      })
      return wire[0]?.[1]
    }
    assert.deepStrictEqual([await first(libraries.ours), await first(libraries.peer)], [0x81, 0xc1])
  })

  it("of zlib's options, level and memLevel count", async () => {
    const size = async (lib: Lib, zlibDeflateOptions: object): Promise<number> => {
      const deflate: PerMessageDeflate = Reflect.construct(Reflect.get(lib, "PerMessageDeflate"), [
        { zlibDeflateOptions, threshold: 0 }
      ])
      deflate.accept([{}])
      return new Promise((resolve) => {
        deflate.compress("abc".repeat(1000), true, (_, data) => {
          resolve(data?.length ?? 0)
          deflate.cleanup()
        })
      })
    }
    for (const [lib, counts] of [
      [libraries.ours, false],
      [libraries.peer, true]
    ] as const) {
      const [usual, huffman] = [await size(lib, {}), await size(lib, { strategy: constants.Z_HUFFMAN_ONLY })]
      assert.strictEqual(huffman > 5 * usual, counts)
    }
  })

  it("as many messages as there are processors, at most 4, are compressed on the thread pool, or the last concurrencyLimit", async () => {
    const running = async (options: object): Promise<number> => {
      const all = Array.from({ length: 8 }, () => new ours.PerMessageDeflate(options))
      const done = all.map((deflate) => {
        deflate.accept([{}])
        return new Promise((resolve) => deflate.compress(Buffer.alloc(500_000), true, resolve))
      })
      const { running } = usage()
      await Promise.all(done)
      for (const deflate of all) deflate.cleanup()
      return running
    }
    assert.strictEqual(await running({}), Math.min(4, availableParallelism()))
    assert.strictEqual(await running({ concurrencyLimit: 3 }), 3)
    assert.strictEqual(await running({ concurrencyLimit: 1 }), 1)
    setLimits({ concurrency: Math.min(4, availableParallelism()) })
  })

  it("a header that would begin another one is not written", async () => {
    const status = async (lib: Lib, options: ServerOptions): Promise<unknown> => {
      const { log } = await run(lib, async (lab) => {
        const { port } = await lab.server(options)
        const raw = await lab.rawClient(port, requestHead(["Sec-WebSocket-Protocol: a"]))
        lab.note(raw.head.split("\r\n")[0]?.slice(9, 12), raw.head.includes("\r\nInjected: yes"))
      })
      return log
    }
    for (const options of [
      { handleProtocols: () => "a\r\nInjected: yes" },
      { verifyClient: (_: unknown, done: Function) => done(false, 401, "", { Name: "value\r\nInjected: yes" }) }
    ] as ReadonlyArray<ServerOptions>) {
      assert.deepStrictEqual(await status(libraries.ours, options), [["500", false]])
      assert.notDeepEqual(await status(libraries.peer, options), [["500", false]])
    }
  })

  it("Sender.frame leaves the data as it is", () => {
    const after = (lib: Lib): string => {
      const data = Buffer.from("some data")
      const { frame: make }: { readonly frame: (data: Buffer, options: object) => unknown } = Reflect.get(lib, "Sender")
      make(data, { opcode: 1, fin: true, mask: true, generateMask: (mask: Buffer) => mask.fill(1) })
      return data.toString()
    }
    assert.deepStrictEqual([after(libraries.ours), after(libraries.peer)], ["some data", "rnld!e`u`"])
  })

  it("functions of the parts that a program replaces are not called", async () => {
    const { ours, peer } = await both(async (lab) => {
      const { client } = await lab.pair({ perMessageDeflate: true }, { perMessageDeflate: { threshold: 0 } })
      for (const [part, name] of [
        [Reflect.get(client, "_sender"), "sendFrame"],
        [Reflect.get(Reflect.get(client, "_extensions"), "permessage-deflate"), "compress"]
      ] as const) {
        const original: Function = Reflect.get(part, name)
        Reflect.set(part, name, (...args: ReadonlyArray<unknown>) => {
          lab.note(name)
          return Reflect.apply(original, part, args)
        })
      }
      await new Promise<void>((resolve) => client.send("text", () => resolve()))
    })
    assert.deepStrictEqual([ours, peer], [[], [["compress"], ["sendFrame"]]])
  })

  it("members that belong to the implementation of ws don't exist", async () => {
    const { ours, peer } = await both(async (lab) => {
      const { client, server } = await lab.pair()
      lab.note("completeUpgrade" in server, "_closeTimer" in client)
      lab.note("startLoop" in Reflect.get(client, "_receiver"), "dispatch" in Reflect.get(client, "_sender"))
    })
    assert.deepStrictEqual(ours, [
      [false, false],
      [false, false]
    ])
    assert.deepStrictEqual(peer, [
      [true, true],
      [true, true]
    ])
  })

  it("no native package is looked for, whatever the environment is", () => {
    const sources = globSync("src/ws/**/*.ts").map((file) => readFileSync(file, "utf8"))
    assert.isAbove(sources.length, 10)
    for (const source of sources) assert.notMatch(source, /bufferutil|utf-8-validate|WS_NO_/)
  })

  it("an address that is no URL is reported without its secrets", () => {
    const message = (lib: Lib): string => {
      try {
        return new lib.WebSocket("ws://user:password@host:port/path?token=secret").url
      } catch (error) {
        return Error.prototype.isPrototypeOf(error as object) ? String(Reflect.get(error as object, "message")) : ""
      }
    }
    for (const secret of ["user", "password", "secret"]) {
      assert.notInclude(message(libraries.ours), secret)
      assert.include(message(libraries.peer), secret)
    }
    assert.match(message(libraries.ours), /^Invalid URL: /)
  })

  it("has no condition for browsers among its exports", () => {
    const { exports } = createRequire(import.meta.url)("effect-ws/package.json")
    assert.strictEqual(exports["./ws"], "./dist/ws/index.js")
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
