import type { EventEmitter } from "node:events"
import type { ClientRequest, ClientRequestArgs, IncomingMessage, OutgoingHttpHeaders } from "node:http"
import type { RequestOptions } from "node:https"
import type { NetConnectOpts, Socket } from "node:net"
import type { Duplex } from "node:stream"
import { URL } from "node:url"
import type { ConnectionOptions, TLSSocket } from "node:tls"
import { verifyResponse } from "../../internal/protocol/opening/client.ts"
import type { BuiltRequest, OpeningDraft, SentRequest } from "../../internal/protocol/opening/model.ts"
import { ws8 } from "../../internal/protocol/opening/policy.ts"
import { isReason, type Reason } from "../../internal/protocol/opening/reason.ts"
import { droppedHeaders } from "../../internal/protocol/opening/redirect.ts"
import { checkProtocols } from "../../internal/protocol/opening/subprotocol.ts"
import {
  type Destination,
  destinationOf,
  type InvalidUrl,
  parseUrl,
  withoutSecrets
} from "../../internal/protocol/opening/url.ts"
import * as Extension from "../extension.ts"
import { PerMessageDeflate } from "../PerMessageDeflate.ts"
import type { Extensions } from "../Sender.ts"
import type * as Types from "../types.ts"
import type { SocketSettings, WebSocket } from "../WebSocket.ts"
import { http, https, net, tls } from "./http.ts"

/** Defaults of what servers and clients have in common. */
export const commonDefaults = {
  allowSynchronousEvents: true,
  autoPong: true,
  maxBufferedChunks: 256 * 1024,
  maxFragments: 16 * 1024,
  maxPayload: 100 * 1024 * 1024,
  maxPendingAutoPongs: 60,
  skipUTF8Validation: false
} as const

/** Milliseconds that a closing handshake may take. */
export const closeTimeout = 30_000

const clientDefaults = {
  ...commonDefaults,
  closeTimeout,
  followRedirects: false,
  maxRedirects: 10,
  perMessageDeflate: true,
  protocolVersion: 13
} as const

type Given = Types.ClientOptions | ClientRequestArgs

/** The client whose connection is being opened. */
export interface Opener extends EventEmitter {
  readonly readyState: number
  _url: string
  _req: ClientRequest | null
  _protocol: string
  _extensions: Extensions
  setSocket(socket: Duplex, head: Buffer, settings: SocketSettings): void
  emitClose(): void
  _openingFailed(error: Error): void
  _leaving(): void
}

/** What a request asked for, to hold the response against. */
interface Asked extends SentRequest {
  readonly deflate: PerMessageDeflate | undefined
}

const isList = (protocols: unknown): protocols is Array<string> => Array.isArray(protocols)

const listOf = (protocols: unknown): Array<string> =>
  protocols === undefined ? [] : isList(protocols) ? protocols : [protocols as string]

/** The opening handshake of one client, RFC 6455 §4.1, over `node:http`; with its redirects. */
export class Opening {
  /** The client's options, defaults filled in. */
  readonly options: Types.ClientOptions
  private readonly opener: Opener & WebSocket
  /** What the caller asked of the request, among the rest. Node copies it several times, and so without defaults. */
  private readonly given: Types.ClientOptions
  private readonly protocols: ReadonlyArray<string>
  /** The headers of the caller. From the first redirect on, with lower-case names, and with the credentials of the URL. */
  private headers: OutgoingHttpHeaders
  private redirects = 0
  /** Where the first request went. */
  private first: URL | undefined = undefined
  private readonly draft: OpeningDraft | undefined
  private aborted = false
  private request: ClientRequest | undefined = undefined

  constructor(opener: Opener & WebSocket, protocols: unknown, options: Given | undefined) {
    const inPlace = typeof protocols === "object" && protocols !== null && !isList(protocols)
    const given: Types.ClientOptions = inPlace ? protocols : ((options ?? {}) as Types.ClientOptions)
    this.opener = opener
    this.given = given
    this.protocols = inPlace || protocols === undefined ? listOf(given.protocols) : listOf(protocols)
    this.options = { ...clientDefaults, ...given }
    this.headers = { ...(given.headers as OutgoingHttpHeaders | undefined) }
    this.draft = ws8.drafts.find(({ version }) => version === this.options.protocolVersion)
  }

  /** Sends the first request. Throws for an address, a version or a subprotocol that can't be. */
  start(address: string | URL): void {
    const { draft } = this
    if (draft === undefined) {
      const versions = ws8.drafts.map(({ version }) => version).toReversed()
      throw new RangeError(
        `Unsupported protocol version: ${this.options.protocolVersion} (supported versions: ${versions.join(", ")})`
      )
    }
    const { destination, url } = this.setUrl(address, undefined)
    this.checkProtocols()
    this.ask(draft, url, destination)
  }

  /** Gives up, with an error that is emitted later. */
  abort(message: string): void {
    const { opener, request } = this
    opener._leaving()
    const error = new Error(message)
    this.aborted = true
    if (request !== undefined) {
      request.destroy()
      if (request.socket !== null && !request.socket.destroyed) request.socket.destroy()
    }
    process.nextTick(fail, opener, error)
  }

  private checkProtocols(): void {
    const { protocols } = this
    if (protocols.some((protocol) => typeof protocol !== "string") || checkProtocols(protocols) !== undefined) {
      throw new SyntaxError("An invalid or duplicated subprotocol was specified")
    }
  }

  /** Takes the URL as the client's. Throws a `SyntaxError` for one that no WebSocket can be opened at. */
  private setUrl(
    address: string | URL,
    base: URL | undefined
  ): { readonly url: URL; readonly destination: Destination } {
    const url = parseUrl(String(address), base, URL)
    if (url === undefined) throw new SyntaxError(`Invalid URL: ${withoutSecrets(String(address))}`)
    if (url.protocol === "http:") url.protocol = "ws:"
    else if (url.protocol === "https:") url.protocol = "wss:"
    this.opener._url = url.href
    const destination = destinationOf(url, ws8.urls)
    if ("_tag" in destination) throw new SyntaxError(urlErrors[destination.problem])
    return { url, destination }
  }

  private ask(draft: OpeningDraft, url: URL, destination: Destination): void {
    const { given, opener, options } = this
    const { host, port, secure, socketPath, target } = destination
    const deflate = options.perMessageDeflate
      ? new PerMessageDeflate({
          ...(options.perMessageDeflate === true ? undefined : options.perMessageDeflate),
          isServer: false,
          maxPayload: options.maxPayload
        })
      : undefined
    const built = draft.buildRequest({
      secure,
      host: destination.authority,
      target,
      origin: options.origin || undefined,
      protocols: this.protocols.length === 0 ? undefined : this.protocols.join(","),
      extensions:
        deflate === undefined
          ? undefined
          : Extension.format({ [PerMessageDeflate.extensionName]: { ...deflate.offer() } })
    })
    let auth = destination.auth ?? options.auth ?? undefined
    let headers = { ...this.headers, ...headersOf(built) }

    if (options.followRedirects) {
      if (this.redirects === 0) {
        this.first = url
        this.headers = Object.fromEntries(
          Object.entries(this.headers).map(([name, value]) => [name.toLowerCase(), value])
        )
      } else if (this.first !== undefined && opener.listenerCount("redirect") === 0) {
        const dropped = droppedHeaders(this.first, url)
        if (dropped.length > 0) {
          headers = without(headers, dropped)
          auth = undefined
        }
      }
      // The first credentials stay, whatever URL a redirect leads to.
      if (auth && !this.headers["authorization"]) {
        this.headers["authorization"] = `Basic ${Buffer.from(auth).toString("base64")}`
      }
    }

    const request = (secure ? https : http).request({
      ...given,
      createConnection: options.createConnection ?? (secure ? connectTls : connectNet),
      defaultPort: options.defaultPort || (secure ? 443 : 80),
      headers,
      host,
      hostname: undefined,
      method: "GET",
      path: target,
      port: url.port || port,
      protocol: undefined,
      socketPath,
      timeout: options.handshakeTimeout,
      auth
    } as RequestOptions)
    this.request = opener._req = request
    if (this.redirects > 0) opener.emit("redirect", opener._url, request)
    this.listen(draft, request, url, {
      ...built,
      secure,
      target,
      protocols: this.protocols,
      deflate
    })
    if (options.finishRequest) options.finishRequest(request, opener)
    else request.end()
  }

  private listen(draft: OpeningDraft, request: ClientRequest, url: URL, asked: Asked): void {
    const { opener, options } = this
    if (options.handshakeTimeout) request.on("timeout", () => this.abort("Opening handshake has timed out"))
    request.on("error", (error) => {
      if (this.aborted || this.request !== request) return
      this.release()
      opener._openingFailed(error)
    })
    request.on("response", (response) => {
      const { location } = response.headers
      const { statusCode = 0 } = response
      if (location && options.followRedirects && ws8.isRedirect(statusCode)) {
        this.redirect(draft, request, location, url)
      } else if (!opener.emit("unexpected-response", request, response)) {
        this.abort(`Unexpected server response: ${statusCode}`)
      }
    })
    request.on("upgrade", (response, socket, head) => {
      opener.emit("upgrade", response)
      // A listener may have given up.
      if (opener.readyState !== 0) return
      this.release()
      const problem = this.settle(draft, response, asked)
      if (problem !== undefined) refuse(opener, socket, problem)
      else opener.setSocket(socket, head, options)
    })
  }

  private redirect(draft: OpeningDraft, request: ClientRequest, location: string, from: URL): void {
    const { opener, options } = this
    if (++this.redirects > (options.maxRedirects ?? 0)) {
      this.abort("Maximum redirects exceeded")
      return
    }
    this.request = undefined
    request.destroy()
    let invalid: SyntaxError
    try {
      const { destination, url } = this.setUrl(location, from)
      this.ask(draft, url, destination)
      return
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      invalid = error
    }
    opener._openingFailed(invalid)
  }

  /** Checks the response, takes over what it agrees to, and returns what is wrong with it. */
  private settle(draft: OpeningDraft, response: IncomingMessage, asked: Asked): string | undefined {
    const { opener } = this
    const verdict = verifyResponse(
      ws8,
      { ...asked, draft, httpVersion: "1.1", requireProtocol: true },
      { status: response.statusCode ?? 0, headers: response.headers }
    )
    if (isReason(verdict)) return textOf(verdict, asked)
    opener._protocol = verdict.protocol ?? ""
    const { extensions } = verdict
    if (extensions === undefined) return undefined
    if (asked.deflate === undefined) {
      return "Server sent a Sec-WebSocket-Extensions header but no extension was requested"
    }
    try {
      const parsed = Extension.parse(extensions)
      const responses = parsed[PerMessageDeflate.extensionName]
      if (Object.keys(parsed).length !== 1 || responses === undefined) {
        return "Server indicated an extension that was not requested"
      }
      asked.deflate.accept(responses)
    } catch {
      return "Invalid Sec-WebSocket-Extensions header"
    }
    opener._extensions = { [PerMessageDeflate.extensionName]: asked.deflate }
    return undefined
  }

  private release(): void {
    this.request = undefined
    this.opener._req = null
  }
}

const fail = (opener: Opener, error: Error): void => opener._openingFailed(error)

/** Destroys a socket whose handshake failed: its end is the client's. */
const refuse = (opener: Opener, socket: Duplex, message: string): void => {
  opener._leaving()
  socket.destroy(new Error(message))
  socket.once("error", (error) => opener.emit("error", error))
  socket.once("close", () => opener.emitClose())
}

const urlErrors: { readonly [Problem in InvalidUrl["problem"]]: string } = {
  control: "The URL contains control characters",
  syntax: "The URL is invalid",
  scheme: `The URL's protocol must be one of "ws:", "wss:", "http:", "https:", or "ws+unix:"`,
  fragment: "The URL contains a fragment identifier",
  credentials: "The URL's user or password is invalid",
  socket: "The URL's pathname is empty"
}

/** What is wrong with a response, in the words of `ws`. */
const textOf = (reason: Reason, { protocols }: Asked): string => {
  if (reason._tag === "InvalidHeader") {
    return reason.header === "upgrade" ? "Invalid Upgrade header" : "Invalid Sec-WebSocket-Accept header"
  }
  if (reason._tag !== "InvalidSubprotocol") return reason.message
  if (reason.protocol === undefined) return "Server sent no subprotocol"
  return protocols.length === 0
    ? "Server sent a subprotocol but none was requested"
    : "Server sent an invalid subprotocol"
}

/** The headers that a draft wrote, in the order of `ws`; `Host` is Node's to write. */
const headersOf = ({ headers }: BuiltRequest): OutgoingHttpHeaders => {
  const ordered: OutgoingHttpHeaders = {}
  for (const name of headerOrder) {
    const field = headers.find((field) => field[0] === name)
    if (field !== undefined) ordered[name] = field[1]
  }
  return ordered
}

const headerOrder = [
  "Sec-WebSocket-Version",
  "Sec-WebSocket-Key",
  "Connection",
  "Upgrade",
  "Sec-WebSocket-Extensions",
  "Sec-WebSocket-Protocol",
  "Sec-WebSocket-Origin",
  "Origin"
]

const without = (headers: OutgoingHttpHeaders, names: ReadonlyArray<string>): OutgoingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)))

/** Node takes a connection's own function in place of an agent, which would keep sockets for later. */
const connectNet = (options: NetConnectOpts & { path?: string | undefined }): Socket => {
  const { socketPath } = options as { readonly socketPath?: string | undefined }
  return net.connect({ ...options, path: socketPath } as NetConnectOpts)
}

const connectTls = (options: ConnectionOptions): TLSSocket => {
  const { host = "", servername } = options
  return tls.connect({
    ...options,
    path: undefined,
    servername: servername || servername === "" ? servername : net.isIP(host) === 0 ? host : ""
  })
}
