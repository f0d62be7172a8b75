import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { handshakeError } from "../handshake/error.ts"
import { invalidUrl } from "../protocol/opening/reason.ts"
import { checkProtocols } from "../protocol/opening/subprotocol.ts"
import { printable } from "../protocol/printable.ts"
import { SocketError } from "../socket/error.ts"
import { handshakeFailed, invalidOptions } from "../socket/failure.ts"
import { callback, duration, invalidOption, type RulesOf, size } from "../socket/optionRules.ts"
import { dropUnlessOpen, holding } from "../socket/opened.ts"
import { openTimeout } from "../client/openTimeout.ts"
import type { ConnectOptions, Socket } from "./model.ts"
import { listen, type PlatformConstructor, type PlatformWebSocket } from "./platform.ts"
import { PlatformSocket, type Settings } from "./socket.ts"
import { streamPlatform } from "./webSocketStream.ts"

/**
 * Connects to a server with the platform's `WebSocketStream` or `WebSocket`. The connection is closed when the
 * scope ends: with 1000, or with 4011 after a failure.
 *
 * **Details**
 *
 * The URL is what the platform takes: `ws` and `wss`, and on newer platforms `http`, `https` and relative ones.
 * Fails with reason `OpenTimeout`, `HandshakeFailed` for a URL or a subprotocol that is not valid, and else
 * `OpenFailed`: a browser doesn't tell a missing server from one that refuses.
 *
 * @category constructors
 * @since 0.1.0
 */
export const connect = (
  url: string | URL,
  options: ConnectOptions = {}
): Effect.Effect<Socket, SocketError, Scope.Scope> =>
  Effect.suspend(() => {
    const invalid = invalidOption(rules, options)
    if (invalid !== undefined) return Effect.fail(invalidOptions(invalid))
    return Effect.acquireRelease(
      dropUnlessOpen(openTimeout(open(String(url), options), options.openTimeout)),
      (socket, exit) => socket.end(exit)
    )
  })

const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.every((entry: unknown) => typeof entry === "string")

const rules = {
  // An invalid subprotocol is a failed handshake.
  protocols: { allowed: "a list of strings", check: isTexts },
  WebSocket: callback,
  closeTimeout: duration,
  openTimeout: duration,
  writeBufferSize: size,
  readBufferSize: size,
  maxReadBufferSize: size
} satisfies RulesOf<ConnectOptions>

const open = Effect.fnUntraced(function* (url: string, options: ConnectOptions) {
  const context = yield* Effect.context<never>()
  const hold = yield* holding
  return yield* Effect.callback<PlatformSocket, SocketError>((resume) => {
    const ws = make(url, options)
    if (ws instanceof SocketError) return resume(Effect.fail(ws))
    hold({ destroy: () => abandon(ws) })
    ws.binaryType = "arraybuffer"
    listen(ws, {
      open: () => resume(Effect.succeed(new PlatformSocket(ws, settingsOf(options), context))),
      error: ({ error, message }) => {
        const detail = error instanceof Error ? error.message : message
        resume(Effect.fail(openFailed(detail || "the platform doesn't say why", error)))
      },
      close: ({ code, reason }) => resume(Effect.fail(openFailed(printable(`${code} ${reason}`.trimEnd()), undefined)))
    })
  })
})

const make = (url: string, options: ConnectOptions): PlatformWebSocket | SocketError => {
  const { protocols = [] } = options
  const broken = checkProtocols(protocols)
  if (broken !== undefined) return handshakeFailed(handshakeError(broken))
  const Platform: PlatformConstructor | undefined = options.WebSocket ?? streamPlatform() ?? globalThis.WebSocket
  if (Platform === undefined) return openFailed("the platform has no WebSocket", undefined)
  try {
    return new Platform(url, [...protocols])
  } catch (cause) {
    const { message: detail, name } = cause instanceof Error ? cause : new Error(String(cause))
    // Chrome repeats the URL, which may hold a password.
    const message = detail.replaceAll(url, "…")
    // Others say that this page may not, for example, leave TLS.
    if (name !== "SyntaxError") return openFailed(message, cause)
    return handshakeFailed(handshakeError(invalidUrl(url, message)))
  }
}

/** Lets go of one that nobody waits for. */
const abandon = (ws: PlatformWebSocket): void => {
  listen(ws, {})
  ws.close()
}

const openFailed = (detail: string, cause: unknown): SocketError =>
  new SocketError({
    reason: { _tag: "OpenFailed", message: `the connection could not be opened: ${detail}`, cause }
  })

const settingsOf = (options: ConnectOptions): Settings => ({
  maxReadBufferSize: options.maxReadBufferSize ?? 16 * 1024 * 1024,
  readBufferSize: options.readBufferSize ?? 64 * 1024,
  writeBufferSize: options.writeBufferSize ?? 64 * 1024,
  closeTimeout: Duration.toMillis(options.closeTimeout ?? "10 seconds")
})
