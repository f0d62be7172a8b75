// Hixie-76: lengths, keys, and the bytes behind the head.
import { assert, describe } from "@effect/vitest"
import { Effect, Result } from "effect"
import { Handshake, Socket } from "effect-ws"
import { hixie76 } from "../../src/internal/protocol/hixie/codec.ts"
import { mib } from "./bare.ts"
import { attack, hixieBody, hixieHead, withServer } from "./faces.ts"
import { hold, run } from "./hold.ts"

const requestWith = (key1: string, key2 = "12998 5 Y3 1  .P00"): Handshake.Request => ({
  method: "GET",
  url: "/demo",
  headers: {
    host: "example.com",
    upgrade: "WebSocket",
    connection: "Upgrade",
    origin: "http://example.com",
    "sec-websocket-key1": key1,
    "sec-websocket-key2": key2
  },
  key3: Buffer.from(hixieBody)
})

describe("CVE-2026-54466", () => {
  const id = "CVE-2026-54466"
  const lengths = {
    "a run of FF": Buffer.alloc(100_000, 0xff),
    "a run of zero digits": Buffer.alloc(100_000, 0x80),
    "a length of 2^31": Buffer.from([0x88, 0x80, 0x80, 0x80, 0x00]),
    "a length of 2^64": Buffer.from([0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00])
  }

  hold(id, "engine", "a length ends, whatever the split", () => {
    for (const [name, length] of Object.entries(lengths)) {
      for (const step of [1, 3, length.length]) {
        for (const type of [0x80, 0xff]) {
          const decoder = hixie76.decoder(
            { message: () => undefined, fragment: () => undefined, control: () => undefined },
            { role: "server", maxMessageSize: mib, allowedRsv: 0 }
          )
          decoder.feed(Buffer.from([type]))
          let fed = 0
          for (; fed < length.length && decoder.violation === undefined; fed += step) {
            decoder.feed(Buffer.from(length.subarray(fed, fed + step)))
          }
          assert.isDefined(decoder.violation, name)
          assert.isAtMost(fed, Math.max(step, 16), name)
        }
      }
    }
  })

  for (const face of ["Effect", "legacy"] as const) {
    hold(id, face, "the connection ends", () =>
      withServer(face, {}, async (port) => {
        for (const length of Object.values(lengths)) {
          const head = hixieHead.replace("http://example.com", `http://127.0.0.1:${port}`)
          const request = head.replace("Host: example.com", `Host: 127.0.0.1:${port}`)
          const { status } = await attack(port, [request, hixieBody, Buffer.concat([Buffer.from([0x80]), length])])
          assert.strictEqual(status, 101)
        }
      })
    )
  }
})

describe("websocket-driver 0.8.0", () => {
  const id = "websocket-driver 0.8.0"
  const broken = [
    "no digits at all",
    "12345",
    "",
    " ",
    "4294967296 ",
    "8589934592 ",
    "9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9",
    "1  ",
    `${"9".repeat(400)} `
  ]

  hold(id, "engine", "keys that hide no number of 32 bits are refused", () => {
    const options = { drafts: Handshake.all }
    assert.isTrue(Result.isSuccess(Handshake.acceptResult(requestWith("4 @1  46546xW%0l 1 5"), options)))
    for (const key of broken) {
      for (const asked of [requestWith(key), requestWith("4 @1  46546xW%0l 1 5", key)]) {
        const verdict = Handshake.acceptResult(asked, options)
        assert.isTrue(Result.isFailure(verdict), JSON.stringify(key))
        if (Result.isFailure(verdict)) assert.strictEqual(verdict.failure.reason.status, 400)
      }
    }
    // hixie-76 §4.1 draws the number from 0 on.
    assert.isTrue(Result.isSuccess(Handshake.acceptResult(requestWith("a 0b"), options)))
    assert.isTrue(Result.isSuccess(Handshake.acceptResult(requestWith("4294967295 "), options)))
  })

  for (const face of ["Effect", "legacy"] as const) {
    hold(id, face, "a broken key never gets a 101", () =>
      withServer(face, {}, async (port) => {
        const same = hixieHead
          .replace("http://example.com", `http://127.0.0.1:${port}`)
          .replace("Host: example.com", `Host: 127.0.0.1:${port}`)
        for (const key of ["12345", "4294967296 7", "none here"]) {
          const { status } = await attack(port, [same.replace("4 @1  46546xW%0l 1 5", key), hixieBody])
          assert.strictEqual(status, 400, key)
        }
      })
    )
  }

  hold(id, "Effect", "pings are told apart, also by names of Object.prototype", () =>
    run(
      Effect.gen(function* () {
        const [client] = yield* Socket.makePair()
        const names = ["__proto__", "constructor", "toString", "", "same", "same"]
        // Each is done when its own pong came.
        yield* Effect.forEach(names, (name) => client.ping(Buffer.from(name)), { concurrency: "unbounded" })
        for (const name of names) yield* client.ping(Buffer.from(name))
      })
    )
  )
})

describe("Node 26 upgrade body", () => {
  const id = "Node 26 upgrade body"
  for (const face of ["Effect", "legacy"] as const) {
    hold(id, face, "Hixie's eight bytes are found in any packets", () =>
      withServer(face, {}, async (port) => {
        const same = hixieHead
          .replace("http://example.com", `http://127.0.0.1:${port}`)
          .replace("Host: example.com", `Host: 127.0.0.1:${port}`)
        const hello = "\0hello\xff"
        for (const pieces of [
          [Buffer.from(same + hixieBody + hello, "latin1")],
          [same, Buffer.from(hixieBody + hello, "latin1")],
          [same + hixieBody.slice(0, 3), Buffer.from(hixieBody.slice(3) + hello, "latin1")],
          [...Buffer.from(same + hixieBody + hello, "latin1")].map((byte) => Buffer.from([byte]))
        ]) {
          const { bytes, status } = await attack(port, pieces, {
            slowly: true,
            until: ({ bytes }) => bytes.includes("\0hello")
          })
          assert.strictEqual(status, 101)
          // The answer of the draft's own example, §1.2.
          assert.include(bytes.toString("latin1"), "8jKS'y:G*Co,Wxa-")
        }
      })
    )
  }
})
