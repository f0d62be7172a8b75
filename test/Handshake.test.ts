import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { readFileSync } from "node:fs"
import { IncomingMessage } from "node:http"
import { Socket } from "node:net"
import { render } from "../scripts/handshake-docs.ts"
import * as Extension from "../src/Extension.ts"
import * as Handshake from "../src/Handshake.ts"

const key = "dGhlIHNhbXBsZSBub25jZQ=="

const baseHeaders = {
  host: "example.com",
  upgrade: "websocket",
  connection: "Upgrade",
  "sec-websocket-key": key,
  "sec-websocket-version": "13"
}

const requestWith = (
  headers: Handshake.HeaderFields = {},
  rest: Partial<Handshake.Request> = {}
): Handshake.Request => ({
  method: "GET",
  url: "/chat",
  httpVersion: "1.1",
  headers: { ...baseHeaders, ...headers },
  ...rest
})

const accepted = (request: Handshake.Request, options?: Handshake.AcceptOptions): Handshake.Accepted =>
  Result.getOrThrow(Handshake.acceptResult(request, options))

const failureOf = (result: Result.Result<unknown, Handshake.HandshakeError>): Handshake.HandshakeError => {
  assert(Result.isFailure(result), "it succeeded")
  return result.failure
}

const refused = (request: Handshake.Request, options?: Handshake.AcceptOptions): Handshake.Reason =>
  failureOf(Handshake.acceptResult(request, options)).reason

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1")

const written = (response: Handshake.Response): string => text(Handshake.encodeResponse(response))

const headerOf = (headers: ReadonlyArray<Handshake.Header>, name: string): string | undefined =>
  headers.find(([field]) => field.toLowerCase() === name.toLowerCase())?.[1]

const fieldsOf = (headers: ReadonlyArray<Handshake.Header>): Handshake.HeaderFields =>
  Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]))

describe("accept", () => {
  it("answers the example of RFC 6455 §1.3 to the byte", () => {
    const request = requestWith({ origin: "http://example.com", "sec-websocket-protocol": "chat, superchat" })
    const { draft, origin, protocol, response } = accepted(request, { protocols: ["chat"] })
    assert.strictEqual(draft, Handshake.rfc6455)
    assert.strictEqual(protocol, "chat")
    assert.strictEqual(origin, "http://example.com")
    assert.strictEqual(
      written(response),
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
    )
  })

  it("takes an IncomingMessage as it is", () => {
    const message = new IncomingMessage(new Socket())
    message.method = "GET"
    message.url = "/"
    message.httpVersion = "1.1"
    Object.assign(message.headers, baseHeaders)
    assert.strictEqual(accepted(message).draft.id, "rfc6455")
  })

  it.effect("is an effect, too", () =>
    Effect.gen(function* () {
      const { draft } = yield* Handshake.accept(requestWith())
      assert.strictEqual(draft.version, 13)
      const error = yield* Effect.flip(Handshake.accept(requestWith({ host: "a b" })))
      assert.strictEqual(error._tag, "HandshakeError")
      assert.strictEqual(error.message, "host must be a host with an optional port (RFC 6455 §4.2.1)")
    })
  )

  it("tolerates what HTTP allows", () => {
    const tolerable: ReadonlyArray<Handshake.HeaderFields> = [
      { upgrade: "WebSocket" },
      { upgrade: "h2c, websocket" },
      { connection: "keep-alive,\tUPGRADE , x" },
      { host: "[::1]:8080" },
      { host: "a_b.example:" },
      { "x-anything": "\u0001", cookie: "a" }
    ]
    for (const headers of tolerable) assert.strictEqual(accepted(requestWith(headers)).response.status, 101)
    assert.strictEqual(accepted(requestWith({}, { url: "http://example.com/chat" })).response.status, 101)
    assert.strictEqual(accepted(requestWith({}, { httpVersion: undefined })).response.status, 101)
  })

  it("is not misled by header names that objects inherit", () => {
    const headers: Handshake.HeaderFields = JSON.parse('{"__proto__":"x","constructor":"y","toString":"z"}')
    assert.strictEqual(accepted({ ...requestWith(), headers: Object.assign(headers, baseHeaders) }).protocol, undefined)
    const inherited: Handshake.HeaderFields = JSON.parse('{"__proto__":{"host":"example.com"}}')
    assert.strictEqual(refused({ method: "GET", url: "/", headers: inherited })._tag, "UpgradeRequired")
  })
})

describe("refusals", () => {
  const cases: ReadonlyArray<[string, Handshake.Request, Handshake.Reason["_tag"], number, string]> = [
    ["POST", requestWith({}, { method: "POST" }), "MethodNotAllowed", 405, "POST"],
    ["no method", requestWith({}, { method: undefined }), "MethodNotAllowed", 405, "undefined"],
    ["HTTP/1.0", requestWith({}, { httpVersion: "1.0" }), "UnsupportedHttpVersion", 400, "1.0"],
    ["a target with a space", requestWith({}, { url: "/a b" }), "InvalidTarget", 400, "target"],
    ["a target with a line break", requestWith({}, { url: "/\r\nX: y" }), "InvalidTarget", 400, "target"],
    ["no upgrade", requestWith({ upgrade: undefined }), "UpgradeRequired", 426, "upgrade"],
    ["another upgrade", requestWith({ upgrade: "websockets, h2c" }), "UpgradeRequired", 426, "upgrade"],
    ["no connection", requestWith({ connection: "keep-alive" }), "UpgradeRequired", 426, "connection"],
    ["no host", requestWith({ host: undefined }), "InvalidHeader", 400, "host"],
    ["two hosts", requestWith({ host: "a, b" }), "InvalidHeader", 400, "host"],
    ["a host with user", requestWith({ host: "a@b" }), "InvalidHeader", 400, "host"],
    ["a host with path", requestWith({ host: "a/b" }), "InvalidHeader", 400, "host"],
    ["no key", requestWith({ "sec-websocket-key": undefined }), "InvalidHeader", 400, "sec-websocket-key"],
    ["15 bytes", requestWith({ "sec-websocket-key": "MDAwMDAwMDAwMDAwMDAw" }), "InvalidHeader", 400, "key"],
    ["17 bytes", requestWith({ "sec-websocket-key": "MDAwMDAwMDAwMDAwMDAwMDA=" }), "InvalidHeader", 400, "key"],
    ["two keys", requestWith({ "sec-websocket-key": `${key}, ${key}` }), "InvalidHeader", 400, "sec-websocket-key"],
    ["no version", requestWith({ "sec-websocket-version": undefined }), "InvalidHeader", 400, "sec-websocket-version"],
    ["version 14", requestWith({ "sec-websocket-version": "14" }), "UnsupportedVersion", 426, "14"],
    ["a word", requestWith({ "sec-websocket-version": "undefined" }), "UnsupportedVersion", 426, "undefined"],
    ["version 013", requestWith({ "sec-websocket-version": "013" }), "UnsupportedVersion", 426, "013"],
    ["bad names", requestWith({ "sec-websocket-protocol": "a b" }), "InvalidHeader", 400, "sec-websocket-protocol"],
    ["no names", requestWith({ "sec-websocket-protocol": "" }), "InvalidHeader", 400, "sec-websocket-protocol"],
    ["a gap", requestWith({ "sec-websocket-protocol": "a,,b" }), "InvalidHeader", 400, "sec-websocket-protocol"],
    ["a name twice", requestWith({ "sec-websocket-protocol": "a, b,a" }), "InvalidHeader", 400, "protocol"],
    ["bad extensions", requestWith({ "sec-websocket-extensions": "a;" }), "InvalidHeader", 400, "extensions"],
    ["an origin with a space", requestWith({ origin: "http://a b" }), "InvalidHeader", 400, "origin"],
    ["a list of values", requestWith({ "sec-websocket-key": [key] }), "InvalidHeader", 400, "sec-websocket-key"]
  ]

  for (const [name, request, tag, status, named] of cases) {
    it(`${name}: ${status} ${tag}`, () => {
      const reason = refused(request)
      assert.strictEqual(reason._tag, tag)
      assert.strictEqual(reason.status, status)
      assert.include(reason.message, named)
      assert.match(reason.section, /^RFC \d+ §\d/)
    })
  }

  it("are answered without detail, and end the connection", () => {
    const error = failureOf(Handshake.acceptResult(requestWith({ host: "secret!!/" })))
    assert.strictEqual(
      written(Handshake.rejection(error)),
      "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 12\r\n" +
        "Content-Type: text/plain; charset=utf-8\r\n\r\nBad Request\n"
    )
  })

  it("name the versions that are spoken, and only those", () => {
    const versions = (drafts: ReadonlyArray<Handshake.Draft> | undefined) => {
      const error = failureOf(Handshake.acceptResult(requestWith({ "sec-websocket-version": "99" }), { drafts }))
      const { headers, status } = Handshake.rejection(error)
      assert.strictEqual(status, 426)
      assert.strictEqual(headerOf(headers, "Upgrade"), "websocket")
      assert.strictEqual(headerOf(headers, "Connection"), "close, Upgrade")
      return headerOf(headers, "Sec-WebSocket-Version")
    }
    assert.strictEqual(versions(undefined), "13, 8, 7")
    assert.strictEqual(versions(Handshake.all), "13, 8, 7")
    assert.strictEqual(versions([Handshake.rfc6455, Handshake.hybi08]), "13, 8")
    assert.strictEqual(versions([Handshake.hixie76]), undefined)
    assert.strictEqual(versions([]), undefined)
    const plain = failureOf(Handshake.acceptResult({ method: "GET", url: "/", headers: { host: "a" } }))
    assert.strictEqual(headerOf(Handshake.rejection(plain).headers, "Sec-WebSocket-Version"), "13, 8, 7")
  })

  it("say which method is allowed, and when to try again", () => {
    const post = failureOf(Handshake.acceptResult(requestWith({}, { method: "POST" })))
    assert.strictEqual(headerOf(Handshake.rejection(post).headers, "Allow"), "GET")
    const busy: ReadonlyArray<[Handshake.HandshakeError, number, string | undefined]> = [
      [Handshake.tooManyRequests(), 429, undefined],
      [Handshake.tooManyRequests(30), 429, "30"],
      [Handshake.tooManyConnections(10), 503, undefined],
      [Handshake.tooManyConnections(10, 5), 503, "5"],
      [Handshake.shuttingDown(), 503, undefined],
      [Handshake.timeout(10_000), 408, undefined],
      [Handshake.headersTooLarge(16_384), 431, undefined]
    ]
    for (const [error, status, retryAfter] of busy) {
      const response = Handshake.rejection(error)
      assert.strictEqual(response.status, status)
      assert.isNotEmpty(response.reason)
      assert.strictEqual(headerOf(response.headers, "Retry-After"), retryAfter)
    }
  })

  it("carry the answer that the caller's authorization chose", () => {
    const error = Handshake.reject({
      status: 401,
      headers: { "WWW-Authenticate": 'Basic realm="chat"', "Content-Type": "application/json" },
      body: "{}"
    })
    assert.strictEqual(
      written(Handshake.rejection(error)),
      "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 2\r\n" +
        'WWW-Authenticate: Basic realm="chat"\r\nContent-Type: application/json\r\n\r\n{}'
    )
    assert.strictEqual(Handshake.rejection(Handshake.reject()).status, 403)
    assert.strictEqual(Handshake.rejection(Handshake.reject({ status: 302 })).reason, "")
    assert.strictEqual(Handshake.reject({ status: 200 }).reason.status, 200)
    assert.strictEqual(Handshake.reject({ status: 599 }).reason.status, 599)
    for (const status of [101, 199, 600, 403.5]) {
      assert.throws(() => Handshake.reject({ status }), RangeError)
    }
    const split = Handshake.reject({ headers: { Location: "/\r\nSet-Cookie: a=b" } })
    assert.strictEqual(split.reason._tag, "UnsafeHeader")
    assert.strictEqual(Handshake.rejection(split).status, 500)
    assert.notInclude(written(Handshake.rejection(split)), "Set-Cookie")
  })
})

describe("the draft", () => {
  it("is chosen by the version, if it is spoken", () => {
    for (const draft of Handshake.defaults) {
      assert.strictEqual(accepted(requestWith({ "sec-websocket-version": String(draft.version) })).draft, draft)
    }
    assert.deepStrictEqual(
      Handshake.all.map(({ id }) => id),
      ["rfc6455", "hybi-08", "hybi-07", "hixie-76"]
    )
    assert.strictEqual(
      refused(requestWith({ "sec-websocket-version": "8" }), { drafts: [Handshake.rfc6455] })._tag,
      "UnsupportedVersion"
    )
  })

  it("can be known before the request is accepted", () => {
    const draft = Result.getOrThrow(Handshake.selectDraft(requestWith({ "sec-websocket-version": "7" })))
    assert.strictEqual(draft, Handshake.hybi07)
    assert.deepStrictEqual(draft.bodyLength, { request: 0, response: 0 })
  })

  it("has its own header for the origin below version 13", () => {
    const origins = { origins: "any" } as const
    for (const version of ["8", "7"]) {
      const headers = { "sec-websocket-version": version, origin: "http://b", "sec-websocket-origin": "http://a" }
      assert.strictEqual(accepted(requestWith(headers), origins).origin, "http://a")
      assert.strictEqual(
        accepted(requestWith({ ...headers, "sec-websocket-origin": undefined }), origins).origin,
        "http://b"
      )
      assert.strictEqual(refused(requestWith({ ...headers, origin: undefined }))._tag, "OriginRefused")
    }
    assert.strictEqual(accepted(requestWith({ "sec-websocket-origin": "http://a" })).origin, undefined)
  })
})

const verdict = (
  origin: string | undefined,
  host: string,
  options: Handshake.AcceptOptions = {},
  secure?: boolean
): boolean => {
  const result = Handshake.acceptResult(requestWith({ origin, host }, { secure }), options)
  if (Result.isSuccess(result)) return true
  assert.strictEqual(result.failure.reason._tag, "OriginRefused")
  assert.strictEqual(result.failure.reason.status, 403)
  return false
}

describe("origins", () => {
  it("must be the server's own by default", () => {
    assert.isTrue(verdict(undefined, "example.com"))
    assert.isTrue(verdict("http://example.com", "example.com"))
    assert.isTrue(verdict("http://EXAMPLE.com", "example.COM"))
    assert.isTrue(verdict("http://example.com", "example.com:80"))
    assert.isTrue(verdict("http://example.com:80", "example.com"))
    assert.isTrue(verdict("http://example.com:8080", "example.com:8080"))
    assert.isTrue(verdict("http://[::1]:8080", "[::1]:8080"))
    assert.isFalse(verdict("http://example.com:8080", "example.com"))
    assert.isFalse(verdict("http://example.com", "example.com:8080"))
    assert.isFalse(verdict("http://evil.com", "example.com"))
    assert.isFalse(verdict("http://example.com.evil.com", "example.com"))
    assert.isFalse(verdict("http://evil.com/example.com", "example.com"))
    assert.isFalse(verdict("http://example.com@evil.com", "example.com"))
    assert.isFalse(verdict("http://user@example.com", "example.com"))
    assert.isFalse(verdict("http://example.com/", "example.com"))
    assert.isFalse(verdict("null", "example.com"))
    assert.isFalse(verdict("file://", "example.com"))
    assert.isFalse(verdict("chrome-extension://example.com", "example.com"))
  })

  it("may be secure behind a proxy, and must be when we are", () => {
    assert.isTrue(verdict("https://example.com", "example.com"))
    assert.isTrue(verdict("https://example.com", "example.com:443", {}, true))
    assert.isTrue(verdict("https://example.com", "example.com", {}, true))
    assert.isFalse(verdict("http://example.com", "example.com", {}, true))
    assert.isFalse(verdict("http://example.com:443", "example.com:443", {}, true))
    assert.isFalse(verdict("https://example.com", "example.com:80"))
  })

  it("may be any, or those of a list", () => {
    assert.isTrue(verdict("http://evil.com", "example.com", { origins: "any" }))
    assert.isTrue(verdict("null", "example.com", { origins: "any" }))
    const origins = ["https://a.example", /^https:\/\/[a-z]+\.b\.example$/g]
    assert.isTrue(verdict("https://A.example", "example.com", { origins }))
    assert.isTrue(verdict("https://x.b.example", "example.com", { origins }))
    assert.isTrue(verdict("https://x.b.example", "example.com", { origins }), "a global pattern keeps no state")
    assert.isTrue(verdict(undefined, "example.com", { origins }))
    assert.isFalse(verdict("http://a.example", "example.com", { origins }))
    assert.isFalse(verdict("http://example.com", "example.com", { origins }))
    assert.isFalse(verdict("http://example.com", "example.com", { origins: [] }))
  })
})

const at = (url: string) => Handshake.acceptResult(requestWith({}, { url }), { path: "/chat" })

describe("the path", () => {
  it("is compared without the query, and answered when it is another", () => {
    for (const url of ["/chat", "/chat?a=/b", "http://example.com/chat?x"])
      assert.isTrue(Result.isSuccess(at(url)), url)
    for (const url of ["/", "/chat/", "/Chat", "/chats", "http://example.com", "http://example.com?/chat"]) {
      const error = failureOf(at(url))
      assert.strictEqual(error.reason._tag, "PathNotFound", url)
      assert.match(written(Handshake.rejection(error)), /^HTTP\/1\.1 404 Not Found\r\nConnection: close\r\n/)
    }
  })
})

const choose = (protocols: Handshake.AcceptOptions["protocols"], offered: string | undefined) =>
  accepted(requestWith({ "sec-websocket-protocol": offered }), { protocols })

describe("subprotocols", () => {
  it("are the server's choice among those asked for", () => {
    assert.strictEqual(choose(["b", "a"], "a, b").protocol, "b")
    assert.strictEqual(choose(["c", "a"], "a,b").protocol, "a")
    for (const { protocol, response } of [
      choose(["c"], "a, b"),
      choose(["a"], undefined),
      choose(undefined, "a"),
      choose(["A", "__proto__"], "a")
    ]) {
      assert.isUndefined(protocol)
      assert.isUndefined(headerOf(response.headers, "Sec-WebSocket-Protocol"))
    }
  })

  it("may be chosen by a function, which sees the request", () => {
    const request = requestWith({ "sec-websocket-protocol": "a ,\tb" })
    const { protocol } = accepted(request, {
      protocols: (offered, seen) => {
        assert.deepStrictEqual(offered, ["a", "b"])
        assert.strictEqual(seen, request)
        return "b"
      }
    })
    assert.strictEqual(protocol, "b")
    assert.isUndefined(choose(() => undefined, "a").protocol)
    const reason = refused(request, { protocols: () => "c\r\nX: y" })
    assert.strictEqual(reason._tag, "InvalidSubprotocol")
    assert.strictEqual(reason.status, 500)
  })

  it("are read in linear time", () => {
    const hostile = [
      `b${" ".repeat(400_000)}x`,
      `${"a,".repeat(400_000)},`,
      "\t".repeat(400_000),
      "b".repeat(400_000) + '"'
    ]
    for (const protocols of hostile) {
      assert.strictEqual(refused(requestWith({ "sec-websocket-protocol": protocols }))._tag, "InvalidHeader")
    }
    const lists = ["upgrade", "connection"].flatMap((name) =>
      [",".repeat(400_000), " ".repeat(400_000), ` ,\t${"web ,".repeat(400_000)}`].map((value) => ({ [name]: value }))
    )
    for (const list of lists) assert.strictEqual(refused(requestWith(list))._tag, "UpgradeRequired")
  })
})

describe("added headers", () => {
  it("stand in the answer, from a record or from pairs", () => {
    const { response } = accepted(requestWith(), { headers: { "Set-Cookie": "a=b", "X-Tab": "a\tb\xe9" } })
    assert.isTrue(written(response).endsWith("Set-Cookie: a=b\r\nX-Tab: a\tb\xe9\r\n\r\n"))
    const twice = accepted(requestWith(), {
      headers: [
        ["Set-Cookie", "a=b"],
        ["Set-Cookie", "c=d"]
      ]
    })
    assert.include(written(twice.response), "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n")
  })

  it("cannot break a line, nor speak for the handshake", () => {
    const unsafe: ReadonlyArray<Handshake.Header> = [
      ["X", "a\r\nY: b"],
      ["X", "a\nb"],
      ["X", "a\rb"],
      ["X", "a\0b"],
      ["X", "a\x7f"],
      ["X", "\u0100"],
      ["X\r\nY", "a"],
      ["X Y", "a"],
      ["X:", "a"],
      ["", "a"],
      ["Connection", "close"],
      ["UPGRADE", "h2c"],
      ["Content-Length", "1"],
      ["Transfer-Encoding", "chunked"],
      ["Sec-WebSocket-Accept", "x"],
      ["Sec-WebSocket-Protocol", "x"]
    ]
    const untyped: ReadonlyArray<Handshake.Header> = JSON.parse('[["X", null], ["X", ["a", "b"]], ["X", {}]]')
    for (const header of [...unsafe, ...untyped]) {
      const reason = refused(requestWith(), { headers: [header] })
      assert.strictEqual(reason._tag, "UnsafeHeader", JSON.stringify(header))
      assert.strictEqual(reason.status, 500)
      const asked = Handshake.requestResult("ws://example.com", { headers: [header] })
      assert.strictEqual(failureOf(asked).reason._tag, "UnsafeHeader", JSON.stringify(header))
    }
  })
})

/** An extension that is not permessage-deflate: it agrees to one level. */
const leveled = (name: string, rsv: number): Extension.Extension<{ readonly level: string }> => ({
  name,
  rsv,
  offer: () => [[["level", "1"]], []],
  accept: (offers) => {
    for (const params of offers) {
      const [param] = params
      if (param?.[0] === "level" && typeof param[1] === "string") return { params, settings: { level: param[1] } }
    }
    return undefined
  },
  confirm: (params) =>
    params[0]?.[1] === "1" ? Result.succeed({ params, settings: { level: "1" } }) : Result.fail("the level must be 1")
})

describe("extensions", () => {
  const deflate = Extension.permessageDeflate()

  it("are agreed to in the server's order; unknown ones are declined", () => {
    const request = requestWith({
      "sec-websocket-extensions": "unknown; a=1, x; level=0, permessage-deflate; client_max_window_bits, x; level=2"
    })
    const { extensions, response } = accepted(request, { extensions: [deflate, leveled("x", 1)] })
    assert.deepStrictEqual(
      extensions.map(({ name, rsv }) => [name, rsv]),
      [
        ["permessage-deflate", 4],
        ["x", 1]
      ]
    )
    assert.strictEqual(
      headerOf(response.headers, "Sec-WebSocket-Extensions"),
      "permessage-deflate; server_no_context_takeover, x; level=0"
    )
    assert.isDefined(Extension.deflateSettings(extensions))
  })

  it("leave no header when none was agreed to", () => {
    for (const offer of ["unknown", "x", "permessage-deflate; server_max_window_bits=7", "__proto__, constructor"]) {
      const request = requestWith({ "sec-websocket-extensions": offer })
      const { extensions, response } = accepted(request, { extensions: [deflate, leveled("x", 1)] })
      assert.isEmpty(extensions)
      assert.isUndefined(headerOf(response.headers, "Sec-WebSocket-Extensions"))
    }
    assert.isEmpty(accepted(requestWith({ "sec-websocket-extensions": "permessage-deflate" })).extensions)
  })

  it("share no reserved bit: the first wins", () => {
    const request = requestWith({ "sec-websocket-extensions": "x; level=1, permessage-deflate" })
    const names = (extensions: ReadonlyArray<Extension.Extension>) =>
      accepted(request, { extensions }).extensions.map(({ name }) => name)
    assert.deepStrictEqual(names([deflate, leveled("x", 4)]), ["permessage-deflate"])
    assert.deepStrictEqual(names([leveled("x", 4), deflate]), ["x"])
    assert.deepStrictEqual(names([leveled("x", 3), deflate]), ["x", "permessage-deflate"])
    assert.deepStrictEqual(names([leveled("x", 6), deflate]), ["x"])
  })

  it("cannot break the line with their parameters", () => {
    const breaking: Extension.Extension = {
      ...leveled("x", 0),
      offer: () => [[["level", "1\r\nX: y"]]],
      accept: () => ({ params: [["level", "1\r\nX: y"]], settings: undefined })
    }
    const request = requestWith({ "sec-websocket-extensions": "x" })
    assert.strictEqual(refused(request, { extensions: [breaking] })._tag, "UnsafeHeader")
    const asked = Handshake.requestResult("ws://example.com", { extensions: [breaking] })
    assert.strictEqual(failureOf(asked).reason._tag, "UnsafeHeader")
  })
})

const ask = (url: string | URL, options?: Handshake.RequestOptions): Handshake.ClientRequest =>
  Result.getOrThrow(Handshake.requestResult(url, options))

const askingFails = (url: string | URL, options?: Handshake.RequestOptions): Handshake.Reason =>
  failureOf(Handshake.requestResult(url, options)).reason

describe("request", () => {
  it("writes what RFC 6455 §4.1 asks for", () => {
    const request = ask("ws://example.com/chat?a=b", {
      protocols: ["chat", "superchat"],
      origin: "http://example.com",
      headers: { "X-Trace": "1" },
      extensions: [Extension.permessageDeflate()]
    })
    const sent = headerOf(request.headers, "Sec-WebSocket-Key")
    assert.strictEqual(
      text(Handshake.encodeRequest(request)),
      "GET /chat?a=b HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Key: ${sent}\r\nSec-WebSocket-Version: 13\r\nOrigin: http://example.com\r\n` +
        "Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Extensions: permessage-deflate; " +
        "server_no_context_takeover; client_no_context_takeover; client_max_window_bits\r\nX-Trace: 1\r\n\r\n"
    )
    assert.isUndefined(request.body)
  })

  it("names the version, and the origin in the header that belongs to it", () => {
    for (const draft of [Handshake.hybi08, Handshake.hybi07]) {
      const { headers } = ask("ws://example.com", { draft, origin: "http://a" })
      assert.strictEqual(headerOf(headers, "Sec-WebSocket-Version"), String(draft.version))
      assert.strictEqual(headerOf(headers, "Sec-WebSocket-Origin"), "http://a")
      assert.isUndefined(headerOf(headers, "Origin"))
    }
  })

  it.effect("draws a key of 16 unpredictable bytes for each connection", () =>
    Effect.gen(function* () {
      const asking = Handshake.request("ws://example.com")
      const keys = new Set<string>()
      const bytesAt = Array.from({ length: 16 }, () => new Set<number>())
      for (let count = 0; count < 500; count++) {
        const sent = headerOf((yield* asking).headers, "Sec-WebSocket-Key") ?? ""
        const bytes = Buffer.from(sent, "base64")
        assert.strictEqual(bytes.length, 16)
        keys.add(sent)
        bytesAt.forEach((seen, index) => seen.add(bytes.readUInt8(index)))
      }
      assert.strictEqual(keys.size, 500)
      // No byte is a constant part, such as a version or the time.
      for (const seen of bytesAt) assert.isAbove(seen.size, 128)
    })
  )

  it("reads URLs", () => {
    const cases: ReadonlyArray<[string, Partial<Handshake.ClientRequest>, string]> = [
      ["ws://example.com", { secure: false, host: "example.com", port: 80, target: "/" }, "example.com"],
      ["wss://example.com/", { secure: true, port: 443, target: "/" }, "example.com"],
      ["http://example.com:80/a", { secure: false, port: 80, target: "/a" }, "example.com"],
      ["https://example.com:444?b", { secure: true, port: 444, target: "/?b" }, "example.com:444"],
      ["WS://EXAMPLE.com:8080/A b?é", { port: 8080, target: "/A%20b?%C3%A9" }, "example.com:8080"],
      ["ws://[::1]:9000/", { host: "::1", port: 9000 }, "[::1]:9000"],
      ["ws://münchen.example/", { host: "xn--mnchen-3ya.example" }, "xn--mnchen-3ya.example"],
      ["ws+unix:/tmp/a.sock", { socketPath: "/tmp/a.sock", target: "/", secure: false }, "localhost"],
      ["ws+unix:/tmp/a%20b.sock:/chat?x=1", { socketPath: "/tmp/a b.sock", target: "/chat?x=1" }, "localhost"],
      ["ws+unix:///tmp/a.sock:/", { socketPath: "/tmp/a.sock", target: "/" }, "localhost"]
    ]
    for (const [url, expected, host] of cases) {
      const request = ask(url)
      assert.deepInclude(request, expected, url)
      assert.strictEqual(headerOf(request.headers, "Host"), host, url)
      assert.deepInclude(ask(new URL(url)), expected, url)
    }
  })

  it("refuses what is no URL for a WebSocket", () => {
    const bad = [
      "",
      "/chat",
      "example.com",
      "ftp://example.com",
      "ws://",
      "ws://example.com/#a",
      "ws://example.com/#",
      "ws://example.com/a\r\nX: y",
      "ws://example.com/a\0",
      "\tws://example.com/",
      "ws://exa mple.com/",
      "ws://example.com:99999/",
      "ws://%zz:a@example.com/",
      "ws+unix:",
      "ws+unix::/chat",
      "ws+unix:/tmp/a%00.sock"
    ]
    for (const url of bad) assert.strictEqual(askingFails(url)._tag, "InvalidUrl", url)
  })

  it("takes user and password out of the URL", () => {
    const request = ask("ws://us%20er:p%40ss:w%C3%B6rd@example.com/")
    assert.strictEqual(request.url, "ws://example.com/")
    assert.strictEqual(
      headerOf(request.headers, "Authorization"),
      `Basic ${Buffer.from("us er:p@ss:wörd").toString("base64")}`
    )
    assert.strictEqual(
      headerOf(ask("ws://a@example.com").headers, "Authorization"),
      `Basic ${Buffer.from("a:").toString("base64")}`
    )
    assert.isUndefined(headerOf(ask("ws://example.com").headers, "Authorization"))
    const options = { auth: "c:d" }
    assert.strictEqual(
      headerOf(ask("ws://a:b@example.com", options).headers, "Authorization"),
      `Basic ${Buffer.from("c:d").toString("base64")}`
    )
    const given = ask("ws://a:b@example.com", { ...options, headers: { authorization: "Bearer x" } })
    assert.deepStrictEqual(
      given.headers.filter(([name]) => name.toLowerCase() === "authorization"),
      [["authorization", "Bearer x"]]
    )
    for (const url of [
      "ws://user:secret@example.com/#a",
      "foo://user:secret@example.com",
      "ws://user:secret@exa mple"
    ]) {
      assert.notInclude(JSON.stringify(askingFails(url)), "secret")
    }
  })

  it("lets the caller name host and origin", () => {
    const options = [{ host: "other:1", origin: "http://o" }, { headers: { host: "other:1", ORIGIN: "http://o" } }]
    for (const option of options) {
      const { headers, host } = ask("ws://example.com", option)
      assert.strictEqual(host, "example.com")
      assert.deepStrictEqual(
        headers.filter(([name]) => /^(?:host|origin)$/i.test(name)),
        [
          ["Host", "other:1"],
          ["Origin", "http://o"]
        ]
      )
    }
    assert.strictEqual(askingFails("ws://a", { host: "b/c" })._tag, "UnsafeHeader")
    assert.strictEqual(askingFails("ws://a", { host: "b\r\nX: y" })._tag, "UnsafeHeader")
    assert.strictEqual(askingFails("ws://a", { origin: "http://b\r\nX: y" })._tag, "UnsafeHeader")
    assert.strictEqual(askingFails("ws://a", { origin: "" })._tag, "UnsafeHeader")
  })

  it("refuses subprotocols that are no tokens, or stand twice", () => {
    for (const protocols of [[""], ["a b"], ["a,b"], ["a\r\nX: y"], ["a\0"], ["a", "b", "a"]]) {
      const reason = askingFails("ws://a", { protocols })
      assert.strictEqual(reason._tag, "InvalidSubprotocol", JSON.stringify(protocols))
    }
    assert.isUndefined(headerOf(ask("ws://a", { protocols: [] }).headers, "Sec-WebSocket-Protocol"))
  })
})

describe("verify", () => {
  const options = { protocols: ["a", "b"], extensions: [Extension.permessageDeflate(), leveled("x", 1)] }
  const request = ask("ws://example.com", options)
  const responseWith = (headers: Handshake.HeaderFields = {}, status = 101): Handshake.ServerResponse => ({
    status,
    headers: { upgrade: "WebSocket", connection: "upgrade", "sec-websocket-accept": request.expected, ...headers }
  })
  const deflate = "permessage-deflate; server_no_context_takeover"
  const fails = (response: Handshake.ServerResponse, asked = request) =>
    failureOf(Handshake.verifyResult(asked, response)).reason

  it.effect("tells what was agreed, in both styles", () =>
    Effect.gen(function* () {
      const response = responseWith({
        "sec-websocket-protocol": "b",
        "sec-websocket-extensions": `x; level=1, ${deflate}`
      })
      const first = yield* Handshake.verify(request, response)
      const last = yield* Handshake.request("ws://example.com", options).pipe(
        Effect.map((asked) => ({ ...asked, expected: request.expected })),
        Effect.flatMap(Handshake.verify(response))
      )
      for (const { draft, extensions, protocol } of [first, last]) {
        assert.strictEqual(draft, Handshake.rfc6455)
        assert.strictEqual(protocol, "b")
        assert.deepStrictEqual(
          extensions.map(({ name, rsv }) => [name, rsv]),
          [
            ["x", 1],
            ["permessage-deflate", 4]
          ]
        )
      }
    })
  )

  it("takes the answer of our own server, for every draft", () => {
    for (const draft of Handshake.all) {
      const asked = ask("wss://example.com/x", { draft, protocols: ["a", "b"], origin: "https://example.com" })
      const { response } = accepted(
        { method: "GET", url: asked.target, headers: fieldsOf(asked.headers), key3: asked.body, secure: true },
        { drafts: [draft], protocols: ["b"] }
      )
      const { body, headers, status } = response
      const result = Handshake.verifyResult(asked, { status, headers: fieldsOf(headers), body })
      assert.strictEqual(Result.getOrThrow(result).protocol, "b")
    }
  })

  it("names the status when it is not 101", () => {
    for (const status of [100, 200, 302, 401, 426, 503]) {
      const reason = fails(responseWith({ location: "/other" }, status))
      assert(reason._tag === "UnexpectedStatus")
      assert.strictEqual(reason.status, status)
      assert.strictEqual(reason.headers["location"], "/other")
    }
  })

  it("names the field that is wrong", () => {
    const cases: ReadonlyArray<[string, Handshake.HeaderFields[string]]> = [
      ["upgrade", undefined],
      ["upgrade", "h2c"],
      ["upgrade", "websocket, h2c"],
      ["connection", undefined],
      ["connection", "close"],
      ["sec-websocket-accept", undefined],
      ["sec-websocket-accept", ""],
      ["sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
      ["sec-websocket-accept", `${request.expected} `],
      ["sec-websocket-accept", request.expected.toLowerCase()],
      ["sec-websocket-protocol", ""],
      ["sec-websocket-protocol", "a, b"],
      ["sec-websocket-protocol", ["a"]],
      ["sec-websocket-extensions", ""],
      ["sec-websocket-extensions", "x;"]
    ]
    for (const [header, value] of cases) {
      const reason = fails(responseWith({ [header]: value }))
      assert(reason._tag === "InvalidHeader", `${header}: ${String(value)}`)
      assert.strictEqual(reason.header, header)
    }
  })

  it("refuses a subprotocol that was not asked for, and none when one is required", () => {
    const other = fails(responseWith({ "sec-websocket-protocol": "c" }))
    assert(other._tag === "InvalidSubprotocol")
    assert.strictEqual(other.protocol, "c")
    const unasked = fails(responseWith({ "sec-websocket-protocol": "a" }), { ...request, protocols: [] })
    assert.strictEqual(unasked._tag, "InvalidSubprotocol")
    const none = Result.getOrThrow(Handshake.verifyResult(request, responseWith()))
    assert.isUndefined(none.protocol)
    const required = { ...request, requireProtocol: true }
    assert.strictEqual(fails(responseWith(), required)._tag, "InvalidSubprotocol")
    assert.isTrue(Result.isSuccess(Handshake.verifyResult({ ...required, protocols: [] }, responseWith())))
  })

  it("refuses extensions that were not offered, stand twice, share bits, or have bad parameters", () => {
    const cases: ReadonlyArray<[string, string]> = [
      ["y", "not offered"],
      ["__proto__", "not offered"],
      [`${deflate}, ${deflate}`, "twice"],
      ["x; level=2", "level must be 1"],
      ["permessage-deflate; server_max_window_bits=99", "server_max_window_bits"]
    ]
    for (const [header, message] of cases) {
      const reason = fails(responseWith({ "sec-websocket-extensions": header }))
      assert.strictEqual(reason._tag, "InvalidExtension", header)
      assert.include(reason.message, message)
    }
    const clash = ask("ws://a", { extensions: [Extension.permessageDeflate(), leveled("x", 4)] })
    const reason = fails(responseWith({ "sec-websocket-extensions": `${deflate}, x; level=1` }), {
      ...clash,
      expected: request.expected
    })
    assert.include(reason.message, "reserved bits")
  })
})

describe("docs/handshakes.md", () => {
  it("says what the rules say", () => {
    const file = new URL("../docs/handshakes.md", import.meta.url)
    assert.strictEqual(readFileSync(file, "utf8"), render(), "run node scripts/handshake-docs.ts")
  })
})
