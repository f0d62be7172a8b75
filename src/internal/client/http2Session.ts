import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { ClientHttp2Session } from "node:http2"
import type { TLSSocket } from "node:tls"
import { handshakeError } from "../handshake/error.ts"
import { noHttp2 } from "../protocol/opening/reason.ts"
import type { ClientRequest } from "../handshake/model.ts"
import { dial, type DialOptions } from "./dial.ts"
import { plain } from "../handshake/secret.ts"
import type { SocketError } from "../socket/error.ts"
import { handshakeFailed, openFailed } from "../socket/failure.ts"
import { dropUnlessOpen, holding } from "../socket/opened.ts"

/** A session, until `release` is called. */
export interface Lease {
  readonly session: ClientHttp2Session
  readonly release: () => void
}

const ignore = (): void => {}

/** Waits until the server has said whether a WebSocket may open on a session: RFC 8441 §3. */
export const whenReady = (session: ClientHttp2Session): Effect.Effect<void, SocketError> =>
  Effect.callback((resume) => {
    const settle = (result: Effect.Effect<void, SocketError>): void => {
      stop()
      resume(result)
    }
    const look = (): void => {
      if (session.closed || session.destroyed) return lost()
      if (session.remoteSettings.enableConnectProtocol === true) return settle(Effect.void)
      // The server's own settings come before its word that it has ours.
      if (session.connecting || session.pendingSettingsAck) return
      settle(Effect.fail(handshakeFailed(handshakeError(noHttp2("SETTINGS_ENABLE_CONNECT_PROTOCOL", "RFC 8441 §3")))))
    }
    const lost = (cause: unknown = "it was closed"): void =>
      settle(Effect.fail(openFailed("the HTTP/2 session was lost", cause)))
    const onClose = (): void => lost()
    const stop = (): void => {
      session.off("remoteSettings", look)
      session.off("localSettings", look)
      session.off("error", lost)
      session.off("close", onClose)
    }
    session.on("remoteSettings", look)
    session.on("localSettings", look)
    session.on("error", lost)
    session.on("close", onClose)
    look()
    return Effect.sync(stop)
  })

const isAlpnAlert = (error: SocketError): boolean =>
  error.reason._tag === "OpenFailed" &&
  error.reason.cause instanceof Error &&
  "code" in error.reason.cause &&
  error.reason.cause.code === "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL"

const noAlpn = handshakeFailed(handshakeError(noHttp2("HTTP/2", "RFC 9113 §3.2")))

/** Opens a session to the server that a request names, and waits until a WebSocket may open on it. */
const openSession = (request: ClientRequest, options: DialOptions): Effect.Effect<ClientHttp2Session, SocketError> =>
  dropUnlessOpen(
    Effect.gen(function* () {
      const http2 = yield* Effect.promise(() => import("node:http2"))
      const hold = yield* holding
      const socket = yield* Effect.mapError(dial(request, options), (error) => (isAlpnAlert(error) ? noAlpn : error))
      if (request.secure && (socket as TLSSocket).alpnProtocol !== "h2") {
        socket.destroy()
        return yield* Effect.fail(noAlpn)
      }
      const host = request.host.includes(":") ? `[${request.host}]` : request.host
      const session = http2.connect(`${request.secure ? "https" : "http"}://${host}:${request.port}`, {
        createConnection: () => socket,
        settings: { enablePush: false }
      })
      // Each stream emits the error too.
      session.on("error", ignore)
      hold(session)
      yield* whenReady(session)
      return session
    })
  )

/** The sessions there are, by where they lead and how they were opened. */
const shared = new Map<string, Set<SharedSession>>()

/** A session for all who connect to the same place in the same way; closed when the last of them has gone. */
class SharedSession {
  private readonly key: string
  private readonly opening: Fiber.Fiber<ClientHttp2Session, SocketError>
  private session: ClientHttp2Session | undefined = undefined
  /** Those who wait for the session. */
  private waiting = 0
  /** Those who have it. */
  private users = 0

  constructor(key: string, opening: Fiber.Fiber<ClientHttp2Session, SocketError>) {
    this.key = key
    this.opening = opening
    const others = shared.get(key)
    if (others === undefined) shared.set(key, new Set([this]))
    else others.add(this)
    opening.addObserver((exit) => {
      if (Exit.isFailure(exit)) return this.forget()
      this.session = exit.value
      exit.value.once("close", () => this.forget())
      return undefined
    })
  }

  /** Whether one more may have it; unknown, and so believed, while it is being opened. */
  get hasRoom(): boolean {
    const { session } = this
    if (session === undefined) return this.opening.pollUnsafe() === undefined
    return !session.closed && !session.destroyed && this.users < mostStreams(session)
  }

  /** Whether the server allows no stream at all, so that there is no use in trying again. */
  get takesNone(): boolean {
    return this.session !== undefined && mostStreams(this.session) === 0
  }

  /** The session, or `undefined` when the others took the last room there was. */
  get lease(): Effect.Effect<Lease | undefined, SocketError> {
    return Effect.uninterruptibleMask((restore) => {
      this.waiting++
      const leave = (): void => {
        this.waiting--
        this.closeUnused()
      }
      return Effect.matchCauseEffect(restore(Fiber.join(this.opening)), {
        onFailure: (cause) => Effect.andThen(Effect.sync(leave), Effect.failCause(cause)),
        onSuccess: (session) =>
          Effect.sync(() => {
            const room = this.hasRoom
            if (room) this.users++
            leave()
            return room ? { session, release: this.releaseOnce() } : undefined
          })
      })
    })
  }

  private releaseOnce(): () => void {
    let released = false
    return () => {
      if (released) return
      released = true
      this.users--
      this.closeUnused()
    }
  }

  private closeUnused(): void {
    if (this.waiting > 0 || this.users > 0) return
    this.forget()
    if (this.session === undefined) this.opening.interruptUnsafe()
    else this.session.close()
  }

  private forget(): void {
    const others = shared.get(this.key)
    others?.delete(this)
    if (others?.size === 0) shared.delete(this.key)
  }
}

/** RFC 9113 §6.5.2: without a word from the server there is no limit. */
const mostStreams = (session: ClientHttp2Session): number => session.remoteSettings.maxConcurrentStreams ?? Infinity

/** A session to the server that a request names, shared with all who connect there in the same way. */
export const lease = (request: ClientRequest, options: DialOptions): Effect.Effect<Lease, SocketError> =>
  Effect.contextWith((context: Context.Context<never>) => {
    const key = keyOf(request, options)
    const one =
      [...(shared.get(key) ?? [])].find(({ hasRoom }) => hasRoom) ??
      new SharedSession(key, Effect.runForkWith(context)(openSession(request, options)))
    return Effect.flatMap(one.lease, (found) => {
      if (found !== undefined) return Effect.succeed(found)
      return one.takesNone
        ? Effect.fail(openFailed("the HTTP/2 session takes no WebSocket", "the server allows no stream"))
        : lease(request, options)
    })
  })

const ids = new WeakMap<object, number>()
let lastId = 0

/** The same for the same object, and for no other. */
const idOf = (value: object): number => {
  const known = ids.get(value) ?? ++lastId
  ids.set(value, known)
  return known
}

/** The same for options of the same values. */
const optionsKey = (options: object | undefined): string =>
  Object.entries(options ?? {})
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]: [string, unknown]) => {
      const known = (typeof value === "object" && value !== null) || typeof value === "function"
      return `${name}=${known ? `#${idOf(value)}` : JSON.stringify(value)}`
    })
    .join("&")

const keyOf = ({ host, port, secure, socketPath }: ClientRequest, { net, proxy, tls }: DialOptions): string =>
  JSON.stringify([
    secure,
    host,
    port,
    socketPath,
    String(plain<string | URL>(proxy ?? "")),
    optionsKey(net),
    optionsKey(tls)
  ])
