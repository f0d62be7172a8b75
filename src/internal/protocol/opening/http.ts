/** The little of HTTP that a handshake writes. */
import type { Header, HeadersInput } from "./fields.ts"
import type { Response } from "./model.ts"
import { type Reason, unsafeHeader } from "./reason.ts"
import { isFieldValue, isToken } from "./token.ts"

const reasonPhrases = new Map([
  [400, "Bad Request"],
  [401, "Unauthorized"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [408, "Request Timeout"],
  [426, "Upgrade Required"],
  [429, "Too Many Requests"],
  [431, "Request Header Fields Too Large"],
  [500, "Internal Server Error"],
  [501, "Not Implemented"],
  [503, "Service Unavailable"]
])

/** RFC 9112 §4 lets the phrase be empty. */
export const reasonPhrase = (status: number): string => reasonPhrases.get(status) ?? ""

const encodeHead = (firstLine: string, headers: ReadonlyArray<Header>, body: Uint8Array | undefined): Uint8Array => {
  let head = `${firstLine}\r\n`
  for (const [name, value] of headers) head += `${name}: ${value}\r\n`
  head += "\r\n"
  const bytes = Buffer.from(head, "latin1")
  return body === undefined ? bytes : Buffer.concat([bytes, body])
}

/**
 * Encodes a response for HTTP/1.1 (RFC 9112 §2.1): the head in Latin-1, then the body, where there is one. Nothing
 * is checked or added.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encodeResponse = (response: Response): Uint8Array =>
  encodeHead(`HTTP/1.1 ${response.status} ${response.reason}`, response.headers, response.body)

/**
 * Encodes a request for HTTP/1.1 (RFC 9112 §2.1): the head in Latin-1, then the body, where there is one. Nothing
 * is checked or added.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encodeRequest = (request: {
  readonly method: string
  readonly target: string
  readonly headers: ReadonlyArray<Header>
  readonly body: Uint8Array | undefined
}): Uint8Array => encodeHead(`${request.method} ${request.target} HTTP/1.1`, request.headers, request.body)

/** Fields about one connection of HTTP/1.1, which a message of HTTP/2 must not have: RFC 9113 §8.2.2. */
const ofConnection = /^(?:connection|upgrade|keep-alive|proxy-connection|transfer-encoding|te|http2-settings)$/

/** A record without a prototype, where `constructor` and `__proto__` are names like any other. */
type WrittenFields = Record<string, string | Array<string>>

/**
 * Header fields by lower-case name, as the receiver of a message gets them; several fields of one name are joined, except
 * `set-cookie` (RFC 9110 §5.3).
 */
export const joinFields = (headers: ReadonlyArray<Header>): WrittenFields => {
  const fields: WrittenFields = Object.create(null)
  for (const [written, value] of headers) {
    const name = written.toLowerCase()
    const before = fields[name]
    if (before === undefined) fields[name] = name === "set-cookie" ? [value] : value
    else if (typeof before !== "string") before.push(value)
    else fields[name] = `${before}${name === "cookie" ? "; " : ", "}${value}`
  }
  return fields
}

/** Header fields as `node:http2` takes them: by lower-case name, without those about the connection. */
export const encodeFields = (headers: ReadonlyArray<Header>): WrittenFields =>
  joinFields(headers.filter(([name]) => !ofConnection.test(name.toLowerCase())))

/** The value of the first field with a lower-case name. */
export const headerValue = (headers: ReadonlyArray<Header>, name: string): string | undefined =>
  headers.find(([field]) => field.toLowerCase() === name)?.[1]

/** The names that frame the message or belong to the handshake: a second field of that name would change what is said. */
const reserved = /^(?:connection|upgrade|content-length|transfer-encoding|sec-websocket-.*)$/i

/** Whether JavaScript writes the value as one field: callers without types give numbers, too. */
const isText = (value: unknown): boolean => typeof value === "string" || typeof value === "number"

export const isPairs = (input: HeadersInput): input is ReadonlyArray<Header> => Array.isArray(input)

/** Returns a caller's header fields if they can be written without changing the meaning of the message. */
export const safeHeaders = (input: HeadersInput): ReadonlyArray<Header> | Reason => {
  const headers = isPairs(input) ? input : Object.entries(input)
  for (const [name, value] of headers) {
    if (!isToken(name)) return unsafeHeader(name, "its name is not a token")
    if (!isText(value)) return unsafeHeader(name, "its value is not a string")
    if (!isFieldValue(value)) return unsafeHeader(name, "its value has a character that no header may have")
    if (reserved.test(name)) return unsafeHeader(name, "the handshake sets it")
  }
  return headers
}

/** The path and query of a request target: RFC 9112 §3.2.2 has servers accept an absolute URL too. */
export const originForm = (target: string): string => {
  if (target.startsWith("/")) return target
  const rest = target.slice(target.indexOf("//") + 2)
  const start = rest.search(/[/?]/)
  if (start === -1) return "/"
  return rest.charAt(start) === "/" ? rest.slice(start) : `/${rest.slice(start)}`
}
