// The handshake and its grammars: never a throw, nothing on the wire that wasn't asked for, and the verdict of `ws`.
import { Result } from "effect"
import * as fc from "fast-check"
import { isIP } from "node:net"
import * as peer from "ws"
import * as Extension from "../../src/Extension.ts"
import * as Handshake from "../../src/Handshake.ts"
import { formatTraceparent, parseTraceparent } from "../../src/internal/observability/traceContext.ts"
import { countingKey } from "../../src/internal/server/address.ts"
import { Admission } from "../../src/internal/server/admission.ts"
import { systemTimers } from "../../src/internal/connection/timers.ts"
import { parse as parseExtensions } from "../../src/ws/extension.ts"
import { parse as parseProtocols } from "../../src/ws/subprotocol.ts"
import { mutated, mutatedText } from "./arbitraries.ts"
import { addressSeeds, extensionSeeds, headerSeeds, protocolSeeds, traceSeeds } from "./seeds.ts"
import { expect, expectSame, type Target } from "./target.ts"

const extensionText = mutatedText(extensionSeeds)
const protocolText = mutatedText(protocolSeeds)
const headerText = mutatedText(headerSeeds)
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })

/** A header that is right two times out of three. */
const near = (right: string): fc.Arbitrary<string | undefined> =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(right) }, { weight: 1, arbitrary: maybe(headerText) })

const requestHeaders = fc.record({
  host: near("example.com"),
  upgrade: near("websocket"),
  connection: near("Upgrade"),
  origin: near("http://example.com"),
  "sec-websocket-version": near("13"),
  "sec-websocket-key": near("dGhlIHNhbXBsZSBub25jZQ=="),
  "sec-websocket-key1": fc.oneof(
    { weight: 4, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: headerText }
  ),
  "sec-websocket-key2": fc.oneof(
    { weight: 4, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: headerText }
  ),
  "sec-websocket-origin": fc.oneof(
    { weight: 8, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: headerText }
  ),
  "sec-websocket-protocol": maybe(protocolText),
  "sec-websocket-extensions": maybe(extensionText)
})

const extensions = [Extension.permessageDeflate(), Extension.permessageDeflate({ clientMaxWindowBits: 9 })]

/** Whether bytes are one head, and no second one: what a line break in a value would make. */
const isOneHead = (bytes: Uint8Array, response: Handshake.Response): boolean => {
  const head = Buffer.from(bytes).toString("latin1")
  const end = head.indexOf("\r\n\r\n")
  const lines = head.slice(0, end).split("\r\n")
  return (
    lines.length === response.headers.length + 1 &&
    lines.every((line) => !/[\0\r\n]/.test(line)) &&
    bytes.length - end - 4 === (response.body?.length ?? 0)
  )
}

const acceptProperty = fc.property(
  requestHeaders,
  fc.oneof({ weight: 5, arbitrary: fc.constant("/chat?x=1") }, { weight: 1, arbitrary: headerText }),
  fc.constantFrom("GET", "POST", "", "get"),
  maybe(fc.uint8Array({ minLength: 7, maxLength: 9 })),
  fc.record({
    origins: fc.constantFrom("same" as const, "any" as const, ["http://example.com"]),
    protocols: maybe(fc.constant(["superchat", "chat"])),
    drafts: fc.constantFrom(Handshake.all, Handshake.defaults, [])
  }),
  (headers, url, method, key3, options) => {
    const request = { method, url, headers, key3 }
    const verdict = Handshake.acceptResult(request, { ...options, extensions: extensions.slice(0, 1) })
    const response = Result.isSuccess(verdict) ? verdict.success.response : Handshake.rejection(verdict.failure)
    expect(Number.isInteger(response.status) && response.status >= 101 && response.status < 600, () => "no status")
    expect(
      isOneHead(Handshake.encodeResponse(response), response),
      () => `more than a head: ${JSON.stringify(response)}`
    )
    if (Result.isFailure(verdict)) return
    expect(response.status === 101, () => "accepted without 101")
    const { protocol } = verdict.success
    expect(
      protocol === undefined || ["superchat", "chat"].includes(protocol) || options.protocols === undefined,
      () => "a protocol of nobody's"
    )
  }
)

const verifyProperty = fc.property(
  fc.constantFrom(...Handshake.all),
  fc.record({
    upgrade: near("websocket"),
    connection: near("Upgrade"),
    "sec-websocket-accept": maybe(headerText),
    "sec-websocket-origin": maybe(headerText),
    "sec-websocket-location": maybe(headerText),
    "sec-websocket-protocol": maybe(protocolText),
    "sec-websocket-extensions": maybe(extensionText)
  }),
  fc.oneof({ weight: 9, arbitrary: fc.constant(101) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: 999 }) }),
  fc.boolean(),
  (draft, headers, status, honest) => {
    const request = Result.getOrThrow(
      Handshake.requestResult("ws://example.com/demo", {
        draft,
        protocols: ["chat", "superchat"],
        extensions: draft.capabilities.extensions ? extensions : []
      })
    )
    const answered = honest ? { ...headers, "sec-websocket-accept": request.expected } : headers
    const verdict = Handshake.verifyResult(request, { status, headers: answered })
    if (Result.isFailure(verdict)) return
    expect(status === 101 && honest, () => "verified what no server answered")
    expect(
      [undefined, "chat", "superchat"].includes(verdict.success.protocol),
      () => "a protocol that nobody asked for"
    )
  }
)

const composeProperty = fc.property(
  fc.constantFrom(...Handshake.all),
  fc.record({
    protocol: protocolText,
    origin: headerText,
    host: headerText,
    name: headerText,
    value: headerText,
    path: headerText
  }),
  (draft, { host, name, origin, path, protocol, value }) => {
    const composed = Handshake.requestResult(`ws://example.com/${path}`, {
      draft,
      ...(protocol.length > 4 ? { protocols: [protocol] } : {}),
      ...(origin.length > 4 ? { origin } : {}),
      ...(host.length > 4 ? { host } : {}),
      headers: [[name, value]]
    })
    if (Result.isFailure(composed)) return
    const head = Buffer.from(Handshake.encodeRequest(composed.success)).toString("latin1").split("\r\n\r\n", 1)[0] ?? ""
    const lines = head.split("\r\n")
    expect(lines.length === composed.success.headers.length + 1, () => `a line too many: ${JSON.stringify(head)}`)
    expect(
      lines.every((line) => !/[\0\r\n]/.test(line)),
      () => `a line break: ${JSON.stringify(head)}`
    )
    expect(/^GET \/[^ ]* HTTP\/1\.1$/.test(lines[0] ?? ""), () => `another request line: ${lines[0]}`)
  }
)

const checkExtensions = (header: string): void => {
  const parsed = Extension.parse(header)
  if (Result.isFailure(parsed)) return
  const written = Extension.format(parsed.success)
  expectSame(Result.getOrThrow(Extension.parse(written)), parsed.success, "formatted and parsed again")
  for (const { params } of parsed.success) {
    for (const extension of extensions) {
      const agreement = extension.accept([params])
      if (agreement !== undefined) {
        expect(
          Result.isSuccess(Extension.parse(Extension.format([{ name: "x", params: agreement.params }]))),
          () => "an answer that is no header"
        )
      }
      extension.confirm(params)
    }
  }
}

type Parser = (header: string) => unknown

/** What a parser of `ws` answers or throws, as values. */
const outcome = (parse: Parser, header: string): unknown => {
  try {
    const result = parse(header)
    return result instanceof Set ? [...result] : Object.entries(result as object)
  } catch (error) {
    return error instanceof SyntaxError ? error.message : String(error)
  }
}

interface Grammars {
  readonly extension: { readonly parse: Parser }
  readonly subprotocol: { readonly parse: Parser }
}

const grammars = peer as unknown as Grammars

const likeWs = (name: string, text: fc.Arbitrary<string>, ours: Parser, theirs: Parser): Target => ({
  name,
  property: fc.property(text, (header) => {
    expectSame(outcome(ours, header), outcome(theirs, header), "ws says otherwise")
  })
})

/** Any bytes as a head, to Node's parser and to ours: nothing here may throw. */
const urlProperty = fc.property(mutated(headerSeeds.map((seed) => Buffer.from(`ws://${seed}/`, "latin1"))), (bytes) => {
  const verdict = Handshake.requestResult(bytes.toString("latin1"))
  if (Result.isSuccess(verdict)) {
    expect(/^\/[^\r\n\0 ]*$/.test(verdict.success.target), () => `target ${JSON.stringify(verdict.success.target)}`)
  }
})

const behindProxies = (["x-forwarded-for", "forwarded"] as const).map((header) => ({
  header,
  admission: new Admission({ trustedProxies: { addresses: ["10.0.0.0/8", "192.0.2.1", "::1"], header } }, systemTimers)
}))

const proxy = { address: "10.1.2.3", isLocal: false }

/** What a proxy's header says is an address or nothing, and a client can't add to what a proxy wrote behind its words. */
const addressProperty = fc.property(
  fc.array(mutatedText(addressSeeds), { maxLength: 4 }),
  fc.constantFrom("203.0.113.9", "2001:db8:7::1"),
  (hops, client) => {
    for (const { admission, header } of behindProxies) {
      const told = admission.client(proxy, { [header]: hops.join(", ") }).address
      expect(told !== undefined && isIP(told) !== 0, () => `no address: ${told}`)
      const key = countingKey(told ?? "")
      expect(/^(?:[0-9.]+|(?:[0-9a-f]{1,4}:){4}:\/64)$/.test(key), () => `counted as ${key}`)
      const element = header === "forwarded" ? `for="[${client}]"` : client
      const written = client.includes(":") ? element : element.replace(/[[\]]/g, "")
      const noted = admission.client(proxy, { [header]: [...hops, written].join(", ") }).address
      expectSame(noted, client, `the client's own words count in ${header}`)
    }
  }
)

const traceProperty = fc.property(mutatedText(traceSeeds), (header) => {
  const span = parseTraceparent(header)
  if (span === undefined) return
  const written = formatTraceparent(span)
  const again = written === undefined ? undefined : parseTraceparent(written)
  expectSame(
    [again?.traceId, again?.spanId, again?.sampled],
    [span.traceId, span.spanId, span.sampled],
    "written and read again"
  )
})

export const targets: ReadonlyArray<Target> = [
  { name: "handshake-accept", property: acceptProperty },
  { name: "handshake-verify", property: verifyProperty },
  { name: "handshake-compose", property: composeProperty },
  { name: "handshake-url", property: urlProperty },
  { name: "extensions", property: fc.property(extensionText, checkExtensions) },
  {
    name: "extensions-guided",
    guided: {
      seeds: extensionSeeds.map((seed) => Buffer.from(seed, "latin1")),
      sources: /\/src\/(?:Extension|internal\/handshake)/,
      check: (bytes) => checkExtensions(bytes.toString("latin1"))
    }
  },
  { name: "addresses", property: addressProperty },
  { name: "traceparent", property: traceProperty },
  likeWs("extensions-like-ws", extensionText, parseExtensions, grammars.extension.parse),
  likeWs("protocols-like-ws", protocolText, parseProtocols, grammars.subprotocol.parse)
]
