import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope, Stream } from "effect"
import { Server } from "effect-ws"
import * as fc from "fast-check"
import { once } from "node:events"
import * as http2 from "node:http2"
import * as net from "node:net"
import * as tls from "node:tls"
import { maxHeaderSize, readProxyHeader } from "../src/internal/server/proxyProtocol.ts"
import { certificate, connectFields, type ResponseHeaders, trust } from "./support/http2.ts"
import { exchange, open, upgradeHead } from "./support/upgrade.ts"

const signature = "0d0a0d0a000d0a515549540a"

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex")

/** Version 2 over IPv4: from 203.0.113.9:4711 to 198.51.100.1:443, with a value that nobody knows. */
const version2 = hex(`${signature} 21 11 0011 cb007109 c6336401 1267 01bb ee 0002 abcd`)

const version1 = Buffer.from("PROXY TCP4 203.0.113.9 198.51.100.1 4711 443\r\n")

const outcome = (bytes: Buffer): string => {
  const header = readProxyHeader(bytes)
  if (header._tag !== "Complete") return header._tag
  const { address, port } = header.proxied
  return `${address === undefined ? "own" : `${address} ${port}`} ${header.size}`
}

describe("a header of the PROXY protocol", () => {
  it("of version 1 is read (§2.1)", () => {
    for (const [text, expected] of [
      ["PROXY TCP4 203.0.113.9 198.51.100.1 4711 443\r\nGET", "203.0.113.9 4711 46"],
      ["PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", "2001:db8::1 1 44"],
      ["PROXY TCP6 2001:DB8:0:0:0:0:0:1 2001:db8::2 1 2\r\n", "2001:db8::1 1 49"],
      ["PROXY TCP6 ::FFFF:203.0.113.9 2001:db8::2 1 2\r\n", "::ffff:203.0.113.9 1 47"],
      ["PROXY TCP6 0:0:0:0:0:ffff:cb00:7109 2001:db8::2 1 2\r\n", "::ffff:203.0.113.9 1 53"],
      ["PROXY UNKNOWN\r\n", "own 15"],
      ["PROXY UNKNOWN ffff:f...f:ffff 65535 65535\r\n", "own 43"],
      ["PROXY TCP4 203.0.113.9 198.51.100.1 4711 443", "Incomplete"],
      ["PROX", "Incomplete"],
      ["", "Incomplete"],
      ["PROXY TCP4 203.0.113.9 198.51.100.1 4711 65536\r\n", "Invalid"],
      ["PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", "Invalid"],
      ["PROXY TCP6 203.0.113.9 198.51.100.1 4711 443\r\n", "Invalid"],
      ["PROXY TCP4 203.0.113.9 198.51.100.1 4711\r\n", "Invalid"],
      ["PROXY TCP4  203.0.113.9 198.51.100.1 4711 443\r\n", "Invalid"],
      ["PROXY UDP4 203.0.113.9 198.51.100.1 4711 443\r\n", "Invalid"],
      ["GET / HTTP/1.1\r\n", "Invalid"],
      ["GET", "Invalid"],
      [`PROXY UNKNOWN ${"x".repeat(91)}\r\n`, "own 107"],
      [`PROXY UNKNOWN ${"x".repeat(92)}\r\n`, "Invalid"]
    ] as const) {
      assert.strictEqual(outcome(Buffer.from(text)), expected, text)
    }
  })

  it("of version 2 is read (§2.2)", () => {
    for (const [bytes, expected] of [
      [version2, "203.0.113.9 4711 33"],
      [version2.subarray(0, 32), "Incomplete"],
      [version2.subarray(0, 5), "Incomplete"],
      [hex(`${signature} 21 21 0024 20010db8${"00".repeat(11)}01 ${"00".repeat(16)} 0001 0002`), "2001:db8::1 1 52"],
      [
        hex(`${signature} 21 21 0024 ${"00".repeat(10)}ffffcb007109 ${"00".repeat(16)} 0001 0002`),
        "::ffff:203.0.113.9 1 52"
      ],
      [hex(`${signature} 21 21 0024 ${"00".repeat(32)} 0001 0002`), ":: 1 52"],
      // LOCAL, and TCP over nothing that is known.
      [hex(`${signature} 20 00 0000`), "own 16"],
      [hex(`${signature} 21 31 00d8 ${"00".repeat(216)}`), "own 232"],
      [hex(`${signature} 11 11 000c cb007109 c6336401 1267 01bb`), "Invalid"],
      [hex(`${signature} 22 11 000c cb007109 c6336401 1267 01bb`), "Invalid"],
      [hex(`${signature} 21 11 000b cb007109 c6336401 1267 01`), "Invalid"],
      [hex(`${signature} 20 00 ffff ${"00".repeat(maxHeaderSize - 16)}`), `own ${maxHeaderSize}`],
      [hex(`${signature} 20 00 ffff ${"00".repeat(maxHeaderSize - 17)}`), "Incomplete"]
    ] as const) {
      assert.strictEqual(outcome(bytes), expected, bytes.toString("hex"))
    }
  })

  it("is never read past its end, however it is cut, and no bytes break the reader", () => {
    fc.assert(
      fc.property(fc.constantFrom(version1, version2), fc.nat(60), fc.uint8Array(), (header, cut, rest) => {
        const whole = readProxyHeader(Buffer.concat([header, rest]))
        assert(whole._tag === "Complete")
        assert.strictEqual(whole.size, header.length)
        if (cut < header.length) assert.strictEqual(readProxyHeader(header.subarray(0, cut))._tag, "Incomplete")
        const alone = readProxyHeader(Buffer.from(rest))
        if (alone._tag === "Complete") assert.isAtMost(alone.size, rest.length)
      })
    )
  })
})

const trusted = { addresses: ["127.0.0.1"] }

/** A server that says where its connections come from. */
const serving = (options: Server.ServeOptions) =>
  Effect.gen(function* () {
    const server = yield* Server.make({ host: "127.0.0.1", proxyProtocol: true, trustedProxies: trusted, ...options })
    yield* Effect.forkScoped(
      server.run((socket) => {
        const { clientAddress, remoteAddress, remotePort } = socket.request
        return Effect.andThen(
          socket.send(`${remoteAddress} ${remotePort} ${clientAddress}`),
          Stream.runDrain(socket.messages)
        )
      }),
      { startImmediately: true }
    )
    return server.address.port
  })

const said = "203.0.113.9 4711 203.0.113.9"

describe("Server.make with proxyProtocol", () => {
  for (const [name, header] of [
    ["1", version1],
    ["2", version2]
  ] as const) {
    it.live(`has the client's address from a header of version ${name}, in one piece or byte by byte`, () =>
      Effect.gen(function* () {
        const port = yield* serving({})
        const head = Buffer.concat([header, Buffer.from(upgradeHead())])
        assert.include(yield* exchange(port, head.toString("latin1"), said), said)
        const slow = yield* open(port, "")
        for (const byte of head) {
          slow.socket.write(Buffer.from([byte]))
          yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        }
        assert.include(yield* slow.until(said), said)
      })
    )
  }

  it.live("has it from a header of the largest size, in pieces", () =>
    Effect.gen(function* () {
      const port = yield* serving({})
      const header = Buffer.concat([version2, Buffer.alloc(maxHeaderSize - version2.length)])
      header.writeUInt16BE(0xffff, 14)
      const client = yield* open(port, "")
      for (let at = 0; at < header.length; at += 1000) {
        client.socket.write(header.subarray(at, at + 1000))
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      }
      client.socket.write(upgradeHead())
      assert.include(yield* client.until(said), said)
    })
  )

  it.live("has it over TLS, for HTTP/1.1 and HTTP/2", () =>
    Effect.gen(function* () {
      for (const http2 of [false, true]) {
        const port = yield* serving({ tls: certificate, http2 })
        const socket = yield* Effect.acquireRelease(
          Effect.promise(async () => {
            const raw = net.connect(port, "127.0.0.1")
            await once(raw, "connect")
            raw.write(version2)
            const secure = tls.connect({ socket: raw, ...trust })
            await once(secure, "secureConnect")
            return secure
          }),
          (secure) => Effect.sync(() => secure.destroy())
        )
        socket.write(upgradeHead())
        let text = ""
        while (!text.includes(said)) text += String((yield* Effect.promise(() => once(socket, "data")))[0])
      }
    })
  )

  it.live("has it over HTTP/2 in the clear", () =>
    Effect.gen(function* () {
      const port = yield* serving({ http2: true })
      const session = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const raw = net.connect(port, "127.0.0.1")
          await once(raw, "connect")
          raw.write(version1)
          const session = http2.connect("http://127.0.0.1", { createConnection: () => raw })
          session.on("error", () => {})
          await once(session, "remoteSettings")
          return session
        }),
        (session) => Effect.sync(() => session.destroy())
      )
      const stream = session.request(connectFields({ ":scheme": "http" }), { endStream: false })
      const [headers]: Array<ResponseHeaders> = yield* Effect.promise(() => once(stream, "response"))
      assert.strictEqual(headers?.[":status"], 200)
      const [frame] = yield* Effect.promise(() => once(stream, "data"))
      assert.include(String(frame), said)
    })
  )

  it.live("counts by the client's address", () =>
    Effect.gen(function* () {
      const port = yield* serving({ maxConnectionsPerAddress: 1 })
      const head = version1.toString() + upgradeHead()
      const first = yield* open(port, head)
      yield* first.until(said)
      assert.match(yield* exchange(port, head, "\r\n\r\n"), /^HTTP\/1\.1 429 /)
      assert.match(yield* exchange(port, head.replace("203.0.113.9", "203.0.113.8"), "\r\n\r\n"), /^HTTP\/1\.1 101 /)
    })
  )

  it.live("takes the connection's own address from UNKNOWN and LOCAL", () =>
    Effect.gen(function* () {
      const port = yield* serving({})
      for (const header of [Buffer.from("PROXY UNKNOWN\r\n"), hex(`${signature} 20 00 0000`)]) {
        const answer = yield* exchange(port, header.toString("latin1") + upgradeHead(), "127.0.0.1 ")
        assert.include(answer, "127.0.0.1 ")
      }
    })
  )

  it.live("drops a trusted peer without a valid header, or whose header doesn't come", () =>
    Effect.gen(function* () {
      const port = yield* serving({ handshakeTimeout: 100 })
      for (const bytes of [upgradeHead(), "PROXY ", "PROXY TCP4 nonsense\r\n", ""]) {
        assert.strictEqual(yield* exchange(port, bytes), "", bytes)
      }
    })
  )

  it.live("believes no header of another peer, and answers it with 400", () =>
    Effect.gen(function* () {
      for (const proxyProtocol of [true, { addresses: ["10.0.0.1"] }]) {
        const port = yield* serving({ proxyProtocol, trustedProxies: { addresses: ["10.0.0.1"] } })
        assert.match(yield* exchange(port, version1.toString() + upgradeHead()), /^HTTP\/1\.1 400 /)
        assert.include(yield* exchange(port, upgradeHead(), "127.0.0.1 "), "127.0.0.1 ")
      }
    })
  )

  it.live("may trust other addresses for it than for forwarding headers", () =>
    Effect.gen(function* () {
      const port = yield* serving({ proxyProtocol: trusted, trustedProxies: undefined })
      const head = version1.toString() + upgradeHead({ fields: ["X-Forwarded-For: 192.0.2.1"] })
      assert.include(yield* exchange(port, head, said), said)
      const both = yield* serving({ trustedProxies: { addresses: ["127.0.0.1", "203.0.113.9"] } })
      assert.include(yield* exchange(both, head, " 192.0.2.1"), "203.0.113.9 4711 192.0.2.1")
    })
  )

  it.live("ends with its connections whose header hasn't come", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const port = yield* Scope.provide(serving({}), scope)
      const waiting = yield* open(port, "PROXY ")
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* waiting.ended, "")
    })
  )

  it.effect("needs addresses to trust", () =>
    Effect.gen(function* () {
      for (const options of [{ proxyProtocol: true }, { proxyProtocol: { addresses: ["proxy.example"] } }] as const) {
        const { reason } = yield* Effect.flip(Effect.scoped(Server.make({ port: 0, ...options })))
        assert(reason._tag === "InvalidOptions")
        assert.match(reason.option, /^proxyProtocol/)
      }
    })
  )
})
