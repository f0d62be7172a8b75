/** The opening handshake over HTTP/2: an extended CONNECT, RFC 8441. */
import * as Checks from "./checks.ts"
import { type Header, textOf } from "./fields.ts"
import { type DraftOpening } from "./model.ts"
import { header, optional, part } from "./rules.ts"

/** Whether a message's HTTP is one over which a connection opens by CONNECT. */
export const isHttp2 = (httpVersion: string | undefined): boolean => httpVersion?.startsWith("2") === true

/** How a draft opens over a version of HTTP; over HTTP/1.1 when it has no other way. */
export const openingOf = <Opening>(
  draft: Opening & { readonly http2: Opening | undefined },
  httpVersion: string | undefined
): Opening => (isHttp2(httpVersion) ? (draft.http2 ?? draft) : draft)

const section = "RFC 8441 §5"

const protocolRule = (reason: string, check: typeof Checks.token) =>
  optional(header("sec-websocket-protocol", reason, section, check))

const extensionsRule = optional(header("sec-websocket-extensions", "a list of extensions", section, Checks.extensions))

/**
 * How version 13 opens over HTTP/2. The transport is the stream of the request; neither a challenge nor its answer is
 * needed, since only a peer that knows extended CONNECT gets this far.
 */
export const http2: DraftOpening = {
  requestRules: [
    part("method", "CONNECT", "RFC 8441 §4", Checks.oneOf("CONNECT")),
    part("url", "a path", "RFC 8441 §4", Checks.path),
    header(":protocol", "`websocket`", section, Checks.oneOf("websocket")),
    header(":scheme", "`https` or `http`", section, Checks.oneOf("https", "http")),
    header(":authority", "a host with an optional port", section, Checks.authority),
    header("sec-websocket-version", "`13`", section, Checks.oneOf("13")),
    protocolRule("a list of tokens, all different", Checks.tokens),
    extensionsRule,
    optional(header("origin", "visible ASCII characters", section, Checks.origin))
  ],
  responseRules: [protocolRule("a token", Checks.token), extensionsRule],
  readRequest: (request) => ({
    host: textOf(request, ":authority") ?? "",
    target: request.url ?? "",
    origin: textOf(request, "origin"),
    protocols: textOf(request, "sec-websocket-protocol"),
    extensions: textOf(request, "sec-websocket-extensions"),
    respond: (protocol) => ({
      status: 200,
      reason: "OK",
      headers: protocol === undefined ? [] : [["Sec-WebSocket-Protocol", protocol]]
    })
  }),
  buildRequest: ({ extensions, host, origin, protocols, secure, target }) => {
    const headers: Array<Header> = [
      [":method", "CONNECT"],
      [":protocol", "websocket"],
      [":scheme", secure ? "https" : "http"],
      [":authority", host],
      [":path", target],
      ["sec-websocket-version", "13"]
    ]
    if (origin !== undefined) headers.push(["origin", origin])
    if (protocols !== undefined) headers.push(["sec-websocket-protocol", protocols])
    if (extensions !== undefined) headers.push(["sec-websocket-extensions", extensions])
    return { headers, body: undefined, expected: "" }
  },
  verifyProof: () => undefined
}
