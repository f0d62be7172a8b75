import type { EventEmitter } from "node:events"
import type { ClientRequest, ClientRequestArgs, IncomingMessage, OutgoingHttpHeaders } from "node:http"
import type { RequestOptions } from "node:https"
import * as net from "node:net"
import type { Duplex } from "node:stream"
import { unescape as unescapeQuery } from "node:querystring"
import * as tls from "node:tls"
import { acceptFor, makeKey } from "../../internal/protocol/opening/key.ts"
import { isToken } from "../../internal/protocol/opening/token.ts"
import * as Extension from "../extension.ts"
import { PerMessageDeflate } from "../PerMessageDeflate.ts"
import type { Extensions } from "../Sender.ts"
import type * as Types from "../types.ts"
import type { SocketSettings, WebSocket } from "../WebSocket.ts"
import { http, https } from "./http.ts"

/** The versions that can be spoken. */
const versions = [8, 13]

/** Defaults of what servers and clients have in common. */
export const commonDefaults = {
  allowSynchronousEvents: true,
  autoPong: true,
  closeTimeout: 30_000,
  maxBufferedChunks: 256 * 1024,
  maxFragments: 16 * 1024,
  maxPayload: 100 * 1024 * 1024,
  maxPendingAutoPongs: 60,
  skipUTF8Validation: false
} as const

const clientDefaults = {
  ...commonDefaults,
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

/** Where the first request went, to tell whether a redirect leaves that place. */
interface Origin {
  readonly secure: boolean
  readonly ipc: boolean
  /** The host with its port, or the path of the socket. */
  readonly place: string
}

/** What a request asked for, to hold the response against. */
interface Asked {
  readonly key: string
  readonly protocols: ReadonlyArray<string>
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
  private origin: Origin | undefined = undefined
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
  }

  /** Sends the first request. Throws for an address, a version or a subprotocol that can't be. */
  start(address: string | URL): void {
    const { protocolVersion } = this.options
    if (!versions.some((version) => version === protocolVersion)) {
      throw new RangeError(
        `Unsupported protocol version: ${protocolVersion} (supported versions: ${versions.join(", ")})`
      )
    }
    const url = parseUrl(address, undefined)
    const fault = this.setUrl(url)
    if (fault !== undefined) throw fault
    this.checkProtocols()
    this.ask(url)
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
    const fine = protocols.every(
      (protocol, index) => typeof protocol === "string" && isToken(protocol) && protocols.indexOf(protocol) === index
    )
    if (!fine) throw new SyntaxError("An invalid or duplicated subprotocol was specified")
  }

  /** Takes the URL as the client's, and answers what is wrong with it. */
  private setUrl(url: URL): SyntaxError | undefined {
    if (url.protocol === "http:") url.protocol = "ws:"
    else if (url.protocol === "https:") url.protocol = "wss:"
    this.opener._url = url.href
    if (!["ws:", "wss:", "ws+unix:"].includes(url.protocol)) {
      return new SyntaxError(`The URL's protocol must be one of "ws:", "wss:", "http:", "https:", or "ws+unix:"`)
    }
    if (url.protocol === "ws+unix:" && url.pathname === "") return new SyntaxError("The URL's pathname is empty")
    return url.hash === "" ? undefined : new SyntaxError("The URL contains a fragment identifier")
  }

  private ask(url: URL): void {
    const { given, opener, options } = this
    const secure = url.protocol === "wss:"
    const ipc = url.protocol === "ws+unix:"
    const target = url.pathname + url.search
    const split = ipc ? target.indexOf(":") : -1
    const socketPath = !ipc ? undefined : split === -1 ? target : target.slice(0, split)
    const path = !ipc ? target : split === -1 ? "" : target.slice(split + 1)
    const place = socketPath ?? url.host
    const defaultPort = secure ? 443 : 80

    const deflate = options.perMessageDeflate
      ? new PerMessageDeflate({
          ...(options.perMessageDeflate === true ? undefined : options.perMessageDeflate),
          isServer: false,
          maxPayload: options.maxPayload
        })
      : undefined
    const asked: Asked = { key: makeKey(), protocols: this.protocols, deflate }
    let auth = credentialsOf(url) ?? options.auth ?? undefined
    let headers = this.headersFor(asked)

    if (options.followRedirects) {
      if (this.redirects === 0) {
        this.origin = { secure, ipc, place }
        this.headers = Object.fromEntries(
          Object.entries(this.headers).map(([name, value]) => [name.toLowerCase(), value])
        )
      } else if (this.origin !== undefined && opener.listenerCount("redirect") === 0) {
        const samePlace = this.origin.ipc === ipc && this.origin.place === place
        if (!samePlace || (this.origin.secure && !secure)) {
          headers = without(headers, samePlace ? ["authorization", "cookie"] : ["authorization", "cookie", "host"])
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
      defaultPort: options.defaultPort || defaultPort,
      headers,
      host: url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname,
      hostname: undefined,
      method: "GET",
      path,
      port: url.port || defaultPort,
      protocol: undefined,
      socketPath,
      timeout: options.handshakeTimeout,
      auth
    } as RequestOptions)
    this.request = opener._req = request
    if (this.redirects > 0) opener.emit("redirect", opener._url, request)
    this.listen(request, url, asked)
    if (options.finishRequest) options.finishRequest(request, opener)
    else request.end()
  }

  private headersFor({ deflate, key, protocols }: Asked): OutgoingHttpHeaders {
    const { origin, protocolVersion = 0 } = this.options
    return {
      ...this.headers,
      "Sec-WebSocket-Version": protocolVersion,
      "Sec-WebSocket-Key": key,
      Connection: "Upgrade",
      Upgrade: "websocket",
      ...(deflate === undefined
        ? undefined
        : {
            "Sec-WebSocket-Extensions": Extension.format({ [PerMessageDeflate.extensionName]: { ...deflate.offer() } })
          }),
      ...(protocols.length === 0 ? undefined : { "Sec-WebSocket-Protocol": protocols.join(",") }),
      ...(origin ? { [protocolVersion < 13 ? "Sec-WebSocket-Origin" : "Origin"]: origin } : undefined)
    }
  }

  private listen(request: ClientRequest, url: URL, asked: Asked): void {
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
      if (location && options.followRedirects && statusCode >= 300 && statusCode < 400) {
        this.redirect(request, location, url)
      } else if (!opener.emit("unexpected-response", request, response)) {
        this.abort(`Unexpected server response: ${statusCode}`)
      }
    })
    request.on("upgrade", (response, socket, head) => {
      opener.emit("upgrade", response)
      // A listener may have given up.
      if (opener.readyState !== 0) return
      this.release()
      const fault = this.settle(response, asked)
      if (fault !== undefined) refuse(opener, socket, fault)
      else opener.setSocket(socket, head, options)
    })
  }

  private redirect(request: ClientRequest, location: string, from: URL): void {
    const { opener, options } = this
    if (++this.redirects > (options.maxRedirects ?? 0)) {
      this.abort("Maximum redirects exceeded")
      return
    }
    this.request = undefined
    request.destroy()
    let fault: SyntaxError | undefined
    try {
      const url = parseUrl(location, from)
      fault = this.setUrl(url)
      if (fault === undefined) this.ask(url)
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      fault = error
    }
    if (fault !== undefined) opener._openingFailed(fault)
  }

  /** Checks the response, takes over what it agrees to, and answers what is wrong with it. */
  private settle({ headers }: IncomingMessage, asked: Asked): string | undefined {
    const { opener } = this
    if (headers.upgrade?.toLowerCase() !== "websocket") return "Invalid Upgrade header"
    if (headers["sec-websocket-accept"] !== acceptFor(asked.key)) return "Invalid Sec-WebSocket-Accept header"

    const protocol = headers["sec-websocket-protocol"]
    if (protocol === undefined) {
      if (asked.protocols.length > 0) return "Server sent no subprotocol"
    } else {
      if (asked.protocols.length === 0) return "Server sent a subprotocol but none was requested"
      if (!asked.protocols.includes(protocol)) return "Server sent an invalid subprotocol"
      opener._protocol = protocol
    }

    const extensions = headers["sec-websocket-extensions"]
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

const parseUrl = (address: string | URL, base: URL | undefined): URL => {
  const url = URL.parse(String(address), base?.href)
  if (url === null) throw new SyntaxError(`Invalid URL: ${String(address)}`)
  return url
}

const credentialsOf = ({ password, username }: URL): string | undefined =>
  username === "" && password === "" ? undefined : `${unescapeQuery(username)}:${unescapeQuery(password)}`

const without = (headers: OutgoingHttpHeaders, names: ReadonlyArray<string>): OutgoingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)))

/** Node takes a connection's own function in place of an agent, which would keep sockets for later. */
const connectNet = (options: net.NetConnectOpts & { path?: string | undefined }): net.Socket => {
  const { socketPath } = options as { readonly socketPath?: string | undefined }
  return net.connect({ ...options, path: socketPath } as net.NetConnectOpts)
}

const connectTls = (options: tls.ConnectionOptions): tls.TLSSocket => {
  const { host = "", servername } = options
  return tls.connect({
    ...options,
    path: undefined,
    servername: servername || servername === "" ? servername : net.isIP(host) === 0 ? host : ""
  })
}
