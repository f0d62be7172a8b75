import * as Result from "effect/Result"
import * as http from "node:http"
import * as https from "node:https"
import type { Duplex } from "node:stream"
import * as Handshake from "../../Handshake.ts"
import { dropOnError, noDropOnError } from "../../internal/transport/duplex.ts"
import { gather } from "../../internal/client/http1.ts"
import { systemTimers, type Timer } from "../../internal/connection/timers.ts"
import { draftOf } from "./drafts.ts"
import type { ClientOptions } from "./types.ts"

/** Who hears how the opening handshake went; one of them, once, and none after `abort`. */
export interface Opener {
  opened(socket: Duplex, head: Buffer, negotiated: Handshake.Negotiated): void
  /** The server refuses. Answers whether somebody deals with its response. */
  unexpected(request: http.ClientRequest, response: http.IncomingMessage): boolean
  /** It failed; what breaks the handshake is told as a string. */
  failed(error: Error | string): void
}

const listOf = (protocol: string | null | undefined): ReadonlyArray<string> =>
  protocol ? protocol.split(",").map((one) => one.trim()) : []

/** Composes the request by the rules of the draft. Throws for what can't be asked. */
const compose = (url: string, options: ClientOptions): Handshake.ClientRequest => {
  const request = Handshake.requestResult(url.replace(/#.*$/s, ""), {
    draft: draftOf(options.protocolVersion),
    protocols: listOf(options.protocol),
    requireProtocol: true,
    origin: options.origin || undefined,
    host: options.host || undefined
  })
  if (Result.isSuccess(request)) return request.success
  const { failure } = request
  throw failure.reason._tag === "InvalidUrl" ? new Error("invalid url", { cause: failure }) : new Error(failure.message)
}

/** The headers to write: ours, and those of the caller in the place of ours. */
const headersOf = (request: Handshake.ClientRequest, given: ClientOptions["headers"]): http.OutgoingHttpHeaders => {
  const headers: http.OutgoingHttpHeaders = Object.fromEntries(request.headers)
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

/** Length of the answer to a Hixie-76 challenge in bytes, draft-hixie-thewebsocketprotocol-76 §5.2. */
const bodySize = (request: Handshake.ClientRequest): number => request.draft.bodyLength.response

/** The error that a response amounts to which doesn't answer the request. */
const faultOf = ({ reason }: Handshake.HandshakeError, request: Handshake.ClientRequest): string | Error => {
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
  private readonly request: Handshake.ClientRequest
  private readonly outgoing: http.ClientRequest
  private readonly timer: Timer | undefined
  private socket: Duplex | undefined = undefined
  private settled = false

  constructor(opener: Opener, url: string, options: ClientOptions) {
    this.opener = opener
    const request = compose(url, options)
    this.request = request
    this.outgoing = (request.secure ? https : http).request({
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

  get draft(): Handshake.Draft {
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
    const size = bodySize(this.request)
    gather(socket, head, size, (bytes) => {
      if (bytes === undefined) this.fail(new Error("socket hang up"))
      else this.verify(response, socket, bytes.subarray(0, size), bytes.subarray(size))
    })
  }

  private verify(response: http.IncomingMessage, socket: Duplex, body: Buffer, rest: Buffer): void {
    const { headers, statusCode = 0 } = response
    const verdict = Handshake.verifyResult(this.request, { status: statusCode, headers, body })
    if (Result.isFailure(verdict)) return this.fail(faultOf(verdict.failure, this.request))
    if (!this.settle()) return
    noDropOnError(socket)
    this.opener.opened(socket, rest, verdict.success)
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
