import { type Context, Duration, Effect, type Scope } from "effect"
import { invalidUrl } from "../handshake/error.ts"
import { checkProtocols } from "../handshake/subprotocol.ts"
import { SocketError } from "../socket/error.ts"
import { handshakeFailed } from "../socket/failure.ts"
import { openTimeout } from "../socket/openTimeout.ts"
import type { ConnectOptions, Socket } from "./model.ts"
import { listen, type PlatformConstructor, type PlatformWebSocket } from "./platform.ts"
import { PlatformSocket, type Settings } from "./socket.ts"

/**
 * Opens a connection with the platform's `WebSocket`; the end of the scope closes it: with 1000, or 4011 when it failed.
 * The URL is what the platform takes: `ws` and `wss`, and in newer ones `http`, `https` and what is relative to the page.
 * Fails with `OpenTimeout`, `HandshakeFailed` for a URL or a subprotocol that can't be asked for, and else `OpenFailed`:
 * a browser doesn't tell whether there was no server, or one that refused.
 */
export const connect = (
  url: string | URL,
  options: ConnectOptions = {}
): Effect.Effect<Socket, SocketError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.interruptible(openTimeout(open(String(url), options), options.openTimeout)),
    (socket, exit) => socket.end(exit),
    { interruptible: true }
  )

const open = (url: string, options: ConnectOptions): Effect.Effect<PlatformSocket, SocketError> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.callback<PlatformSocket, SocketError>((resume) => {
      const ws = make(url, options)
      if (ws instanceof SocketError) return resume(Effect.fail(ws))
      ws.binaryType = "arraybuffer"
      const fail = (cause: unknown, detail: string): void => {
        abandon(ws)
        resume(Effect.fail(openFailed(detail, cause)))
      }
      listen(ws, {
        open: () => resume(Effect.succeed(new PlatformSocket(ws, settingsOf(options), context))),
        error: ({ error, message }) =>
          fail(error, (error instanceof Error ? error.message : message) || "the platform doesn't say why"),
        close: ({ code, reason }) => fail(undefined, `${code} ${reason}`.trimEnd())
      })
      return Effect.sync(() => abandon(ws))
    })
  )

const make = (url: string, options: ConnectOptions): PlatformWebSocket | SocketError => {
  const { protocols = [] } = options
  const broken = checkProtocols(protocols)
  if (broken !== undefined) return handshakeFailed(broken)
  const Platform: PlatformConstructor | undefined = options.WebSocket ?? globalThis.WebSocket
  if (Platform === undefined) return openFailed("the platform has no WebSocket", undefined)
  try {
    return new Platform(url, [...protocols])
  } catch (cause) {
    const { message, name } = cause instanceof Error ? cause : new Error(String(cause))
    // Others say that this page may not, for example, leave TLS.
    if (name !== "SyntaxError") return openFailed(message, cause)
    return handshakeFailed(invalidUrl(url.replace(/\/\/[^/?#]*@/, "//"), message))
  }
}

/** Lets go of one that isn't open. */
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
  writeBufferSize: options.writeBufferSize ?? 64 * 1024,
  closeTimeout: Duration.toMillis(options.closeTimeout ?? "10 seconds")
})
