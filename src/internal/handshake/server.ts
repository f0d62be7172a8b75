/** A server's part of the opening handshake: RFC 6455 §4.2. */
import * as Result from "effect/Result"
import * as Extension from "./extension.ts"
import { defaults } from "./drafts.ts"
import * as Errors from "./error.ts"
import { extensionsValue, headerValue, originForm, reasonPhrase, safeHeaders } from "./http.ts"
import { isHttp2, openingOf } from "./http2.ts"
import type { Accepted, AcceptOptions, Draft, Header, HeadersInput, Request, Response, ValidRequest } from "./model.ts"
import { isAllowed } from "../protocol/opening/origin.ts"
import { splitList } from "./schema.ts"

const versionsOf = (drafts: ReadonlyArray<Draft>): ReadonlyArray<number> =>
  drafts.flatMap(({ version }) => version ?? [])

/**
 * The draft that a request is for: that of its version; Hixie-76 when it has that draft's keys instead. A request that
 * shows neither goes to the first draft, whose schema then says what is missing. Over HTTP/2 only drafts count that open
 * there.
 */
export const selectDraft = (
  request: Request,
  spoken: ReadonlyArray<Draft> = defaults
): Result.Result<Draft, Errors.HandshakeError> => {
  const { headers } = request
  const http2 = isHttp2(request.httpVersion)
  const drafts = http2 ? spoken.filter((draft) => draft.http2 !== undefined) : spoken
  const version = headers["sec-websocket-version"]
  const isHixie = headers["sec-websocket-key1"] !== undefined || headers["sec-websocket-key2"] !== undefined
  const found =
    version !== undefined
      ? drafts.find((draft) => draft.version !== undefined && String(draft.version) === version)
      : isHixie
        ? drafts.find((draft) => draft.version === undefined)
        : drafts[0]
  return found === undefined
    ? Result.fail(
        Errors.unsupportedVersion(
          String(version ?? (isHixie ? "hixie-76" : "(none)")),
          versionsOf(drafts),
          http2 ? 400 : 426
        )
      )
    : Result.succeed(found)
}

const explain = (fault: Errors.Fault, request: Request, drafts: ReadonlyArray<Draft>): Errors.HandshakeError => {
  switch (fault.field) {
    case "method":
      return Errors.methodNotAllowed(
        String(request.method),
        isHttp2(request.httpVersion) ? "CONNECT" : "GET",
        fault.section
      )
    case "httpVersion":
      return Errors.unsupportedHttpVersion(String(request.httpVersion), fault.section)
    case "url":
      return Errors.invalidTarget(fault)
    case "key3":
      return Errors.invalidBody(fault)
    case ":protocol":
      return Errors.otherProtocol(String(request.headers[":protocol"]))
    case "upgrade":
    case "connection":
      return Errors.upgradeRequired(fault, versionsOf(drafts))
    default:
      return Errors.invalidHeader(fault)
  }
}

const chooseProtocol = (
  protocols: AcceptOptions["protocols"],
  header: string | undefined,
  request: Request
): Result.Result<string | undefined, Errors.HandshakeError> => {
  if (protocols === undefined || header === undefined) return Result.succeed(undefined)
  const offered = splitList(header)
  if (typeof protocols !== "function") return Result.succeed(protocols.find((protocol) => offered.includes(protocol)))
  const chosen = protocols(offered, request)
  return chosen === undefined || offered.includes(chosen)
    ? Result.succeed(chosen)
    : Result.fail(Errors.invalidSubprotocol(chosen, "the server chose a subprotocol that the client did not offer"))
}

const agree = (
  extensions: ReadonlyArray<Extension.Extension>,
  header: string
): Result.Result<ReadonlyArray<Extension.Negotiated>, Errors.HandshakeError> =>
  Extension.parse(header).pipe(
    Result.map((offers) => {
      const negotiated: Array<Extension.Negotiated> = []
      let used = 0
      for (const { accept, name, rsv } of extensions) {
        const mine = offers.filter((offer) => offer.name === name)
        const agreement = mine.length > 0 && (used & rsv) === 0 ? accept(mine.map(({ params }) => params)) : undefined
        if (agreement !== undefined) {
          negotiated.push({ name, rsv, ...agreement })
          used |= rsv
        }
      }
      return negotiated
    }),
    Result.mapError(({ message }) =>
      Errors.invalidHeader({ field: "sec-websocket-extensions", rule: message, section: "RFC 6455 §9.1" })
    )
  )

const checkAccess = (
  { host, origin, target }: ValidRequest,
  request: Request,
  options: AcceptOptions
): Errors.HandshakeError | undefined => {
  if (options.path !== undefined) {
    const path = originForm(target).replace(/[?#].*$/s, "")
    if (path !== options.path) return Errors.pathNotFound(path)
  }
  return origin === undefined || isAllowed(options.origins ?? "same", origin, host, request.secure === true)
    ? undefined
    : Errors.originRefused(origin)
}

/** Picks the draft, validates the request, negotiates, and composes the answer. */
export const accept = (
  request: Request,
  options: AcceptOptions = {}
): Result.Result<Accepted, Errors.HandshakeError> => {
  // Runs for every connection: written out, since a generator costs more than the rest of it.
  const drafts = options.drafts ?? defaults
  const selected = selectDraft(request, drafts)
  if (Result.isFailure(selected)) return Result.fail(selected.failure)
  const draft = selected.success
  const validated = openingOf(draft, request.httpVersion).validate(request)
  if (Result.isFailure(validated)) return Result.fail(explain(validated.failure, request, drafts))
  const valid = validated.success
  const refused = checkAccess(valid, request, options)
  if (refused !== undefined) return Result.fail(refused)

  const protocol = chooseProtocol(options.protocols, valid.protocols, request)
  if (Result.isFailure(protocol)) return Result.fail(protocol.failure)
  const extensions =
    options.extensions === undefined || options.extensions.length === 0 || valid.extensions === undefined
      ? none
      : agree(options.extensions, valid.extensions)
  if (Result.isFailure(extensions)) return Result.fail(extensions.failure)
  const added = options.headers === undefined ? none : safeHeaders(options.headers)
  if (Result.isFailure(added)) return Result.fail(added.failure)

  const response = valid.respond(protocol.success)
  const headers: Array<Header> = [...response.headers]
  if (extensions.success.length > 0) {
    const value = extensionsValue(extensions.success)
    if (Result.isFailure(value)) return Result.fail(value.failure)
    headers.push(["Sec-WebSocket-Extensions", value.success])
  }
  headers.push(...added.success)
  return Result.succeed({
    draft,
    protocol: protocol.success,
    extensions: extensions.success,
    origin: valid.origin,
    response: { ...response, headers }
  })
}

const none: Result.Result<ReadonlyArray<never>> = Result.succeed([])

/** The answer with which a caller's own authorization refuses a request. */
export interface Rejection {
  /** The HTTP status, 200 to 599. Default 403. */
  readonly status?: number | undefined
  readonly headers?: HeadersInput | undefined
  /** The body, as text. Default: the status in words. */
  readonly body?: string | undefined
}

/**
 * Refuses a request with an answer of the caller's. Throws a `RangeError` for a status that ends no request. A header
 * that cannot be written safely makes it a failure of the server's own, with the reason `UnsafeHeader`.
 */
export const rejected = ({ body, headers = [], status = 403 }: Rejection = {}): Errors.HandshakeError => {
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`the status of a rejection must be from 200 to 599, not ${status}`)
  }
  return Result.match(safeHeaders(headers), {
    onFailure: (error) => error,
    onSuccess: (headers) => Errors.rejected(status, headers, body)
  })
}

/** What a failure adds to the head of its answer. */
const headersFor = (reason: Errors.Reason): ReadonlyArray<Header> => {
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
      return reason.retryAfter === undefined ? [] : [["Retry-After", String(reason.retryAfter)]]
    case "Rejected":
      return reason.headers
    default:
      return []
  }
}

/** The HTTP response that tells a client that its handshake failed, without internal detail. */
export const refusal = ({ reason }: Errors.HandshakeError): Response => {
  const phrase = reasonPhrase(reason.status)
  const body = Buffer.from(reason._tag === "Rejected" && reason.body !== undefined ? reason.body : `${phrase}\n`)
  const headers: Array<Header> = [
    // RFC 9110 §7.8: who sends Upgrade names it in Connection.
    ["Connection", reason.status === 426 ? "close, Upgrade" : "close"],
    ["Content-Length", String(body.length)],
    ...headersFor(reason)
  ]
  if (headerValue(headers, "content-type") === undefined) headers.push(["Content-Type", "text/plain; charset=utf-8"])
  return { status: reason.status, reason: phrase, headers, body }
}
