/** The opening handshake of draft-hixie-thewebsocketprotocol-76, which draft-ietf-hybi-thewebsocketprotocol-00 repeats. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { hash, randomBytes, randomInt } from "node:crypto"
import { hixie76 as codec } from "../protocol/hixie/codec.ts"
import { headerValue, originForm } from "./http.ts"
import type { Draft, Header, Question } from "./model.ts"
import * as Fields from "./schema.ts"
import { decoder, must } from "./schema.ts"

const maxNumber = 0xffffffff

/**
 * hixie-76 §5.2: the digits of a key make a number that its spaces divide. What comes out is no integer of 32 bits when
 * there is no space, which shows that no WebSocket client wrote the key, or when the division leaves a rest.
 */
const solve = (key: string): number => {
  const digits = key.replaceAll(/[^0-9]/g, "")
  const spaces = key.length - key.replaceAll(" ", "").length
  // A number of more digits would lose its last ones, and is far above what may come out.
  return digits === "" || digits.length > 15 ? Number.NaN : Number(digits) / spaces
}

/** The characters that may stand between the digits and spaces of a key. */
const junk = Array.from({ length: 0x7f - 0x21 }, (_, index) => String.fromCharCode(0x21 + index))
  .join("")
  .replaceAll(/[0-9]/g, "")

/** hixie-76 §4.1: writes a number, times a count of spaces, among 1 to 12 other characters and as many spaces. */
const hide = (number: number, spaces: number): string => {
  const characters = [...String(number * spaces)]
  for (let count = randomInt(1, 13); count > 0; count--) {
    characters.splice(randomInt(characters.length + 1), 0, junk.charAt(randomInt(junk.length)))
  }
  for (let count = spaces; count > 0; count--) characters.splice(randomInt(1, characters.length), 0, " ")
  return characters.join("")
}

const generateKey = (): string => {
  const spaces = randomInt(1, 13)
  return hide(randomInt(Math.floor(maxNumber / spaces) + 1), spaces)
}

/** hixie-76 §5.2: the proof that the challenge was understood, 16 bytes. */
const answer = (number1: number, number2: number, key3: Uint8Array): Uint8Array => {
  const challenge = Buffer.alloc(16)
  challenge.writeUInt32BE(number1, 0)
  challenge.writeUInt32BE(number2, 4)
  challenge.set(key3, 8)
  return hash("md5", challenge, "buffer")
}

const numberInKey = Schema.String.pipe(
  Schema.decodeTo(
    Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: maxNumber })),
    SchemaTransformation.transform({ decode: solve, encode: (number) => hide(number, 1) })
  )
)

const reading = "hixie-76 §5.1"
const sending = "hixie-76 §5.2"
const client = "hixie-76 §4.1"

const requestSchema = Schema.Struct({
  ...Fields.requestLine(reading),
  headers: Schema.Struct({
    upgrade: must("a list with `WebSocket` in it", reading)(Fields.upgradeToWebSocket),
    connection: must("a list with `Upgrade` in it", reading)(Fields.connectionUpgrade),
    host: must("a host with an optional port", reading)(Fields.authority),
    "sec-websocket-key1": must("a number divided by the spaces in it into one of 32 bits", sending)(numberInKey),
    "sec-websocket-key2": must("a number divided by the spaces in it into one of 32 bits", sending)(numberInKey),
    "sec-websocket-protocol": must("a list of names, all different", reading)(Schema.optional(Fields.names)),
    origin: must("visible ASCII characters", reading)(Schema.optional(Fields.origin))
  }),
  key3: must("the 8 bytes after the head", sending)(Fields.bytes(8))
})

const responseSchema = Schema.Struct({
  headers: Schema.Struct({
    upgrade: must("`WebSocket`", client)(Schema.Literal("WebSocket")),
    connection: must("`Upgrade`, in any case", client)(Fields.exactlyUpgrade),
    "sec-websocket-origin": must("the origin that the client named", client)(Fields.origin),
    "sec-websocket-location": must("the URL that the client opened", client)(Fields.location),
    "sec-websocket-protocol": must("visible ASCII characters", client)(Schema.optional(Fields.origin))
  }),
  body: must("the 16 bytes that answer the keys", client)(Fields.bytes(16))
})

const decodeRequest = decoder(requestSchema)
const decodeResponse = decoder(responseSchema)

const originOf = (secure: boolean, host: string) => `${secure ? "https" : "http"}://${host}`

const locationOf = (secure: boolean, host: string, target: string) => `${secure ? "wss" : "ws"}://${host}${target}`

/** What a client asks with a challenge of the caller's. */
export const askWith = (question: Question, key1: string, key2: string, key3: Uint8Array): ReturnType<Draft["ask"]> => {
  const headers: Array<Header> = [
    ["Host", question.host],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Key2", key2],
    ["Upgrade", "WebSocket"],
    ["Sec-WebSocket-Key1", key1],
    ["Origin", question.origin ?? originOf(question.secure, question.host)]
  ]
  if (question.protocols !== undefined) headers.push(["Sec-WebSocket-Protocol", question.protocols])
  const expected = answer(solve(key1), solve(key2), key3)
  return { headers, body: key3, expected: Buffer.from(expected).toString("latin1") }
}

const fault = (field: string, rule: string) => Result.fail({ field, rule, section: client })

/** hixie-76 §4.1: the fields go out in a random order. */
const shuffle = <A>(values: ReadonlyArray<A>): ReadonlyArray<A> =>
  values
    .map((value) => ({ value, place: randomInt(2 ** 32) }))
    .sort((a, b) => a.place - b.place)
    .map(({ value }) => value)

/** Hixie-76, the protocol of the browsers of 2010. */
export const hixie76: Draft = {
  id: "hixie-76",
  version: undefined,
  http2: undefined,
  requestSchema,
  responseSchema,
  capabilities: codec.capabilities,
  codec,
  bodyLength: { request: 8, response: 16 },
  validate: (request) =>
    Result.map(decodeRequest(request), ({ headers, key3, url }) => ({
      host: headers.host,
      target: url,
      origin: headers.origin,
      protocols: headers["sec-websocket-protocol"],
      extensions: undefined,
      respond: (protocol) => {
        const fields: Array<Header> = [
          ["Upgrade", "WebSocket"],
          ["Connection", "Upgrade"],
          ["Sec-WebSocket-Origin", headers.origin ?? "null"],
          ["Sec-WebSocket-Location", locationOf(request.secure === true, headers.host, originForm(url))]
        ]
        if (protocol !== undefined) fields.push(["Sec-WebSocket-Protocol", protocol])
        return {
          status: 101,
          reason: "WebSocket Protocol Handshake",
          headers: fields,
          body: answer(headers["sec-websocket-key1"], headers["sec-websocket-key2"], key3)
        }
      }
    })),
  ask: (question) => {
    const asked = askWith(question, generateKey(), generateKey(), randomBytes(8))
    return { ...asked, headers: shuffle(asked.headers) }
  },
  confirm: (request, response) =>
    Result.flatMap(decodeResponse(response), ({ body, headers }) => {
      const sent = (name: string) => headerValue(request.headers, name) ?? ""
      if (headers["sec-websocket-origin"] !== sent("origin")) {
        return fault("sec-websocket-origin", "the origin that we named")
      }
      if (headers["sec-websocket-location"] !== locationOf(request.secure, sent("host"), request.target)) {
        return fault("sec-websocket-location", "the URL that we opened")
      }
      // Other than in the later drafts, a subprotocol that was asked for is not the server's to leave out.
      if (request.protocols.length > 0 && headers["sec-websocket-protocol"] === undefined) {
        return fault("sec-websocket-protocol", "present")
      }
      return Buffer.from(body).toString("latin1") === request.expected
        ? Result.succeed({ protocol: headers["sec-websocket-protocol"], extensions: undefined })
        : fault("body", "the answer to our keys")
    })
}
