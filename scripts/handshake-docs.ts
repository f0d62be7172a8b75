/** Writes docs/handshakes.md from the rules of the drafts: run it after changing one. */
import { Result } from "effect"
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Handshake from "../src/Handshake.ts"
import { type OpeningPolicy, ws04, ws8 } from "../src/internal/protocol/opening/policy.ts"
import { isReason } from "../src/internal/protocol/opening/reason.ts"
import { validateRequest } from "../src/internal/protocol/opening/server.ts"

const file = new URL("../docs/handshakes.md", import.meta.url)

/** Example requests: the drafts' own keys, so that the answers are the published ones. */
const requestFor = ({ id, version }: Handshake.Draft): Handshake.Request =>
  version === undefined
    ? {
        method: "GET",
        url: "/demo",
        headers: {
          host: "example.com",
          connection: "Upgrade",
          "sec-websocket-key2": "12998 5 Y3 1  .P00",
          "sec-websocket-protocol": "sample",
          upgrade: "WebSocket",
          "sec-websocket-key1": "4 @1  46546xW%0l 1 5",
          origin: "http://example.com"
        },
        key3: Buffer.from("^n:ds[4U")
      }
    : {
        method: "GET",
        url: "/chat",
        headers: {
          host: "example.com",
          upgrade: "websocket",
          connection: "Upgrade",
          "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
          [id === "rfc6455" ? "origin" : "sec-websocket-origin"]: "http://example.com",
          "sec-websocket-protocol": "chat, superchat",
          "sec-websocket-version": String(version)
        }
      }

/** The example of RFC 8441 §5.1. */
const http2Request: Handshake.Request = {
  method: "CONNECT",
  url: "/chat",
  httpVersion: "2.0",
  headers: {
    ":protocol": "websocket",
    ":scheme": "https",
    ":authority": "server.example.com",
    "sec-websocket-protocol": "chat, superchat",
    "sec-websocket-extensions": "permessage-deflate",
    "sec-websocket-version": "13",
    origin: "https://server.example.com"
  },
  secure: true
}

/** One way for a draft to open, with an example. */
interface Way {
  readonly opening: Handshake.Opening
  readonly request: Handshake.Request
}

const titleCase = (name: string): string =>
  name.replaceAll(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase()).replace("Websocket", "WebSocket")

const isHeader = (field: string): boolean => !["method", "httpVersion", "url", "key3", "body"].includes(field)

const nameOf = (field: string): string =>
  isHeader(field) ? `\`${field.startsWith(":") ? field : titleCase(field)}\`` : field

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  const line = (row: ReadonlyArray<string>) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`
  return [line(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...rows.map(line)].join("\n")
}

/** A request in which one field is broken. */
const breakField = (request: Handshake.Request, field: string): Handshake.Request =>
  isHeader(field)
    ? { ...request, headers: { ...request.headers, [field]: "\u0001" } }
    : { ...request, [field]: "\u0001" }

/** What really happens to a request in which one field is broken. */
const outcome = ({ request }: Way, { field }: Handshake.Rule): string => {
  const broken = breakField(request, field)
  return Result.match(Handshake.acceptResult(broken, { drafts: Handshake.all }), {
    onSuccess: () => "nothing",
    onFailure: ({ reason }) => `${reason.status} \`${reason._tag}\``
  })
}

const requestTable = (way: Way): string =>
  table(
    ["field", "there", "must be", "stated in", "a broken one is answered with"],
    way.opening.requestRules.map((rule) => [
      nameOf(rule.field),
      rule.required ? "always" : "perhaps",
      rule.reason,
      rule.section,
      outcome(way, rule)
    ])
  )

const responseTable = ({ opening }: Way): string =>
  table(
    ["field", "there", "must be", "stated in"],
    opening.responseRules.map((rule) => [
      nameOf(rule.field),
      rule.required ? "always" : "perhaps",
      rule.reason,
      rule.section
    ])
  )

const fence = (bytes: Uint8Array): string =>
  `\`\`\`http\n${Buffer.from(bytes).toString("latin1").replaceAll("\r\n", "\n").trimEnd()}\n\`\`\``

const lines = (headers: ReadonlyArray<readonly [string, string]>): string =>
  headers.map(([name, value]) => `${name.toLowerCase()}: ${value}`).join("\n")

/** Header blocks have no text of their own: written as RFC 8441 §5.1 does. */
const http2Example = (): string => {
  const { method, url, headers } = http2Request
  const { response } = Result.getOrThrow(Handshake.acceptResult(http2Request, { protocols: ["chat"] }))
  const asked = [[":method", String(method)] as const, [":path", String(url)] as const]
  const fields = Object.entries(headers).map(([name, value]) => [name, String(value)] as const)
  return (
    `\`\`\`http\n${lines([...asked, ...fields])}\n\`\`\`\n\n` +
    `\`\`\`http\n${lines([[":status", String(response.status)], ...response.headers])}\n\`\`\``
  )
}

const example = (draft: Handshake.Draft, request: Handshake.Request): string => {
  const accepted = Result.getOrThrow(
    Handshake.acceptResult(request, { drafts: [draft], protocols: ["sample", "chat"] })
  )
  const asked = Handshake.encodeRequest({
    method: "GET",
    target: String(request.url),
    headers: Object.entries(request.headers).map(([name, value]) => [titleCase(name), String(value)]),
    body: request.key3
  })
  return `${fence(asked)}\n\n${fence(Handshake.encodeResponse(accepted.response))}`
}

const titles = {
  rfc6455: "RFC 6455, version 13: `Handshake.rfc6455`",
  "hybi-08": "HyBi-08 to HyBi-12, version 8: `Handshake.hybi08`",
  "hybi-07": "HyBi-07, version 7: `Handshake.hybi07`",
  "hixie-76": "Hixie-76, no version: `Handshake.hixie76`"
}

const overview = table(
  ["draft", "version", "on by default", "bytes", "ping", "close code", "fragments", "masks", "extensions"],
  Handshake.all.map((draft) => {
    const { binary, closeCode, extensions, fragments, masking, ping } = draft.capabilities
    return [
      draft.id,
      draft.version === undefined ? "none" : String(draft.version),
      ...[Handshake.defaults.includes(draft), binary, ping, closeCode, fragments, masking, extensions].map((can) =>
        can ? "yes" : "no"
      )
    ]
  })
)

const section = (title: string, way: Way, shown: string): string =>
  `## ${title}

### The request

${requestTable(way)}

### The response

${responseTable(way)}

### An example

${shown}`

const sections = Handshake.all.flatMap((draft) => {
  const request = requestFor(draft)
  const first = section(titles[draft.id], { opening: draft, request }, example(draft, request))
  return draft.http2 === undefined
    ? [first]
    : [
        first,
        section(
          `RFC 8441, version ${draft.version} over HTTP/2: \`Handshake.${draft.id}.http2\``,
          { opening: draft.http2, request: http2Request },
          http2Example()
        )
      ]
})

/** The rules that a server of a callback API runs for version 13, and its answers. */
const policyTable = (policy: OpeningPolicy): string => {
  const request = requestFor(Handshake.rfc6455)
  const [draft] = policy.drafts
  return table(
    ["field", "there", "must be", "a broken one is answered with"],
    policy.requestRules(draft).map((rule) => {
      const reason = validateRequest(policy, draft, breakField(request, rule.field), policy.drafts)
      const { status, text } = isReason(reason) ? policy.refusal(reason) : { status: 101, text: undefined }
      return [
        nameOf(rule.field),
        rule.required ? "always" : "perhaps",
        rule.reason,
        text === undefined ? String(status) : `${status} \`${text}\``
      ]
    })
  )
}

export const render = (): string => `# Opening handshakes

This page is generated from the rules in \`src/internal/protocol/opening\` by \`scripts/handshake-docs.ts\`; a test compares the
two. The schemas of a draft, \`requestSchema\` and \`responseSchema\`, are built from the same rules. Fields are checked in the order of the tables, and the first broken one is named by the failure: \`HandshakeError\`
with a \`reason\`, which knows the HTTP status, the section and a sentence for a person.

A request is for the draft of its \`Sec-WebSocket-Version\`. Without that header it is for Hixie-76 if it has that draft's
keys, and otherwise for the first draft of the list, whose rules say what is missing. A draft that isn't in the list
is answered with 426 and the versions that are; over HTTP/2 with 400, since 426 belongs to HTTP/1.1. Beyond the rules a
server checks the path (404) and the origin (403); a client checks the subprotocol and the extensions against those it
asked for.

HyBi-07 and HyBi-08 are draft-ietf-hybi-thewebsocketprotocol-07 and -08, hixie-76 is
draft-hixie-thewebsocketprotocol-76.

${overview}

${sections.join("\n\n")}

## The callback APIs

Servers and clients of the callback APIs run the same rules under a policy of their own: which rules they run, in which order,
and with which answers.

\`effect-ws/ws\` supports versions 13 and 8, and checks what \`ws\` checks. Subprotocols and extensions follow, each with a 400;
the origin is for \`verifyClient\` to check.

${policyTable(ws8)}

\`effect-ws/ws/legacy\` supports every draft, and runs every rule. For version 13:

${policyTable(ws04)}
`

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(file, render())
