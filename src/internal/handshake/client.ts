/** A client's part of the opening handshake: RFC 6455 §4.1. */
import * as Result from "effect/Result"
import * as Extension from "./extension.ts"
import { readUrl } from "../protocol/opening/url.ts"
import * as Errors from "./error.ts"
import { extensionsValue, headerValue, safeHeaders } from "./http.ts"
import { isHttp2, openingOf } from "./http2.ts"
import { rfc6455 } from "./hybi.ts"
import type { ClientRequest, Header, Negotiated, RequestOptions, ServerResponse } from "./model.ts"
import { isAuthority, isOrigin } from "./schema.ts"
import { checkProtocols } from "./subprotocol.ts"

const checkNames = (host: string, origin: string | undefined): Errors.HandshakeError | undefined => {
  if (!isAuthority(host)) return Errors.unsafeHeader("Host", "its value is not a host with an optional port")
  return origin === undefined || isOrigin(origin)
    ? undefined
    : Errors.unsafeHeader("Origin", "its value has other characters than visible ASCII")
}

const oursUnlessGiven = new Set(["host", "origin"])

/** Composes the request that asks the server of a URL for a connection. Each call draws a fresh challenge. */
export const request = (
  url: string | URL,
  options: RequestOptions = {}
): Result.Result<ClientRequest, Errors.HandshakeError> => {
  const { draft = rfc6455, extensions = [], httpVersion = "1.1", protocols = [], requireProtocol = false } = options
  const text = String(url)
  const read = readUrl(text)
  if ("_tag" in read) return Result.fail(Errors.invalidUrl(text, read.message))
  const safe = safeHeaders(options.headers ?? [])
  if (Result.isFailure(safe)) return Result.fail(safe.failure)
  const { auth, authority, ...destination } = read
  const given = safe.success
  const host = options.host ?? headerValue(given, "host") ?? authority
  const origin = options.origin ?? headerValue(given, "origin")
  const unsafe = checkProtocols(protocols) ?? checkNames(host, origin)
  if (unsafe !== undefined) return Result.fail(unsafe)
  if (extensions.length > 0 && !draft.capabilities.extensions) {
    return Result.fail(Errors.unsupported("extensions", draft.id))
  }
  if (httpVersion === "2.0" && draft.http2 === undefined) {
    return Result.fail(Errors.unsupported("opening over HTTP/2", draft.id))
  }

  const offers = extensions.flatMap(({ name, offer }) => offer().map((params) => ({ name, params })))
  const offered = offers.length > 0 ? extensionsValue(offers) : Result.succeed(undefined)
  if (Result.isFailure(offered)) return Result.fail(offered.failure)
  const asked = openingOf(draft, httpVersion).ask({
    secure: destination.secure,
    host,
    target: destination.target,
    origin,
    protocols: protocols.length > 0 ? protocols.join(", ") : undefined,
    extensions: offered.success
  })
  const headers: Array<Header> = [...asked.headers]
  const credentials = options.auth ?? auth
  if (credentials !== undefined && headerValue(given, "authorization") === undefined) {
    headers.push(["Authorization", `Basic ${Buffer.from(credentials).toString("base64")}`])
  }
  headers.push(...given.filter(([name]) => !oursUnlessGiven.has(name.toLowerCase())))
  const method = httpVersion === "2.0" ? "CONNECT" : "GET"
  return Result.succeed({
    ...destination,
    ...asked,
    draft,
    httpVersion,
    method,
    headers,
    protocols,
    requireProtocol,
    extensions
  })
}

const checkProtocol = (request: ClientRequest, protocol: string | undefined): Errors.HandshakeError | undefined => {
  if (protocol === undefined) {
    return request.requireProtocol && request.protocols.length > 0
      ? Errors.invalidSubprotocol(protocol, "the server chose none of the subprotocols")
      : undefined
  }
  return request.protocols.includes(protocol)
    ? undefined
    : Errors.invalidSubprotocol(protocol, `the server chose the subprotocol ${protocol}, which was not asked for`)
}

const confirmExtensions = (
  offered: ReadonlyArray<Extension.Extension>,
  header: string
): Result.Result<ReadonlyArray<Extension.Negotiated>, Errors.HandshakeError> =>
  Result.gen(function* () {
    const answers = yield* Result.mapError(Extension.parse(header), ({ message }) =>
      Errors.invalidHeader({ field: "sec-websocket-extensions", rule: message, section: "RFC 6455 §9.1" })
    )
    const negotiated: Array<Extension.Negotiated> = []
    let used = 0
    for (const { name, params } of answers) {
      const refuse = (message: string) => Errors.invalidExtension(name, message)
      const extension = offered.find((extension) => extension.name === name)
      if (extension === undefined) return yield* Result.fail(refuse("it was not offered"))
      if (negotiated.some((other) => other.name === name)) return yield* Result.fail(refuse("it stands twice"))
      if ((used & extension.rsv) !== 0) return yield* Result.fail(refuse("another one has its reserved bits"))
      const agreement = yield* Result.mapError(extension.confirm(params), refuse)
      negotiated.push({ name, rsv: extension.rsv, ...agreement })
      used |= extension.rsv
    }
    return negotiated
  })

/** Checks a server's response against the request that it answers. */
export const verify = (
  request: ClientRequest,
  response: ServerResponse
): Result.Result<Negotiated, Errors.HandshakeError> => {
  const { draft } = request
  const { headers, status } = response
  const http2 = isHttp2(request.httpVersion)
  if (http2 ? status < 200 || status > 299 : status !== 101) {
    return Result.fail(Errors.unexpectedStatus(status, http2 ? 200 : 101, headers, response.body))
  }
  const confirmed = openingOf(draft, request.httpVersion).confirm(request, response)
  if (Result.isFailure(confirmed)) {
    const fault = confirmed.failure
    return Result.fail(fault.field === "body" ? Errors.invalidBody(fault) : Errors.invalidHeader(fault))
  }
  const { extensions, protocol } = confirmed.success
  const refused = checkProtocol(request, protocol)
  if (refused !== undefined) return Result.fail(refused)
  if (extensions === undefined) return Result.succeed({ draft, protocol, extensions: [] })
  return Result.map(confirmExtensions(request.extensions, extensions), (extensions) => ({
    draft,
    protocol,
    extensions
  }))
}
