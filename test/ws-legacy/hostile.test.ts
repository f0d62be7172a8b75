import { assert, describe, it } from "@effect/vitest"
import { WebSocket } from "effect-ws/ws/legacy"
import { connectionOf, once, rawClient, rawServer, serve, type ServerOptions, type Socket } from "./peers.ts"
import { Running } from "./running.ts"
import {
  bare,
  hixieExample,
  hixieRequest,
  masked,
  type RawClient,
  type Resources,
  turn,
  upgradeRequest,
  using
} from "./support.ts"

/** A raw client of an open connection, and the server's side of it. */
const open = async (
  resources: Resources,
  options: ServerOptions = {}
): Promise<{ raw: RawClient; theirs: Socket; port: number }> => {
  const { port, server } = await serve(WebSocket, resources, options)
  const connected = connectionOf(server)
  const raw = await rawClient(resources, port)
  await raw.head()
  return { raw, theirs: await connected, port }
}

/** The same with Hixie-76. */
const openHixie = async (
  resources: Resources,
  options: ServerOptions = {}
): Promise<{ raw: RawClient; theirs: Socket }> => {
  const { port, server } = await serve(WebSocket, resources, options)
  const connected = connectionOf(server)
  const raw = await rawClient(resources, port, hixieRequest() + hixieExample.key3)
  await raw.head()
  await raw.read(16)
  return { raw, theirs: await connected }
}

/** What a server tells of bytes that break the protocol, and the close code that it answers. */
const told = async (
  resources: Resources,
  bytes: Uint8Array,
  options: ServerOptions = {}
): Promise<ReadonlyArray<unknown>> => {
  const { raw, theirs } = await open(resources, options)
  const error = once(theirs, "error")
  const closed = once(theirs, "close")
  raw.write(bytes)
  const frame = await raw.frame()
  const args = await error
  raw.socket.end()
  const [code] = await closed
  assert.strictEqual(frame?.payload.readUInt16BE(0), code)
  assert.strictEqual(args[1], code)
  return args
}

const long = (length: bigint, opcode = 2): Buffer => {
  const header = Buffer.from([0x80 | opcode, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])
  header.writeBigUInt64BE(length, 2)
  return header
}

describe("a peer that breaks the protocol", () => {
  it(
    "has to mask as a client",
    using(async (resources) => {
      const [reason, code] = await told(resources, bare(1, "hi"))
      assert.deepStrictEqual([reason, code], ["a client's frame is not masked", 1002])
    })
  )

  it(
    "must not mask as a server",
    using(async (resources) => {
      const { upgraded, url } = await rawServer(resources)
      const socket = new WebSocket(url)
      const [, peer] = await upgraded
      await once(socket, "open")
      const error = once(socket, "error")
      peer.write(masked(1, "hi"))
      assert.deepStrictEqual(await error, ["a server's frame is masked", 1002])
      const frame = await peer.frame()
      assert.deepStrictEqual([frame?.opcode, frame?.payload], [8, Buffer.from([0x03, 0xea])])
    })
  )

  it(
    "sends text that is none",
    using(async (resources) => {
      for (const bytes of [
        masked(1, Buffer.from([0xff])),
        masked(1, Buffer.from([0xed, 0xa0, 0x80])),
        Buffer.concat([masked(1, Buffer.from([0xc3]), false), masked(0, "x")]),
        masked(8, Buffer.from([0x03, 0xe8, 0xff]))
      ]) {
        assert.deepStrictEqual(await told(resources, bytes), ["invalid utf8 sequence", 1007])
      }
    })
  )

  it(
    "sends more than the limit",
    using(async (resources) => {
      assert.strictEqual((await told(resources, masked(2, Buffer.alloc(11)), { maxPayload: 10 }))[1], 1009)
      const parts = Buffer.concat([masked(1, "12345", false), masked(0, "678901")])
      assert.strictEqual((await told(resources, parts, { maxPayload: 10 }))[1], 1009)
      const { raw, theirs } = await open(resources, { maxPayload: 10 })
      const message = once(theirs, "message")
      raw.write(Buffer.concat([masked(1, "12345", false), masked(0, "67890")]))
      assert.strictEqual((await message)[0], "1234567890")
    })
  )

  it(
    "announces more than 100 MiB",
    using(async (resources) => {
      const limit = 100n * 1024n * 1024n
      assert.strictEqual(new WebSocket.Server({ noServer: true }).options.maxPayload, Number(limit))
      for (const length of [limit + 1n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
        assert.strictEqual((await told(resources, long(length)))[1], 1009)
      }
    })
  )

  it(
    "may write a length longer than it has to, as with the original",
    using(async (resources) => {
      const { raw, theirs } = await open(resources)
      const message = once(theirs, "message")
      raw.write(Buffer.concat([Buffer.from([0x81, 0xfe, 0, 2, 0, 0, 0, 0]), Buffer.from("hi")]))
      assert.strictEqual((await message)[0], "hi")
    })
  )

  it(
    "needs nobody who listens to errors",
    using(async (resources) => {
      const { raw, theirs } = await open(resources)
      const closed = once(theirs, "close")
      raw.write(masked(3))
      assert.deepStrictEqual((await raw.frame())?.payload, Buffer.from([0x03, 0xea]))
      raw.socket.end()
      assert.deepStrictEqual(await closed, [1002, ""])
    })
  )

  it(
    "sends byte by byte, and empty fragments without end",
    using(async (resources) => {
      const { raw, theirs } = await open(resources)
      let message = once(theirs, "message")
      raw.socket.setNoDelay(true)
      for (const byte of Buffer.concat([masked(1, "he", false), masked(0, "llo")])) {
        raw.write(Buffer.of(byte))
        await turn()
      }
      assert.strictEqual((await message)[0], "hello")
      message = once(theirs, "message")
      const empty = masked(0, "", false)
      raw.write(Buffer.concat([masked(1, "", false), ...Array.from({ length: 50_000 }, () => empty), masked(0)]))
      assert.strictEqual((await message)[0], "")
    })
  )

  it(
    "pings and reads nothing: one pong waits for it",
    using(async (resources) => {
      const { raw, theirs } = await open(resources)
      raw.socket.pause()
      const pings: Array<unknown> = []
      theirs.on("ping", () => pings.push(1))
      const block = Buffer.concat(Array.from({ length: 5000 }, () => masked(9, "x".repeat(125))))
      while (theirs.bufferedAmount === 0) {
        raw.write(block)
        await turn()
      }
      const before = theirs.bufferedAmount
      const seen = pings.length
      for (let count = 0; count < 5; count++) raw.write(block)
      while (pings.length < seen + 25_000) await turn()
      assert.isAtMost(theirs.bufferedAmount, before + 128 * 1024)
    })
  )

  it(
    "is told no more than a request may hold",
    using(async (resources) => {
      const { port, server } = await serve(WebSocket, resources)
      const many = Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`X-${index}`, "1"]))
      const request = upgradeRequest("/", { Upgrade: undefined, Connection: undefined, ...many })
      const raw = await rawClient(
        resources,
        port,
        request.replace(/\r\n$/, "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
      )
      assert.match(String((await raw.head())[0]), / (?:4\d\d|200|404) /)
      const next = await rawClient(resources, port)
      assert.match(String((await next.head())[0]), / 101 /)
      assert.lengthOf(server.clients, 1)
    })
  )

  it(
    "asks with headers that are none",
    using(async (resources) => {
      const { port } = await serve(WebSocket, resources)
      for (const headers of [
        { "Sec-WebSocket-Key": "short" },
        { "Sec-WebSocket-Key": "a".repeat(24) },
        { "Sec-WebSocket-Protocol": `b${" ".repeat(8000)}x` },
        { "Sec-WebSocket-Protocol": "a, a" },
        { Host: "a b" },
        { Origin: "a b" },
        { "Sec-WebSocket-Version": "13, 8" }
      ]) {
        const raw = await rawClient(resources, port, upgradeRequest("/", headers))
        assert.strictEqual((await raw.head())[0], "HTTP/1.1 400 Bad Request", JSON.stringify(headers).slice(0, 80))
        assert.strictEqual((await raw.rest()).length, 0)
      }
      const raw = await rawClient(resources, port, upgradeRequest("/", {}, "POST"))
      assert.strictEqual((await raw.head())[0], "HTTP/1.1 400 Bad Request")
    })
  )
})

describe("a Hixie-76 peer that breaks the protocol", () => {
  it(
    "asks with keys that no client makes, and gets no 101",
    using(async (resources) => {
      const { port } = await serve(WebSocket, resources)
      for (const key1 of ["12345", "1 0 1", "no digits ", "99999999999 9", `${"9".repeat(400)} `]) {
        for (const headers of [{ "Sec-WebSocket-Key1": key1 }, { "Sec-WebSocket-Key2": key1 }]) {
          const raw = await rawClient(resources, port, hixieRequest("/", headers) + hixieExample.key3)
          assert.strictEqual((await raw.head())[0], "HTTP/1.1 400 Bad Request", key1.slice(0, 40))
          assert.strictEqual((await raw.rest()).length, 0)
        }
      }
    })
  )

  it(
    "names a host that is none",
    using(async (resources) => {
      const { port } = await serve(WebSocket, resources)
      for (const headers of [{ Host: "a b" }, { "X-Forwarded-Host": "a b" }]) {
        const raw = await rawClient(resources, port, hixieRequest("/", headers) + hixieExample.key3)
        assert.strictEqual((await raw.head())[0], "HTTP/1.1 400 Bad Request")
      }
    })
  )

  it(
    "cuts its closing frame in two",
    using(async (resources) => {
      const { raw, theirs } = await openHixie(resources)
      const closed = once(theirs, "close")
      raw.write(Buffer.of(0xff))
      await turn()
      raw.write(Buffer.of(0x00))
      assert.deepStrictEqual(await raw.rest(), Buffer.of(0xff, 0x00))
      raw.socket.end()
      assert.deepStrictEqual(await closed, [1000, ""])
    })
  )

  it(
    "sends frames of other kinds, cut where it hurts, and then text",
    using(async (resources) => {
      const { raw, theirs } = await openHixie(resources)
      const message = once(theirs, "message")
      const bytes = [0x80, 0x81, 0x00, ...Buffer.alloc(128, 0x41), 0x01, 0x42, 0xff, 0x00, 0x68, 0x69, 0xff]
      raw.socket.setNoDelay(true)
      for (const byte of bytes) {
        raw.write(Buffer.of(byte))
        await turn()
      }
      assert.deepStrictEqual(await message, ["hi", {}])
    })
  )

  it(
    "announces a length without end",
    using(async (resources) => {
      for (const digit of [0x80, 0xff]) {
        const { raw, theirs } = await openHixie(resources)
        const error = once(theirs, "error")
        raw.write(Buffer.concat([Buffer.of(0x80), Buffer.alloc(100_000, digit)]))
        const [reason, code] = await error
        assert.isString(reason)
        assert.include([1002, 1009], code)
        assert.deepStrictEqual(await raw.rest(), Buffer.of(0xff, 0x00))
      }
    })
  )

  it(
    "sends text that is none, or more than the limit",
    using(async (resources) => {
      const first = await openHixie(resources)
      const error = once(first.theirs, "error")
      first.raw.write(Buffer.of(0x00, 0xc3, 0x28, 0xff))
      assert.deepStrictEqual(await error, ["invalid utf8 sequence", 1007])

      const second = await openHixie(resources, { maxPayload: 10 })
      const message = once(second.theirs, "message")
      second.raw.write("\x001234567890")
      second.raw.write(Buffer.of(0xff))
      assert.strictEqual((await message)[0], "1234567890")
      const tooLong = once(second.theirs, "error")
      second.raw.write("\x0012345678901")
      assert.strictEqual((await tooLong)[1], 1009)
    })
  )
})

describe("a listener that throws", () => {
  it(
    "is heard of, and stops nothing",
    using(async (resources) => {
      const running = new Running(
        resources,
        `var WebSocket = require('effect-ws/ws/legacy');
        process.on('uncaughtException', function (error) { console.log('uncaught ' + error.message); });
        var wss = new WebSocket.Server({ port: 0 });
        wss.on('connection', function (ws) {
          ws.on('message', function (message) {
            if (message === 'bad') throw new Error('thrown');
            console.log('heard ' + message);
          });
          ws.on('ping', function () { throw new Error('thrown by ping'); });
        });`
      )
      const raw = await rawClient(resources, await running.port())
      await raw.head()
      raw.write(Buffer.concat([masked(1, "bad"), masked(9), masked(1, "one")]))
      raw.write(masked(1, "two"))
      await running.says(/^uncaught thrown$/m)
      await running.says(/^uncaught thrown by ping$/m)
      await running.says(/^heard one$/m)
      await running.says(/^heard two$/m)
    })
  )

  it(
    "or a verifyClient that throws: the client is refused",
    using(async (resources) => {
      const running = new Running(
        resources,
        `process.on('uncaughtException', function (error) { console.log('uncaught ' + error.message); });
        new (require('effect-ws/ws/legacy').Server)({ port: 0, verifyClient: function () { throw new Error('thrown'); } });`
      )
      const raw = await rawClient(resources, await running.port())
      assert.match(String((await raw.head())[0]), / 500 /)
      await running.says(/^uncaught thrown$/m)
    })
  )
})
