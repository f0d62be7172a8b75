/** The opening handshake of RFC 6455 §4, which HyBi-07 and HyBi-08 share but for the number and the origin's header. */
import { hybi as codec } from "../hybi/codec.ts"
import * as Checks from "./checks.ts"
import { http2 } from "./http2.ts"
import { acceptFor, makeKey } from "./key.ts"
import { type Header, textOf } from "./fields.ts"
import { type OpeningDraft } from "./model.ts"
import { header, optional, part, type Rule } from "./rules.ts"

/** The first line of a request. */
export const requestLine = (section: string): ReadonlyArray<Rule> => [
  part("method", "GET", section, Checks.oneOf("GET")),
  optional(part("httpVersion", "1.1, or a later 1.x", section, Checks.httpVersion)),
  part("url", "a path or an absolute HTTP URL", section, Checks.target)
]

/** The origin that a client names, if it does. */
const originRule = (name: string, section: string): Rule =>
  optional(header(name, "visible ASCII characters", section, Checks.origin))

const extensionsRule = (section: string): Rule =>
  optional(header("sec-websocket-extensions", "a list of extensions", section, Checks.extensions))

const requestRules = (version: number, section: string, origins: ReadonlyArray<string>): ReadonlyArray<Rule> => [
  ...requestLine(section),
  header("upgrade", "a list with `websocket` in it", section, Checks.upgradeToWebSocket),
  header("connection", "a list with `Upgrade` in it", section, Checks.connectionUpgrade),
  header("host", "a host with an optional port", section, Checks.authority),
  header("sec-websocket-version", `\`${version}\``, section, Checks.oneOf(String(version))),
  header("sec-websocket-key", "16 bytes in base64", section, Checks.key),
  optional(header("sec-websocket-protocol", "a list of tokens, all different", section, Checks.tokens)),
  extensionsRule(section),
  ...origins.map((name) => originRule(name, section))
]

const responseRules = (section: string): ReadonlyArray<Rule> => [
  header("upgrade", "`websocket`, in any case", section, Checks.exactlyWebSocket),
  header("connection", "a list with `Upgrade` in it", section, Checks.connectionUpgrade),
  header("sec-websocket-accept", "the SHA-1 of key and GUID in base64", section, Checks.acceptKey),
  optional(header("sec-websocket-protocol", "a token", section, Checks.token)),
  extensionsRule(section)
]

const draft = (options: {
  readonly id: OpeningDraft["id"]
  readonly version: 13 | 8 | 7
  /** The headers in which a client may name its origin, the one that a client of ours writes first. */
  readonly origins: readonly [written: string, ...others: ReadonlyArray<string>]
  /** Where the draft states what a server checks. */
  readonly serverSection: string
  /** Where the draft states what a client checks. */
  readonly clientSection: string
  readonly http2: OpeningDraft["http2"]
}): OpeningDraft => {
  const [originHeader] = options.origins
  const names = options.origins.map((name) => name.toLowerCase())
  return {
    id: options.id,
    version: options.version,
    http2: options.http2,
    capabilities: codec.capabilities,
    codec,
    bodyLength: { request: 0, response: 0 },
    requestRules: requestRules(options.version, options.serverSection, names),
    responseRules: responseRules(options.clientSection),
    readRequest: (request) => {
      const key = textOf(request, "sec-websocket-key") ?? ""
      let origin: string | undefined
      for (const name of names) origin ??= textOf(request, name)
      return {
        host: textOf(request, "host") ?? "",
        target: request.url ?? "",
        origin,
        protocols: textOf(request, "sec-websocket-protocol"),
        extensions: textOf(request, "sec-websocket-extensions"),
        respond: (protocol) => {
          const fields: Array<Header> = [
            ["Upgrade", "websocket"],
            ["Connection", "Upgrade"],
            ["Sec-WebSocket-Accept", acceptFor(key)]
          ]
          if (protocol !== undefined) fields.push(["Sec-WebSocket-Protocol", protocol])
          return { status: 101, reason: "Switching Protocols", headers: fields }
        }
      }
    },
    buildRequest: ({ extensions, host, origin, protocols }) => {
      const key = makeKey()
      const fields: Array<Header> = [
        ["Host", host],
        ["Upgrade", "websocket"],
        ["Connection", "Upgrade"],
        ["Sec-WebSocket-Key", key],
        ["Sec-WebSocket-Version", String(options.version)]
      ]
      if (origin !== undefined) fields.push([originHeader, origin])
      if (protocols !== undefined) fields.push(["Sec-WebSocket-Protocol", protocols])
      if (extensions !== undefined) fields.push(["Sec-WebSocket-Extensions", extensions])
      return { headers: fields, body: undefined, expected: acceptFor(key) }
    },
    verifyProof: (request, response) =>
      textOf(response, "sec-websocket-accept") === request.expected
        ? undefined
        : {
            field: "sec-websocket-accept",
            reason: "the answer to our Sec-WebSocket-Key",
            section: options.clientSection
          }
  }
}

/** RFC 6455, version 13: the standard, and what HyBi-13 to HyBi-17 were. */
export const rfc6455 = draft({
  id: "rfc6455",
  version: 13,
  origins: ["Origin"],
  serverSection: "RFC 6455 §4.2.1",
  clientSection: "RFC 6455 §4.1",
  http2
})

/** Below version 13 the origin has a header of its own; some clients of the time sent `Origin` already. */
const earlierOrigins = ["Sec-WebSocket-Origin", "Origin"] as const

/** HyBi-08 to HyBi-12: version 8. */
export const hybi08 = draft({
  id: "hybi-08",
  version: 8,
  origins: earlierOrigins,
  serverSection: "HyBi-08 §5.2.1",
  clientSection: "HyBi-08 §5.1",
  http2: undefined
})

/** HyBi-07: version 7. */
export const hybi07 = draft({
  id: "hybi-07",
  version: 7,
  origins: earlierOrigins,
  serverSection: "HyBi-07 §5.2.1",
  clientSection: "HyBi-07 §5.1",
  http2: undefined
})
