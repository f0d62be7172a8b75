import type * as http from "node:http"
import type * as https from "node:https"
import type { Duplex } from "node:stream"
import { type ComposedRequest, composeRequest, verifyResponse } from "../../internal/protocol/opening/client.ts"
import type { OpeningDraft, ValidResponse } from "../../internal/protocol/opening/model.ts"
import { ws04 } from "../../internal/protocol/opening/policy.ts"
import { invalidExtension, isReason, type Reason } from "../../internal/protocol/opening/reason.ts"
import { dropOnError, noDropOnError } from "../../internal/transport/duplex.ts"
import { readExactly } from "../../internal/transport/readExactly.ts"
import { systemTimers, type Timer } from "../../internal/connection/timers.ts"
import * as node from "../internal/http.ts"
import { draftOf } from "./drafts.ts"
import type { ClientOptions } from "./types.ts"

/** Who hears how the opening handshake went; one of them, once, and none after `abort`. */
export interface Opener {
  opened(socket: Duplex, head: Buffer, response: ValidResponse): void
  /** The server refuses. Answers whether somebody deals with its response. */
  unexpected(request: http.ClientRequest, response: http.IncomingMessage): boolean
  /** It failed; what breaks the handshake is told as a string. */
  failed(error: Error | string): void
}

const listOf = (protocol: string | null | undefined): ReadonlyArray<string> =>
  protocol ? protocol.split(",").map((one) => one.trim()) : []

/** A request of the draft that it is for. */
interface Asked extends ComposedRequest {
  readonly draft: OpeningDraft
  readonly requireProtocol: true
}

/** Composes the request by the rules of the draft. Throws for what can't be asked. */
const compose = (url: string, options: ClientOptions): Asked => {
  const draft = draftOf(options.protocolVersion)
  const request = composeRequest(url.replace(/#.*$/s, ""), {
    draft,
    httpVersion: "1.1",
    protocols: listOf(options.protocol),
    headers: [],
    origin: options.origin || undefined,
    host: options.host || undefined,
    auth: undefined,
    extensions: []
  })
  if (!isReason(request)) return { ...request, draft, requireProtocol: true }
  const { _tag, message, section } = request
  const cause = new Error(`${message} (${section})`)
  throw _tag === "InvalidUrl" ? new Error("invalid url", { cause }) : cause
}

/** The headers to write: ours, and those of the caller in the place of ours. */
const headersOf = (request: Asked, given: ClientOptions["headers"]): http.OutgoingHttpHeaders => {
  // Without a prototype: `__proto__` is a name like any other.
  const headers: http.OutgoingHttpHeaders = Object.assign(Object.create(null), Object.fromEntries(request.headers))
  // Without an origin of the caller's, `ws` 0.4 named the host.
  if (headers["Origin"] === undefined && request.socketPath === undefined) headers["Origin"] = new URL(request.url).host
  for (const [name, value] of Object.entries(given ?? {})) {
    const same = Object.keys(headers).find((other) => other.toLowerCase() === name.toLowerCase())
    if (same !== undefined) delete headers[same]
    headers[name] = value
  }
  return headers
}

const tlsNames = ["pfx", "key", "passphrase", "cert", "ca", "ciphers", "rejectUnauthorized"] as const

const tlsOf = (options: ClientOptions): https.RequestOptions =>
  Object.fromEntries(tlsNames.flatMap((name) => (options[name] == null ? [] : [[name, options[name]]])))

/** The error that a response amounts to which doesn't answer the request. */
const faultOf = (reason: Reason, request: Asked): string | Error => {
  if (reason._tag === "InvalidHeader" && reason.header === "sec-websocket-accept") return "invalid server key"
  if (reason._tag === "InvalidBody") return "invalid server key"
  if (reason._tag === "InvalidHeader" && reason.header === "sec-websocket-protocol") {
    return "server responded with an invalid protocol"
  }
  if (reason._tag !== "InvalidSubprotocol") return new Error(reason.message)
  if (reason.protocol === undefined) return "server sent no subprotocol even though requested"
  return request.protocols.length === 0
    ? "server sent a subprotocol even though none requested"
    : "server responded with an invalid protocol"
}

/** The opening handshake of one client, RFC 6455 §4.1. Its constructor throws for what can't be asked. */
export class Opening {
  readonly readyState = 0
  private readonly opener: Opener
  private readonly request: Asked
  private readonly outgoing: http.ClientRequest
  private readonly timer: Timer | undefined
  private socket: Duplex | undefined = undefined
  private settled = false

  constructor(opener: Opener, url: string, options: ClientOptions) {
    this.opener = opener
    const request = compose(url, options)
    this.request = request
    this.outgoing = (request.secure ? node.https : node.http).request({
      ...tlsOf(options),
      ...(request.socketPath === undefined
        ? { host: request.host, port: request.port }
        : { socketPath: request.socketPath }),
      method: request.method,
      path: request.target,
      headers: headersOf(request, options.headers),
      // What upgrades must not come out of a pool of sockets that the server may be about to close.
      agent: options.agent ?? false
    })
    this.listen()
    const { handshakeTimeout } = options
    this.timer =
      handshakeTimeout == null
        ? undefined
        : systemTimers.after(handshakeTimeout, () => this.fail(new Error("opening handshake has timed out")))
    this.outgoing.end()
  }

  get draft(): OpeningDraft {
    return this.request.draft
  }

  /** Gives up, without a word to the opener. Answers whether it was still under way. */
  abort(): boolean {
    if (!this.settle()) return false
    this.drop()
    return true
  }

  private listen(): void {
    const { outgoing, request } = this
    outgoing.on("error", (error) => this.fail(error))
    outgoing.once("upgrade", (response, socket, head) => this.upgraded(response, socket, head))
    outgoing.once("response", (response) => {
      if (!this.settle()) return
      if (this.opener.unexpected(outgoing, response)) return
      outgoing.destroy()
      this.opener.failed(new Error(`unexpected server response (${response.statusCode})`))
    })
    const { body } = request
    if (body !== undefined) outgoing.once("finish", () => outgoing.socket?.write(body))
  }

  private upgraded(response: http.IncomingMessage, socket: Duplex, head: Buffer): void {
    this.socket = socket
    dropOnError(socket)
    const size = this.request.draft.bodyLength.response
    readExactly(socket, head, size, (bytes) => {
      if (bytes === undefined) this.fail(new Error("socket hang up"))
      else this.verify(response, socket, bytes.subarray(0, size), bytes.subarray(size))
    })
  }

  private verify(response: http.IncomingMessage, socket: Duplex, body: Buffer, rest: Buffer): void {
    const { headers, statusCode = 0 } = response
    const verdict = verifyResponse(ws04, this.request, { status: statusCode, headers, body })
    if (isReason(verdict)) return this.fail(faultOf(verdict, this.request))
    if (verdict.extensions !== undefined) {
      return this.fail(new Error(invalidExtension(verdict.extensions, "it was not offered").message))
    }
    if (!this.settle()) return
    noDropOnError(socket)
    this.opener.opened(socket, rest, verdict)
  }

  private fail(error: Error | string): void {
    if (!this.settle()) return
    this.drop()
    this.opener.failed(error)
  }

  private drop(): void {
    this.outgoing.destroy()
    this.socket?.destroy()
  }

  private settle(): boolean {
    if (this.settled) return false
    this.settled = true
    this.timer?.cancel()
    return true
  }
}
