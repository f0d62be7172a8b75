import type * as http from "node:http"
import type * as http2 from "node:http2"
import type { Duplex } from "node:stream"
import { pathOf } from "../protocol/opening/server.ts"

/** A server of Node's, for whichever version of HTTP. */
export type HttpServer = http.Server | http2.Http2Server | http2.Http2SecureServer

/** Handles a server's requests for a WebSocket. */
export interface AttachedHandler {
  /** An upgrade of HTTP/1.1. */
  readonly upgrade: (request: http.IncomingMessage, socket: Duplex, head: Buffer) => void
  /**
   * Whether the server's other listeners are called with its requests, too, and requests for other upgrades come to it: as a
   * listener of Node has it. Default `false`.
   */
  readonly isShared?: boolean
  /** An extended CONNECT of HTTP/2. Absent for a handler that doesn't support it. */
  readonly connect?: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void
}

/** The handlers of one HTTP server, by path; under `undefined` the one for every other path. */
type Handlers = Map<string | undefined, AttachedHandler>

interface Attachment {
  readonly handlers: Handlers
  readonly detach: () => void
}

const attachments = new WeakMap<HttpServer, Attachment>()

/** Whether a handler can be attached at a path: none is attached there yet. */
export const isFree = (server: HttpServer, path: string | undefined): boolean =>
  attachments.get(server)?.handlers.has(path) !== true

/** Lets a handler have a server's requests for a WebSocket. Returns how to detach it. Throws when the path is taken. */
export const attachHandler = (server: HttpServer, path: string | undefined, handler: AttachedHandler): (() => void) => {
  if (!isFree(server, path)) {
    throw new Error(`a WebSocket server ${path === undefined ? "without a path" : `at ${path}`} is already attached`)
  }
  const attachment = attachments.get(server) ?? intercept(server)
  const { detach, handlers } = attachment
  attachments.set(server, attachment)
  handlers.set(path, handler)
  // RFC 8441 §3: no client sends an extended CONNECT before the server has said that it may.
  if (handler.connect !== undefined && "updateSettings" in server)
    server.updateSettings({ enableConnectProtocol: true })
  return () => {
    handlers.delete(path)
    if (handlers.size > 0) return
    attachments.delete(server)
    detach()
  }
}

/** Whether a request asks for an upgrade to a WebSocket: RFC 6455 §4.2.1, and Hixie-76 alike. */
export const asksForWebSocket = ({ headers }: http.IncomingMessage): boolean =>
  /(?:^|,)[ \t]*websocket[ \t]*(?:,|$)/i.test(headers.upgrade ?? "")

/**
 * Looks at the events of a server before its listeners do. A listener can't keep an event from the others, and Effect's HTTP
 * server, among others, answers every upgrade that it is called with. Seen first, a request goes either to the handler of
 * its path or to the other listeners, in whichever order they were added.
 */
const intercept = (server: HttpServer): Attachment => {
  const handlers: Handlers = new Map()
  const handlerOf = (target: string | undefined): AttachedHandler | undefined =>
    handlers.get(pathOf(target ?? "")) ?? handlers.get(undefined)

  /**
   * Node emits upgrades only when there is a listener. Alone, it has any handler answer what none takes. Beside others, only a
   * shared handler is called with requests for another protocol.
   */
  const listener: AttachedHandler["upgrade"] = (request, socket, head) => {
    const found = handlerOf(request.url)
    if (server.listenerCount("upgrade") > 1) {
      if (found?.isShared === true || asksForWebSocket(request)) found?.upgrade(request, socket, head)
      return
    }
    const [any] = handlers.values()
    const answering = found ?? any
    answering?.upgrade(request, socket, head)
  }

  const connectHandler = (headers: http2.IncomingHttpHeaders): AttachedHandler | undefined => {
    const protocol = headers[":protocol"]
    if (headers[":method"] !== "CONNECT" || protocol === undefined) return undefined
    const found = protocol === "websocket" ? handlerOf(headers[":path"]) : undefined
    if (found?.connect !== undefined) return found
    // Alone, any handler answers what none takes.
    const others = server.listenerCount("connect") > 0
    return others ? undefined : [...handlers.values()].find(({ connect }) => connect !== undefined)
  }

  const emit = server.emit
  const intercepted = function (this: HttpServer, event: string | symbol, ...args: ReadonlyArray<unknown>): boolean {
    if (event === "upgrade") {
      const [request, socket, head] = args as Parameters<AttachedHandler["upgrade"]>
      const found = handlerOf(request.url)
      if (found === undefined || found.isShared === true || !asksForWebSocket(request)) {
        return Reflect.apply(emit, this, [event, ...args]) as boolean
      }
      found.upgrade(request, socket, head)
      return true
    }
    if (event === "stream") {
      const [stream, headers] = args as Parameters<Required<AttachedHandler>["connect"]>
      const found = connectHandler(headers)
      if (found?.connect === undefined) return Reflect.apply(emit, this, [event, ...args]) as boolean
      found.connect(stream, headers)
      return true
    }
    return Reflect.apply(emit, this, [event, ...args]) as boolean
  }
  server.emit = intercepted as typeof emit
  server.on("upgrade", listener)

  const restore = interceptUpgradeChoice(server, handlers)
  return {
    handlers,
    detach: () => {
      server.off("upgrade", listener)
      // Somebody else may have replaced it meanwhile; without handlers ours changes nothing.
      if (server.emit === (intercepted as typeof emit)) server.emit = emit
      restore()
    }
  }
}

/** A request for another upgrade goes to the HTTP handler, where Node asks; without us it would go there too. */
const interceptUpgradeChoice = (server: HttpServer, handlers: Handlers): (() => void) => {
  if (!("shouldUpgradeCallback" in server)) return () => {}
  const asked = server as { shouldUpgradeCallback: (request: http.IncomingMessage) => boolean }
  const before = asked.shouldUpgradeCallback
  const choose = (request: http.IncomingMessage): boolean =>
    asksForWebSocket(request) ||
    ((server.listenerCount("upgrade") > 1 || [...handlers.values()].some(({ isShared }) => isShared === true)) &&
      (Reflect.apply(before, server, [request]) as boolean))
  asked.shouldUpgradeCallback = choose
  return () => {
    if (asked.shouldUpgradeCallback === choose) asked.shouldUpgradeCallback = before
  }
}
