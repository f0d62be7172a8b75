import { type IncomingMessage, STATUS_CODES } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { TLSSocket } from "node:tls"
import { dropOnError, noDropOnError } from "../../internal/transport/duplex.ts"
import { selectDraft } from "../../internal/protocol/opening/drafts.ts"
import { hixie76 as hixie } from "../../internal/protocol/opening/hixie76.ts"
import { encodeResponse } from "../../internal/protocol/opening/http.ts"
import type { Header } from "../../internal/protocol/opening/fields.ts"
import type { OpeningDraft, Request, ValidRequest } from "../../internal/protocol/opening/model.ts"
import { ws04 } from "../../internal/protocol/opening/policy.ts"
import { isReason, type Reason } from "../../internal/protocol/opening/reason.ts"
import { pathOf, validateRequest } from "../../internal/protocol/opening/server.ts"
import { isFieldValue } from "../../internal/protocol/opening/token.ts"
import { readExactly } from "../../internal/transport/readExactly.ts"
import { systemTimers } from "../../internal/connection/timers.ts"
import type { ClientInfo, ResolvedServerOptions } from "./types.ts"

/** What a request on its way asks of its server. */
export interface Gate {
  readonly options: ResolvedServerOptions
  /** Whether the server takes nobody any more. */
  readonly isClosed: boolean
  /** Lets listeners see and change the lines of the response's head. */
  showHeaders(lines: Array<string>): void
  /** What a listener made of the lines can't be sent. */
  spoilt(error: Error): void
}

/** A request that was granted. */
export interface Granted {
  readonly draft: OpeningDraft
  readonly protocol: string | undefined
  /** What came behind the handshake. */
  readonly rest: Buffer
}

/** The bytes behind the head of a Hixie-76 request, before they have come. */
const noKey3 = new Uint8Array(hixie.bodyLength.request)

/** One request for an upgrade on its way to a connection or a refusal, RFC 6455 §4.2. */
export class Upgrade {
  private readonly gate: Gate
  private readonly incoming: IncomingMessage
  private readonly socket: Duplex
  private readonly head: Buffer
  private readonly granted: (granted: Granted) => void
  private settled = false

  constructor(
    gate: Gate,
    incoming: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    granted: (granted: Granted) => void
  ) {
    this.gate = gate
    this.incoming = incoming
    this.socket = socket
    this.head = head
    this.granted = granted
  }

  /** Sees the request through. What a function of the caller's throws is thrown on, once the client has an answer. */
  begin(): void {
    dropOnError(this.socket)
    try {
      this.check()
    } catch (error) {
      this.refuse(500)
      throw error
    }
  }

  private check(): void {
    const { gate, incoming, socket } = this
    if (gate.isClosed) return this.refuse(503)
    const { path } = gate.options
    if (path !== null && pathOf(incoming.url ?? "") !== path) return this.refuse(404)
    const request = requestOf(incoming, socket)
    const draft = selectDraft(request, ws04.drafts)
    if (isReason(draft)) return this.refuseInvalid(draft)
    if (draft === hixie && gate.options.disableHixie) return this.refuse(401, "Hixie support disabled")
    const valid = validateRequest(ws04, draft, request, ws04.drafts)
    if (isReason(valid)) return this.refuseInvalid(valid)
    this.verify(draft, valid)
  }

  private verify(draft: OpeningDraft, valid: ValidRequest): void {
    const { verifyClient } = this.gate.options
    if (typeof verifyClient !== "function") return this.welcome(draft, valid)
    const info: ClientInfo = { origin: valid.origin, secure: isSecure(this.socket), req: this.incoming }
    let called = false
    const decide = (result: unknown, code = 401, name?: string): void => {
      if (called) return
      called = true
      if (result) this.welcome(draft, valid)
      else this.refuse(code, name)
    }
    // `ws` 0.4 told by the number of its parameters whether it calls back.
    const answer = verifyClient(info, decide)
    if (verifyClient.length !== 2) decide(answer)
  }

  private welcome(draft: OpeningDraft, valid: ValidRequest): void {
    if (draft === hixie) this.readKey3()
    else this.chooseProtocol(draft, valid)
  }

  private chooseProtocol(draft: OpeningDraft, valid: ValidRequest): void {
    const { handleProtocols } = this.gate.options
    const offered = (valid.protocols ?? "").split(",").map((protocol) => protocol.trim())
    if (typeof handleProtocols !== "function") {
      return this.open(draft, valid, valid.protocols === undefined ? undefined : offered[0], this.head)
    }
    let called = false
    handleProtocols(offered, (result, protocol) => {
      if (called) return
      called = true
      if (result) this.open(draft, valid, protocol === "" ? undefined : protocol, this.head)
      else this.refuse(404, "Unauthorized")
    })
    if (!called) {
      called = true
      this.refuse(501, "Could not process protocols")
    }
  }

  /** draft-hixie-thewebsocketprotocol-76 §5.2: eight bytes behind the head are part of the challenge. */
  private readKey3(): void {
    const { socket } = this
    const size = noKey3.length
    const timer = systemTimers.after(this.gate.options.handshakeTimeout, () => this.refuse(408))
    readExactly(socket, this.head, size, (bytes) => {
      timer.cancel()
      if (bytes === undefined || this.settled) return
      const request = { ...requestOf(this.incoming, socket), key3: bytes.subarray(0, size) }
      const valid = validateRequest(ws04, hixie, request, ws04.drafts)
      if (isReason(valid)) return this.refuseInvalid(valid)
      this.open(hixie, valid, valid.protocols, bytes.subarray(size))
    })
  }

  private open(draft: OpeningDraft, valid: ValidRequest, protocol: string | undefined, rest: Buffer): void {
    const { gate, socket } = this
    // The client may have gone away, and the server too.
    if (socket.destroyed || !socket.writable) {
      socket.destroy()
      return
    }
    if (gate.isClosed) return this.refuse(503)
    const response = valid.respond(protocol)
    const lines = [
      `HTTP/1.1 ${response.status} ${response.reason}`,
      ...response.headers.map(([name, value]) => `${name}: ${value}`)
    ]
    if (draft !== hixie) gate.showHeaders(lines)
    if (!lines.every(isLine)) {
      this.refuse(500)
      return gate.spoilt(new Error("a header line has characters that no header may have"))
    }
    this.settled = true
    quiet(socket)
    const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`)
    socket.write(response.body === undefined ? head : Buffer.concat([head, response.body]))
    noDropOnError(socket)
    this.granted({ draft, protocol, rest })
  }

  private refuseInvalid(reason: Reason): void {
    const { headers, status } = ws04.refusal(reason)
    this.refuse(status, undefined, headers)
  }

  /** Answers, and sees to it that a peer that never goes away is dropped. */
  private refuse(code: number, name?: string, headers: ReadonlyArray<Header> = []): void {
    const { gate, socket } = this
    if (this.settled) return
    this.settled = true
    if (socket.destroyed || !socket.writable) {
      socket.destroy()
      return
    }
    const status = Number.isInteger(code) && code >= 200 && code <= 999 ? code : 401
    const phrase = String(name ?? STATUS_CODES[status] ?? "")
    quiet(socket)
    const timer = systemTimers.after(gate.options.handshakeTimeout, () => socket.destroy())
    socket.once("close", () => timer.cancel())
    socket.end(
      encodeResponse({
        status,
        reason: isFieldValue(phrase) ? phrase : (STATUS_CODES[status] ?? ""),
        headers: [["Connection", "close"], ["Content-Type", "text/html"], ["Content-Length", "0"], ...headers]
      })
    )
    socket.resume()
  }
}

/** No line breaks, and nothing else that splits a head. */
const isLine = (line: unknown): boolean => typeof line === "string" && !/[\0\r\n]/.test(line)

const isSecure = (socket: Duplex): boolean => (socket as TLSSocket).encrypted === true

/**
 * The request as the draft sees it. A Hixie-76 client checks that the answer names the URL that it opened, which only a
 * proxy before us knows.
 */
const requestOf = (incoming: IncomingMessage, socket: Duplex): Request => {
  const { headers, httpVersion, method, url } = incoming
  const secure = isSecure(socket)
  const request = { method, url, httpVersion, headers, secure, key3: noKey3 }
  if (headers["sec-websocket-key1"] === undefined) return request
  return {
    ...request,
    headers: { ...headers, host: headers["x-forwarded-host"] ?? headers.host },
    secure: secure || headers["x-forwarded-proto"] === "https"
  }
}

const quiet = (socket: Duplex & Partial<Pick<Socket, "setNoDelay" | "setTimeout">>): void => {
  socket.setNoDelay?.(true)
  socket.setTimeout?.(0)
}
