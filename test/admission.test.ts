import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Metric, Result } from "effect"
import { TestClock } from "effect/testing"
import { Handshake, Server } from "effect-ws"
import type { IncomingMessage } from "node:http"
import { type Duplex, duplexPair } from "node:stream"
import * as fc from "fast-check"
import { addressList, countingKey, readAddress } from "../src/internal/server/address.ts"
import { Admission } from "../src/internal/server/admission.ts"
import { Http1Exchange } from "../src/internal/server/exchange.ts"
import type { ServerConnection as Accepted } from "../src/internal/server/connection.ts"
import { settingsOf } from "../src/internal/server/options.ts"
import { UpgradeHandler } from "../src/internal/server/upgradeHandler.ts"
import type { AdmissionOptions, Options } from "../src/internal/server/model.ts"
import { frame, takeFrames } from "./ws/lab.ts"

describe("addresses", () => {
  it("are read as proxies write them", () => {
    for (const [text, address] of [
      ["192.0.2.1", "192.0.2.1"],
      [" 192.0.2.1 ", "192.0.2.1"],
      ["192.0.2.1:4711", "192.0.2.1"],
      ["2001:db8::1", "2001:db8::1"],
      ["[2001:db8::1]", "2001:db8::1"],
      ['"[2001:db8::1]:4711"', "2001:db8::1"],
      ["fe80::1%eth0", "fe80::1"],
      ["::ffff:192.0.2.1", "192.0.2.1"],
      ["::ffff:c000:201", "192.0.2.1"],
      ["0:0:0:0:0:FFFF:C000:0201", "192.0.2.1"],
      ["0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"],
      ["[::ffff:c000:201]:4711", "192.0.2.1"],
      // No IPv4 address is mapped in these.
      ["::ffff:1", "::ffff:1"],
      ["::fffe:c000:201", "::fffe:c000:201"],
      ["1::ffff:c000:201", "1::ffff:c000:201"]
    ] as const) {
      assert.strictEqual(readAddress(text), address)
    }
    for (const text of ["", "unknown", "_hidden", "192.0.2", "1.2.3.4.5", "example.com", "1.2.3.4:x", "::g"]) {
      assert.isUndefined(readAddress(text), text)
    }
  })

  it("of IPv6 are counted by their first 64 bits", () => {
    assert.strictEqual(countingKey("192.0.2.1"), "192.0.2.1")
    assert.strictEqual(countingKey("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64")
    assert.strictEqual(countingKey("2001:0db8:0001:2::"), "2001:db8:1:2::/64")
    assert.strictEqual(countingKey("2001:db8::1"), "2001:db8:0:0::/64")
    assert.strictEqual(countingKey("::1"), "0:0:0:0::/64")
    assert.strictEqual(countingKey("fe80::1%eth0"), "fe80:0:0:0::/64")
    assert.strictEqual(countingKey("64:ff9b::192.0.2.1"), "64:ff9b:0:0::/64")
    assert.notStrictEqual(countingKey("2001:db8:1:2::1"), countingKey("2001:db8:1:3::1"))
  })

  it("stand in lists alone and in blocks", () => {
    const listed = addressList(["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1"])
    for (const address of ["10.255.0.1", "192.0.2.1", "2001:db8:ffff::1", "::1"])
      assert.isTrue(listed(address), address)
    for (const address of ["11.0.0.1", "192.0.2.2", "2001:db9::1", "::2", "", "x"])
      assert.isFalse(listed(address), address)
    const mapped = addressList(["::ffff:10.0.0.0/104", "::ffff:c000:201"])
    for (const address of ["10.255.0.1", "192.0.2.1"]) assert.isTrue(mapped(address), address)
    assert.isFalse(mapped("11.0.0.1"))
    for (const entry of ["10.0.0.0/33", "10.0.0.0/8/8", "10.0.0.0/x", "::/129", "example.com", ""]) {
      assert.throws(() => addressList([entry]), RangeError)
    }
  })
})

const admission = (options: AdmissionOptions): Admission =>
  new Admission(options, { now: () => 0, after: () => ({ cancel: () => {} }) })

const trusting = (header?: "x-forwarded-for" | "forwarded"): Admission =>
  admission({ trustedProxies: { addresses: ["10.0.0.0/8", "2001:db8::/32"], header } })

/** Asks at the given times, and says what came: let in, or when to try again. */
const ask = (options: AdmissionOptions, asked: ReadonlyArray<readonly [time: number, address: string]>) => {
  let now = 0
  const admission = new Admission(options, { now: () => now, after: () => ({ cancel: () => {} }) })
  return asked.map(([time, address]) => {
    now = time
    const entered = admission.enter(address)
    if (!(entered instanceof Handshake.HandshakeError)) return "in"
    const { reason } = entered
    return "retryAfter" in reason ? `${reason.status} ${reason.retryAfter}` : reason.status
  })
}

/** The client's address; the peer without an address is that of a Unix socket. */
const addressOf = (admission: Admission, peer: string | undefined, headers: Handshake.HeaderFields) =>
  admission.client({ address: peer, isLocal: peer === undefined }, headers).address

describe("the client's address", () => {
  it("is the transport's when nobody is trusted", () => {
    const headers = { "x-forwarded-for": "192.0.2.9", forwarded: "for=192.0.2.8" }
    assert.strictEqual(addressOf(admission({}), "198.51.100.1", headers), "198.51.100.1")
    assert.strictEqual(addressOf(admission({}), "::ffff:198.51.100.1", headers), "198.51.100.1")
    assert.isUndefined(addressOf(admission({}), undefined, headers))
  })

  it("is what a trusted proxy says, and what an untrusted one says isn't believed", () => {
    const headers = { "x-forwarded-for": "203.0.113.7, 192.0.2.9, 10.1.1.1" }
    // The client wrote the first address itself.
    assert.strictEqual(addressOf(trusting(), "10.0.0.1", headers), "192.0.2.9")
    assert.strictEqual(addressOf(trusting(), "198.51.100.1", headers), "198.51.100.1")
    assert.strictEqual(addressOf(trusting(), undefined, headers), "192.0.2.9")
    assert.strictEqual(addressOf(trusting(), "10.0.0.1", {}), "10.0.0.1")
    assert.strictEqual(addressOf(trusting(), "10.0.0.1", { "x-forwarded-for": "unknown" }), "10.0.0.1")
    assert.strictEqual(addressOf(trusting(), "10.0.0.1", { "x-forwarded-for": "unknown, 10.0.0.2" }), "10.0.0.2")
    assert.strictEqual(
      addressOf(trusting(), "10.0.0.1", { "x-forwarded-for": ["192.0.2.1", "192.0.2.2"] }),
      "192.0.2.2"
    )
  })

  it("comes from the header that was named alone", () => {
    const headers = {
      "x-forwarded-for": "203.0.113.7",
      forwarded: 'for=203.0.113.9, for="[2001:db9::17]:4711";proto=https;by=10.0.0.3'
    }
    assert.strictEqual(addressOf(trusting("forwarded"), "10.0.0.1", headers), "2001:db9::17")
    assert.strictEqual(addressOf(trusting("x-forwarded-for"), "10.0.0.1", headers), "203.0.113.7")
    assert.strictEqual(
      addressOf(trusting("forwarded"), "10.0.0.1", { forwarded: "proto=http; For=192.0.2.1" }),
      "192.0.2.1"
    )
    assert.strictEqual(addressOf(trusting("forwarded"), "10.0.0.1", { forwarded: "for=_hidden" }), "10.0.0.1")
  })

  it("is unknown, whatever the headers say, when the peer's own address is", () => {
    const headers = { "x-forwarded-for": "192.0.2.9" }
    assert.isUndefined(trusting().client({ address: undefined, isLocal: false }, headers).address)
    assert.strictEqual(trusting().client({ address: undefined, isLocal: true }, headers).address, "192.0.2.9")
  })

  it("is read from Forwarded by the grammar of RFC 7239 §4", () => {
    for (const [forwarded, address] of [
      ['for=192.0.2.1;host="a"', "192.0.2.1"],
      ['for=192.0.2.1;host="c,for=198.51.100.7"', "192.0.2.1"],
      ['for=192.0.2.1;host="x\\",for=198.51.100.9;y=\\""', "192.0.2.1"],
      ['for=192.0.2.1;host="c,for=198.51.100.7;z=";proto=https', "192.0.2.1"],
      ['for="192.0.2.1:4711" ; proto=http', "192.0.2.1"],
      ['For="\\[2001:db9::1\\]"', "2001:db9::1"],
      // The client began with a quote that it did not end.
      ['for="198.51.100.7, for=192.0.2.1', "192.0.2.1"],
      ['for="198.51.100.7;host="x, for=192.0.2.1;host="a,b"', "192.0.2.1"],
      ["for=198.51.100.7;for=198.51.100.8, for=192.0.2.1", "192.0.2.1"],
      ["for=198.51.100.7, for=192.0.2.1;for=192.0.2.2", "10.0.0.1"],
      ["for=198.51.100.7, , for=10.0.0.2,", "198.51.100.7"],
      ["for=198.51.100.7, proto=https", "10.0.0.1"],
      ["garbage", "10.0.0.1"]
    ] as const) {
      assert.strictEqual(addressOf(trusting("forwarded"), "10.0.0.1", { forwarded }), address, forwarded)
    }
  })

  it("is read from a long Forwarded field in a moment", () => {
    const started = performance.now()
    for (const piece of ['x=",', "a,", 'x="",y=",', '\\",']) {
      addressOf(trusting("forwarded"), "10.0.0.1", { forwarded: piece.repeat(16_384 / piece.length) })
    }
    assert.isBelow(performance.now() - started, 1000)
  })
})

const clientOf = (headers: Handshake.HeaderFields, header?: "x-forwarded-for" | "forwarded", peer = "10.0.0.1") => {
  const { authority, secure } = trusting(header).client({ address: peer, isLocal: false }, headers)
  return { authority, secure }
}

describe("the authority and the scheme of the client's request", () => {
  it("are those that trusted proxies note", () => {
    const both = { "x-forwarded-host": "app.example", "x-forwarded-proto": "https" }
    assert.deepStrictEqual(clientOf(both), { authority: "app.example", secure: true })
    assert.deepStrictEqual(clientOf({ ...both, "x-forwarded-port": "8443" }), {
      authority: "app.example:8443",
      secure: true
    })
    assert.deepStrictEqual(clientOf({ "x-forwarded-proto": "http" }), { authority: undefined, secure: false })
    assert.deepStrictEqual(clientOf({ forwarded: 'for=192.0.2.1;host="app.example:81";proto=http' }, "forwarded"), {
      authority: "app.example:81",
      secure: false
    })
    const none = { authority: undefined, secure: undefined }
    for (const host of ["", "a b", "a/b", "a\u00e4", "<script>"]) {
      assert.deepStrictEqual(clientOf({ "x-forwarded-host": host }), none, host)
    }
    assert.deepStrictEqual(clientOf(both, "forwarded"), none)
    assert.deepStrictEqual(clientOf(both, "x-forwarded-for", "198.51.100.1"), none)
    assert.deepStrictEqual(clientOf({}), none)
  })

  it("are the farthest trusted proxy's, where each adds its own", () => {
    const headers = {
      "x-forwarded-for": "192.0.2.9, 10.0.0.3",
      "x-forwarded-host": "forged.example, app.example, inner.example"
    }
    assert.strictEqual(clientOf(headers).authority, "app.example")
    assert.strictEqual(clientOf({ ...headers, "x-forwarded-host": "app.example" }).authority, "app.example")
    const forwarded = "for=1.1.1.1;host=forged.example, for=192.0.2.9;host=app.example, for=10.0.0.3;host=inner.example"
    assert.strictEqual(clientOf({ forwarded }, "forwarded").authority, "app.example")
  })
})

describe("rates", () => {
  it("allow a burst, and then one at a time", () => {
    const options: AdmissionOptions = { maxRatePerAddress: { connections: 2, per: "10 seconds" } }
    assert.deepStrictEqual(
      ask(options, [
        [0, "a"],
        [0, "a"],
        [0, "a"],
        [0, "b"],
        [4999, "a"],
        [5000, "a"],
        [5000, "a"],
        [30_000, "a"],
        [30_000, "a"],
        [30_000, "a"]
      ]),
      ["in", "in", "429 5", "in", "429 1", "in", "429 5", "in", "in", "429 5"]
    )
  })

  it("of all together answer 503", () => {
    assert.deepStrictEqual(
      ask({ maxRate: { connections: 1 } }, [
        [0, "a"],
        [0, "b"],
        [1000, "b"]
      ]),
      ["in", "503 1", "in"]
    )
  })

  it("never let in more than the burst and its refill, whatever the times", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 200 }),
        (connections, gaps) => {
          let time = 0
          const times = gaps.map((gap) => [(time += gap), "a"] as const)
          const answers = ask({ maxRatePerAddress: { connections, per: 1000 } }, times)
          const entered = times.filter((_, at) => answers[at] === "in").map(([time]) => time)
          for (const [at, start] of entered.entries()) {
            const within = entered.slice(at).filter((time) => time < start + 1000).length
            assert.isAtMost(within, 2 * connections)
          }
          // Whoever waits for a whole window gets in.
          for (const [at, gap] of gaps.entries()) if (gap >= 1000) assert.strictEqual(answers[at], "in")
        }
      )
    )
  })
})

/** An upgrade handler without a network: what a peer writes goes into the other end of a pair in memory. */
const handlerOf = (options: Options) =>
  Effect.map(
    Effect.context<never>(),
    (context) => new UpgradeHandler<undefined, never>(options, Result.getOrThrow(settingsOf(options)), context)
  )

interface Visitor {
  readonly result: () => Result.Result<Accepted<undefined>, Handshake.HandshakeError> | undefined
  readonly peer: Duplex
  readonly received: () => Buffer
}

const visit = (
  handler: UpgradeHandler<undefined, never>,
  address: string,
  headers: Record<string, string> = {}
): Visitor => {
  const [near, peer] = duplexPair()
  const chunks: Array<Buffer> = []
  peer.on("data", (chunk: Buffer) => chunks.push(chunk))
  peer.on("error", () => {})
  Object.defineProperty(near, "remoteAddress", { value: address })
  const incoming = {
    method: "GET",
    url: "/",
    httpVersion: "1.1",
    headers: {
      host: "localhost",
      upgrade: "websocket",
      connection: "Upgrade",
      "sec-websocket-version": "13",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      ...headers
    }
  } as unknown as IncomingMessage
  let result: Result.Result<Accepted<undefined>, Handshake.HandshakeError> | undefined
  handler.negotiate(new Http1Exchange(incoming, near, Buffer.alloc(0)), (settled) => {
    result = settled
  })
  return { result: () => result, peer, received: () => Buffer.concat(chunks) }
}

const statusOf = ({ result }: Visitor): number | undefined => {
  const settled = result()
  return settled === undefined ? undefined : Result.isSuccess(settled) ? 101 : settled.failure.reason.status
}

const accepted = (visitor: Visitor): Accepted<undefined> => {
  const settled = visitor.result()
  if (settled === undefined) throw new Error("nothing was decided")
  return Result.getOrThrow(settled)
}

/** The events that are under way. */
const settled = Effect.promise(async () => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
})

const closeFrameOf = ({ received }: Visitor): string => {
  const bytes = received()
  const { frames } = takeFrames(bytes.subarray(bytes.indexOf("\r\n\r\n") + 4))
  const close = frames.find(({ first }) => first === 0x88)
  return close === undefined ? "none" : `${close.payload.readUInt16BE(0)} ${close.payload.toString("utf8", 2)}`
}

describe("admission", () => {
  it.effect("limits the connections of an address, and counts them down", () =>
    Effect.gen(function* () {
      const handler = yield* handlerOf({ maxConnectionsPerAddress: 2, retryAfter: "30 seconds", keepAlive: false })
      const [first, second, third] = [1, 2, 3].map(() => visit(handler, "192.0.2.1"))
      if (first === undefined || second === undefined || third === undefined) return
      assert.deepStrictEqual([first, second, third].map(statusOf), [101, 101, 429])
      yield* settled
      assert.match(third.received().toString(), /^HTTP\/1\.1 429 [\s\S]*\r\nRetry-After: 30\r\n/)
      assert.strictEqual(statusOf(visit(handler, "192.0.2.2")), 101)
      accepted(first).connection.terminate()
      yield* settled
      assert.strictEqual(statusOf(visit(handler, "192.0.2.1")), 101)
      assert.strictEqual(statusOf(visit(handler, "192.0.2.1")), 429)
      // What is refused for another reason doesn't stay counted.
      for (let round = 0; round < 5; round++) {
        assert.strictEqual(statusOf(visit(handler, "192.0.2.3", { origin: "http://evil.example" })), 403)
      }
      assert.strictEqual(statusOf(visit(handler, "192.0.2.3")), 101)
    })
  )

  it.effect("counts IPv6 by its network", () =>
    Effect.gen(function* () {
      const handler = yield* handlerOf({ maxConnectionsPerAddress: 1, keepAlive: false })
      assert.strictEqual(statusOf(visit(handler, "2001:db8:0:1::1")), 101)
      assert.strictEqual(statusOf(visit(handler, "2001:db8:0:1:ffff::2")), 429)
      assert.strictEqual(statusOf(visit(handler, "2001:db8:0:2::1")), 101)
    })
  )

  it.effect("counts the clients behind a trusted proxy, not the proxy", () =>
    Effect.gen(function* () {
      const handler = yield* handlerOf({
        maxConnectionsPerAddress: 1,
        trustedProxies: { addresses: ["10.0.0.1"] },
        keepAlive: false
      })
      const first = visit(handler, "10.0.0.1", { "x-forwarded-for": "192.0.2.1" })
      assert.strictEqual(statusOf(first), 101)
      assert.strictEqual(accepted(first).request.clientAddress, "192.0.2.1")
      assert.strictEqual(accepted(first).request.remoteAddress, "10.0.0.1")
      assert.strictEqual(statusOf(visit(handler, "10.0.0.1", { "x-forwarded-for": "192.0.2.1" })), 429)
      assert.strictEqual(statusOf(visit(handler, "10.0.0.1", { "x-forwarded-for": "192.0.2.2" })), 101)
      // An address of its own invention doesn't help the first client.
      assert.strictEqual(statusOf(visit(handler, "10.0.0.1", { "x-forwarded-for": "1.1.1.1, 192.0.2.1" })), 429)
    })
  )

  it.effect("goes by Effect's clock", () =>
    Effect.gen(function* () {
      const handler = yield* handlerOf({ maxRatePerAddress: { connections: 1, per: "1 minute" }, keepAlive: false })
      assert.strictEqual(statusOf(visit(handler, "192.0.2.1")), 101)
      assert.strictEqual(statusOf(visit(handler, "192.0.2.1")), 429)
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(statusOf(visit(handler, "192.0.2.1")), 429)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(statusOf(visit(handler, "192.0.2.1")), 101)
    })
  )

  it.effect("counts what it refuses, by reason", () =>
    Effect.gen(function* () {
      const handler = yield* handlerOf({ maxConnectionsPerAddress: 1, maxConnections: 1, keepAlive: false })
      const occurrences = Effect.map(Metric.value(Server.rejections), ({ occurrences }) => new Map(occurrences))
      const before = yield* occurrences
      visit(handler, "192.0.2.1", { origin: "http://evil.example" })
      visit(handler, "192.0.2.1")
      const full = visit(handler, "192.0.2.2")
      yield* settled
      assert.match(full.received().toString(), /^HTTP\/1\.1 503 [\s\S]*\r\nRetry-After: 10\r\n/)
      const after = yield* occurrences
      const counted = (reason: string) => (after.get(reason) ?? 0) - (before.get(reason) ?? 0)
      assert.strictEqual(counted("OriginRefused"), 1)
      assert.strictEqual(counted("TooManyConnections"), 1)
    })
  )
})

const message = (text: string): Buffer => frame(0x81, text, { mask: true })

const pong = frame(0x8a, "", { mask: true })

describe("idle and lifetime limits", () => {
  it.effect("an idle connection is closed with 1001, a talking one isn't", () =>
    Effect.gen(function* () {
      const handler = yield* handlerOf({ idleTimeout: "40 seconds", keepAlive: false })
      const [quiet, talking, ponging] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((address) =>
        visit(handler, address)
      )
      if (quiet === undefined || talking === undefined || ponging === undefined) return
      for (const visitor of [quiet, talking, ponging]) accepted(visitor).receiveBuffer.claimMessages()
      for (let time = 0; time < 39; time += 13) {
        yield* TestClock.adjust("13 seconds")
        talking.peer.write(message("here"))
        ponging.peer.write(pong)
        yield* settled
        accepted(talking).receiveBuffer.take()
        for (const visitor of [quiet, talking, ponging]) assert.strictEqual(closeFrameOf(visitor), "none")
      }
      yield* TestClock.adjust("1 second")
      yield* settled
      assert.strictEqual(closeFrameOf(quiet), "1001 idle")
      assert.strictEqual(closeFrameOf(ponging), "1001 idle")
      assert.strictEqual(closeFrameOf(talking), "none")
      yield* TestClock.adjust("50 seconds")
      yield* settled
      assert.strictEqual(closeFrameOf(talking), "1001 idle")
    })
  )

  it.effect("what waits for a slow reader isn't idle", () =>
    Effect.gen(function* () {
      const handler = yield* handlerOf({ idleTimeout: "40 seconds", keepAlive: false })
      const visitor = visit(handler, "192.0.2.1")
      accepted(visitor).receiveBuffer.claimMessages()
      visitor.peer.write(message("unread"))
      yield* settled
      yield* TestClock.adjust("5 minutes")
      yield* settled
      assert.strictEqual(closeFrameOf(visitor), "none")
    })
  )

  it.effect("a lifetime ends with 1001, and a connection that is gone leaves no timer", () =>
    Effect.gen(function* () {
      const handler = yield* handlerOf({ maxLifetime: "1 hour", idleTimeout: "3 hours", keepAlive: false })
      const old = visit(handler, "192.0.2.1")
      const waiting = (): unknown => Reflect.get(handler.timers, "waiting")
      const alone = waiting()
      assert.isNumber(alone)
      const gone = visit(handler, "192.0.2.2")
      assert.notStrictEqual(waiting(), alone)
      const evicted = Effect.map(Metric.value(Server.evictions), ({ occurrences }) => occurrences.get("lifetime") ?? 0)
      const before = yield* evicted
      accepted(gone).connection.terminate()
      yield* settled
      assert.strictEqual(waiting(), alone)
      yield* TestClock.adjust("59 minutes")
      yield* settled
      assert.strictEqual(closeFrameOf(old), "none")
      yield* TestClock.adjust("1 minute")
      yield* settled
      assert.strictEqual(closeFrameOf(old), "1001 lifetime")
      assert.strictEqual((yield* evicted) - before, 1)
    })
  )
})

/** A message of so many bytes, which nobody reads. */
const unread = (bytes: number): Buffer => frame(0x82, Buffer.alloc(bytes), { mask: true })

describe("the budget of memory", () => {
  it.effect("closes the greediest with 1013, refuses new ones, and recovers", () =>
    Effect.gen(function* () {
      const handler = yield* handlerOf({ maxMemory: 100_000, keepAlive: false, readBufferSize: 1_000_000 })
      const [small, large, largest] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((address) => visit(handler, address))
      if (small === undefined || large === undefined || largest === undefined) return
      for (const visitor of [small, large, largest]) accepted(visitor).receiveBuffer.claimMessages()
      small.peer.write(unread(20_000))
      large.peer.write(unread(40_000))
      yield* settled
      yield* TestClock.adjust("1 second")
      assert.strictEqual(statusOf(visit(handler, "192.0.2.4")), 101)
      // A message whose end doesn't come counts as well.
      largest.peer.write(unread(60_000).subarray(0, 50_000))
      yield* settled
      yield* TestClock.adjust("100 millis")
      yield* settled
      assert.strictEqual(closeFrameOf(largest), "1013 out of memory")
      assert.deepStrictEqual([closeFrameOf(small), closeFrameOf(large)], ["none", "none"])
      const refused = visit(handler, "192.0.2.5")
      assert.strictEqual(statusOf(refused), 503)
      // It stays, and is dropped at the next look.
      yield* TestClock.adjust("100 millis")
      yield* settled
      assert.isDefined(accepted(largest).connection.closedAs)
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(statusOf(visit(handler, "192.0.2.5")), 101)
      assert.isTrue(accepted(small).connection.isOpen && accepted(large).connection.isOpen)
    })
  )

  it.effect("counts what a peer doesn't read", () =>
    Effect.gen(function* () {
      const handler = yield* handlerOf({ maxMemory: 100_000, keepAlive: false })
      const [slow, other] = [visit(handler, "192.0.2.1"), visit(handler, "192.0.2.2")]
      slow.peer.pause()
      for (let sent = 0; sent < 40; sent++) accepted(slow).connection.outbound.message(Buffer.alloc(10_000))
      yield* settled
      yield* TestClock.adjust("100 millis")
      assert.isFalse(accepted(slow).connection.isOpen)
      assert.isTrue(accepted(other).connection.isOpen)
    })
  )

  it.effect("without a limit nobody looks", () =>
    Effect.gen(function* () {
      const handler = yield* handlerOf({ keepAlive: false })
      const visitor = visit(handler, "192.0.2.1")
      visitor.peer.write(unread(60_000))
      yield* settled
      yield* TestClock.adjust(Duration.hours(1))
      assert.isTrue(accepted(visitor).connection.isOpen)
    })
  )
})
