/** The opening handshake of draft-hixie-thewebsocketprotocol-76, which draft-ietf-hybi-thewebsocketprotocol-00 repeats. */
import { randomBytes, randomInt } from "node:crypto"
import { hixie76 as codec } from "../hixie/codec.ts"
import * as Checks from "./checks.ts"
import { answerChallenge, generateKey, hideNumber, maxNumber, readNumber } from "./hixieChallenge.ts"
import { headerValue, originForm } from "./http.ts"
import { requestLine } from "./hybi.ts"
import { type Header, textOf } from "./fields.ts"
import { type BuiltRequest, type OpeningDraft, type RequestFields } from "./model.ts"
import { type Check, header, type InvalidField, optional, part } from "./rules.ts"

const reading = "hixie-76 §5.1"
const sending = "hixie-76 §5.2"
const client = "hixie-76 §4.1"

const numberInKey: Check = {
  _tag: "Number",
  maximum: maxNumber,
  decode: readNumber,
  encode: (number) => hideNumber(number, 1)
}

const aNumber = "a number divided by the spaces in it into one of 32 bits"

const originOf = (secure: boolean, host: string) => `${secure ? "https" : "http"}://${host}`

const locationOf = (secure: boolean, host: string, target: string) => `${secure ? "wss" : "ws"}://${host}${target}`

/** Builds a client's request with a challenge of the caller's. */
export const buildWith = (fields: RequestFields, key1: string, key2: string, key3: Uint8Array): BuiltRequest => {
  const headers: Array<Header> = [
    ["Host", fields.host],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Key2", key2],
    ["Upgrade", "WebSocket"],
    ["Sec-WebSocket-Key1", key1],
    ["Origin", fields.origin ?? originOf(fields.secure, fields.host)]
  ]
  if (fields.protocols !== undefined) headers.push(["Sec-WebSocket-Protocol", fields.protocols])
  const expected = answerChallenge(readNumber(key1), readNumber(key2), key3)
  return { headers, body: key3, expected: Buffer.from(expected).toString("latin1") }
}

/** hixie-76 §4.1: the fields go out in a random order. */
const shuffle = <A>(values: ReadonlyArray<A>): ReadonlyArray<A> =>
  values
    .map((value) => ({ value, place: randomInt(2 ** 32) }))
    .sort((a, b) => a.place - b.place)
    .map(({ value }) => value)

const invalid = (field: string, reason: string): InvalidField => ({ field, reason, section: client })

/** Hixie-76, the protocol of the browsers of 2010. */
export const hixie76: OpeningDraft = {
  id: "hixie-76",
  version: undefined,
  http2: undefined,
  capabilities: codec.capabilities,
  codec,
  bodyLength: { request: 8, response: 16 },
  requestRules: [
    ...requestLine(reading),
    header("upgrade", "a list with `WebSocket` in it", reading, Checks.upgradeToWebSocket),
    header("connection", "a list with `Upgrade` in it", reading, Checks.connectionUpgrade),
    header("host", "a host with an optional port", reading, Checks.authority),
    header("sec-websocket-key1", aNumber, sending, numberInKey),
    header("sec-websocket-key2", aNumber, sending, numberInKey),
    optional(header("sec-websocket-protocol", "a list of names, all different", reading, Checks.names)),
    optional(header("origin", "visible ASCII characters", reading, Checks.origin)),
    part("key3", "the 8 bytes after the head", sending, Checks.bytes(8))
  ],
  responseRules: [
    header("upgrade", "`WebSocket`", client, Checks.oneOf("WebSocket")),
    header("connection", "`Upgrade`, in any case", client, Checks.exactlyUpgrade),
    header("sec-websocket-origin", "the origin that the client named", client, Checks.origin),
    header("sec-websocket-location", "the URL that the client opened", client, Checks.location),
    optional(header("sec-websocket-protocol", "visible ASCII characters", client, Checks.origin)),
    part("body", "the 16 bytes that answer the keys", client, Checks.bytes(16))
  ],
  readRequest: (request) => {
    const host = textOf(request, "host") ?? ""
    const target = request.url ?? ""
    const origin = textOf(request, "origin")
    return {
      host,
      target,
      origin,
      protocols: textOf(request, "sec-websocket-protocol"),
      extensions: undefined,
      respond: (protocol) => {
        const fields: Array<Header> = [
          ["Upgrade", "WebSocket"],
          ["Connection", "Upgrade"],
          ["Sec-WebSocket-Origin", origin ?? "null"],
          ["Sec-WebSocket-Location", locationOf(request.secure === true, host, originForm(target))]
        ]
        if (protocol !== undefined) fields.push(["Sec-WebSocket-Protocol", protocol])
        return {
          status: 101,
          reason: "WebSocket Protocol Handshake",
          headers: fields,
          body: answerChallenge(
            readNumber(textOf(request, "sec-websocket-key1") ?? ""),
            readNumber(textOf(request, "sec-websocket-key2") ?? ""),
            request.key3 ?? new Uint8Array(8)
          )
        }
      }
    }
  },
  buildRequest: (fields) => {
    const built = buildWith(fields, generateKey(), generateKey(), randomBytes(8))
    return { ...built, headers: shuffle(built.headers) }
  },
  verifyProof: (request, response) => {
    const sent = (name: string) => headerValue(request.headers, name) ?? ""
    if (textOf(response, "sec-websocket-origin") !== sent("origin")) {
      return invalid("sec-websocket-origin", "the origin that we named")
    }
    if (textOf(response, "sec-websocket-location") !== locationOf(request.secure, sent("host"), request.target)) {
      return invalid("sec-websocket-location", "the URL that we opened")
    }
    // Other than in the later drafts, a subprotocol that was asked for is not the server's to leave out.
    if (request.protocols.length > 0 && textOf(response, "sec-websocket-protocol") === undefined) {
      return invalid("sec-websocket-protocol", "present")
    }
    return Buffer.from(response.body ?? []).toString("latin1") === request.expected
      ? undefined
      : invalid("body", "the answer to our keys")
  }
}
