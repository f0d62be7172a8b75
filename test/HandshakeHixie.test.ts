import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import * as Extension from "../src/Extension.ts"
import * as Handshake from "../src/Handshake.ts"
import { buildWith } from "../src/internal/protocol/opening/hixie76.ts"

/** The example of draft-hixie-thewebsocketprotocol-76 §1.2. */
const published = {
  key1: "4 @1  46546xW%0l 1 5",
  key2: "12998 5 Y3 1  .P00",
  key3: Buffer.from("^n:ds[4U"),
  answer: "8jKS'y:G*Co,Wxa-"
}

const requestWith = (
  headers: Handshake.HeaderFields = {},
  rest: Partial<Handshake.Request> = {}
): Handshake.Request => ({
  method: "GET",
  url: "/demo",
  httpVersion: "1.1",
  headers: {
    host: "example.com",
    connection: "Upgrade",
    "sec-websocket-key2": published.key2,
    "sec-websocket-protocol": "sample",
    upgrade: "WebSocket",
    "sec-websocket-key1": published.key1,
    origin: "http://example.com",
    ...headers
  },
  key3: published.key3,
  ...rest
})

const options: Handshake.AcceptOptions = { drafts: [Handshake.rfc6455, Handshake.hixie76], protocols: ["sample"] }

const accepted = (request: Handshake.Request, more?: Handshake.AcceptOptions): Handshake.Accepted =>
  Result.getOrThrow(Handshake.acceptResult(request, { ...options, ...more }))

/** The reason, after a look at what a server would write: a plain refusal, and not a byte of an opening. */
const refused = (request: Handshake.Request, more?: Handshake.AcceptOptions): Handshake.Reason => {
  const result = Handshake.acceptResult(request, { ...options, ...more })
  assert(Result.isFailure(result), "it succeeded")
  const { reason } = result.failure
  const answer = text(Handshake.encodeResponse(Handshake.rejection(result.failure)))
  assert.match(answer, new RegExp(`^HTTP/1\\.1 ${reason.status} [A-Z]`))
  assert.include(answer, "\r\nConnection: close")
  assert.notInclude(answer, "Sec-WebSocket-Location")
  return reason
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1")

const headerOf = (headers: ReadonlyArray<Handshake.Header>, name: string): string =>
  headers.find(([field]) => field === name)?.[1] ?? ""

const fieldsOf = (headers: ReadonlyArray<Handshake.Header>): Handshake.HeaderFields =>
  Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]))

const location = (headers: Handshake.HeaderFields, rest?: Partial<Handshake.Request>) =>
  headerOf(accepted(requestWith({ origin: undefined, ...headers }, rest)).response.headers, "Sec-WebSocket-Location")

describe("a Hixie-76 server", () => {
  it("answers the draft's example to the byte", () => {
    const { draft, origin, protocol, response } = accepted(requestWith())
    assert.strictEqual(draft, Handshake.hixie76)
    assert.strictEqual(origin, "http://example.com")
    assert.strictEqual(protocol, "sample")
    assert.strictEqual(
      text(Handshake.encodeResponse(response)),
      "HTTP/1.1 101 WebSocket Protocol Handshake\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Origin: http://example.com\r\nSec-WebSocket-Location: ws://example.com/demo\r\n" +
        `Sec-WebSocket-Protocol: sample\r\n\r\n${published.answer}`
    )
  })

  it("is spoken only when it is listed", () => {
    for (const drafts of [undefined, Handshake.defaults, []]) {
      const reason = refused(requestWith(), { drafts })
      assert(reason._tag === "UnsupportedVersion")
      assert.strictEqual(reason.version, "hixie-76")
    }
    assert.strictEqual(accepted(requestWith(), { drafts: Handshake.all }).draft.id, "hixie-76")
  })

  it("is not chosen when the request names a version", () => {
    const both = requestWith({ "sec-websocket-version": "13" })
    const reason = refused(both)
    assert(reason._tag === "InvalidHeader")
    assert.strictEqual(reason.header, "sec-websocket-key")
  })

  it("tells how many bytes to read before accepting", () => {
    const draft = Result.getOrThrow(Handshake.selectDraft(requestWith({}, { key3: undefined }), Handshake.all))
    assert.deepStrictEqual(draft.bodyLength, { request: 8, response: 16 })
  })

  it("refuses bad keys at once, and writes nothing of an answer to them", () => {
    const bad = [
      "",
      "12345",
      "    ",
      "abc def",
      "1 2 3",
      "1 0 1",
      "4294967296 ",
      " 8589934592",
      "8589934592  1",
      "99999999999999999999999999 9",
      `${"9".repeat(400)} `,
      `1${" ".repeat(400_000)}`,
      // 2⁵³ + 1, which as a double would lose its 1 and then divide.
      `9007199254740993${" ".repeat(2 ** 22)}`
    ]
    for (const header of ["sec-websocket-key1", "sec-websocket-key2"]) {
      for (const key of [...bad, undefined]) {
        const reason = refused(requestWith({ [header]: key }))
        assert(reason._tag === "InvalidHeader", key?.slice(0, 40))
        assert.strictEqual(reason.header, header)
        assert.match(reason.section, /^hixie-76 §5/)
      }
    }
  })

  it("knows a number of 32 bits from one past it", () => {
    for (const key of ["4294967295 ", "8589934590  ", "a4294967295 b", "0 ", "12 "]) {
      assert.strictEqual(accepted(requestWith({ "sec-websocket-key1": key })).response.status, 101, key)
    }
    for (const key of ["4294967296 ", "8589934592  "]) {
      assert.strictEqual(refused(requestWith({ "sec-websocket-key1": key }))._tag, "InvalidHeader", key)
    }
  })

  it("needs exactly eight bytes after the head", () => {
    for (const key3 of [undefined, Buffer.alloc(0), Buffer.alloc(7), Buffer.alloc(9)]) {
      assert.strictEqual(refused(requestWith({}, { key3 }))._tag, "InvalidBody")
    }
    assert.strictEqual(accepted(requestWith({}, { key3: new Uint8Array(8) })).response.body?.length, 16)
  })

  it("builds the location from a host that is one", () => {
    assert.strictEqual(location({ host: "a.example:81" }, { url: "/x?y=z" }), "ws://a.example:81/x?y=z")
    assert.strictEqual(location({ host: "[::1]:81" }, { secure: true }), "wss://[::1]:81/demo")
    assert.strictEqual(location({}, { url: "http://other/x?y" }), "ws://example.com/x?y")
    assert.strictEqual(location({}, { url: "http://other" }), "ws://example.com/")
    const forwarded = { "x-forwarded-host": "evil", "x-forwarded-proto": "https" }
    assert.strictEqual(location(forwarded), "ws://example.com/demo")
    for (const host of [undefined, "", "a/b", "a b", "a@b", "a?b", "a#b", "a\r\nX: y", "a\\b", "a:b:c", "[a", "a, b"]) {
      const reason = refused(requestWith({ host }))
      assert(reason._tag === "InvalidHeader", host)
      assert.strictEqual(reason.header, "host")
    }
  })

  it("answers when nothing is served at the path", () => {
    assert.strictEqual(refused(requestWith(), { path: "/other" })._tag, "PathNotFound")
    assert.strictEqual(accepted(requestWith({}, { url: "/demo?x" }), { path: "/demo" }).response.status, 101)
  })

  it("applies the origin policy, and repeats the origin", () => {
    assert.strictEqual(refused(requestWith({ origin: "http://evil" }))._tag, "OriginRefused")
    const any = accepted(requestWith({ origin: "http://evil" }), { origins: "any" })
    assert.strictEqual(headerOf(any.response.headers, "Sec-WebSocket-Origin"), "http://evil")
    const none = accepted(requestWith({ origin: undefined }))
    assert.isUndefined(none.origin)
    assert.strictEqual(headerOf(none.response.headers, "Sec-WebSocket-Origin"), "null")
    assert.strictEqual(refused(requestWith({ origin: "http://a\r\nX: y" }))._tag, "InvalidHeader")
  })

  it("chooses no subprotocol that was not asked for, and knows no extensions", () => {
    const { extensions, protocol, response } = accepted(
      requestWith({ "sec-websocket-protocol": "a/b", "sec-websocket-extensions": "permessage-deflate" }),
      { extensions: [Extension.permessageDeflate()] }
    )
    assert.isUndefined(protocol)
    assert.isEmpty(extensions)
    assert.isFalse(response.headers.some(([name]) => /protocol|extensions/i.test(name)))
    const slash = accepted(requestWith({ "sec-websocket-protocol": "a/b" }), { protocols: ["a/b"] })
    assert.strictEqual(slash.protocol, "a/b")
  })
})

const ask = (url = "ws://example.com/demo", more: Handshake.RequestOptions = {}): Handshake.ClientRequest =>
  Result.getOrThrow(Handshake.requestResult(url, { draft: Handshake.hixie76, ...more }))

describe("a Hixie-76 client", () => {
  it("expects the published answer to the published keys", () => {
    const question = {
      secure: false,
      host: "example.com",
      target: "/demo",
      origin: "http://example.com",
      protocols: "sample",
      extensions: undefined
    }
    const asked = buildWith(question, published.key1, published.key2, published.key3)
    assert.strictEqual(asked.expected, published.answer)
    assert.deepStrictEqual(fieldsOf(asked.headers), requestWith().headers)
    assert.strictEqual(asked.body, published.key3)
    const verified = Handshake.verifyResult(
      { ...ask("ws://example.com/demo", { protocols: ["sample"] }), ...asked },
      {
        status: 101,
        headers: {
          upgrade: "WebSocket",
          connection: "Upgrade",
          "sec-websocket-origin": "http://example.com",
          "sec-websocket-location": "ws://example.com/demo",
          "sec-websocket-protocol": "sample"
        },
        body: Buffer.from(published.answer)
      }
    )
    assert.strictEqual(Result.getOrThrow(verified).protocol, "sample")
  })

  it("sends the eight bytes right after the head", () => {
    const request = ask()
    const bytes = text(Handshake.encodeRequest(request))
    assert.match(bytes, /^GET \/demo HTTP\/1\.1\r\n/)
    assert.strictEqual(request.body?.length, 8)
    assert.isTrue(bytes.endsWith(`\r\n\r\n${text(request.body ?? Buffer.alloc(0))}`))
  })

  it("hides its numbers as the draft says, unpredictably", () => {
    const keys = new Set<string>()
    const orders = new Set<string>()
    const counts = new Set<number>()
    for (let round = 0; round < 300; round++) {
      const { body, headers } = ask()
      orders.add(headers.map(([name]) => name).join())
      for (const name of ["Sec-WebSocket-Key1", "Sec-WebSocket-Key2"]) {
        const key = headerOf(headers, name)
        keys.add(key)
        assert.match(key, /^[\x21-\x7e][\x20-\x7e]*[\x21-\x7e]$/)
        const spaces = key.split(" ").length - 1
        counts.add(spaces)
        const junk = key.replaceAll(/[0-9 ]/g, "").length
        const product = Number(key.replaceAll(/[^0-9]/g, ""))
        assert.isTrue(spaces >= 1 && spaces <= 12 && junk >= 1 && junk <= 12, key)
        assert.isTrue(product <= 0xffffffff && product % spaces === 0, key)
      }
      keys.add(text(body ?? Buffer.alloc(0)))
    }
    assert.strictEqual(keys.size, 900)
    assert.strictEqual(counts.size, 12)
    assert.isAbove(orders.size, 100)
  })

  it("names the origin of the URL when it is given none", () => {
    assert.strictEqual(headerOf(ask().headers, "Origin"), "http://example.com")
    assert.strictEqual(headerOf(ask("wss://a.example:444").headers, "Origin"), "https://a.example:444")
    assert.strictEqual(headerOf(ask("ws://a", { origin: "null" }).headers, "Origin"), "null")
  })

  it("offers no extensions: the draft has none", () => {
    const extensions = [Extension.permessageDeflate()]
    const result = Handshake.requestResult("ws://a", { draft: Handshake.hixie76, extensions })
    assert(Result.isFailure(result))
    assert.strictEqual(result.failure.reason._tag, "Unsupported")
    assert.strictEqual(result.failure.message, "hixie-76 has no extensions (hixie-76)")
  })

  const request = ask("wss://example.com/demo?x", { protocols: ["sample"], origin: "https://o.example" })
  const good: Handshake.ServerResponse = {
    status: 101,
    headers: {
      upgrade: "WebSocket",
      connection: "Upgrade",
      "sec-websocket-origin": "https://o.example",
      "sec-websocket-location": "wss://example.com/demo?x",
      "sec-websocket-protocol": "sample"
    },
    body: Buffer.from(request.expected, "latin1")
  }

  it.effect("takes a good answer", () =>
    Effect.gen(function* () {
      const { draft, extensions, protocol } = yield* Handshake.verify(request, good)
      assert.strictEqual(draft, Handshake.hixie76)
      assert.strictEqual(protocol, "sample")
      assert.isEmpty(extensions)
    })
  )

  it("refuses an answer with one thing wrong, and names it", () => {
    const cases: ReadonlyArray<[string, Handshake.HeaderFields[string]]> = [
      ["upgrade", "websocket"],
      ["upgrade", undefined],
      ["connection", "close"],
      ["sec-websocket-origin", undefined],
      ["sec-websocket-origin", "https://other"],
      ["sec-websocket-location", undefined],
      ["sec-websocket-location", "wss://example.com/demo"],
      ["sec-websocket-location", "ws://example.com/demo?x"],
      ["sec-websocket-protocol", undefined]
    ]
    for (const [header, value] of cases) {
      const result = Handshake.verifyResult(request, { ...good, headers: { ...good.headers, [header]: value } })
      assert(Result.isFailure(result), header)
      const { reason } = result.failure
      assert(reason._tag === "InvalidHeader", header)
      assert.strictEqual(reason.header, header)
    }
    const other = { ...good, headers: { ...good.headers, "sec-websocket-protocol": "other" } }
    const choice = Handshake.verifyResult(request, other)
    assert(Result.isFailure(choice))
    assert.strictEqual(choice.failure.reason._tag, "InvalidSubprotocol")
  })

  it("refuses another proof than the sixteen bytes that it expects", () => {
    const expected = Buffer.from(request.expected, "latin1")
    const flipped = Buffer.from(expected)
    flipped.writeUInt8(flipped.readUInt8(15) ^ 1, 15)
    for (const body of [
      undefined,
      Buffer.alloc(0),
      expected.subarray(1),
      Buffer.concat([expected, expected]),
      flipped
    ]) {
      const result = Handshake.verifyResult(request, { ...good, body })
      assert(Result.isFailure(result))
      assert.strictEqual(result.failure.reason._tag, "InvalidBody")
    }
  })
})
