// Heads of requests and responses.
import { assert, describe } from "@effect/vitest"
import { Effect, Result } from "effect"
import { Extension, Handshake, Server } from "effect-ws"
import * as ws from "effect-ws/ws"
import * as legacy from "effect-ws/ws/legacy"
import type { IncomingMessage } from "node:http"
import { duplexPair } from "node:stream"
import { acceptance, frame, requestHead } from "../ws/lab.ts"
import {
  accepted,
  attack,
  attackClient,
  attackFrames,
  compressed,
  cpuMillis,
  type FaceName,
  masked,
  withServer
} from "./faces.ts"
import { every, hold, holdAll } from "./hold.ts"

/** Gives a request to a face as Node's server would, and answers with the status. */
const upgradeByHand = async (face: FaceName, headers: Record<string, string>): Promise<number> => {
  const [near, peer] = duplexPair()
  const chunks: Array<Buffer> = []
  peer.on("data", (chunk: Buffer) => chunks.push(chunk))
  const incoming = { method: "GET", url: "/", httpVersion: "1.1", headers, socket: near } as unknown as IncomingMessage
  const nothing = Buffer.alloc(0)
  if (face === "Effect") {
    await Effect.runPromise(
      Effect.exit(
        Effect.scoped(
          Effect.andThen(
            Server.upgrade(incoming, near, nothing, { closeTimeout: 10 }),
            Effect.sync(() => near.destroy())
          )
        )
      )
    )
  } else if (face === "ws") {
    new ws.WebSocketServer({ noServer: true }).handleUpgrade(incoming, near, nothing, () => {})
  } else {
    new legacy.Server({ noServer: true }).handleUpgrade(incoming, near, nothing, () => {})
  }
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  return Number(/^HTTP\/1\.1 (\d+)/.exec(Buffer.concat(chunks).toString("latin1"))?.[1] ?? 0)
}

const valid: Record<string, string> = {
  host: "localhost",
  upgrade: "websocket",
  connection: "Upgrade",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="
}

/** A face is given hostile values of a header, longer than Node would hand on, and has to answer soon. */
const answersSoon = async (face: FaceName, header: string, values: ReadonlyArray<string>): Promise<void> => {
  for (const value of values) {
    const before = process.cpuUsage()
    assert.oneOf(await upgradeByHand(face, { ...valid, [header]: value }), [101, 400])
    const { system, user } = process.cpuUsage(before)
    assert.isBelow((user + system) / 1000, 1000)
  }
}

/** A request with as many more lines. */
const flood = (count: number, line: string): string => requestHead(Array.from({ length: count }, () => line))

describe("ws 3.3.1", () => {
  const id = "ws 3.3.1"
  const names = ["constructor", "__proto__", "toString", "hasOwnProperty"]

  hold(id, "engine", "names of Object.prototype are names like any other", () => {
    for (const name of names) {
      const parsed = Result.getOrThrow(Extension.parse(`${name}; ${name}=${name}; ${name}`))
      assert.deepStrictEqual(parsed, [
        {
          name,
          params: [
            [name, name],
            [name, true]
          ]
        }
      ])
      const accepted = Handshake.acceptResult(
        {
          method: "GET",
          url: "/",
          headers: {
            host: "a",
            upgrade: "websocket",
            connection: "Upgrade",
            "sec-websocket-version": "13",
            "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
            "sec-websocket-protocol": name,
            "sec-websocket-extensions": `${name}, permessage-deflate; ${name}`
          }
        },
        { extensions: [Extension.permessageDeflate()], protocols: ["chat"] }
      )
      assert.deepStrictEqual(Result.getOrThrow(accepted).extensions, [])
      assert.isUndefined(Result.getOrThrow(accepted).protocol)
    }
    assert.isUndefined(Reflect.get({}, "200"))
  })

  hold(id, "ws", "they are parsed like any other", () => {
    for (const name of names) {
      const parsed = ws.extension.parse(`${name}; ${name}=a; ${name}`)
      assert.deepStrictEqual(Object.keys(parsed), [name])
      assert.deepStrictEqual(Object.entries(parsed[name]?.[0] ?? {}), [[name, ["a", true]]])
      assert.deepStrictEqual([...ws.subprotocol.parse(name)], [name])
    }
  })

  for (const face of every) {
    hold(id, face, "a server survives them in every header", () =>
      withServer(face, { compression: true }, async (port) => {
        for (const name of names) {
          const answer = await attackFrames(port, [masked(0x88, Buffer.from([3, 232]))], {
            headers: [
              `Sec-WebSocket-Extensions: ${name}; ${name}`,
              `Sec-WebSocket-Protocol: ${name}`,
              `${name}: ${name}`
            ]
          })
          assert.oneOf(answer.status, [101, 400])
          if (answer.status === 101) assert.strictEqual(answer.code, 1000)
        }
      })
    )
  }
})

describe("CVE-2021-32640", () => {
  const id = "CVE-2021-32640"
  // Squared, these would take minutes.
  const size = 300_000
  const hostile = [
    `b${" ".repeat(size)}x`,
    `b${" ".repeat(size)}(`,
    `${" ".repeat(size)}x y`,
    `b${" ".repeat(size)}`,
    `a,${" ".repeat(size)}b`,
    `a${", ".repeat(size)}`,
    `${"a,".repeat(size)} `,
    `${"a".repeat(size)} b`
  ]

  hold(id, "engine", "hostile lists take linear time, in every header that is one", () => {
    for (const value of hostile) {
      for (const header of ["sec-websocket-protocol", "upgrade", "connection", "origin", "host"]) {
        const headers = {
          host: "a",
          upgrade: "websocket",
          connection: "Upgrade",
          "sec-websocket-version": "13",
          "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
          [header]: value
        }
        const took = cpuMillis(() => Handshake.acceptResult({ method: "GET", url: "/", headers }))
        assert.isBelow(took, 1000, header)
      }
    }
  })

  holdAll(id, every, "a server answers them in linear time", (face) =>
    answersSoon(face, "sec-websocket-protocol", hostile)
  )

  hold(id, "ws", "the parser takes linear time", () => {
    for (const value of hostile) {
      const took = cpuMillis(() => {
        try {
          ws.subprotocol.parse(value)
        } catch (error) {
          assert.instanceOf(error, SyntaxError)
        }
      })
      assert.isBelow(took, 1000)
    }
  })
})

describe("CVE-2020-7662", () => {
  const id = "CVE-2020-7662"
  const size = 300_000
  const hostile = [
    `a; b="${"\\c".repeat(size)}`,
    `a; b="${"c".repeat(size)}`,
    `a${";b".repeat(size)}=`,
    `a; b=${'"c"'.repeat(size)}`,
    `${"a,".repeat(size)}"`
  ]

  hold(id, "engine", "an unclosed quoted value takes linear time", () => {
    for (const value of hostile) {
      assert.isBelow(
        cpuMillis(() => assert.isTrue(Result.isFailure(Extension.parse(value)))),
        1000
      )
    }
  })

  holdAll(id, every, "a server answers it in linear time", (face) =>
    answersSoon(face, "sec-websocket-extensions", hostile)
  )

  hold(id, "ws", "an unclosed quoted value takes linear time", () => {
    for (const value of hostile) {
      assert.isBelow(
        cpuMillis(() => assert.throws(() => ws.extension.parse(value), SyntaxError)),
        1000
      )
    }
  })
})

describe("CVE-2024-37890", () => {
  const id = "CVE-2024-37890"
  holdAll(id, every, "2 000 headers with Upgrade last: refused, the process lives", (face) =>
    withServer(face, {}, async (port) => {
      const filler = Array.from({ length: 2000 }, () => "a:b")
      const [line = "", ...fields] = requestHead().split("\r\n").slice(0, -2)
      for (const lost of [/^Upgrade/, /^Sec-WebSocket-Key/, /^/]) {
        const kept = fields.filter((field) => !lost.test(field))
        const last = fields.filter((field) => lost.test(field))
        const { status } = await attack(port, [[line, ...kept, ...filler, ...last, "", ""].join("\r\n")])
        assert.oneOf(status, [400, 426, 431], String(lost))
      }
    })
  )

  // Some releases of Node drop what is beyond their count, others refuse the request: this is what the former hand on.
  holdAll(id, every, "an upgrade without the headers that Node dropped is refused", async (face) => {
    assert.strictEqual(await upgradeByHand(face, valid), 101)
    for (const name of ["upgrade", "sec-websocket-key", "sec-websocket-version"]) {
      const { [name]: _, ...rest } = valid
      assert.oneOf(await upgradeByHand(face, rest), [400, 426], name)
    }
    assert.oneOf(await upgradeByHand(face, {}), [400, 426])
  })
})

describe("CVE-2026-54467", () => {
  const id = "CVE-2026-54467"
  const flood = `X-Filler: ${"a".repeat(1000)}\r\n`.repeat(100)

  holdAll(id, every, "a request's head beyond 16 KiB is refused with 431", (face) =>
    withServer(face, {}, async (port) => {
      const { status } = await attack(port, [`GET / HTTP/1.1\r\nHost: a\r\n${flood}`])
      assert.strictEqual(status, 431)
    })
  )

  holdAll(id, every, "a response's head beyond 16 KiB fails the client", async (face) => {
    const filler = Array.from({ length: 100 }, () => `X-Filler: ${"a".repeat(1000)}`)
    const { told } = await attackClient(face, (asked) => [
      acceptance(asked, filler),
      frame(0x88, Buffer.from([3, 232]))
    ])
    assert.notStrictEqual(told, "ended")
    // Without the filler it connects, so that it is the filler that is refused.
    const { told: connected } = await attackClient(face, (asked) => [
      acceptance(asked),
      frame(0x88, Buffer.from([3, 232]))
    ])
    assert.strictEqual(connected, "ended")
  })
})

describe("CVE-2026-2229", () => {
  const id = "CVE-2026-2229"
  const values = ["99", "16", "7", "0", "-1", "8.5", "1e1", "15a", "999999999999999999999", "0x9"]
  const offers = values.flatMap((value) =>
    ["server_max_window_bits", "client_max_window_bits"].map((name) => `permessage-deflate; ${name}=${value}`)
  )

  // As in `ws`, a value of that face is what `Number` makes of it: these two are in the range.
  const offersTo = (face: FaceName) => (face === "ws" ? offers.filter((offer) => !/=(?:1e1|0x9)$/.test(offer)) : offers)

  hold(id, "engine", "a server declines, a client refuses", () => {
    const deflate = Extension.permessageDeflate()
    for (const offer of offers) {
      const [parsed] = Result.getOrThrow(Extension.parse(offer))
      const params = parsed?.params ?? []
      assert.isUndefined(deflate.accept([params]), offer)
      assert.isTrue(Result.isFailure(deflate.confirm(params)), offer)
    }
  })

  hold(id, "legacy", "a server answers without the extension, and takes no compressed frame", () =>
    withServer("legacy", {}, async (port) => {
      for (const offer of ["permessage-deflate", ...offers]) {
        const { code, head, status } = await attackFrames(port, [masked(0xc1, compressed("hello"))], {
          headers: [`Sec-WebSocket-Extensions: ${offer}`]
        })
        assert.strictEqual(status, 101)
        assert.notMatch(head, /extensions/i)
        assert.strictEqual(code, 1002)
      }
    })
  )

  for (const face of ["Effect", "ws"] as const) {
    hold(id, face, "a server answers without the extension, or with 400", () =>
      withServer(face, { compression: true }, async (port) => {
        for (const offer of offersTo(face)) {
          const { head, status } = await attackFrames(port, [masked(0xc1, compressed("hello"))], {
            headers: [`Sec-WebSocket-Extensions: ${offer}`]
          })
          assert.strictEqual(status, face === "ws" ? 400 : 101)
          assert.notMatch(head, /permessage-deflate/)
        }
      })
    )

    hold(id, face, "a client fails the handshake", async () => {
      for (const offer of offersTo(face)) {
        const { told } = await attackClient(
          face,
          (asked) => [acceptance(asked, [`Sec-WebSocket-Extensions: ${offer}`])],
          true
        )
        assert.strictEqual(told, face === "ws" ? "Invalid Sec-WebSocket-Extensions header" : "HandshakeFailed", offer)
      }
    })
  }
})

describe("CVE-2023-43669", () => {
  const id = "CVE-2023-43669"

  holdAll(id, every, "a head of 20 MB is refused early", (face) =>
    withServer(face, {}, async (port) => {
      const piece = `X-Filler: ${"a".repeat(990)}\r\n`.repeat(64)
      const pieces = Array.from({ length: 320 }, () => piece)
      const { status } = await attack(port, ["GET / HTTP/1.1\r\nHost: a\r\n", ...pieces])
      assert.oneOf(status, [0, 431])
    })
  )

  holdAll(id, every, "a head of 20 KB byte by byte is refused with 431", (face) =>
    withServer(face, {}, async (port) => {
      const head = `GET / HTTP/1.1\r\nHost: a\r\nX-Filler: ${"a".repeat(20_000)}`
      const took = process.cpuUsage()
      const { status } = await attack(port, [...head], { slowly: true, deadline: 20_000 })
      assert.strictEqual(status, 431)
      assert.isBelow(process.cpuUsage(took).user / 1000, 10_000)
    })
  )
})

describe("header floods", () => {
  const id = "header floods"
  holdAll(id, every, "refused, or served when they fit", (face) =>
    withServer(face, {}, async (port) => {
      assert.strictEqual((await attack(port, [flood(500, "a: b")], { until: accepted })).status, 101)
      assert.strictEqual((await attack(port, [flood(500, "__proto__: b")], { until: accepted })).status, 101)
      assert.oneOf((await attack(port, [flood(2000, "a:b")], { until: accepted })).status, [101, 400, 426, 431])
      assert.oneOf((await attack(port, [flood(20_000, "a: b")], { until: accepted })).status, [0, 431])
      assert.oneOf((await attack(port, [flood(1, `a: ${"b".repeat(60_000)}`)], { until: accepted })).status, [0, 431])
      for (const name of ["Sec-WebSocket-Key", "Sec-WebSocket-Version", "Upgrade", "Host", "Origin"]) {
        const { status } = await attack(port, [flood(50, `${name}: again`)], { until: accepted })
        assert.oneOf(status, [101, 400, 403, 426], name)
      }
    })
  )
})

describe("byte by byte", () => {
  holdAll("byte by byte", every, "a handshake and a message in packets of one byte", (face) =>
    withServer(face, {}, async (port) => {
      const bytes = Buffer.concat([
        Buffer.from(requestHead()),
        masked(0x81, "héllo"),
        masked(0x88, Buffer.from([3, 232]))
      ])
      const { code, frames } = await attack(
        port,
        [...bytes].map((byte) => Buffer.from([byte])),
        { slowly: true }
      )
      assert.strictEqual(frames[0]?.payload.toString(), "héllo")
      assert.strictEqual(code, 1000)
    })
  )
})
