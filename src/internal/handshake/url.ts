/** Where a client connects to: RFC 6455 §3. */
import * as Result from "effect/Result"
import { type HandshakeError, invalidUrl } from "./error.ts"
import type { ClientRequest } from "./model.ts"

export interface Destination extends Pick<ClientRequest, "url" | "secure" | "host" | "port" | "socketPath" | "target"> {
  /** The value of `Host`. */
  readonly authority: string
  /** `user:password` from the URL, decoded. */
  readonly auth: string | undefined
}

const schemes = new Map([
  ["ws:", false],
  ["http:", false],
  ["wss:", true],
  ["https:", true],
  ["ws+unix:", false]
])

// oxlint-disable-next-line no-control-regex
const control = /[\0-\x1f\x7f]/

const decode = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** Reads a URL, and takes user and password out of it. */
export const parse = (input: string | URL): Result.Result<Destination, HandshakeError> => {
  const text = typeof input === "string" ? input : input.href
  const shown = text.replace(/\/\/[^/?#]*@/, "//")
  const fail = (message: string) => Result.fail(invalidUrl(shown, message))

  // A URL parser drops these, and would go on with what the caller did not write.
  if (control.test(text)) return Result.fail(invalidUrl(JSON.stringify(shown), "control characters are not allowed"))
  const url = URL.parse(text)
  if (url === null) return fail("not an absolute URL")
  const secure = schemes.get(url.protocol)
  if (secure === undefined) return fail("the scheme must be ws, wss, http, https or ws+unix")
  if (url.href.includes("#")) return fail("a fragment is not allowed")

  const username = decode(url.username)
  const password = decode(url.password)
  if (username === undefined || password === undefined) return fail("user or password is not percent-encoded")
  const auth = username === "" && password === "" ? undefined : `${username}:${password}`
  url.username = ""
  url.password = ""

  if (url.protocol === "ws+unix:") {
    const [path = "", target] = url.pathname.split(":", 2)
    const socketPath = decode(path)
    if (!socketPath || control.test(socketPath)) return fail("the socket has no usable path")
    return Result.succeed({
      url: url.href,
      secure,
      host: "localhost",
      port: 80,
      socketPath,
      target: (target?.startsWith("/") ? target : `/${target ?? ""}`) + url.search,
      authority: "localhost",
      auth
    })
  }
  return Result.succeed({
    url: url.href,
    secure,
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? (secure ? 443 : 80) : Number(url.port),
    socketPath: undefined,
    target: url.pathname + url.search,
    authority: url.host,
    auth
  })
}
