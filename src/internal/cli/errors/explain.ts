/** What went wrong, in plain words, and what can be done about it. */
import type { HandshakeError, Reason } from "../../handshake/error.ts"
import type { ServerError, ServerErrorReason } from "../../server/error.ts"
import type { Closed } from "../../protocol/closeHandshake.ts"
import type { SocketError } from "../../socket/error.ts"
import type { Violation } from "../../protocol/protocolError.ts"
import { STATUS_CODES } from "node:http"
import type { Target } from "../options/connecting.ts"
import { type Refusal, WscatError } from "./failure.ts"
import { codeOf, plain } from "./plain.ts"
import { messageOf } from "../../messageOf.ts"

/** Several addresses were tried: what the first one said stands for all. */
const firstOf = (cause: unknown): unknown =>
  cause instanceof AggregateError && cause.errors.length > 0 ? cause.errors[0] : cause

/** What is wrong with a certificate, by what Node calls it. */
const certificateProblems = new Map([
  ["CERT_HAS_EXPIRED", "it has expired"],
  ["CERT_NOT_YET_VALID", "it is not valid yet"],
  ["CERT_REVOKED", "it was revoked"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "it is signed by itself"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "it is for another name"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "its authority is not trusted here"],
  ["UNABLE_TO_GET_ISSUER_CERT", "its authority is not known here"],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "its authority is not known here"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "its authority is not known here, or the server leaves out what lies between"]
])

/** What is wrong with a certificate, in plain words. */
export const certificateProblem = (cause: unknown): string | undefined => certificateProblems.get(codeOf(cause))

/** Whether an error is one of TLS, and what to do about it. */
const tlsHint = (code: string): string | undefined => {
  if (code.startsWith("CERT_")) return "-n connects all the same"
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return "the certificate is for another name; --servername says which is meant, -n does not check"
  }
  if (certificateProblems.has(code)) return "--ca names the authority to trust, -n does not check"
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG" || code === "EPROTO") {
    return "the server does not speak TLS there; try ws: instead of wss:"
  }
  if (code.startsWith("ERR_SSL_TLSV") || code.startsWith("ERR_SSL_SSLV")) {
    return /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE/.test(code)
      ? "the server may demand a certificate of you: --cert and --key"
      : "the server broke TLS off"
  }
  if (code.startsWith("ERR_SSL") || code.startsWith("ERR_OSSL") || code.startsWith("ERR_TLS")) {
    return "look at --ca, --cert, --key and --passphrase"
  }
  return undefined
}

const networkHint = (code: string, message: string, url: string): string | undefined => {
  switch (code) {
    case "ECONNREFUSED": {
      return "nothing listens there; is the server running, and is this its port?"
    }
    case "ENOTFOUND": {
      return "there is no such host; is the name spelled right?"
    }
    case "EAI_AGAIN": {
      return "no name server answers; is the network up?"
    }
    case "ENETUNREACH":
    case "EHOSTUNREACH": {
      return "there is no way to that address; is the network up?"
    }
    case "ETIMEDOUT": {
      return "the host does not answer; a firewall may be in the way"
    }
    case "ENOENT": {
      return "there is no socket at this path"
    }
    case "EACCES": {
      return "you may not use this socket"
    }
    case "ECONNRESET": {
      return url.startsWith("ws:") || url.startsWith("http:")
        ? "it may speak TLS there, try wss:, or be no WebSocket server at all"
        : undefined
    }
    default: {
      return message.includes("the handshake") ? "is this a WebSocket server?" : undefined
    }
  }
}

/** What to do about a proxy that doesn't open the way. */
const proxyHint = (code: string, text: string): string | undefined => {
  if (code === "ECONNREFUSED") return "nothing listens there; is the proxy running, and is this its port?"
  if (code === "ENOTFOUND") return "there is no such host; is the name of the proxy spelled right?"
  if (/answered 407|demands/.test(text)) return "--proxy http://user:password@host:port, or socks5://…"
  if (/answered 401|not accept/.test(text)) return "are the user and the password right?"
  if (text.includes("answered 403")) return "the proxy does not allow this host or this port"
  return /hung up|does not speak/.test(text) ? "is this a proxy, and of this kind? http:, https: or socks5:" : undefined
}

type UnexpectedStatus = Extract<Reason, { _tag: "UnexpectedStatus" }>

/** The fields of a head, a line each. */
export const headerLines = (headers: Refusal["headers"]): ReadonlyArray<string> =>
  Object.entries(headers).flatMap(([name, value]) => [value ?? []].flat().map((value) => `${name}: ${value}`))

/** The body of a refusal, where the client read it. */
const bodyOf = (reason: UnexpectedStatus): string | undefined =>
  "body" in reason && typeof reason.body === "string" ? reason.body : undefined

const redirectHint = ({ headers: { location } }: UnexpectedStatus, allowed: number): string => {
  if (typeof location !== "string") return "it names no place to go to"
  return allowed === 0
    ? `-L follows it to ${location}`
    : `it leads to ${location}, after ${allowed} redirects; --max-redirects allows more`
}

/** What a status that isn't 101 means. */
const statusHint = (reason: UnexpectedStatus, target: Target | undefined): string | undefined => {
  const { headers, status } = reason
  if (status >= 301 && status <= 308) return redirectHint(reason, target?.options.maxRedirects ?? 0)
  switch (status) {
    case 200: {
      return "a web page is here, not a WebSocket; is the path right?"
    }
    case 400: {
      return "the server does not understand the request; another version with -p, or a subprotocol with -s?"
    }
    case 401: {
      return "the server wants to know who you are: --auth user:password, or -H 'Authorization: …'"
    }
    case 403: {
      return "you are not allowed; the server may want another origin (-o), a cookie or a token"
    }
    case 404: {
      return "there is no WebSocket at this path; is it spelled right?"
    }
    case 407: {
      return "a proxy wants a user and a password: --proxy http://user:password@host:port"
    }
    case 426: {
      const versions = headers["sec-websocket-version"]
      return typeof versions === "string"
        ? `the server speaks version ${versions}; -p says which is spoken`
        : "the server speaks another version; -p says which is spoken, wscat doctor finds out"
    }
    case 429: {
      return "too many connections; wait before the next"
    }
    case 502:
    case 503:
    case 504: {
      return "the server is there, but what is behind it is not; --retry waits for it"
    }
    default: {
      return undefined
    }
  }
}

/** Wrong in what we were asked to say, before anything was sent. */
const ours = new Set<Reason["_tag"]>(["InvalidUrl", "UnsafeHeader", "Unsupported"])

const explainHandshake = (error: HandshakeError, target: Target | undefined): WscatError => {
  const { reason } = error
  if (ours.has(reason._tag)) return new WscatError({ kind: "usage", message: error.message })
  if (reason._tag === "UnexpectedStatus") {
    const { status } = reason
    const phrase = STATUS_CODES[status] === undefined ? "" : ` ${STATUS_CODES[status]}`
    return new WscatError({
      kind: "handshake",
      message: `the server refused the handshake with status ${status}${phrase}`,
      hint: statusHint(reason, target),
      refusal: { status, headers: reason.headers, body: bodyOf(reason) }
    })
  }
  const hint =
    reason._tag === "InvalidSubprotocol"
      ? `-s ${reason.protocol} asks for it`
      : reason._tag === "InvalidHeader"
        ? "is this a WebSocket server, and of this version? -p asks for another"
        : undefined
  return new WscatError({ kind: "handshake", message: `the handshake failed: ${error.message}`, hint })
}

/** What stands in a message before what its cause says. */
const beginning = (message: string, cause: unknown): string => {
  const said = messageOf(cause)
  return message.endsWith(said) ? message.slice(0, message.length - said.length) : `${message}: `
}

const explainOpening = (message: string, failed: unknown, url: string): WscatError => {
  const cause = firstOf(failed)
  const code = codeOf(cause)
  const what = beginning(message, failed)
  const text = what + plain(cause)
  const tls = tlsHint(code)
  if (tls !== undefined) {
    const problem = certificateProblem(cause)
    const message = problem === undefined ? text : `the server's certificate is not trusted: ${problem}`
    return new WscatError({ kind: "tls", message, hint: tls })
  }
  const hint = / the proxy /.test(` ${what}`) ? proxyHint(code, text) : networkHint(code, text, url)
  return new WscatError({ kind: "unreachable", message: text, hint })
}

/** A connection that could not be opened, or failed. `target` is what was to be connected to. */
export const explain = (error: SocketError, target?: Target): WscatError => {
  const { message, reason } = error
  switch (reason._tag) {
    case "OpenFailed": {
      return explainOpening(message, reason.cause, target?.url ?? "")
    }
    case "OpenTimeout": {
      return new WscatError({ kind: "timeout", message, hint: "--open-timeout waits longer" })
    }
    case "HandshakeFailed": {
      return explainHandshake(reason.error, target)
    }
    case "ProtocolViolation": {
      return explainViolation(reason.violation)
    }
    case "ConnectionClosed": {
      return reason.closed === undefined
        ? new WscatError({ kind: "closed", message })
        : (explainClosed(reason.closed, false) ?? new WscatError({ kind: "closed", message }))
    }
    case "InvalidOptions":
    case "Unsupported":
    case "InvalidSend": {
      return new WscatError({ kind: "usage", message })
    }
    case "AlreadyReading":
    case "IdleTimeout":
    case "ReadBufferFull": {
      return new WscatError({ kind: "unexpected", message })
    }
  }
}

const explainViolation = (violation: Violation): WscatError =>
  new WscatError({
    kind: "protocol",
    message: `${violation.message} (${violation.section}); closed with ${violation.closeCode}`,
    hint: violation.closeCode === 1009 ? "--max-payload sets the limit" : undefined
  })

/** What the registered close codes mean, RFC 6455 §7.4.1. */
const codeMeanings = new Map([
  [1000, "normal"],
  [1001, "going away"],
  [1002, "protocol error"],
  [1003, "unsupported data"],
  [1007, "invalid payload"],
  [1008, "policy violation"],
  [1009, "message too big"],
  [1010, "extension required"],
  [1011, "internal error"],
  [1012, "service restarts"],
  [1013, "try again later"],
  [1014, "bad gateway"]
])

/** A close code, what it means, and the reason. */
export const closeText = (code: number | undefined, reason: string): string => {
  if (code === undefined) return "no code"
  const meaning = codeMeanings.get(code)
  return `${code}${meaning === undefined ? "" : ` (${meaning})`}${reason === "" ? "" : `: ${JSON.stringify(reason)}`}`
}

const cleanCodes = new Set<number | undefined>([1000, 1001, undefined])

/**
 * What is wrong with the end of a connection; `undefined` when it ended in order. One that we asked to end did so,
 * whether the peer answered or not, unless it names an error.
 */
export const explainClosed = ({ cause, first, received }: Closed, asked: boolean): WscatError | undefined => {
  if (cause._tag === "Violation") return explainViolation(cause.violation)
  if (received !== undefined) {
    const { code, reason } = received
    if (cleanCodes.has(code) || (asked && first === "sent")) return undefined
    return new WscatError({ kind: "closed", message: `the peer closed with ${closeText(code, reason)}` })
  }
  if (asked) return undefined
  if (cause._tag === "KeepAliveTimeout") return new WscatError({ kind: "closed", message: "the peer answers no more" })
  const why = cause._tag === "TransportFailed" ? `: ${cause.error.message}` : ""
  return new WscatError({ kind: "closed", message: `the connection was lost without a close frame${why}` })
}

/** How a connection ended, as the last line says it: 1005 for no code, 1006 for no close frame. */
export const endOf = ({ received }: Closed): { readonly code: number; readonly reason: string } => ({
  code: received === undefined ? 1006 : (received.code ?? 1005),
  reason: received?.reason ?? ""
})

/** A port, or the path of a Unix socket, that can't be listened on. */
export const explainListening = ({ reason }: ServerError, socketPath: string | undefined): WscatError =>
  new WscatError({
    kind: "listen",
    message:
      reason._tag === "InvalidOptions" ? reason.message : beginning(reason.message, reason.cause) + plain(reason.cause),
    hint: hintFor(reason, socketPath)
  })

const hintFor = (reason: ServerErrorReason, socketPath: string | undefined): string | undefined =>
  reason._tag === "InvalidOptions"
    ? undefined
    : reason.code === "EADDRINUSE"
      ? socketPath === undefined
        ? "something listens there already; port 0 picks a free one"
        : "remove the file, if nothing listens there any more"
      : reason.code === "EACCES"
        ? "you may not; ports below 1024 are for the system"
        : reason.code === "EADDRNOTAVAIL"
          ? "this machine has no such address"
          : undefined
