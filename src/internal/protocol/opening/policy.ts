/** How each API runs the rules of the opening handshake: what it is lenient about, its texts and its status codes. */
import { unescape as unescapeQuery } from "node:querystring"
import { exactlyWebSocket } from "./checks.ts"
import { type DeflatePolicy, strictDeflate, ws8Deflate } from "./deflateParams.ts"
import { allDrafts, versionsOf } from "./drafts.ts"
import { type ExtensionGrammar, strictExtensions, ws8Extensions } from "./extensions.ts"
import { hybi07, hybi08, rfc6455 } from "./hybi.ts"
import type { Header } from "./fields.ts"
import type { DraftOpening, OpeningDraft } from "./model.ts"
import type { Reason } from "./reason.ts"
import { type IsRedirect, strictRedirects, ws8Redirects } from "./redirect.ts"
import type { Rule } from "./rules.ts"
import { strictUrls, type UrlPolicy } from "./url.ts"

/** The answer to a request that is refused. */
export interface Refusal {
  readonly status: number
  /** The body, where it is not the API's own. */
  readonly text: string | undefined
  readonly headers: ReadonlyArray<Header>
}

/** At least one draft. */
type Drafts = readonly [OpeningDraft, ...ReadonlyArray<OpeningDraft>]

/** How one API opens connections, in both roles. */
export interface OpeningPolicy {
  /** The drafts that its servers support by default, the preferred first. */
  readonly drafts: Drafts
  /** The rules that a server runs, in this order. */
  readonly requestRules: (opening: DraftOpening) => ReadonlyArray<Rule>
  /** The rules that a client runs, in this order. */
  readonly responseRules: (opening: DraftOpening) => ReadonlyArray<Rule>
  /** How a server answers a request that breaks a rule. */
  readonly refusal: (reason: Reason) => Refusal
  readonly extensions: ExtensionGrammar
  readonly deflate: DeflatePolicy
  /** Whether a client takes a status for a redirect. */
  readonly isRedirect: IsRedirect
  readonly urls: UrlPolicy
}

const requestRulesOf = ({ requestRules }: DraftOpening): ReadonlyArray<Rule> => requestRules

const responseRulesOf = ({ responseRules }: DraftOpening): ReadonlyArray<Rule> => responseRules

/** The header fields that standards want in an answer of a status. */
const headersFor = (reason: Reason): ReadonlyArray<Header> => {
  switch (reason._tag) {
    case "MethodNotAllowed":
      return [["Allow", reason.allowed]]
    case "UpgradeRequired":
    case "UnsupportedVersion": {
      const upgrade: Header = ["Upgrade", "websocket"]
      return reason.supported.length > 0 ? [upgrade, ["Sec-WebSocket-Version", reason.supported.join(", ")]] : [upgrade]
    }
    case "TooManyRequests":
    case "TooManyConnections":
    case "ShuttingDown":
      return reason.retryAfter === undefined ? [] : [["Retry-After", String(reason.retryAfter)]]
    case "Rejected":
      return reason.headers
    default:
      return []
  }
}

/** The body of an answer, where it says more than its status. */
const textFor = (reason: Reason): string | undefined =>
  reason._tag === "OriginRefused" ? `${reason.message}\n` : reason._tag === "Rejected" ? reason.body : undefined

/** The Effect API: every rule of the draft, with the status of each reason. */
export const strict: OpeningPolicy = {
  drafts: [rfc6455, hybi08, hybi07],
  requestRules: requestRulesOf,
  responseRules: responseRulesOf,
  refusal: (reason) => ({
    status: reason.status,
    text: textFor(reason),
    headers: headersFor(reason)
  }),
  extensions: strictExtensions,
  deflate: strictDeflate,
  isRedirect: strictRedirects,
  urls: strictUrls
}

const pick = (rules: ReadonlyArray<Rule>, ...fields: ReadonlyArray<string>): ReadonlyArray<Rule> =>
  fields.flatMap((field) => rules.filter((rule) => rule.field === field))

/** `node:http` reads any version of HTTP that a request names, and the API opens no connection over HTTP/2. */
const ws8Drafts: Drafts = [
  { ...rfc6455, http2: undefined },
  { ...hybi08, http2: undefined }
]

const ws8Versions = versionsOf(ws8Drafts)

/**
 * `ws` looks at four fields of a request, and reads the version as JavaScript reads a number. Whether `Host`, `Connection`, the
 * target and the HTTP version are what they must be, it leaves to `node:http`.
 */
const ws8RequestRules = pick(
  rfc6455.requestRules,
  "method",
  "upgrade",
  "sec-websocket-key",
  "sec-websocket-version"
).map((rule): Rule => {
  if (rule.field === "upgrade") return { ...rule, reason: "`websocket`, in any case", check: exactlyWebSocket }
  if (rule.field !== "sec-websocket-version") return rule
  return {
    ...rule,
    reason: "`13` or `8`",
    check: { _tag: "Grammar", test: (value) => ws8Versions.includes(Number(value)), sample: /^(?:13|8)$/ }
  }
})

/** Of a response it looks at one field, besides the proof that answers the request. */
const ws8ResponseRules = pick(rfc6455.responseRules, "upgrade")

const ws8Texts = new Map([
  ["upgrade", "Invalid Upgrade header"],
  ["sec-websocket-key", "Missing or invalid Sec-WebSocket-Key header"],
  ["sec-websocket-version", "Missing or invalid Sec-WebSocket-Version header"],
  ["sec-websocket-protocol", "Invalid Sec-WebSocket-Protocol header"],
  ["sec-websocket-extensions", "Invalid or unacceptable Sec-WebSocket-Extensions header"]
])

/** The `ws` 8 API: as `ws`, with its texts. */
export const ws8: OpeningPolicy = {
  drafts: ws8Drafts,
  requestRules: () => ws8RequestRules,
  responseRules: () => ws8ResponseRules,
  refusal: (reason) => {
    if (reason._tag === "MethodNotAllowed") return { status: 405, text: "Invalid HTTP method", headers: [] }
    const header = "header" in reason ? reason.header : ""
    const headers: ReadonlyArray<Header> =
      header === "sec-websocket-version" ? [["Sec-WebSocket-Version", ws8Versions.join(", ")]] : []
    return { status: 400, text: ws8Texts.get(header), headers }
  },
  extensions: ws8Extensions,
  deflate: ws8Deflate,
  isRedirect: ws8Redirects,
  urls: {
    // As `ws`, which takes the path of a Unix socket as it is written.
    splitUnix: ({ pathname, search }) => {
      const [socketPath = "", target = ""] = splitOnce(pathname + search)
      return { socketPath, target }
    },
    decode: unescapeQuery,
    emptyFragment: true
  }
}

const splitOnce = (text: string): readonly [string, string] => {
  const colon = text.indexOf(":")
  return colon === -1 ? [text, ""] : [text.slice(0, colon), text.slice(colon + 1)]
}

/** The `ws` 0.4 API: every rule of the draft, and 400 for each that is broken; RFC 6455 §4.4 has it name the versions. */
export const ws04: OpeningPolicy = {
  ...strict,
  drafts: allDrafts,
  refusal: (reason) => ({
    status: 400,
    text: undefined,
    headers: headersFor(reason).filter(
      ([name]) => reason._tag === "UnsupportedVersion" && name === "Sec-WebSocket-Version"
    )
  })
}
