import { assert, describe, it } from "@effect/vitest"
import { WebSocket } from "effect-ws/ws/legacy"
import { PassThrough, Readable } from "node:stream"
import { connectionOf, once, pair, rawClient, rawServer, serve, type Socket } from "./peers.ts"
import { hixieExample, hixieRequest, masked, type RawClient, type Resources, turn, using } from "./support.ts"

const rawPair = async (resources: Resources): Promise<{ raw: RawClient; theirs: Socket }> => {
  const { port, server } = await serve(WebSocket, resources)
  const connected = connectionOf(server)
  const raw = await rawClient(resources, port)
  await raw.head()
  return { raw, theirs: await connected }
}

const hixiePair = async (resources: Resources): Promise<{ raw: RawClient; theirs: Socket }> => {
  const { port, server } = await serve(WebSocket, resources)
  const connected = connectionOf(server)
  const raw = await rawClient(resources, port, hixieRequest() + hixieExample.key3)
  await raw.head()
  await raw.read(16)
  return { raw, theirs: await connected }
}

const sent = (send: (done: (error?: Error | null) => void) => void): Promise<Error | null | undefined> =>
  new Promise((resolve) => send(resolve))

describe("send", () => {
  it(
    "masks each frame with a key of its own",
    using(async (resources) => {
      const { upgraded, url } = await rawServer(resources)
      const socket = new WebSocket(url)
      const [, peer] = await upgraded
      await once(socket, "open")
      const keys = new Set<string>()
      for (let count = 0; count < 16; count++) socket.send("abcd")
      for (let count = 0; count < 16; count++) {
        const frame = await peer.read(10)
        keys.add(frame.subarray(2, 6).toString("hex"))
      }
      assert.isAbove(keys.size, 12)
      socket.terminate()
    })
  )

  it(
    "leaves the caller's bytes and options as they are",
    using(async (resources) => {
      const { socket, theirs } = await pair(WebSocket, resources)
      const options = {}
      for (const size of [10, 100_000]) {
        const data = Buffer.alloc(size, 0x41)
        const message = once(theirs, "message")
        socket.send(data, options)
        assert.isTrue(data.equals(Buffer.alloc(size, 0x41)))
        assert.isTrue(data.equals((await message)[0] as Buffer))
      }
      const text = once(theirs, "message")
      socket.send("text", options)
      assert.strictEqual((await text)[0], "text")
      assert.deepStrictEqual(options, {})
    })
  )

  it(
    "is done with the caller's bytes when it returns, as far as the original was",
    using(async (resources) => {
      const { raw, theirs } = await rawPair(resources)
      for (const data of [Buffer.alloc(20_000), Buffer.alloc(100), new Uint8Array(200_000), new Float32Array(50_000)]) {
        const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
        bytes.fill(1)
        theirs.send(data)
        bytes.fill(2)
        const frame = await raw.frame()
        assert.strictEqual(frame?.payload.indexOf(2), -1)
        assert.strictEqual(frame?.payload.length, data.byteLength)
      }
    })
  )

  it(
    "is done with bytes that are no Buffer even when the peer doesn't read",
    using(async (resources) => {
      const { raw, theirs } = await rawPair(resources)
      raw.socket.pause()
      const filler = Buffer.alloc(1024 * 1024)
      let sent = 0
      while (theirs.bufferedAmount === 0) {
        theirs.send(filler)
        sent++
        await turn()
      }
      const bytes = new Uint8Array(20_000).fill(1)
      theirs.send(bytes)
      bytes.fill(2)
      raw.socket.resume()
      for (let count = 0; count < sent; count++) await raw.frame()
      assert.strictEqual((await raw.frame())?.payload.indexOf(2), -1)
    })
  )

  it(
    "writes numbers as text, never memory",
    using(async (resources) => {
      const { raw, theirs } = await rawPair(resources)
      theirs.send(1000)
      theirs.send(true)
      theirs.send({ toString: () => "an object" })
      theirs.ping(100)
      theirs.stream((_, send) => send(12, true))
      const seen: Array<unknown> = []
      for (let count = 0; count < 5; count++) seen.push((await raw.frame())?.payload.toString())
      assert.deepStrictEqual(seen, ["1000", "true", "an object", "100", "12"])
    })
  )

  it(
    "gives the callback the error of a connection that is lost",
    using(async (resources) => {
      const { raw, theirs } = await rawPair(resources)
      raw.socket.pause()
      const big = Buffer.alloc(1024 * 1024)
      while (theirs.bufferedAmount === 0) {
        theirs.send(big)
        await turn()
      }
      const failed = sent((done) => theirs.send("x", done))
      raw.socket.destroy()
      assert.instanceOf(await failed, Error)
    })
  )

  it(
    "calls back once the system has it",
    using(async (resources) => {
      const { raw, theirs } = await rawPair(resources)
      let synchronous = true
      const done = sent((resolve) =>
        theirs.send("x", (error) => {
          assert.isFalse(synchronous)
          resolve(error)
        })
      )
      synchronous = false
      assert.isNotOk(await done)
      assert.strictEqual((await raw.frame())?.payload.toString(), "x")
    })
  )
})

describe("ping and pong", () => {
  it(
    "hold at most 125 bytes",
    using(async (resources) => {
      const { raw, theirs } = await rawPair(resources)
      theirs.ping("x".repeat(125))
      assert.strictEqual((await raw.frame())?.payload.length, 125)
      assert.throws(() => theirs.ping("x".repeat(126)), /125/)
      assert.throws(() => theirs.pong(Buffer.alloc(126)), /125/)
    })
  )

  it(
    "answers pings by itself, before it tells",
    using(async (resources) => {
      const { raw, theirs } = await rawPair(resources)
      const ping = once(theirs, "ping")
      raw.write(masked(9, "are you there"))
      assert.deepStrictEqual(await ping, [Buffer.from("are you there"), { masked: true, binary: true }])
      const frame = await raw.frame()
      assert.deepStrictEqual([frame?.opcode, frame?.payload.toString()], [10, "are you there"])
    })
  )
})

describe("messages in pieces", () => {
  it(
    "a stream is read no faster than the peer takes it",
    using(async (resources) => {
      const { raw, theirs } = await rawPair(resources)
      raw.socket.removeAllListeners("data")
      raw.socket.resume()
      const waiting: Array<number> = []
      const source = new Readable({
        highWaterMark: 64 * 1024,
        read() {
          waiting.push(theirs.bufferedAmount)
          this.push(waiting.length > 500 ? null : Buffer.alloc(64 * 1024))
        }
      })
      assert.isNotOk(await sent((done) => theirs.send(source, { binary: true }, done)))
      assert.lengthOf(waiting, 501)
      assert.isAtMost(Math.max(...waiting), 512 * 1024)
    })
  )

  it(
    "a stream that fails can't be completed: 1011, and others are not sent either",
    using(async (resources) => {
      for (const fail of [
        (source: PassThrough) => source.destroy(new Error("broken")),
        (source: PassThrough) => source.destroy()
      ]) {
        const { raw, theirs } = await rawPair(resources)
        const source = new PassThrough()
        const failed = sent((done) => theirs.send(source, done))
        const queued = sent((done) => theirs.send("after", done))
        const closed = once(theirs, "close")
        source.write("piece")
        assert.deepInclude(await raw.frame(), { opcode: 1, fin: false })
        fail(source)
        assert.match(String(await failed), /broken|ended before/)
        assert.strictEqual((await queued)?.message, "not opened")
        const frame = await raw.frame()
        assert.deepStrictEqual([frame?.opcode, frame?.payload], [8, Buffer.from([0x03, 0xf3])])
        raw.write(masked(8, Buffer.from([0x03, 0xf3])))
        raw.socket.end()
        assert.deepStrictEqual(await closed, [1011, ""])
      }
    })
  )

  it(
    "hear of a connection that ends before they do",
    using(async (resources) => {
      const { raw, theirs } = await rawPair(resources)
      const source = new PassThrough()
      const failed = sent((done) => theirs.send(source, done))
      const queued = sent((done) => theirs.send("after", done))
      const streamed = new Promise<Error | null>((resolve) => theirs.stream((error) => resolve(error)))
      source.write("piece")
      await raw.frame()
      raw.socket.resetAndDestroy()
      assert.strictEqual((await failed)?.message, "not opened")
      assert.strictEqual((await queued)?.message, "not opened")
      assert.strictEqual((await streamed)?.message, "not opened")
      assert.strictEqual(source.listenerCount("data"), 0)
    })
  )

  it(
    "tells errors of a stream without a callback as an event, to those who listen",
    using(async (resources) => {
      const { theirs } = await rawPair(resources)
      const error = once(theirs, "error")
      theirs.send(new Readable({ read: () => {} }).destroy(new Error("broken")))
      assert.match(String((await error)[0]), /broken/)
      const silent = await rawPair(resources)
      silent.theirs.send(new Readable({ read: () => {} }).destroy(new Error("broken")))
      // It fails before its first piece: nothing is sent of it, and the connection goes on.
      silent.theirs.send("after")
      assert.deepInclude(await silent.raw.frame(), { opcode: 1, fin: true, payload: Buffer.from("after") })
    })
  )

  it(
    "stream gives an error to those who go on after the end",
    using(async (resources) => {
      const { raw, theirs } = await rawPair(resources)
      const errors: Array<unknown> = []
      const over = new Promise<void>((resolve) => {
        theirs.stream((error, send) => {
          if (error === null) {
            send("all of it", true)
            send("and more", true)
          } else {
            errors.push(error.message)
            resolve()
          }
        })
      })
      await over
      assert.deepStrictEqual(errors, ["not opened"])
      assert.strictEqual((await raw.frame())?.payload.toString(), "all of it")
      theirs.send("next")
      assert.deepInclude(await raw.frame(), { opcode: 1, fin: true })
    })
  )

  it(
    "control frames pass between the pieces",
    using(async (resources) => {
      const { raw, theirs } = await rawPair(resources)
      const source = new PassThrough()
      theirs.send(source)
      source.write("piece")
      await raw.frame()
      theirs.ping("now")
      assert.deepInclude(await raw.frame(), { opcode: 9 })
      source.end()
      assert.deepInclude(await raw.frame(), { opcode: 0, fin: true })
    })
  )
})

describe("Hixie-76", () => {
  it(
    "has text alone, and says so",
    using(async (resources) => {
      const { raw, theirs } = await hixiePair(resources)
      assert.deepStrictEqual(theirs.supports, { binary: false })
      assert.throws(() => theirs.send(Buffer.from("x")), /hixie-76 has no binary/)
      assert.throws(() => theirs.send("x", { binary: true }), /hixie-76 has no binary/)
      assert.match(String(await sent((done) => theirs.send(new Uint8Array(1), done))), /hixie-76 has no binary/)
      assert.throws(() => theirs.send(Buffer.of(0xff), { binary: false }), /UTF-8/)
      assert.throws(() => theirs.ping(), /hixie-76 has no pings/)
      assert.throws(() => theirs.pong("x"), /hixie-76 has no pings/)
      theirs.ping("x", {}, true)
      theirs.send(Buffer.from("hé"), { binary: false })
      theirs.send("ok", { mask: true })
      assert.deepStrictEqual(await raw.read(9), Buffer.from("\0h\xc3\xa9\xff\0ok\xff", "latin1"))
    })
  )

  it(
    "sends the pieces of a message together",
    using(async (resources) => {
      const { raw, theirs } = await hixiePair(resources)
      const pieces = ["a", Buffer.of(0xc3), Buffer.of(0xa9)]
      theirs.stream((_, send) => send(pieces.shift(), pieces.length === 0))
      theirs.send("after")
      assert.deepStrictEqual(await raw.read(12), Buffer.from("\0a\xc3\xa9\xff\0after\xff", "latin1"))
      const done = sent((resolve) => theirs.send(Readable.from(["x", "y"]), resolve))
      assert.deepStrictEqual(await raw.read(4), Buffer.from("\0xy\xff", "latin1"))
      assert.isNotOk(await done)
      const failed = new Promise<Error | null>((resolve) => {
        theirs.stream({ binary: true }, (error, send) => (error === null ? send("x", true) : resolve(error)))
      })
      assert.match(String(await failed), /hixie-76 has no binary/)
      theirs.send("next")
      assert.deepStrictEqual(await raw.read(6), Buffer.from("\0next\xff", "latin1"))
    })
  )

  it(
    "closes without a code, whatever is given",
    using(async (resources) => {
      const { raw, theirs } = await hixiePair(resources)
      const closed = once(theirs, "close")
      theirs.close(4321, "x".repeat(200))
      assert.deepStrictEqual(await raw.read(2), Buffer.of(0xff, 0))
      raw.write(Buffer.of(0xff, 0))
      raw.socket.end()
      assert.deepStrictEqual(await closed, [4321, "x".repeat(200)])
    })
  )
})
