/** A server's part of the opening handshake: RFC 6455 §4.2. */
import { versionsOf } from "./drafts.ts"
import { originForm } from "./http.ts"
import { isHttp2, openingOf } from "./http2.ts"
import type { DraftOpening, OpeningDraft, Request, ValidRequest } from "./model.ts"
import { isAllowed, type Origins } from "./origin.ts"
import type { OpeningPolicy } from "./policy.ts"
import * as Reason from "./reason.ts"
import { type InvalidField, invalidField } from "./rules.ts"

/** Returns why a request with an invalid field is refused. */
const explain = (field: InvalidField, request: Request, drafts: ReadonlyArray<OpeningDraft>): Reason.Reason => {
  switch (field.field) {
    case "method":
      return Reason.methodNotAllowed(
        String(request.method),
        isHttp2(request.httpVersion) ? "CONNECT" : "GET",
        field.section
      )
    case "httpVersion":
      return Reason.unsupportedHttpVersion(String(request.httpVersion), field.section)
    case "url":
      return Reason.invalidTarget(field)
    case "key3":
      return Reason.invalidBody(field)
    case ":protocol":
      return Reason.otherProtocol(String(request.headers[":protocol"]))
    case "upgrade":
    case "connection":
      return Reason.upgradeRequired(field, versionsOf(drafts))
    default:
      return Reason.invalidHeader(field)
  }
}

/** Validates a request by the rules of a policy for its draft; `supported` are the drafts that a refusal names. */
export const validateRequest = (
  { requestRules }: Pick<OpeningPolicy, "requestRules">,
  draft: OpeningDraft,
  request: Request,
  supported: ReadonlyArray<OpeningDraft>
): ValidRequest | Reason.Reason => {
  const opening = openingOf<DraftOpening>(draft, request.httpVersion)
  const invalid = invalidField(requestRules(opening), request)
  return invalid === undefined ? opening.readRequest(request) : explain(invalid, request, supported)
}

/** The path of a request target, without its query. */
export const pathOf = (target: string): string => originForm(target).replace(/[?#].*$/s, "")

/** Returns why a valid request may not connect: another path is served, or its origin is not allowed. */
export const checkAccess = (
  { host, origin, target }: ValidRequest,
  { authority = host, secure = false }: Pick<Request, "authority" | "secure">,
  access: { readonly path: string | undefined; readonly origins: Origins }
): Reason.Reason | undefined => {
  if (access.path !== undefined) {
    const path = pathOf(target)
    if (path !== access.path) return Reason.pathNotFound(path)
  }
  return origin === undefined || isAllowed(access.origins, origin, authority, secure)
    ? undefined
    : Reason.originRefused(origin, access.origins === "same" ? authority : undefined)
}
