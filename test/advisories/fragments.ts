// Lengths, fragments, chunks, pings: what a peer can make us keep.
import { assert, describe } from "@effect/vitest"
import { Frame } from "effect-ws"
import { once } from "node:events"
import * as net from "node:net"
import { Connection } from "../../src/internal/connection/connection.ts"
import { hybi } from "../../src/internal/protocol/hybi/codec.ts"
import { ReceiveBuffer } from "../../src/internal/socket/receiveBuffer.ts"
import { acceptance, frame, requestHead } from "../ws/lab.ts"
import { bareConnection, forgetful, mib, noTimers, Sink } from "./bare.ts"
import {
  attackClient,
  attackFrames,
  collectGarbage,
  fragments,
  liveBytes,
  masked,
  offersDeflate,
  ponged,
  withServer
} from "./faces.ts"
import { every, hold, holdAll } from "./hold.ts"

const longHeader = (length: bigint, mask: boolean): Buffer => {
  const bytes = Buffer.alloc(mask ? 14 : 10, 1)
  bytes[0] = 0x82
  bytes[1] = mask ? 0xff : 0x7f
  bytes.writeBigUInt64BE(length, 2)
  return bytes
}

describe("CVE-2026-48779", () => {
  const id = "CVE-2026-48779"

  hold(id, "engine", "a message of fragments of one byte costs about its bytes", async () => {
    const bytes = fragments(100_000, "x")
    const connection = bareConnection(forgetful, new Sink())
    const before = await liveBytes()
    connection.received(bytes)
    assert.isBelow((await liveBytes()) - before, mib)
    assert.isTrue(connection.isOpen)
  })

  hold(id, "engine", "a frame in chunks of one byte costs about its bytes", async () => {
    const bytes = masked(0x82, Buffer.alloc(200_000))
    const connection = bareConnection(forgetful, new Sink())
    const before = await liveBytes()
    for (let at = 0; at < bytes.length - 1; at++) connection.received(Buffer.from(bytes.subarray(at, at + 1)))
    assert.isBelow((await liveBytes()) - before, mib)
    assert.isTrue(connection.isOpen)
  })

  holdAll(id, every, "100 000 fragments of one byte", (face) =>
    withServer(face, {}, async (port) => {
      const bytes = Buffer.concat([fragments(100_000, "x"), masked(0x89)])
      const before = await liveBytes()
      let grown = Infinity
      const { code } = await attackFrames(port, [bytes], {
        until: (answer) => answer.code !== undefined || ponged(answer)
      })
      grown = (await liveBytes()) - before
      assert.isBelow(grown, 4 * mib)
      // `ws` counts fragments; the others need not.
      assert.strictEqual(code, face === "ws" ? 1008 : undefined)
    })
  )
})

describe("ws#2329", () => {
  const id = "ws#2329"

  hold(id, "engine", "a million empty fragments cost nothing, plain or compressed", async () => {
    for (const rsv of [0, 4]) {
      const connection = new Connection(forgetful, {
        transport: new Sink(),
        codec: hybi,
        role: "server",
        timers: noTimers,
        maxMessageSize: mib,
        writeHighWaterMark: mib,
        closeTimeout: 1000,
        compression: {
          threshold: Infinity,
          compressSync: () => undefined,
          compress: () => {},
          inflateSync: () => new Uint8Array(0),
          inflateView: () => new Uint8Array(0),
          inflate: () => {},
          close: () => {}
        }
      })
      connection.start()
      const some = fragments(2, "", rsv)
      const more = Buffer.concat(Array.from({ length: 50_000 }, () => masked(0x00)))
      const before = await liveBytes()
      connection.received(some)
      for (let round = 0; round < 20; round++) connection.received(Buffer.from(more))
      assert.isTrue(connection.isOpen)
      assert.isBelow((await liveBytes()) - before, mib)
    }
  })

  for (const face of every) {
    for (const rsv of face === "legacy" ? [0] : [0, 4]) {
      hold(id, face, `60 000 empty fragments, ${rsv === 0 ? "plain" : "compressed"}`, () =>
        withServer(face, { compression: true }, async (port) => {
          const bytes = Buffer.concat([fragments(60_000, "", rsv), masked(0x89)])
          const before = await liveBytes()
          const { code } = await attackFrames(port, [bytes], {
            headers: offersDeflate,
            until: (answer) => answer.code !== undefined || ponged(answer)
          })
          assert.isBelow((await liveBytes()) - before, 4 * mib)
          assert.strictEqual(code, face === "ws" ? 1008 : undefined)
        })
      )
    }
  }
})

describe("ws#2331", () => {
  const id = "ws#2331"

  hold(id, "engine", "messages and frames that nobody reads stop the transport", async () => {
    // Payloads of nothing, of a byte, and fragments: what counts is the overhead.
    const floods = [
      Buffer.concat(Array.from({ length: 1000 }, () => masked(0x82))),
      Buffer.concat(Array.from({ length: 1000 }, () => masked(0x81, "x"))),
      Buffer.concat(Array.from({ length: 1000 }, () => masked(0x8a))),
      Buffer.concat([masked(0x02, "x"), ...Array.from({ length: 998 }, () => masked(0, "x")), masked(0x80, "x")])
    ]
    for (const flood of floods) {
      for (const claim of [
        () => {},
        (receiveBuffer: ReceiveBuffer) => receiveBuffer.claimMessages(),
        (receiveBuffer: ReceiveBuffer) => receiveBuffer.claimFrames()
      ]) {
        const receiveBuffer = new ReceiveBuffer(64 * 1024)
        const connection = bareConnection(receiveBuffer, new Sink(), 16 * mib)
        claim(receiveBuffer)
        const before = await liveBytes()
        let rounds = 0
        // A transport that is paused brings nothing more.
        for (; rounds < 200 && !connection.inbound.isPaused; rounds++) connection.received(Buffer.from(flood))
        assert.isBelow((await liveBytes()) - before, mib, `after ${rounds} reads`)
      }
    }
  })

  hold(id, "engine", "one read can't leave more than sixteen times the limit", () => {
    const receiveBuffer = new ReceiveBuffer(64 * 1024)
    const connection = bareConnection(receiveBuffer, new Sink())
    receiveBuffer.claimMessages()
    connection.received(Buffer.concat(Array.from({ length: 200_000 }, () => masked(0x82))))
    assert.isAtMost(receiveBuffer.take().length, 16 * 1024 + 1)
  })

  holdAll(id, every, "0.87 MB of tiny fragments and a ping between them pin less than 4 MB", (face) =>
    withServer(face, {}, async (port) => {
      const bytes = Buffer.concat([fragments(16_000, "x"), masked(0x89)])
      const before = await liveBytes()
      let during = Infinity
      await attackFrames(port, [bytes], { until: ponged })
      during = (await liveBytes()) - before
      assert.isBelow(during, 4 * mib)
    })
  )
})

describe("ws maxPendingAutoPongs", () => {
  const id = "ws maxPendingAutoPongs"

  hold(id, "engine", "while the transport is congested one pong waits", async () => {
    const sink = new Sink()
    const connection = bareConnection(forgetful, sink)
    sink.congested = true
    const pings = Buffer.concat(Array.from({ length: 5000 }, (_, at) => masked(0x89, String(at).padEnd(125, "."))))
    const before = await liveBytes()
    for (let round = 0; round < 20; round++) connection.received(Buffer.from(pings))
    assert.isBelow((await liveBytes()) - before, mib)
    assert.strictEqual(connection.outbound.buffered, 0)
    sink.congested = false
    connection.drained()
    assert.strictEqual(sink.written, 2 + 125)
  })

  holdAll(id, every, "100 000 pings to a server whose answers nobody reads", (face) =>
    withServer(face, {}, async (port) => {
      const socket = net.connect({ port, host: "127.0.0.1" })
      socket.on("error", () => {})
      socket.write(requestHead())
      await once(socket, "readable")
      // From here on nothing is read.
      const pings = Buffer.concat(Array.from({ length: 5000 }, () => masked(0x89, "x".repeat(125))))
      const before = await liveBytes()
      for (let round = 0; round < 60 && !socket.closed; round++) {
        // Until the server no longer reads either, or has hung up.
        const taken = new Promise<boolean>((resolve) => {
          socket.write(pings, () => resolve(true))
          setTimeout(() => resolve(false), 1000)
        })
        if (!(await taken)) break
      }
      assert.isBelow((await liveBytes()) - before, 8 * mib)
      socket.destroy()
    })
  )
})

describe("ws mask view", () => {
  hold("ws mask view", "engine", "no view of a read buffer is kept between reads", async () => {
    const cuts = [
      masked(0x82, "whole"),
      Buffer.concat([masked(0x89, "a ping"), masked(0x82, "cut in its header").subarray(0, 3)]),
      Buffer.concat([masked(0x8a), masked(0x82, "cut in its masking key").subarray(0, 4)]),
      Buffer.concat([masked(0x82, "before"), masked(0x82, "cut in its payload").subarray(0, -3)]),
      Buffer.concat([masked(0x02, "a first fragment"), masked(0x00, "a second, cut").subarray(0, 9)])
    ]
    const connections: Array<Connection> = []
    const chunks = cuts.map((cut) => {
      const chunk = Buffer.alloc(64 * 1024)
      // What stands before it is another whole frame, so that the chunk is one full read.
      const filler = frame(0x82, Buffer.alloc(chunk.length - cut.length - 8), { mask: true })
      filler.copy(chunk)
      cut.copy(chunk, filler.length)
      const connection = bareConnection(forgetful, new Sink())
      connections.push(connection)
      connection.received(chunk.subarray(0, filler.length + cut.length))
      return new WeakRef(chunk.buffer)
    })
    await collectGarbage()
    for (const [at, chunk] of chunks.entries()) assert.isUndefined(chunk.deref(), `chunk ${at}`)
    assert.isTrue(connections.every(({ isOpen }) => isOpen))
  })
})

describe("CVE-2026-1528", () => {
  const id = "CVE-2026-1528"
  const lengths = [
    2n ** 31n - 1n,
    2n ** 31n,
    2n ** 32n,
    2n ** 53n - 1n,
    2n ** 53n,
    2n ** 63n - 1n,
    2n ** 63n,
    2n ** 64n - 1n
  ]
  hold(id, "engine", "1002 or 1009 from the header alone, in both roles", async () => {
    const before = await liveBytes()
    for (const role of ["server", "client"] as const) {
      for (const length of lengths) {
        const parser = Frame.makeParser(() => {}, { role })
        const error = parser.feed(longHeader(length, role === "server"))
        assert.strictEqual(error?.closeCode, length >= 2n ** 63n ? 1002 : 1009, String(length))
      }
    }
    assert.isBelow((await liveBytes()) - before, mib)
  })

  holdAll(id, every, "a server closes", (face) =>
    withServer(face, {}, async (port) => {
      for (const length of lengths) {
        const { code } = await attackFrames(port, [longHeader(length, true)])
        assert.oneOf(code, [1002, 1009])
      }
    })
  )

  holdAll(id, every, "a client closes", async (face) => {
    for (const length of lengths) {
      const { code } = await attackClient(face, (asked) => [acceptance(asked), longHeader(length, false)])
      assert.oneOf(code, [1002, 1009], String(length))
    }
  })
})

describe("CVE-2020-27813", () => {
  const id = "CVE-2020-27813"
  const half = Buffer.alloc(50_000)
  const attackWith = (control: Buffer) => [masked(0x02, half), control, masked(0x00, half), control, masked(0x80, "x")]

  hold(id, "engine", "fragments add up, whatever stands between them", () => {
    for (const control of [masked(0x89, "ping"), masked(0x8a), Buffer.alloc(0)]) {
      for (const step of [1000, 7, Infinity]) {
        const parser = Frame.makeParser(() => {}, { role: "server", maxMessageSize: 100_000 })
        const bytes = Buffer.concat(attackWith(control))
        let error: Frame.FrameError | undefined
        for (let at = 0; at < bytes.length; at += step) error = parser.feed(bytes.subarray(at, at + step))
        assert.strictEqual(error?.closeCode, 1009)
      }
    }
    // At the limit it passes.
    const parser = Frame.makeParser(() => {}, { role: "server", maxMessageSize: 100_000 })
    assert.isUndefined(parser.feed(Buffer.concat([...attackWith(masked(0x89)).slice(0, 4), masked(0x80)])))
  })

  holdAll(id, every, "1009 beyond the limit, with pings between the fragments", (face) =>
    withServer(face, { maxMessageSize: 100_000 }, async (port) => {
      const { code } = await attackFrames(port, attackWith(masked(0x89, "ping")))
      assert.strictEqual(code, 1009)
    })
  )
})
