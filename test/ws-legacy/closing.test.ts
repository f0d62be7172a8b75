import { afterAll, assert, beforeAll, describe, it, vi } from "@effect/vitest"
import { WebSocket } from "effect-ws/ws/legacy"
import { connectionOf, once, pair, rawClient, rawServer, serve, type ServerOptions, type Socket } from "./peers.ts"
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

// The engine's clock is the system's; here it stands still until it is told to go on. Sockets don't care.
beforeAll(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }))
afterAll(() => void vi.useRealTimers())

const rawPair = async (
  resources: Resources,
  options: ServerOptions = {}
): Promise<{ raw: RawClient; theirs: Socket }> => {
  const { port, server } = await serve(WebSocket, resources, options)
  const connected = connectionOf(server)
  const raw = await rawClient(resources, port)
  await raw.head()
  return { raw, theirs: await connected }
}

describe("close", () => {
  it(
    "waits for the peer's close frame, and tells the code that was given",
    using(async (resources) => {
      const { raw, theirs } = await rawPair(resources)
      const events: Array<unknown> = []
      theirs.on("message", (data) => events.push(data))
      const closed = new Promise<void>((resolve) => {
        theirs.on("close", (...args) => {
          events.push(args)
          resolve()
        })
      })
      theirs.close(4000, "why")
      assert.strictEqual(theirs.readyState, WebSocket.CLOSING)
      const frame = await raw.frame()
      assert.deepStrictEqual(frame?.payload, Buffer.concat([Buffer.from([0x0f, 0xa0]), Buffer.from("why")]))
      raw.write(masked(1, "still talking"))
      raw.write(masked(8, Buffer.from([0x0f, 0xa1])))
      assert.strictEqual((await raw.rest()).length, 0)
      raw.socket.end()
      await closed
      assert.deepStrictEqual(events, ["still talking", [4000, "why"]])
    })
  )

  it(
    "ends the transport as a client too, once both close frames are on their way",
    using(async (resources) => {
      const { upgraded, url } = await rawServer(resources)
      const socket = new WebSocket(url)
      const [, peer] = await upgraded
      await once(socket, "open")
      socket.close(1000)
      const frame = await peer.frame()
      assert.deepStrictEqual([frame?.opcode, frame?.masked], [8, true])
      peer.write(bare(8, Buffer.from([0x03, 0xe8])))
      assert.strictEqual((await peer.rest()).length, 0)
    })
  )

  it(
    "drops the transport when the peer takes longer than 30 seconds",
    using(async (resources) => {
      const { theirs } = await rawPair(resources)
      const closed = once(theirs, "close")
      theirs.close()
      vi.advanceTimersByTime(29_999)
      await turn()
      await turn()
      assert.strictEqual(theirs.readyState, WebSocket.CLOSING)
      vi.advanceTimersByTime(1)
      assert.deepStrictEqual(await closed, [1000, ""])
      assert.strictEqual(theirs.readyState, WebSocket.CLOSED)
    })
  )

  it(
    "reads on when it was paused, so that it comes to an end",
    using(async (resources) => {
      const { socket, theirs } = await pair(WebSocket, resources)
      theirs.pause()
      const closed = Promise.all([once(theirs, "close"), once(socket, "close")])
      theirs.close(1001)
      assert.deepStrictEqual(await closed, [
        [1001, ""],
        [1001, ""]
      ])
    })
  )

  it(
    "takes a reason of 123 bytes, and no more",
    using(async (resources) => {
      const fits = await pair(WebSocket, resources)
      const closed = once(fits.socket, "close")
      fits.theirs.close(3000, "é".repeat(61) + "x")
      assert.deepStrictEqual(await closed, [3000, "é".repeat(61) + "x"])

      const { raw, theirs } = await rawPair(resources)
      const error = once(theirs, "error")
      theirs.close(3000, "é".repeat(62))
      assert.match(String((await error)[0]), /123 bytes, not 124/)
      assert.strictEqual((await raw.rest()).length, 0)
    })
  )

  it(
    "takes a reason of bytes",
    using(async (resources) => {
      const { socket, theirs } = await pair(WebSocket, resources)
      const closed = once(socket, "close")
      theirs.close(3000, Buffer.from("bytes"))
      assert.deepStrictEqual(await closed, [3000, "bytes"])
    })
  )

  it(
    "takes the codes of the original",
    using(async (resources) => {
      for (const code of [1000, 1003, 1007, 1011, 3000, 4999]) {
        const { socket, theirs } = await pair(WebSocket, resources)
        const closed = once(socket, "close")
        theirs.close(code)
        assert.deepStrictEqual(await closed, [code, ""])
      }
      for (const code of [999, 1004, 1005, 1006, 1012, 1015, 2999, 5000, 1000.5, "1000", null, Number.NaN]) {
        const { raw, theirs } = await rawPair(resources)
        const error = once(theirs, "error")
        theirs.close(code as never)
        assert.strictEqual(theirs.readyState, WebSocket.CLOSING)
        assert.strictEqual(((await error)[0] as Error).message, "first argument must be a valid error code number")
        assert.strictEqual((await raw.rest()).length, 0)
      }
    })
  )

  it(
    "throws a bad code at a caller who doesn't listen to errors, and ends all the same",
    using(async (resources) => {
      const { raw, theirs } = await rawPair(resources)
      assert.throws(() => theirs.close(1), "first argument must be a valid error code number")
      assert.strictEqual((await raw.rest()).length, 0)
    })
  )

  it(
    "tells 1000 for a peer that goes without a word",
    using(async (resources) => {
      const { raw, theirs } = await rawPair(resources)
      const closed = once(theirs, "close")
      raw.socket.end()
      assert.deepStrictEqual(await closed, [1000, ""])
    })
  )

  it(
    "is the last event, and the end of all listeners",
    using(async (resources) => {
      const { socket, theirs } = await pair(WebSocket, resources)
      for (const event of ["message", "error", "pong"]) theirs.on(event, () => {})
      const closed = once(theirs, "close")
      socket.close()
      await closed
      await turn()
      assert.deepStrictEqual(theirs.eventNames(), [])
    })
  )
})

describe("terminate", () => {
  it(
    "sends no close frame, and drops a peer that doesn't end after 30 seconds",
    using(async (resources) => {
      const { raw, theirs } = await rawPair(resources)
      const closed = once(theirs, "close")
      const messages: Array<unknown> = []
      theirs.on("message", (data) => messages.push(data))
      theirs.terminate()
      assert.strictEqual(theirs.readyState, WebSocket.CLOSING)
      assert.throws(() => theirs.send("x"), "not opened")
      assert.strictEqual((await raw.rest()).length, 0)
      raw.write(masked(1, "I am here"))
      while (messages.length === 0) await turn()
      vi.advanceTimersByTime(29_999)
      await turn()
      assert.strictEqual(theirs.readyState, WebSocket.CLOSING)
      vi.advanceTimersByTime(1)
      assert.deepStrictEqual(await closed, [1000, ""])
    })
  )

  it(
    "ends a closing handshake that hangs",
    using(async (resources) => {
      const { raw, theirs } = await rawPair(resources)
      const closed = once(theirs, "close")
      theirs.close(1001)
      await raw.frame()
      theirs.terminate()
      assert.strictEqual((await raw.rest()).length, 0)
      raw.socket.end()
      assert.deepStrictEqual(await closed, [1001, ""])
      theirs.terminate()
    })
  )

  it(
    "is what Server.close does to clients",
    using(async (resources) => {
      const { server, socket, theirs } = await pair(WebSocket, resources)
      const closed = Promise.all([once(socket, "close"), once(theirs, "close")])
      server.close()
      assert.deepStrictEqual(await closed, [
        [1000, ""],
        [1000, ""]
      ])
    })
  )
})

describe("time in the handshake", () => {
  it(
    "a Hixie-76 client has 10 seconds for the bytes behind its head",
    using(async (resources) => {
      const { port, server } = await serve(WebSocket, resources)
      assert.strictEqual(server.options.handshakeTimeout, 10_000)
      const asked = new Promise<void>((resolve) => {
        server.options.server?.prependListener("upgrade", () => resolve())
      })
      const raw = await rawClient(resources, port, hixieRequest() + hixieExample.key3.slice(0, 7))
      await asked
      await turn()
      vi.advanceTimersByTime(9999)
      await turn()
      assert.isFalse(raw.socket.readableEnded)
      vi.advanceTimersByTime(1)
      assert.match(String((await raw.head())[0]), / 408 /)
    })
  )

  it(
    "a refused client that doesn't go is dropped",
    using(async (resources) => {
      const { http: web, port } = await serve(WebSocket, resources, {
        handshakeTimeout: 50,
        verifyClient: () => false
      })
      const closed = new Promise<void>((resolve) => {
        web.on("upgrade", (_, socket) => socket.on("close", () => resolve()))
      })
      const raw = await rawClient(resources, port, upgradeRequest())
      assert.match(String((await raw.head())[0]), / 401 /)
      assert.strictEqual((await raw.rest()).length, 0)
      vi.advanceTimersByTime(50)
      await closed
    })
  )
})
