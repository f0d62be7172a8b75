/** A server's part of the opening handshake, with its extensions and its answers. */
import * as Result from "effect/Result"
import { selectDraft as select } from "../protocol/opening/drafts.ts"
import { areTokens, formatExtensions } from "../protocol/opening/extensions.ts"
import { headerValue, reasonPhrase, safeHeaders } from "../protocol/opening/http.ts"
import { strict } from "../protocol/opening/policy.ts"
import { isReason, type Reason } from "../protocol/opening/reason.ts"
import * as Reasons from "../protocol/opening/reason.ts"
import { checkAccess, validateRequest } from "../protocol/opening/server.ts"
import { chooseProtocol } from "../protocol/opening/subprotocol.ts"
import { defaults } from "./drafts.ts"
import { handshakeError, type HandshakeError, resultOf } from "./error.ts"
import * as Extension from "./extension.ts"
import { plainHeaders } from "./secret.ts"
import type { Accepted, AcceptOptions, Draft, Header, HeadersInput, Request, Response } from "./model.ts"

/**
 * Selects the draft of a request: the one whose version it names, or Hixie-76 when it has that draft's keys.
 *
 * **Details**
 *
 * A request with neither goes to the first draft, whose rules then say what is missing. Over HTTP/2 only drafts
 * count that can open there.
 *
 * @category server
 * @since 0.1.0
 */
export const selectDraft = (
  request: Request,
  drafts: ReadonlyArray<Draft> = defaults
): Result.Result<Draft, HandshakeError> => resultOf(select(request, drafts))

const agree = (
  extensions: ReadonlyArray<Extension.Extension>,
  header: string
): ReadonlyArray<Extension.Negotiated> | Reason => {
  const offers = Extension.parse(header)
  if (Result.isFailure(offers)) {
    const { message } = offers.failure
    return Reasons.invalidHeader({ field: "sec-websocket-extensions", reason: message, section: "RFC 6455 §9.1" })
  }
  const negotiated: Array<Extension.Negotiated> = []
  let used = 0
  for (const { accept, name, rsv } of extensions) {
    const mine = offers.success.filter((offer) => offer.name === name)
    const agreement = mine.length > 0 && (used & rsv) === 0 ? accept(mine.map(({ params }) => params)) : undefined
    if (agreement !== undefined) {
      negotiated.push({ name, rsv, ...agreement })
      used |= rsv
    }
  }
  return areTokens(negotiated)
    ? negotiated
    : Reasons.unsafeHeader("Sec-WebSocket-Extensions", "a name or a value is not a token")
}

const none: ReadonlyArray<never> = []

const fail = (reason: Reason): Result.Result<never, HandshakeError> => Result.fail(handshakeError(reason))

/** Picks the draft, validates the request, negotiates, and composes the answer. */
export const accept = (request: Request, options: AcceptOptions = {}): Result.Result<Accepted, HandshakeError> => {
  const draft = select(request, options.drafts ?? defaults)
  return isReason(draft) ? fail(draft) : acceptAs(draft, request, options)
}

/** Validates a request for a draft that `selectDraft` picked, negotiates, and composes the answer. */
export const acceptAs = (
  draft: Draft,
  request: Request,
  options: AcceptOptions = {}
): Result.Result<Accepted, HandshakeError> => {
  // Runs for every connection: written out, since a generator costs more than the rest of it.
  const valid = validateRequest(strict, draft, request, options.drafts ?? defaults)
  if (isReason(valid)) return fail(valid)
  const access = { path: options.path, origins: options.origins ?? "same" }
  const refused = checkAccess(valid, request, access)
  if (refused !== undefined) return fail(refused)
  const chosen = chooseProtocol(options.protocols, valid.protocols, request)
  if (isReason(chosen)) return fail(chosen)
  const extensions =
    options.extensions === undefined || options.extensions.length === 0 || valid.extensions === undefined
      ? none
      : agree(options.extensions, valid.extensions)
  if (isReason(extensions)) return fail(extensions)
  const added = options.headers === undefined ? none : safeHeaders(plainHeaders(options.headers))
  if (isReason(added)) return fail(added)

  const { protocol } = chosen
  const response = valid.respond(protocol)
  const headers: Array<Header> = [...response.headers]
  if (extensions.length > 0) headers.push(["Sec-WebSocket-Extensions", formatExtensions(extensions)])
  headers.push(...added)
  return Result.succeed({ draft, protocol, extensions, origin: valid.origin, response: { ...response, headers } })
}

/**
 * The response with which a caller's authorization refuses a request.
 *
 * @category server
 * @since 0.1.0
 */
export interface Rejection {
  /** The HTTP status: 200 to 599. Default: 403. */
  readonly status?: number | undefined
  /** Header fields of the response. Default: none. */
  readonly headers?: HeadersInput | undefined
  /** The body as text. Default: the status in words. */
  readonly body?: string | undefined
}

/**
 * Creates the error that rejects a request with the caller's own response.
 *
 * **Gotchas**
 *
 * Throws a `RangeError` for a status that can't end a request. A header that can't be written safely gives the
 * reason `UnsafeHeader`, a failure of the server's own.
 *
 * @category server
 * @since 0.2.0
 */
export const reject = ({ body, headers = [], status = 403 }: Rejection = {}): HandshakeError => {
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`the status of a rejection must be from 200 to 599, not ${status}`)
  }
  const safe = safeHeaders(plainHeaders(headers))
  return handshakeError(isReason(safe) ? safe : Reasons.rejected(status, safe, body))
}

/**
 * Composes the HTTP response to a client whose handshake failed, without internal detail.
 *
 * @category server
 * @since 0.2.0
 */
export const rejection = ({ reason }: HandshakeError): Response => {
  const { headers: added, status, text } = strict.refusal(reason)
  const phrase = reasonPhrase(status)
  const body = Buffer.from(text ?? `${phrase}\n`)
  const headers: Array<Header> = [
    // RFC 9110 §7.8: who sends Upgrade names it in Connection.
    ["Connection", status === 426 ? "close, Upgrade" : "close"],
    ["Content-Length", String(body.length)],
    ...added
  ]
  if (headerValue(headers, "content-type") === undefined) headers.push(["Content-Type", "text/plain; charset=utf-8"])
  return { status, reason: phrase, headers, body }
}
