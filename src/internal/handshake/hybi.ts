/** The opening handshake of RFC 6455 §4, which HyBi-07 and HyBi-08 share but for the number and the origin's header. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { hybi as codec } from "../protocol/hybi/codec.ts"
import { acceptFor, makeKey } from "../protocol/opening/key.ts"
import { http2 } from "./http2.ts"
import type { Draft, Header } from "./model.ts"
import * as Fields from "./schema.ts"
import { decoder, must } from "./schema.ts"

interface RequestHeaders {
  readonly host: string
  readonly "sec-websocket-key": string
  readonly origin?: string | undefined
  /** In the schemas of the versions below 13 alone. */
  readonly "sec-websocket-origin"?: string | undefined
  readonly "sec-websocket-protocol"?: string | undefined
  readonly "sec-websocket-extensions"?: string | undefined
}

const requestSchema = <Version extends string, Origin extends Schema.Struct.Fields>(
  version: Version,
  section: string,
  origin: Origin
) =>
  Schema.Struct({
    ...Fields.requestLine(section),
    headers: Schema.Struct({
      upgrade: must("a list with `websocket` in it", section)(Fields.upgradeToWebSocket),
      connection: must("a list with `Upgrade` in it", section)(Fields.connectionUpgrade),
      host: must("a host with an optional port", section)(Fields.authority),
      "sec-websocket-version": must(`\`${version}\``, section)(Schema.Literal(version)),
      "sec-websocket-key": must("16 bytes in base64", section)(Fields.key),
      "sec-websocket-protocol": must("a list of tokens, all different", section)(Schema.optional(Fields.tokens)),
      "sec-websocket-extensions": must("a list of extensions", section)(Schema.optional(Fields.extensions)),
      ...origin
    })
  })

const responseSchema = (section: string) =>
  Schema.Struct({
    headers: Schema.Struct({
      upgrade: must("`websocket`, in any case", section)(Fields.exactlyWebSocket),
      connection: must("a list with `Upgrade` in it", section)(Fields.connectionUpgrade),
      "sec-websocket-accept": must("the SHA-1 of key and GUID in base64", section)(Fields.acceptKey),
      "sec-websocket-protocol": must("a token", section)(Schema.optional(Fields.token)),
      "sec-websocket-extensions": must("a list of extensions", section)(Schema.optional(Fields.extensions))
    })
  })

const draft = (options: {
  readonly id: Draft["id"]
  readonly version: 13 | 8 | 7
  readonly requestSchema: Schema.Codec<{ readonly url: string; readonly headers: RequestHeaders }, unknown>
  /** The header in which a client names its origin. */
  readonly originHeader: string
  /** Where the draft states what a client checks. */
  readonly section: string
  readonly http2: Draft["http2"]
}): Draft => {
  const response = responseSchema(options.section)
  const decodeRequest = decoder(options.requestSchema)
  const decodeResponse = decoder(response)
  return {
    id: options.id,
    version: options.version,
    http2: options.http2,
    requestSchema: options.requestSchema,
    responseSchema: response,
    capabilities: codec.capabilities,
    codec,
    bodyLength: { request: 0, response: 0 },
    validate: (request) =>
      Result.map(decodeRequest(request), ({ headers, url }) => ({
        host: headers.host,
        target: url,
        origin: headers["sec-websocket-origin"] ?? headers.origin,
        protocols: headers["sec-websocket-protocol"],
        extensions: headers["sec-websocket-extensions"],
        respond: (protocol) => {
          const fields: Array<Header> = [
            ["Upgrade", "websocket"],
            ["Connection", "Upgrade"],
            ["Sec-WebSocket-Accept", acceptFor(headers["sec-websocket-key"])]
          ]
          if (protocol !== undefined) fields.push(["Sec-WebSocket-Protocol", protocol])
          return { status: 101, reason: "Switching Protocols", headers: fields }
        }
      })),
    ask: ({ extensions, host, origin, protocols }) => {
      const key = makeKey()
      const fields: Array<Header> = [
        ["Host", host],
        ["Upgrade", "websocket"],
        ["Connection", "Upgrade"],
        ["Sec-WebSocket-Key", key],
        ["Sec-WebSocket-Version", String(options.version)]
      ]
      if (origin !== undefined) fields.push([options.originHeader, origin])
      if (protocols !== undefined) fields.push(["Sec-WebSocket-Protocol", protocols])
      if (extensions !== undefined) fields.push(["Sec-WebSocket-Extensions", extensions])
      return { headers: fields, body: undefined, expected: acceptFor(key) }
    },
    confirm: (request, response) =>
      Result.flatMap(decodeResponse(response), ({ headers }) =>
        headers["sec-websocket-accept"] === request.expected
          ? Result.succeed({
              protocol: headers["sec-websocket-protocol"],
              extensions: headers["sec-websocket-extensions"]
            })
          : Result.fail({
              field: "sec-websocket-accept",
              rule: "the answer to our Sec-WebSocket-Key",
              section: options.section
            })
      )
  }
}

/** RFC 6455, version 13: the standard, and what HyBi-13 to HyBi-17 were. */
export const rfc6455 = draft({
  id: "rfc6455",
  version: 13,
  requestSchema: requestSchema("13", "RFC 6455 §4.2.1", { origin: Fields.originOf("RFC 6455 §4.2.1") }),
  originHeader: "Origin",
  section: "RFC 6455 §4.1",
  http2
})

/** Below version 13 the origin has a header of its own; some clients of the time sent `Origin` already. */
const eitherOrigin = (section: string) => ({
  "sec-websocket-origin": Fields.originOf(section),
  origin: Fields.originOf(section)
})

/** HyBi-08 to HyBi-12: version 8. */
export const hybi08 = draft({
  id: "hybi-08",
  version: 8,
  requestSchema: requestSchema("8", "HyBi-08 §5.2.1", eitherOrigin("HyBi-08 §5.2.1")),
  originHeader: "Sec-WebSocket-Origin",
  section: "HyBi-08 §5.1",
  http2: undefined
})

/** HyBi-07: version 7. */
export const hybi07 = draft({
  id: "hybi-07",
  version: 7,
  requestSchema: requestSchema("7", "HyBi-07 §5.2.1", eitherOrigin("HyBi-07 §5.2.1")),
  originHeader: "Sec-WebSocket-Origin",
  section: "HyBi-07 §5.1",
  http2: undefined
})
