/** The opening handshake over HTTP/2: an extended CONNECT, RFC 8441. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Draft, Header, Opening } from "./model.ts"
import * as Fields from "./schema.ts"
import { decoder, must } from "./schema.ts"

/** Whether a message's HTTP is one over which a connection opens by CONNECT. */
export const isHttp2 = (httpVersion: string | undefined): boolean => httpVersion?.startsWith("2") === true

/** How a draft opens over a version of HTTP; over HTTP/1.1 when it has no other way. */
export const openingOf = (draft: Draft, httpVersion: string | undefined): Opening =>
  isHttp2(httpVersion) ? (draft.http2 ?? draft) : draft

const section = "RFC 8441 §5"

const requestSchema = Schema.Struct({
  method: must("CONNECT", "RFC 8441 §4")(Schema.Literal("CONNECT")),
  url: must("a path", "RFC 8441 §4")(Fields.path),
  headers: Schema.Struct({
    ":protocol": must("`websocket`", section)(Schema.Literal("websocket")),
    ":scheme": must("`https` or `http`", section)(Schema.Literals(["https", "http"])),
    ":authority": must("a host with an optional port", section)(Fields.authority),
    "sec-websocket-version": must("`13`", section)(Schema.Literal("13")),
    "sec-websocket-protocol": must("a list of tokens, all different", section)(Schema.optional(Fields.tokens)),
    "sec-websocket-extensions": must("a list of extensions", section)(Schema.optional(Fields.extensions)),
    origin: Fields.originOf(section)
  })
})

const responseSchema = Schema.Struct({
  headers: Schema.Struct({
    "sec-websocket-protocol": must("a token", section)(Schema.optional(Fields.token)),
    "sec-websocket-extensions": must("a list of extensions", section)(Schema.optional(Fields.extensions))
  })
})

const decodeRequest = decoder(requestSchema)
const decodeResponse = decoder(responseSchema)

/**
 * How version 13 opens over HTTP/2. The transport is the stream of the request; neither a challenge nor its answer is
 * needed, since nothing but a peer that knows extended CONNECT gets this far.
 */
export const http2: Opening = {
  requestSchema,
  responseSchema,
  validate: (request) =>
    Result.map(decodeRequest(request), ({ headers, url }) => ({
      host: headers[":authority"],
      target: url,
      origin: headers.origin,
      protocols: headers["sec-websocket-protocol"],
      extensions: headers["sec-websocket-extensions"],
      respond: (protocol) => ({
        status: 200,
        reason: "OK",
        headers: protocol === undefined ? [] : [["Sec-WebSocket-Protocol", protocol]]
      })
    })),
  ask: ({ extensions, host, origin, protocols, secure, target }) => {
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
  confirm: (_, response) =>
    Result.map(decodeResponse(response), ({ headers }) => ({
      protocol: headers["sec-websocket-protocol"],
      extensions: headers["sec-websocket-extensions"]
    }))
}
