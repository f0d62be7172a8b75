/** A client's part of the opening handshake, with its extensions. */
import * as Result from "effect/Result"
import { composeRequest, verifyResponse } from "../protocol/opening/client.ts"
import { strict } from "../protocol/opening/policy.ts"
import { isReason, type Reason } from "../protocol/opening/reason.ts"
import * as Reasons from "../protocol/opening/reason.ts"
import { namesOf, pathOnly, summarized, summaryPrototype } from "../protocol/summary.ts"
import { rfc6455 } from "./drafts.ts"
import { handshakeError, type HandshakeError, resultOf } from "./error.ts"
import * as Extension from "./extension.ts"
import { plain, plainHeaders } from "./secret.ts"
import type { ClientRequest, Negotiated, RequestOptions, ServerResponse } from "./model.ts"

/** Composes the request that asks the server of a URL for a connection. Each call draws a fresh challenge. */
export const request = (
  url: string | URL,
  options: RequestOptions = {}
): Result.Result<ClientRequest, HandshakeError> => {
  const { draft = rfc6455, extensions = [], requireProtocol = false } = options
  const composed = composeRequest(String(url), {
    draft,
    httpVersion: options.httpVersion ?? "1.1",
    protocols: options.protocols ?? [],
    headers: plainHeaders(options.headers ?? []),
    origin: options.origin,
    host: options.host,
    auth: plain(options.auth),
    extensions: extensions.flatMap(({ name, offer }) => offer().map((params) => ({ name, params })))
  })
  return isReason(composed)
    ? Result.fail(handshakeError(composed))
    : Result.succeed(summarized<ClientRequest>(clientRequest, { ...composed, draft, requireProtocol, extensions }))
}

const clientRequest = summaryPrototype<ClientRequest>(({ draft, headers, method, url }) => ({
  _id: "ClientRequest",
  method,
  url: pathOnly(url),
  draft: draft.id,
  headers: namesOf(headers)
}))

const verifyExtensions = (
  offered: ReadonlyArray<Extension.Extension>,
  header: string
): ReadonlyArray<Extension.Negotiated> | Reason => {
  const responses = Extension.parse(header)
  if (Result.isFailure(responses)) {
    const { message } = responses.failure
    return Reasons.invalidHeader({ field: "sec-websocket-extensions", reason: message, section: "RFC 6455 §9.1" })
  }
  const negotiated: Array<Extension.Negotiated> = []
  let used = 0
  for (const { name, params } of responses.success) {
    const extension = offered.find((extension) => extension.name === name)
    if (extension === undefined) return Reasons.invalidExtension(name, "it was not offered")
    if (negotiated.some((other) => other.name === name)) return Reasons.invalidExtension(name, "it stands twice")
    if ((used & extension.rsv) !== 0) return Reasons.invalidExtension(name, "another one has its reserved bits")
    const agreement = extension.confirm(params)
    if (Result.isFailure(agreement)) return Reasons.invalidExtension(name, agreement.failure)
    negotiated.push({ name, rsv: extension.rsv, ...agreement.success })
    used |= extension.rsv
  }
  return negotiated
}

/** Checks a server's response against the request that it answers. */
export const verify = (request: ClientRequest, response: ServerResponse): Result.Result<Negotiated, HandshakeError> => {
  const { draft } = request
  const valid = verifyResponse(strict, request, response)
  if (isReason(valid)) return Result.fail(handshakeError(valid))
  const { protocol } = valid
  if (valid.extensions === undefined) return Result.succeed({ draft, protocol, extensions: [] })
  return Result.map(resultOf(verifyExtensions(request.extensions, valid.extensions)), (extensions) => ({
    draft,
    protocol,
    extensions
  }))
}
