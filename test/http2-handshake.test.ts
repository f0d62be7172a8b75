// The opening handshake over HTTP/2, RFC 8441: what goes on the wire, and what is refused.
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Predicate, Result, Schema } from "effect"
import * as Extension from "../src/Extension.ts"
import * as Handshake from "../src/Handshake.ts"
import { encodeFields } from "../src/internal/protocol/opening/http.ts"

/** The request of RFC 8441 §5.1, as `node:http2` gives it. */
const published: Handshake.Request = {
  method: "CONNECT",
  url: "/chat",
  httpVersion: "2.0",
  secure: true,
  headers: {
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":scheme": "https",
    ":path": "/chat",
    ":authority": "server.example.com",
    "sec-websocket-protocol": "chat, superchat",
    "sec-websocket-extensions": "permessage-deflate",
    "sec-websocket-version": "13",
    origin: "https://server.example.com"
  }
}

const withHeaders = (headers: Handshake.HeaderFields): Handshake.Request => ({
  ...published,
  headers: { ...published.headers, ...headers }
})

const accepted = (request: Handshake.Request, options?: Handshake.AcceptOptions): Handshake.Accepted =>
  Result.getOrThrow(Handshake.acceptResult(request, options))

const failure = <A>(result: Result.Result<A, Handshake.HandshakeError>): Handshake.HandshakeError => {
  assert(Result.isFailure(result), "it was accepted")
  return result.failure
}

const refused = (request: Handshake.Request, options?: Handshake.AcceptOptions): Handshake.Reason =>
  failure(Handshake.acceptResult(request, options)).reason

/** The header fields of a refusal, as they go on the wire. */
const fields = (error: Handshake.HandshakeError) => encodeFields(Handshake.rejection(error).headers)

const ask = (url: string, options?: Handshake.RequestOptions): Handshake.ClientRequest =>
  Result.getOrThrow(Handshake.requestResult(url, { httpVersion: "2.0", ...options }))

describe("a server over HTTP/2", () => {
  it("answers the request of RFC 8441 §5.1 as that section does", () => {
    const { draft, extensions, origin, protocol, response } = accepted(published, { protocols: ["chat"] })
    assert.strictEqual(draft, Handshake.rfc6455)
    assert.strictEqual(protocol, "chat")
    assert.strictEqual(origin, "https://server.example.com")
    assert.deepStrictEqual(extensions, [])
    assert.strictEqual(response.status, 200)
    assert.deepStrictEqual(encodeFields(response.headers), { "sec-websocket-protocol": "chat" })
  })

  it("agrees to permessage-deflate as over HTTP/1.1", () => {
    const { extensions, response } = accepted(published, { extensions: [Extension.permessageDeflate()] })
    assert.deepStrictEqual(
      extensions.map(({ name }) => name),
      ["permessage-deflate"]
    )
    assert.deepStrictEqual(encodeFields(response.headers), {
      "sec-websocket-extensions": "permessage-deflate; server_no_context_takeover"
    })
  })

  it("looks at no key, and gives no answer to it", () => {
    const { response } = accepted(withHeaders({ "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" }))
    assert.deepStrictEqual(response.headers, [])
  })

  it("refuses what is no request for a WebSocket", () => {
    const cases: ReadonlyArray<[Handshake.Request, Handshake.Reason["_tag"], number]> = [
      [{ ...published, method: "GET" }, "MethodNotAllowed", 405],
      [{ ...published, url: "" }, "InvalidTarget", 400],
      [{ ...published, url: "https://server.example.com/chat" }, "InvalidTarget", 400],
      [withHeaders({ ":protocol": "connect-udp" }), "Unsupported", 501],
      [withHeaders({ ":protocol": undefined }), "Unsupported", 501],
      [withHeaders({ ":scheme": "ftp" }), "InvalidHeader", 400],
      [withHeaders({ ":authority": undefined }), "InvalidHeader", 400],
      [withHeaders({ "sec-websocket-version": "12" }), "UnsupportedVersion", 400],
      [withHeaders({ "sec-websocket-version": undefined }), "InvalidHeader", 400],
      [withHeaders({ "sec-websocket-protocol": "chat, chat" }), "InvalidHeader", 400],
      [withHeaders({ "sec-websocket-extensions": "a=" }), "InvalidHeader", 400],
      [withHeaders({ origin: "https://elsewhere.example" }), "OriginRefused", 403],
      [withHeaders({ origin: "http://server.example.com" }), "OriginRefused", 403]
    ]
    for (const [request, tag, status] of cases) {
      const reason = refused(request)
      assert.deepStrictEqual([reason._tag, reason.status], [tag, status], JSON.stringify(request))
    }
    assert.strictEqual(refused(published, { path: "/other" })._tag, "PathNotFound")
    assert.strictEqual(refused({ ...published, httpVersion: "3.0" })._tag, "MethodNotAllowed")
  })

  it("opens no draft but RFC 6455", () => {
    for (const draft of [Handshake.hybi08, Handshake.hybi07, Handshake.hixie76]) assert.isUndefined(draft.http2)
    const old = withHeaders({ "sec-websocket-version": "8" })
    const reason = refused(old)
    assert(reason._tag === "UnsupportedVersion")
    assert.deepStrictEqual(reason.supported, [13])
    assert.strictEqual(refused(old, { drafts: Handshake.all })._tag, "UnsupportedVersion")
    assert.strictEqual(refused(published, { drafts: [Handshake.hybi08] })._tag, "UnsupportedVersion")
  })

  it("refuses without what speaks of a connection: RFC 9113 §8.2.2", () => {
    const text = { "content-type": "text/plain; charset=utf-8" }
    assert.deepStrictEqual(fields(failure(Handshake.acceptResult(withHeaders({ "sec-websocket-version": "12" })))), {
      "content-length": "12",
      "sec-websocket-version": "13",
      ...text
    })
    assert.deepStrictEqual(fields(failure(Handshake.acceptResult({ ...published, method: "POST" }))), {
      "content-length": "19",
      allow: "CONNECT",
      ...text
    })
    assert.deepStrictEqual(fields(Handshake.tooManyConnections(1, 7)), {
      "content-length": "20",
      "retry-after": "7",
      ...text
    })
    assert.deepStrictEqual(
      encodeFields([
        ["Keep-Alive", "timeout=5"],
        ["TE", "gzip"],
        ["Vary", "a"],
        ["vary", "b"],
        ["Set-Cookie", "a=1"],
        ["set-cookie", "b=2"],
        ["Cookie", "a=1"],
        ["cookie", "b=2"]
      ]),
      { vary: "a, b", "set-cookie": ["a=1", "b=2"], cookie: "a=1; b=2" }
    )
  })
})

describe("a client over HTTP/2", () => {
  it("asks as RFC 8441 §5.1 does", () => {
    const request = ask("wss://server.example.com/chat", {
      protocols: ["chat", "superchat"],
      extensions: [Extension.permessageDeflate()],
      origin: "https://server.example.com",
      headers: { "X-Trace": "1" }
    })
    assert.deepStrictEqual(encodeFields(request.headers), {
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":scheme": "https",
      ":authority": "server.example.com",
      ":path": "/chat",
      "sec-websocket-version": "13",
      origin: "https://server.example.com",
      "sec-websocket-protocol": "chat, superchat",
      "sec-websocket-extensions":
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
      "x-trace": "1"
    })
    assert.deepStrictEqual([request.method, request.httpVersion, request.expected], ["CONNECT", "2.0", ""])
    assert.isUndefined(request.body)
  })

  it("names scheme, authority and path of the URL, and credentials as over HTTP/1.1", () => {
    const asked = encodeFields(ask("ws://ada:secret@[::1]:8080/a/b?c=d").headers)
    assert.strictEqual(asked[":scheme"], "http")
    assert.strictEqual(asked[":authority"], "[::1]:8080")
    assert.strictEqual(asked[":path"], "/a/b?c=d")
    assert.strictEqual(asked["authorization"], `Basic ${Buffer.from("ada:secret").toString("base64")}`)
    assert.isUndefined(asked["host"])
    assert.strictEqual(
      encodeFields(ask("wss://a.example/", { headers: { Host: "b.example" } }).headers)[":authority"],
      "b.example"
    )
  })

  it("can ask so for no draft but RFC 6455, and writes no pseudo-header of a caller's", () => {
    const result = Handshake.requestResult("ws://a.example/", { httpVersion: "2.0", draft: Handshake.hybi08 })
    assert.strictEqual(failure(result).reason._tag, "Unsupported")
    const forged = Handshake.requestResult("ws://a.example/", { httpVersion: "2.0", headers: { ":path": "/admin" } })
    assert.strictEqual(failure(forged).reason._tag, "UnsafeHeader")
  })

  it("takes an answer of 200 to 299, and no other", () => {
    const request = ask("wss://server.example.com/chat", { protocols: ["chat"] })
    for (const status of [200, 204, 299]) {
      const { draft, protocol } = Result.getOrThrow(
        Handshake.verifyResult(request, { status, headers: { "sec-websocket-protocol": "chat" } })
      )
      assert.deepStrictEqual([draft, protocol], [Handshake.rfc6455, "chat"])
    }
    for (const status of [101, 199, 300, 403, 501]) {
      const { reason } = failure(Handshake.verifyResult(request, { status, headers: {} }))
      assert.deepStrictEqual([reason._tag, reason.status], ["UnexpectedStatus", status])
      assert.include(reason.message, "200")
    }
  })

  it("checks subprotocol and extensions as over HTTP/1.1", () => {
    const request = ask("wss://server.example.com/chat", { protocols: ["chat"], requireProtocol: true })
    const tagOf = (headers: Handshake.HeaderFields) =>
      failure(Handshake.verifyResult(request, { status: 200, headers })).reason._tag
    assert.strictEqual(tagOf({}), "InvalidSubprotocol")
    assert.strictEqual(tagOf({ "sec-websocket-protocol": "other" }), "InvalidSubprotocol")
    assert.strictEqual(tagOf({ "sec-websocket-protocol": "a b" }), "InvalidHeader")
    const offered = { "sec-websocket-protocol": "chat", "sec-websocket-extensions": "permessage-deflate" }
    assert.strictEqual(tagOf(offered), "InvalidExtension")
  })
})

/** What no field may be. */
const broken = "\u0001"

const parts = new Set(["method", "url"])

interface Message {
  readonly method: string
  readonly url: string
  readonly headers: Handshake.HeaderFields
}

const isMessage = (value: unknown): value is Message =>
  Predicate.hasProperty(value, "headers") && Predicate.isObject(value.headers)

describe("the schema of RFC 8441", () => {
  const opening = Handshake.rfc6455.http2
  assert(opening !== undefined)
  const encode = Schema.encodeUnknownSync(opening.requestSchema)
  const messages = Arbitrary.schema(opening.requestSchema).pipe(
    Arbitrary.map((value) => encode(value)),
    Arbitrary.filter(isMessage)
  )
  const rules = opening.requestRules

  it("states a rule and a section for every field", () => {
    for (const rule of [...rules, ...opening.responseRules]) {
      assert.notInclude([rule.reason, rule.section], "undefined", rule.field)
    }
    assert.strictEqual(rules.length, 9)
  })

  it.prop(
    "lets a server accept every request that it describes, and names the field that is broken",
    [messages],
    ([message]) => {
      const request = { ...message, httpVersion: "2.0" }
      const options: Handshake.AcceptOptions = { origins: "any" }
      assert.strictEqual(accepted(request, options).response.status, 200)
      for (const { field, required } of rules) {
        for (const value of required ? [broken, undefined] : [broken]) {
          const wrong = parts.has(field)
            ? { ...request, [field]: value }
            : { ...request, headers: { ...request.headers, [field]: value } }
          const reason = refused(wrong, options)
          const expected =
            field === "method"
              ? "MethodNotAllowed"
              : field === "url"
                ? "InvalidTarget"
                : field === ":protocol"
                  ? "Unsupported"
                  : field === "sec-websocket-version" && value !== undefined
                    ? "UnsupportedVersion"
                    : "InvalidHeader"
          assert.strictEqual(reason._tag, expected, `${field}: ${String(value)}`)
          if (reason._tag === "InvalidHeader") assert.strictEqual(reason.header, field)
        }
      }
    }
  )
})
